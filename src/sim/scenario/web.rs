//! Webseeds in random trouble: servers that fail in every way, commands in any order, and in the end a good server alone
//! that must bring everything.

use std::time::Duration;

use super::{HEALED_MAX, Scenario, is_done};
use crate::contract::WebseedAction;
use crate::engine::io::TorrentCommand;
use crate::sim::checks::Failure;
use crate::sim::engine_node::EngineOptions;
use crate::sim::web::{WebFault, WebServer};
use crate::sim::world::{LOOK_EVERY, NodeId};
use crate::units::{FileIndex, WebseedKey};

/// Webseeds that a torrent may have in these scenarios, counted generously: keys of removed ones are not used again.
const KEYS: u32 = 12;

/// Requests that began before have ended after this long.
const ENDED_BY_THEN: Duration = Duration::from_secs(120);

/// How often a person asks them again.
const ASKED_AGAIN: u32 = 5;

/// Draws a scenario of webseeds; ends with the last server, good by then, as the only source.
///
/// # Errors
/// The first rule that was broken, with the seed that replays it.
pub fn run_web(seed: u64) -> Result<(), Failure> {
    let mut scenario = Scenario::draw(seed, 1..=1);
    let servers = scenario.rng.usize(1..=3);
    let urls: Vec<String> = (0..servers).map(|_| scenario.add_server()).collect();
    let options = EngineOptions { webseeds: urls.clone(), ..EngineOptions::leecher() };
    let leecher = scenario.world.add_engine(options);
    scenario.leechers.push(leecher);
    if scenario.rng.bool() {
        scenario.world.introduce(leecher, scenario.seed);
    }
    for _ in 0..scenario.rng.u32(10..60) {
        let pause = Duration::from_millis(scenario.rng.u64(1..1500));
        scenario.world.run(pause)?;
        if scenario.rng.u8(0..5) < 3 {
            scenario.do_something_with_webseeds(leecher, &urls);
        } else {
            scenario.do_something();
        }
    }
    scenario.heal_from_the_web(leecher, &urls)?;
    scenario.stop()
}

impl Scenario {
    fn add_server(&mut self) -> String {
        let server = WebServer {
            latency: Duration::from_millis(self.rng.u64(1..300)),
            bps: self.rng.u64(20_000..5_000_000),
            fault: self.draw_fault(),
            ..WebServer::good()
        };
        self.world.add_web_server(server)
    }

    fn draw_fault(&mut self) -> WebFault {
        let retry_after_s = self.rng.bool().then(|| self.rng.u64(0..200));
        match self.rng.u8(0..8) {
            0 => WebFault::Refuses { status: 503, retry_after_s },
            1 => WebFault::Refuses { status: 500, retry_after_s: None },
            2 => WebFault::StallsAfter(self.rng.u64(0..300_000)),
            3 => WebFault::ClosesAfter(self.rng.u64(0..300_000)),
            4 => WebFault::Down,
            _ => WebFault::None,
        }
    }

    fn do_something_with_webseeds(&mut self, leecher: NodeId, urls: &[String]) {
        let number = self.rng.usize(..urls.len());
        let key = WebseedKey(self.rng.u32(..KEYS));
        let files = u32::try_from(self.world.payload().info.files.len()).expect("a few files");
        let file = FileIndex(self.rng.u32(..files));
        let action = match self.rng.u8(0..9) {
            0 => WebseedAction::Add(urls[number].clone()),
            1 => WebseedAction::Remove(key),
            2 => WebseedAction::Disable(key),
            3 => WebseedAction::Enable(key),
            4 => WebseedAction::Retry(key),
            5 => WebseedAction::Limit(key, self.rng.u32(0..10)),
            6 => {
                let fault = self.draw_fault();
                self.world.web_server(number).fault = fault;
                return;
            }
            7 => {
                self.world.web_server(number).lacking.insert(file);
                return;
            }
            _ => {
                self.world.web_server(number).stale.insert(file);
                return;
            }
        };
        self.world.command(leecher, TorrentCommand::Webseed(action));
    }

    /// Peers stay away for good; all servers become good, and a person asks them again.
    fn heal_from_the_web(&mut self, leecher: NodeId, urls: &[String]) -> Result<(), Failure> {
        let others: Vec<NodeId> = self.world.node_ids().filter(|id| *id != leecher).collect();
        others.into_iter().for_each(|id| self.world.set_apart(id, true));
        self.world.set_disk_fault(leecher, crate::sim::DiskFault::None);
        self.world.set_disk_pace(leecher, crate::sim::DiskPace::FAST);
        self.world.set_limits(leecher, None, None);
        for number in 0..urls.len() {
            let server = self.world.web_server(number);
            server.fault = WebFault::None;
            server.lacking.clear();
            server.stale.clear();
        }
        // What is under way is of the time before.
        self.world.set_look_every(Duration::from_secs(1));
        self.world.run(ENDED_BY_THEN)?;
        self.world.set_look_every(LOOK_EVERY);
        self.world.set_calm(true);
        self.world.command(leecher, TorrentCommand::Resume);
        let mut done = false;
        for _ in 0..ASKED_AGAIN {
            // Blocks of the old version may be here still: the piece fails, and whoever gave them is blamed once more.
            for url in urls {
                let add = WebseedAction::Add(url.clone());
                self.world.command(leecher, TorrentCommand::Webseed(add));
            }
            done = self.world.run_until_done(HEALED_MAX / ASKED_AGAIN, |world| {
                world.engine(leecher).is_some_and(|node| is_done(node.state()))
            })?;
        }
        self.judge(leecher, done)
    }
}
