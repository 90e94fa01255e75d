//! The webseeds of one torrent: HTTP servers that have its files (BEP 19) or serve its pieces (BEP 17).
//!
//! A request ([`underway::Underway`]) holds blocks as a peer that is asked for them does, and brings them in order.
//! Choosing the blocks, taking a place at the host and noting the request are one step of one turn, so there is nothing
//! that could be registered twice; two requests that overlap are two holders of the same blocks. Which blocks are chosen
//! is `torrent::webseeds`'s matter, which knows the order of pieces.

pub(in crate::engine) mod host;
pub(in crate::engine) mod source;
pub(in crate::engine) mod underway;
mod url;

use std::collections::BTreeMap;

use crate::contract::{WebseedCounts, WebseedKind, WebseedOrigin};
use crate::engine::io::{HostKey, WebseedChoices};
use crate::limits;
use crate::metainfo::Info;
use crate::units::{BlockIndex, FetchId, PieceIndex, Time, WebseedKey};

use host::Host;
use source::Webseed;
use underway::Underway;

/// A webseed as a torrent, a magnet or a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedWebseed {
    /// Its URL.
    pub url: String,
    /// How it is asked.
    pub kind: WebseedKind,
    /// Who named it.
    pub origin: WebseedOrigin,
}

/// All webseeds of a torrent, their hosts, and what they are asked.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Webseeds {
    all: BTreeMap<WebseedKey, Webseed>,
    pub(in crate::engine) hosts: BTreeMap<HostKey, Host>,
    pub(in crate::engine) underway: BTreeMap<FetchId, Underway>,
    /// URLs that the torrent names and a person took away.
    removed: Vec<String>,
    next_key: u32,
    next_fetch: u64,
    /// When the requests under way are looked at for silence.
    pub(in crate::engine) look_at: Option<Time>,
}

impl Webseeds {
    /// The webseeds that a torrent begins with: those it names, and what people made of them. `asks`: whether the program
    /// asks webseeds at all.
    pub(in crate::engine) fn new(
        info: &Info,
        named: &[NamedWebseed],
        choices: &WebseedChoices,
        asks: bool,
    ) -> Self {
        let mut webseeds = Self { removed: choices.removed.clone(), ..Self::default() };
        let by_hand = choices.added.iter().map(|url| NamedWebseed {
            url: url.clone(),
            kind: WebseedKind::UrlList,
            origin: WebseedOrigin::Manual,
        });
        for one in named.iter().cloned().chain(by_hand) {
            if one.origin == WebseedOrigin::Torrent && choices.removed.contains(&one.url) {
                continue;
            }
            webseeds.add(info, &one);
        }
        for webseed in webseeds.all.values_mut() {
            webseed.enabled = !choices.disabled.contains(&webseed.url);
            webseed.allowed = asks;
        }
        webseeds
    }

    /// What people did with them.
    pub(in crate::engine) fn choices(&self) -> WebseedChoices {
        let urls = |chosen: &dyn Fn(&Webseed) -> bool| {
            self.iter().filter(|webseed| chosen(webseed)).map(|webseed| webseed.url.clone()).collect()
        };
        WebseedChoices {
            added: urls(&|webseed| webseed.origin == WebseedOrigin::Manual),
            removed: self.removed.clone(),
            disabled: urls(&|webseed| !webseed.enabled),
        }
    }

    /// Adds one; gives the one that is there already where its URL is the same.
    pub(in crate::engine) fn add(&mut self, info: &Info, named: &NamedWebseed) -> Option<WebseedKey> {
        let known = self.all.values().find(|webseed| webseed.is(&named.url, named.kind));
        if let Some(known) = known {
            return Some(known.key);
        }
        if self.all.len() >= limits::WEBSEEDS_MAX {
            return None;
        }
        let key = WebseedKey(self.next_key);
        self.next_key += 1;
        let webseed = Webseed::new(key, info, named);
        self.hosts.entry(webseed.host.clone()).or_default();
        self.all.insert(key, webseed);
        Some(key)
    }

    /// Takes one away; the caller has ended its requests.
    pub(in crate::engine) fn remove(&mut self, key: WebseedKey) {
        let Some(webseed) = self.all.remove(&key) else { return };
        if webseed.origin == WebseedOrigin::Torrent {
            self.removed.push(webseed.url);
        }
    }

    pub(in crate::engine) fn get(&self, key: WebseedKey) -> Option<&Webseed> {
        self.all.get(&key)
    }

    pub(in crate::engine) fn get_mut(&mut self, key: WebseedKey) -> Option<&mut Webseed> {
        self.all.get_mut(&key)
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Webseed> + Clone {
        self.all.values()
    }

    pub(in crate::engine) fn keys(&self) -> Vec<WebseedKey> {
        self.all.keys().copied().collect()
    }

    /// Whether there is nothing to plan, to wait for or to give back.
    pub(in crate::engine) fn has_no_hosts(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Forgets hosts that no webseed is at, once nothing is held there or waited for.
    pub(in crate::engine) fn forget_hosts_without_webseeds(&mut self) {
        let (all, underway) = (&self.all, &self.underway);
        let is_used = |key: &HostKey| {
            all.values().any(|webseed| webseed.host == *key)
                || underway.values().any(|fetch| fetch.host == *key)
        };
        if self.hosts.len() > all.len() || all.is_empty() {
            self.hosts.retain(|key, host| host.asked > 0 || is_used(key));
        }
        if self.hosts.is_empty() {
            self.look_at = None;
        }
    }

    /// Whether there are none.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one may be asked now.
    pub(in crate::engine) fn may_ask(&self, webseed: &Webseed, now: Time) -> bool {
        webseed.is_usable() && !self.host_of(webseed).is_some_and(|host| host.rests(now))
    }

    pub(in crate::engine) fn host_of(&self, webseed: &Webseed) -> Option<&Host> {
        self.hosts.get(&webseed.host)
    }

    pub(in crate::engine) fn host_mut(&mut self, host: &HostKey) -> &mut Host {
        self.hosts.entry(host.clone()).or_default()
    }

    /// Requests of one webseed that are under way.
    pub(in crate::engine) fn of(&self, key: WebseedKey) -> impl Iterator<Item = &Underway> + '_ {
        self.underway.values().filter(move |fetch| fetch.webseed == key)
    }

    pub(in crate::engine) fn count_of(&self, key: WebseedKey) -> u32 {
        u32::try_from(self.of(key).count()).unwrap_or(u32::MAX)
    }

    /// A name for the next request.
    pub(in crate::engine) fn next_fetch(&mut self) -> FetchId {
        self.next_fetch += 1;
        FetchId(self.next_fetch)
    }

    /// A block came from elsewhere: requests that hold it do so no more.
    pub(in crate::engine) fn not_needed(&mut self, piece: PieceIndex, block: BlockIndex) {
        self.underway.values_mut().for_each(|fetch| {
            fetch.give_up(piece, block);
        });
    }

    /// How many are active, and how many back off.
    pub(in crate::engine) fn counts(&self, now: Time) -> WebseedCounts {
        let mut counts = WebseedCounts::default();
        for webseed in self.iter() {
            if self.of(webseed.key).next().is_some() {
                counts.active += 1;
            } else if webseed.is_usable() && !self.may_ask(webseed, now) {
                counts.backing_off += 1;
            }
        }
        counts
    }

    /// When a host has waited, a file may be asked for again, or requests are to be looked at.
    pub(in crate::engine) fn next_deadline(&self) -> Option<Time> {
        let hosts = self.hosts.values().filter_map(Host::next_deadline);
        let files = self.all.values().filter_map(Webseed::next_rest_ends_at);
        hosts.chain(files).chain(self.look_at).min()
    }
}
