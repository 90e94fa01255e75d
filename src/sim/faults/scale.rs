//! Large torrents and many of them: work is counted in pieces looked at, not timed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lone::{Lone, info};
use super::*;
use crate::contract::Priority;
use crate::engine::budget::{Budget, ConnectionSlots, Flow};
use crate::engine::io::{Effect, Input, TorrentCommand};
use crate::limits;
use crate::units::{ConnectionId, FileIndex, PieceIndex, Rate, Time, TorrentId};

/// Pieces of the file that changes its level.
const FILE_PIECES: u32 = 64;

fn block(piece: PieceIndex, begin: u32) -> Input {
    block_from(ConnectionId(1), piece, begin)
}

fn block_from(connection: ConnectionId, piece: PieceIndex, begin: u32) -> Input {
    let data = Bytes::from_static(&[0; BLOCK_BYTES as usize]);
    Input::Messages { connection, messages: vec![Message::Piece { piece, begin, data }] }
}

fn set(level: Priority) -> Input {
    Input::Command(TorrentCommand::SetPriority(vec![(FileIndex(1), level)]))
}

/// Requests and cancels of pieces from `first` on, `count` of them.
fn requests_and_cancels(effects: &[Effect], first: u32, count: u32) -> (usize, usize) {
    let of_file = |request: &BlockRequest| (first..first + count).contains(&request.piece.0);
    let sent = |is: &dyn Fn(&Message) -> Option<BlockRequest>| {
        let messages = effects.iter().filter_map(|effect| match effect {
            Effect::Send { message, .. } => is(message),
            _ => None,
        });
        messages.filter(of_file).count()
    };
    let request = |message: &Message| match message {
        Message::Request(request) => Some(*request),
        _ => None,
    };
    let cancel = |message: &Message| match message {
        Message::Cancel(request) => Some(*request),
        _ => None,
    };
    (sent(&request), sent(&cancel))
}

#[test]
fn fault_82_each_of_many_priority_flips_takes_effect_in_its_turn_and_costs_what_the_file_costs() {
    let first = 200_000;
    let block_bytes = u64::from(BLOCK_BYTES);
    let sizes =
        [first, FILE_PIECES, 333_000 - first - FILE_PIECES].map(|pieces| u64::from(pieces) * block_bytes);
    let mut lone = Lone::new(info("large", &sizes, 1));
    for peer in [1, 2] {
        lone.peer(peer, vec![Message::HaveAll, Message::Unchoke]);
    }
    // All but the oldest few of each peer, whose blocks may be under way.
    let raised = 2 * (limits::PIPELINE_START - limits::PIPELINE_MIN) as usize;
    let mut on_the_wire = 0;
    for flip in 0..1_000 {
        lone.now = lone.now + Duration::from_millis(10);
        let to = [Priority::High, Priority::Off, Priority::Low, Priority::High, Priority::Normal][flip % 5];
        let asked_before = lone.torrent.row(lone.now, 0).requests_in_flight;
        let mut effects = Vec::new();
        let visits = lone.visits(|lone| effects = lone.turn(set(to)));
        let (requests, cancels) = requests_and_cancels(&effects, first, FILE_PIECES);
        let before = on_the_wire;
        on_the_wire = on_the_wire + requests - cancels;
        let expected = match to {
            Priority::High => raised,
            Priority::Off => 0,
            Priority::Low | Priority::Normal => before,
        };
        assert_eq!(on_the_wire, expected, "flip {flip} to {to:?}");
        assert_eq!(lone.torrent.row(lone.now, 0).requests_in_flight, asked_before, "the pipelines stay full");
        let most = u64::from(FILE_PIECES + 4 * 2 * limits::PIPELINE_START);
        assert!(visits <= most, "flip {flip} to {to:?}: {visits} pieces were looked at");
    }
}

#[test]
fn fault_90_what_a_turn_costs_does_not_depend_on_the_number_of_pieces() {
    let costs = [10_000u32, 300_000].map(|pieces| {
        let piece_bytes = u64::from(2 * BLOCK_BYTES);
        let files =
            [pieces / 2, FILE_PIECES, pieces / 2 - FILE_PIECES].map(|count| u64::from(count) * piece_bytes);
        let mut lone = Lone::new(info("size", &files, 2));
        let full = Bytes::from(vec![0xff; (pieces / 8) as usize]);
        let mut costs =
            vec![("a seed joins", lone.visits(|lone| drop(lone.peer(1, vec![Message::HaveAll]))))];
        costs
            .push(("a full bitfield", lone.visits(|lone| drop(lone.peer(2, vec![Message::Bitfield(full)])))));
        let connection = ConnectionId(1);
        let mut asked = Vec::new();
        let unchoke = Input::Messages { connection, messages: vec![Message::Unchoke] };
        costs.push(("an unchoke", lone.visits(|lone| asked = lone.turn(unchoke))));
        let mut pieces = asked.iter().filter_map(|effect| match effect {
            Effect::Send { message: Message::Request(request), .. } if request.begin == 0 => {
                Some(request.piece)
            }
            _ => None,
        });
        let (piece, again) = (pieces.next(), pieces.next());
        let (piece, again) = piece.zip(again).expect("more than one piece is asked for");
        costs.push(("a block", lone.visits(|lone| drop(lone.turn(block(piece, 0))))));
        costs.push(("the last block", lone.visits(|lone| drop(lone.turn(block(piece, BLOCK_BYTES))))));
        costs.push(("a piece done", lone.visits(|lone| drop(lone.turn(Input::PieceStored { piece })))));
        costs.push(("a poor peer", lone.visits(|lone| drop(lone.peer(3, vec![Message::HaveNone])))));
        let have = Message::Have(PieceIndex(7));
        let have = Input::Messages { connection: ConnectionId(3), messages: vec![have] };
        costs.push(("a have", lone.visits(|lone| drop(lone.turn(have)))));
        costs.push(("a file off", lone.visits(|lone| drop(lone.turn(set(Priority::Off))))));
        costs.push(("a file high", lone.visits(|lone| drop(lone.turn(set(Priority::High))))));
        costs.push(("a look at the list", lone.visits(|lone| drop(lone.torrent.row(lone.now, 0)))));
        lone.torrent.piece_runs(lone.now);
        lone.turn(block(again, 0));
        let picture = lone.visits(|lone| drop(lone.torrent.piece_runs(lone.now)));
        assert!(picture <= u64::from(4 * limits::RUN_PART_PIECES), "a picture after a block: {picture}");
        for number in [3, 2, 1] {
            let closed = Input::Closed { connection: ConnectionId(number), reason: String::new() };
            costs.push(("a peer leaves", lone.visits(|lone| drop(lone.turn(closed)))));
        }
        costs.push(("nothing", lone.visits(|lone| drop(lone.turn(Input::Deadline)))));
        costs
    });
    assert_eq!(costs[0], costs[1]);
    let most = u64::from(2 * limits::PIPELINE_START + 2 * FILE_PIECES);
    assert!(costs[0].iter().all(|(_, visits)| *visits <= most), "{:?}", costs[0]);
    let of = |what| costs[0].iter().find(|(name, _)| *name == what).map(|(_, visits)| *visits);
    assert_eq!((of("a seed joins"), of("a full bitfield"), of("nothing")), (Some(0), Some(0), Some(0)));
}

/// The desk where torrents share what they share, and what waits for each of them.
struct Shared {
    budget: Budget,
    slots: ConnectionSlots,
    inboxes: BTreeMap<TorrentId, Vec<Input>>,
}

impl Shared {
    /// Hands out what is due.
    fn grant(&mut self, now: Time) {
        for grant in self.budget.grants(now) {
            let input = Input::Granted { up_bytes: grant.up_bytes, down_bytes: grant.down_bytes };
            self.inboxes.entry(grant.torrent).or_default().push(input);
        }
        for (torrent, most) in self.slots.messages(now) {
            self.inboxes.entry(torrent).or_default().push(Input::Slots { most });
        }
    }

    /// Takes what a torrent wants; answers requests and stores at once. Says whether a piece was stored.
    fn take(&mut self, torrent: TorrentId, effects: Vec<Effect>) -> bool {
        let inbox = self.inboxes.entry(torrent).or_default();
        let mut stored = false;
        for effect in effects {
            match effect {
                Effect::WantGrant { .. } => self.budget.wants(torrent, Flow::Down),
                Effect::AskSlots(ask) => self.slots.ask(torrent, ask),
                Effect::Send { connection, message: Message::Request(request) } => {
                    inbox.push(block_from(connection, request.piece, request.begin));
                }
                Effect::StorePiece { piece, .. } => {
                    stored = true;
                    inbox.push(Input::PieceStored { piece });
                }
                _ => {}
            }
        }
        stored
    }
}

/// Two thousand torrents that share nothing but the limits: fifty that could all use everything, with a hundred peers
/// each, of which one in twenty lets us download, and one of a third of a million pieces among them. There are fewer
/// connections than they could have.
#[test]
fn fault_89_of_fifty_active_torrents_among_two_thousand_none_starves_under_one_limit() {
    const ACTIVE: u64 = 50;
    let block_bytes = u64::from(BLOCK_BYTES);
    let (budget, slots) = (Budget::default(), ConnectionSlots::new(4_000));
    let mut shared = Shared { budget, slots, inboxes: BTreeMap::new() };
    shared.budget.set_limits(Time::ZERO, Some(Rate(500_000)), None);
    let mut torrents: Vec<Lone> = (0..2_000)
        .map(|number: u64| {
            let pieces = match number {
                7 => 333_000,
                0..ACTIVE => 500 + number,
                _ => 1,
            };
            Lone::new(info(&format!("torrent {number}"), &[pieces * block_bytes], 1))
        })
        .collect();
    for (number, lone) in (0u64..).zip(&mut torrents) {
        let id = lone.torrent.id();
        let grant = shared.budget.opening(id);
        let effects = lone.turn(Input::Granted { up_bytes: grant.up_bytes, down_bytes: grant.down_bytes });
        shared.take(id, effects);
        for peer in 0..if number < ACTIVE { 100 } else { 0 } {
            let says = if peer % 20 == 0 {
                vec![Message::HaveAll, Message::Unchoke]
            } else {
                vec![Message::HaveAll]
            };
            let effects = lone.peer(peer, says);
            shared.take(id, effects);
        }
    }
    let mut progressed = vec![Time::ZERO; torrents.len()];
    let mut now = Time::ZERO;
    while now < Time::ZERO + Duration::from_secs(20) {
        now = now + limits::GRANT_INTERVAL;
        shared.grant(now);
        for (at, lone) in torrents.iter_mut().enumerate() {
            lone.now = now;
            let id = lone.torrent.id();
            for input in shared.inboxes.remove(&id).unwrap_or_default() {
                let effects = lone.turn(input);
                if shared.take(id, effects) {
                    progressed[at] = now;
                }
            }
            let idle = now.since(progressed[at]);
            assert!(
                at as u64 >= ACTIVE || idle <= Duration::from_secs(5),
                "torrent {at} got nothing for {idle:?}"
            );
        }
    }
    let connections = |lone: &Lone| u64::from(lone.torrent.row(now, 0).peers.connected);
    let all: Vec<u64> = torrents.iter().map(connections).collect();
    assert!(all.iter().sum::<u64>() <= 4_000, "{all:?}");
    // The idle ones wait for a caller each; the active ones share the rest alike.
    assert!(all[..ACTIVE as usize].iter().all(|count| [40, 41].contains(count)), "{all:?}");
}
