//! What compares a torrent with itself finds what is wrong: each clause is broken on purpose.

use super::*;
use crate::contract::{WebseedKind, WebseedOrigin};
use crate::engine::NamedWebseed;
use crate::engine::io::HostNews;
use crate::engine::torrent::pieces::PieceState;
use crate::units::BlockIndex;

/// More than a peer is asked for at once.
const MANY: u32 = 20;
/// Few enough that a peer is asked for all of them and has room for more.
const FEW: u32 = 6;

/// A leecher of so many pieces that asked a seed for them; the seed is silent.
fn waiting_leecher(pieces: u32) -> (World, usize) {
    let mut world = World::new(1, (pieces * PIECE_BYTES) as usize);
    let (seed, leecher) = (world.add_seed(), world.add_leecher());
    world.nodes[seed].mute = true;
    world.connect(leecher, seed);
    world.run(Duration::from_millis(100));
    let on_the_wire = world.nodes[leecher].torrent.connections.values().map(|peer| peer.requests.count());
    assert!(on_the_wire.sum::<u32>() > 0);
    (world, leecher)
}

fn only_peer(torrent: &mut Torrent) -> &mut crate::engine::peers::connection::Connection {
    torrent.connections.values_mut().next().expect("it is connected")
}

/// What a whole walk tells.
fn walk(torrent: &mut Torrent, now: Time, pieces_max: u32) -> Vec<String> {
    let steps = 2 * MANY / pieces_max.min(MANY) + 8;
    (0..steps).filter_map(|_| torrent.audit_some(now, pieces_max)).collect()
}

#[test]
fn a_fault_that_lasts_hides_no_other_whatever_the_size_of_the_steps() {
    for pieces_max in [1, 3, 1024] {
        let (mut world, leecher) = waiting_leecher(MANY);
        let now = world.now;
        let torrent = &mut world.nodes[leecher].torrent;
        assert_eq!(walk(torrent, now, pieces_max), Vec::<String>::new());
        [3, 4, 17, MANY - 1].into_iter().for_each(|piece| torrent.spoil(PieceIndex(piece)));
        let entry = *only_peer(torrent).requests.iter().last().expect("it asked");
        only_peer(torrent).requests.take(entry.piece, entry.block);
        let told = walk(torrent, now, pieces_max);
        for piece in [3, 4, 17, MANY - 1] {
            let of_it = format!("piece {piece} ");
            assert!(told.iter().any(|what| what.starts_with(&of_it)), "{piece}, by {pieces_max}: {told:?}");
        }
        let of_the_wire = format!("block {} of piece {} is asked of None", entry.block.0, entry.piece.0);
        assert!(told.iter().any(|what| what.starts_with(&of_the_wire)), "by {pieces_max}: {told:?}");
    }
}

#[test]
fn an_availability_that_drifted_is_told_of_a_piece_that_is_here() {
    let mut world = World::new(1, (FEW * PIECE_BYTES) as usize);
    let node = world.add_seed();
    let torrent = &mut world.nodes[node].torrent;
    assert_eq!(torrent.inconsistency(), None);
    torrent.spoil(PieceIndex(5));
    let due = "piece 5 is counted as had by 1 peers".to_owned();
    assert_eq!(torrent.inconsistency().as_ref(), Some(&due));
    let told = walk(torrent, Time::ZERO, 1024);
    assert!(!told.is_empty() && told.iter().all(|what| *what == due), "{told:?}");
}

/// Takes the newest request off the wire and plans nothing; gives its piece.
fn forget_a_request(torrent: &mut Torrent) -> PieceIndex {
    let peer = only_peer(torrent);
    let entry = *peer.requests.iter().last().expect("it asked");
    peer.requests.take(entry.piece, entry.block);
    torrent.pieces.with_partial(entry.piece, |partial| partial.release(entry.block));
    assert_eq!(torrent.inconsistency(), None);
    entry.piece
}

#[test]
fn a_request_that_is_missing_is_found_of_unchoked_and_of_choking_peers() {
    let (mut world, leecher) = waiting_leecher(FEW);
    let now = world.now;
    let torrent = &mut world.nodes[leecher].torrent;
    assert_eq!(torrent.missed_request(now), None);
    let piece = forget_a_request(torrent);
    let missed = torrent.missed_request(now).expect("it is missing");
    assert!(missed.contains("unchokes us") && missed.contains(&format!("has piece {} with", piece.0)));
    only_peer(torrent).peer_choking = true;
    assert_eq!(torrent.missed_request(now), None, "it would not answer");
    only_peer(torrent).allowed_fast = vec![PieceIndex((piece.0 + 1) % FEW)];
    assert_eq!(torrent.missed_request(now), None, "nor for this piece");
    only_peer(torrent).allowed_fast.push(piece);
    assert!(torrent.missed_request(now).is_some_and(|missed| missed.contains("allows us pieces")));
    torrent.allowance.down_bytes = Some(0);
    assert_eq!(torrent.missed_request(now), None, "it waits for its share");
}

#[test]
fn a_piece_that_may_be_there_and_is_not_hashed_is_found() {
    let (mut world, leecher) = waiting_leecher(FEW);
    let now = world.now;
    let torrent = &mut world.nodes[leecher].torrent;
    let piece = PieceIndex(FEW - 1);
    torrent.cancel_requests_for(now, piece);
    torrent.pieces.set_state(piece, PieceState::OnDemand);
    let missed = torrent.missed_request(now).expect("it is missing");
    assert!(missed.contains("piece 5, which may be on disk"), "{missed}");
    only_peer(torrent).peer_choking = true;
    assert_eq!(torrent.missed_request(now), None, "nobody could be asked for it");
    only_peer(torrent).peer_choking = false;
    torrent.end_turn(now);
    assert_eq!((torrent.missed_request(now), torrent.pieces.state(piece)), (None, PieceState::Checking));
}

#[test]
fn a_webseed_that_is_not_asked_is_found_unless_it_waits_for_a_place() {
    let world = World::new(1, (FEW * PIECE_BYTES) as usize);
    let (kind, origin) = (WebseedKind::UrlList, WebseedOrigin::Torrent);
    let webseeds = vec![NamedWebseed { url: "http://h/f".to_owned(), kind, origin }];
    let mut torrent = Torrent::new(Time::ZERO, Setup { webseeds, ..world.setup(StartingPoint::default()) });
    let missed = torrent.missed_request(Time::ZERO).expect("it has everything");
    assert!(missed.starts_with("webseed 0 may be asked and has piece 0 "), "{missed}");
    torrent.end_turn(Time::ZERO);
    assert_eq!(torrent.missed_request(Time::ZERO), None, "it waits");
    let host = torrent.webseeds.hosts.keys().next().expect("it has a host").clone();
    torrent.handle(Time::ZERO, Input::Host { host, news: HostNews::Places(1) });
    torrent.end_turn(Time::ZERO);
    assert_eq!((torrent.webseeds.underway.len(), torrent.missed_request(Time::ZERO)), (1, None));
    torrent.end_all_fetches(Time::ZERO);
    let missed = torrent.missed_request(Time::ZERO);
    assert!(missed.is_some_and(|missed| missed.starts_with("webseed 0 may be asked")), "its request ended");
}

#[test]
fn a_walk_tells_of_a_missing_request_where_it_lasts() {
    let (mut world, leecher) = waiting_leecher(FEW);
    let began = world.now;
    let torrent = &mut world.nodes[leecher].torrent;
    let piece = forget_a_request(torrent);
    assert_eq!(walk(torrent, began, 1024), Vec::<String>::new());
    let almost = began + limits::AUDIT_MISSED_MIN / 2;
    assert_eq!(walk(torrent, almost, 1024), Vec::<String>::new());
    let told = walk(torrent, began + limits::AUDIT_MISSED_MIN, 1024);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(&format!("has piece {} with blocks that nobody is asked for", piece.0)));
    // Once it is asked for again nothing is left of the suspicion.
    torrent.end_turn(began);
    assert_eq!(walk(torrent, began + 2 * limits::AUDIT_MISSED_MIN, 1024), Vec::<String>::new());
    assert!(torrent.pieces.partial(piece).is_some_and(|partial| !partial.is_free_or_pad(BlockIndex(3))));
}
