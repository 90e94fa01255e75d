use proptest::prelude::*;

use super::*;
use crate::limits::FILES_MAX;
use crate::units::FileIndex;

const HASH: &str = "d43e185e297421ea3f253ae04300e373aef9404e";
const HASH_V2: &str = "597b180c1a170a585dfc5e85d834d69013ceda174b8f357d5bb1a0ca509faf0a";

fn with(parameters: &str) -> Magnet {
    Magnet::parse(&format!("magnet:?xt=urn:btih:{HASH}{parameters}")).unwrap()
}

fn reasons(parameters: &str) -> Vec<(&'static str, &'static str)> {
    with(parameters).left_out.into_iter().map(|out| (out.parameter, out.reason)).collect()
}

#[test]
fn both_info_hashes_are_read_in_every_form() {
    let hybrid = Magnet::parse(&format!("MAGNET:?xt=urn:btih:{HASH}&xt.1=urn:BTMH:1220{HASH_V2}")).unwrap();
    assert_eq!(hybrid.info_hash_v1.unwrap().to_string(), HASH);
    assert_eq!(hybrid.info_hash_v2.unwrap().to_string(), HASH_V2);
    assert_eq!(hybrid.swarm_hashes().len(), 2);
    assert_eq!(hybrid.id().to_string(), HASH);

    let base32 = Magnet::parse("magnet:?xt=urn:btih:2Q7BQXRJOQQ6UPZFHLQEGAHDOOXPSQCO").unwrap();
    assert_eq!(base32.info_hash_v1.unwrap().to_string(), HASH);
    let lower = Magnet::parse("magnet:?xt=urn:btih:2q7bqxrjoqq6upzfhlqegahdooxpsqco").unwrap();
    assert_eq!(lower, base32);

    let v2 = Magnet::parse(&format!("magnet:?xt=urn:btmh:1220{HASH_V2}")).unwrap();
    assert_eq!(v2.id().to_string(), HASH_V2[..40]);
}

#[test]
fn fault_79_broken_info_hashes_are_refused() {
    let refused = |xt: &str| Magnet::parse(&format!("magnet:?xt={xt}")).unwrap_err();
    assert_eq!(refused(&format!("urn:btih:{}", HASH.replace('d', "g"))), MagnetError::BadHashV1);
    assert_eq!(refused(&format!("urn:btih:{}", &HASH[..38])), MagnetError::BadHashV1);
    assert_eq!(refused("urn:btih:"), MagnetError::BadHashV1);
    assert_eq!(refused("urn:btih:2Q7BQXRJOQQ6UPZFHLQEGAHDOOXPSQC1"), MagnetError::BadHashV1);
    assert_eq!(refused(&format!("urn:btih:{}", "é".repeat(20))), MagnetError::BadHashV1);
    assert_eq!(refused(&format!("urn:btmh:1120{HASH_V2}")), MagnetError::BadHashV2);
    assert_eq!(refused(&format!("urn:btmh:1220{}", &HASH_V2[..62])), MagnetError::BadHashV2);
    assert_eq!(refused(&format!("urn:btmh:{HASH_V2}")), MagnetError::BadHashV2);
    assert_eq!(refused("urn:sha1:2Q7BQXRJOQQ6UPZFHLQEGAHDOOXPSQCO"), MagnetError::MissingHash);
    let other = HASH.replace('d', "e");
    assert_eq!(refused(&format!("urn:btih:{HASH}&xt=urn:btih:{other}")), MagnetError::TwoTorrents);
    assert_eq!(Magnet::parse("http://a.example/"), Err(MagnetError::NotAMagnet));
    assert_eq!(Magnet::parse("magnet:?dn=a"), Err(MagnetError::MissingHash));
}

#[test]
fn fault_79_ten_thousand_trackers_are_cut() {
    let trackers: String = (0..10_000).map(|at| format!("&tr=udp://t{at}.example:80/announce")).collect();
    let magnet = with(&trackers);
    assert_eq!(magnet.trackers.len(), TRACKERS_MAX);
    assert_eq!(magnet.left_out.len(), 1);
    let long = format!("magnet:?xt=urn:btih:{HASH}&dn={}", "x".repeat(MAGNET_BYTES_MAX));
    assert!(matches!(Magnet::parse(&long), Err(MagnetError::TooLong { .. })));
}

#[test]
fn fault_79_links_to_files_and_to_this_machine_are_left_out_by_name() {
    for key in ["xs", "as", "ws"] {
        let shown = if key == "ws" { "ws" } else { "xs" };
        let scheme = [(shown, "its scheme is not one that may be fetched")];
        let own = [(shown, "it points at this machine or its local network")];
        assert_eq!(reasons(&format!("&{key}=file:///etc/passwd")), scheme);
        assert_eq!(reasons(&format!("&{key}=ftp%3A%2F%2Fa.example%2Fb")), scheme);
        let hosts = [
            "localhost",
            "a.localhost.",
            "127.0.0.1:80",
            "0x7f.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
            "0.0.0.0",
        ];
        for host in hosts {
            assert_eq!(reasons(&format!("&{key}=http://{host}/x")), own, "{host}");
        }
        assert_eq!(reasons(&format!("&{key}=nonsense")), [(shown, "it is not a URL")]);
        assert_eq!(reasons(&format!("&{key}=https://w.example/x")), []);
    }
    assert_eq!(reasons("&tr=file:///announce"), [("tr", "its scheme is not one that may be fetched")]);
    assert_eq!(reasons("&tr=http://127.0.0.1:1/announce"), []);
}

#[test]
fn fault_79_escapes_in_the_name_stay_data() {
    let name = with("&dn=a%1b%5b2J+b%E2%80%AEc%ff%zz").name.unwrap();
    assert_eq!(name.raw(), "a\u{1b}[2J b\u{202e}c\u{fffd}%zz");
    assert_eq!(name.to_string(), "a␛[2J b·c\u{fffd}%zz");
}

#[test]
fn fault_79_a_huge_file_range_stays_a_range() {
    let selection = with("&so=0-4294967295").selection.unwrap();
    assert_eq!(selection.to_string(), format!("0-{}", FILES_MAX - 1));
    let selection = with("&so=7,2,4-6,5-9,20-99999999999999").selection.unwrap();
    assert_eq!(selection.to_string(), format!("2,4-9,20-{}", FILES_MAX - 1));
    let chosen: Vec<u32> = (0..12).filter(|at| selection.contains(FileIndex(*at))).collect();
    assert_eq!(chosen, [2, 4, 5, 6, 7, 8, 9]);
    for broken in ["", "a", "3-", "-3", "5-2", "1,,2", "99999999999999999999999"] {
        let magnet = with(&format!("&so={broken}"));
        assert_eq!(magnet.selection, None, "{broken}");
        assert_eq!(magnet.left_out.len(), 1, "{broken}");
    }
}

#[test]
fn peers_are_addresses() {
    let magnet = with(
        "&x.pe=10.0.0.7:51413&x.pe=[2001:db8::1]:6881&x.pe=host.example:1&x.pe=1.2.3.4:0&x.pe=10.0.0.7:51413",
    );
    assert_eq!(magnet.peers, ["10.0.0.7:51413".parse().unwrap(), "[2001:db8::1]:6881".parse().unwrap()]);
    assert_eq!(magnet.left_out.len(), 2);
    assert_eq!(magnet.left_out[0].value.raw(), "host.example:1");
}

#[test]
fn a_link_written_is_the_link_read() {
    let link = format!(
        "magnet:?xt=urn:btih:{HASH}&xt=urn:btmh:1220{HASH_V2}&dn=a%20%26%20%C3%A4&tr=udp%3A%2F%2Ft.example%3A80%2Fa\
         &ws=http%3A%2F%2Fw.example%2F&xs=https%3A%2F%2Fx.example%2Ft&x.pe=[::2]:80&so=1,3-5"
    );
    let magnet = Magnet::parse(&link).unwrap();
    assert_eq!(magnet.to_string(), link);
    assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(magnet:\\?)?(xt=urn:bt[im]h:[0-9a-f]{0,64}|&|=|%|\\PC|so=|-|,|dn){0,40}") {
        if let Ok(magnet) = Magnet::parse(&text) {
            let again = Magnet::parse(&magnet.to_string()).unwrap();
            prop_assert_eq!(Magnet { left_out: Vec::new(), ..magnet }, again);
        }
    }
}
