//! The command line as a contract: what is accepted, what is refused, and with which exit status.

use std::time::Duration;

use clap::error::ErrorKind;
use unchoke::cli::args::{Arguments, Command, ConfigCommand, CtlCommand, Limit};
use unchoke::contract::Priority;
use unchoke::units::Rate;

fn read(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::read(std::iter::once("unchoke").chain(line.split_whitespace()))
}

#[test]
fn every_call_of_the_contract_is_accepted() {
    for line in [
        "",
        "a.torrent magnet:?xt=urn:btih:d43e185e297421ea3f253ae04300e373aef9404e",
        "--demo",
        "--demo --state-dir s --diagnostics 127.0.0.1:0 --debug --no-dht --no-pex --no-lsd --no-utp",
        "download a.torrent --no-seed --json --events --stats --timeout 60",
        "download a --dir d --config c --state-dir s --bind 127.0.0.1 --port 0 --peer 127.0.0.1:1 --peer [::1]:2",
        "download a --tracker http://t/announce --webseed http://w/ --file **=off --file a/*=high",
        "download a --check never --trust-store no --encryption prefer --down 2M --up none",
        "download a --no-dht --no-pex --no-lsd --no-utp --no-tcp --no-trackers --no-webseeds",
        "download a --diagnostics 127.0.0.1:6060 --debug",
        "show a --json",
        "verify a --dir d --json",
        "create p -o f --v1",
        "create p -o f --hybrid --piece-length 65536 --tracker u --tracker v --webseed w --private --comment t",
        "ctl --state-dir s list --json",
        "--state-dir s ctl --json list",
        "ctl list --state-dir s",
        "ctl add a b --dir d --paused --file **=off --peer 127.0.0.1:1 --tracker u",
        "ctl pause d43e",
        "ctl resume d43e aaaa",
        "ctl remove d43e --data",
        "ctl files d43e --json",
        "ctl priority d43e a/b.bin 3 off **.nfo high",
        "ctl order d43e",
        "ctl order d43e --sequential on --first-last off --json",
        "ctl add a --sequential --first-last",
        "download a --sequential --first-last",
        "a.torrent --sequential",
        "a.torrent --assume-complete",
        "download a --assume-complete --check never",
        "ctl pieces d43e",
        "ctl read d43e a/b.bin",
        "ctl read d43e 3 --offset 7 --length 9",
        "ctl peers d43e",
        "ctl trackers d43e",
        "ctl webseeds d43e --json",
        "ctl webseed d43e add http://w/",
        "ctl webseed d43e remove 0",
        "ctl webseed d43e retry http://w/",
        "ctl webseed d43e disable 1 --json",
        "ctl webseed d43e enable 1",
        "ctl webseed d43e limit 1 8",
        "ctl add a --webseed http://w/ --webseed https://v/",
        "ctl recheck d43e",
        "ctl announce d43e",
        "ctl limit",
        "ctl debug",
        "ctl debug on --json",
        "ctl limit --down 1.5MiB --up 0",
        "dump tasks --state-dir s",
        "dump locks --json",
        "dump queues",
        "dump waits",
        "dump torrents --pprof",
        "dump recorder",
        "dump recorder d43e --out f --unredacted",
        "replay f --until 5 --stop-on stalled --quiet",
        "config path",
        "config init --config f",
        "config show",
    ] {
        if let Err(error) = read(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn wrong_usage_is_refused_with_status_two() {
    for line in [
        "download",
        "--nonsense",
        "download a --port 65536",
        "download a --peer nowhere",
        "download a --file x",
        "download a --check sometimes",
        "download a --down fast",
        "download a --timeout soon",
        "verify a",
        "create p",
        "create p -o f --v1 --v2",
        "ctl",
        "ctl priority d43e high",
        "ctl pause",
        "ctl webseeds",
        "ctl webseed d43e",
        "ctl webseed d43e add",
        "ctl webseed d43e limit 1",
        "ctl webseed d43e limit 1 0",
        "ctl webseed d43e limit 1 many",
        "dump",
        "dump everything",
        "ctl debug maybe",
        "ctl read d43e",
        "ctl read d43e a --offset x",
        "ctl order",
        "ctl order d43e --sequential",
        "ctl order d43e --sequential maybe",
        "config",
        "--port 5 download a",
        "--demo a.torrent",
        "--demo --port 5",
        "--demo --sequential",
    ] {
        let error = read(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}: {error}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    assert_eq!(read("--help").unwrap_err().kind(), ErrorKind::DisplayHelp);
    assert_eq!(read("ctl priority --help").unwrap_err().exit_code(), 0);
    assert_eq!(read("--version").unwrap_err().exit_code(), 0);
}

#[test]
fn download_options_arrive_where_they_are_used() {
    let arguments =
        read("download a b --state-dir s --file x=off --file y=high --down 2M --timeout 1.5").unwrap();
    let Some(Command::Download(download)) = arguments.command else { panic!("{:?}", arguments.command) };
    assert_eq!(download.sources, ["a", "b"]);
    assert_eq!(arguments.state_dir.as_deref(), Some("s".as_ref()));
    assert_eq!(download.engine.file[1].level, Priority::High);
    assert_eq!(download.engine.down, Some(Limit(Some(Rate(2_000_000)))));
    assert_eq!(download.timeout, Some(Duration::from_millis(1500)));
}

#[test]
fn a_word_that_is_no_command_is_a_source() {
    let arguments = read("listing.torrent --up 1k").unwrap();
    assert!(arguments.command.is_none());
    assert_eq!(arguments.sources, ["listing.torrent"]);
}

#[test]
fn json_is_taken_on_both_sides_of_a_ctl_command() {
    for line in ["ctl --json list", "ctl list --json"] {
        let Some(Command::Ctl(ctl)) = read(line).unwrap().command else { panic!("{line}") };
        assert!(ctl.json && matches!(ctl.command, CtlCommand::List));
    }
    let Some(Command::Config(config)) = read("config show").unwrap().command else { panic!() };
    assert!(matches!(config.command, ConfigCommand::Show));
}

#[test]
fn options_that_switch_off_what_is_not_there_change_nothing() {
    let line = "download a --no-dht --no-pex --no-lsd --no-utp --no-webseeds --encryption off";
    let Some(Command::Download(download)) = read(line).unwrap().command else { panic!() };
    assert_eq!(download.engine.refusal(), None);
}

#[test]
fn options_that_ask_for_what_is_not_there_are_refused() {
    let told = |line: &str| {
        let Some(Command::Download(download)) = read(line).unwrap().command else { panic!() };
        download.engine.refusal()
    };
    for line in ["download a --encryption require", "download a --no-tcp"] {
        assert!(told(line).is_some_and(|why| why.starts_with(&line["download a ".len()..])), "{line}");
    }
    assert_eq!(told("download a --webseed http://w/ --no-webseeds"), None);
}

#[test]
fn help_is_a_command_too() {
    for line in ["help", "help download", "help ctl", "--help"] {
        assert_eq!(read(line).unwrap_err().kind(), ErrorKind::DisplayHelp, "{line}");
    }
}
