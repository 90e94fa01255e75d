//! The rivals: how each is started so that it keeps to loopback and to the one peer source the test gives it.

mod aria2;
mod libtorrent;
mod lighttpd;
mod nginx;
mod opentracker;
mod qbittorrent;
mod rtorrent;
mod transmission;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{find_program, say, wait_for};
use super::unchoke::PROGRAM_START_MAX;

pub(crate) use libtorrent::{AddOptions, Libtorrent};
pub(crate) use lighttpd::Lighttpd;
pub(crate) use nginx::Nginx;
pub(crate) use opentracker::Opentracker;
pub(crate) use transmission::Transmission;

/// A program that a test needs and that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Transmission,
    Aria2,
    Qbittorrent,
    Rtorrent,
    Libtorrent,
    Opentracker,
    Nginx,
    Lighttpd,
    Openssl,
    Go,
}

impl Client {
    fn program(self) -> Option<PathBuf> {
        match self {
            Self::Transmission => find_program("transmission-daemon"),
            Self::Aria2 => find_program("aria2c"),
            Self::Qbittorrent => find_program("qbittorrent-nox"),
            Self::Rtorrent => find_program("rtorrent"),
            Self::Libtorrent => libtorrent::find_python(),
            Self::Opentracker => find_program("opentracker"),
            Self::Nginx => find_program("nginx"),
            Self::Lighttpd => find_program("lighttpd"),
            Self::Openssl => find_program("openssl"),
            Self::Go => find_program("go"),
        }
    }
}

/// The client's program. Where it is missing the test has nothing to do: said aloud, and a failure where the
/// environment asks for it, so that a run cannot look complete by accident.
pub(crate) fn require_or_skip(client: Client) -> Option<PathBuf> {
    let program = client.program();
    if program.is_none() {
        let required = std::env::var_os("UNCHOKE_REAL_CLIENTS").is_some_and(|value| value == "required");
        assert!(!required, "{client:?} is not installed, and UNCHOKE_REAL_CLIENTS=required");
        say(&format!("skipped: {client:?} is not installed"));
    }
    program
}

/// What a rival is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The data is in the folder.
    Seed,
    /// The data is to come.
    Leech,
}

/// One torrent in one instance of a client.
pub(crate) struct Job<'a> {
    /// A folder of this instance's own for its settings and logs.
    pub(crate) home: &'a Path,
    pub(crate) torrent: &'a Path,
    /// Hex, as the payload tells it.
    pub(crate) info_hash: &'a str,
    /// Where the payload is or goes.
    pub(crate) folder: &'a Path,
    pub(crate) role: Role,
}

/// A running client with one torrent.
pub(crate) trait Rival {
    /// Where it accepts peers.
    fn port(&self) -> u16;
    /// True once all of the torrent is there and checked. Fails the test if the client has died.
    fn is_complete(&mut self) -> bool;
}

/// Longest transfer of any payload here between two rivals on a loaded machine.
pub(crate) const COMPLETE_MAX: Duration = Duration::from_secs(90);

pub(crate) fn wait_complete(rival: &mut dyn Rival, who: Client) {
    wait_for(&format!("{who:?} is complete"), COMPLETE_MAX, || rival.is_complete().then_some(()));
}

/// Starts the client on the job and waits until it accepts peers; a seed also until it has checked its data.
pub(crate) fn start(client: Client, program: &Path, job: &Job<'_>) -> Box<dyn Rival> {
    std::fs::create_dir_all(job.folder).unwrap();
    let mut rival: Box<dyn Rival> = match client {
        Client::Transmission => Box::new(transmission::Transmission::start(program, job)),
        Client::Aria2 => Box::new(aria2::Aria2::start(program, job)),
        Client::Qbittorrent => Box::new(qbittorrent::Qbittorrent::start(program, job)),
        Client::Rtorrent => Box::new(rtorrent::Rtorrent::start(program, job)),
        Client::Libtorrent => Box::new(Libtorrent::start(program, job)),
        Client::Opentracker | Client::Nginx | Client::Lighttpd | Client::Openssl | Client::Go => {
            panic!("{client:?} is not a peer")
        }
    };
    if job.role == Role::Seed {
        wait_for(&format!("{client:?} seeds"), PROGRAM_START_MAX, || rival.is_complete().then_some(()));
    }
    rival
}
