//! How an engine is to work, as its front end decides before it starts.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use crate::contract::{Assume, CheckPolicy, StoreTrust};
use crate::units::Rate;

/// How an engine is to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The list, its records, the lock and the control socket.
    pub state_dir: PathBuf,
    /// Payload goes here unless a torrent says otherwise.
    pub save_dir: PathBuf,
    /// Listen on, and call from, this address.
    pub bind: IpAddr,
    /// Listen on this port; 0: any.
    pub port: u16,
    /// When to hash what is on disk.
    pub check: CheckPolicy,
    /// Whether saved records of what is complete count.
    pub trust_store: StoreTrust,
    /// Whether data that is there counts as complete on the user's word.
    pub assume: Assume,
    /// Most bytes a second from peers.
    pub down_limit: Option<Rate>,
    /// Most bytes a second to peers.
    pub up_limit: Option<Rate>,
    /// Whether trackers are asked.
    pub trackers: Switch,
    /// Whether webseeds are asked.
    pub webseeds: Switch,
    /// Whether complete torrents go on seeding; `Off`: they pause.
    pub seed: Switch,
    /// Whether the engine's own state is compared with what follows from scratch.
    pub debug: Switch,
    /// Whether the saved torrents come back.
    pub restore: Restore,
}

impl Settings {
    /// An engine of its own in a folder that talks to nobody beyond this machine: any port of loopback, no trackers,
    /// state in `state` and payload in `save`. What tests and benchmarks begin with.
    pub fn on_loopback(folder: &Path) -> Self {
        Self {
            state_dir: folder.join("state"),
            save_dir: folder.join("save"),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            check: CheckPolicy::Auto,
            trust_store: StoreTrust::Yes,
            assume: Assume::Nothing,
            down_limit: None,
            up_limit: None,
            trackers: Switch::Off,
            webseeds: Switch::On,
            seed: Switch::On,
            debug: Switch::Off,
            restore: Restore::SavedList,
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Off.
    Off,
    /// On.
    On,
}

/// Which torrents an engine starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// Those of the last run.
    SavedList,
    /// None; the records of one that is added again still count.
    Nothing,
}
