//! Peers that break the protocol, or press it to its bounds.

use std::time::Duration;

use super::*;
use crate::codec::extension::{self, Extension, ExtensionHandshake, MetadataMessage};
use crate::limits;
use crate::sim::manners::{Flood, Holding};
use crate::sim::world::Participant;

/// A peer that says these messages after the handshake, in place of what it has.
fn says(messages: Vec<Message>) -> Manners {
    Manners { holding: Holding::Nothing, fast: false, flood: Some(Flood::Once(messages)), ..Manners::seed() }
}

/// What an engine makes of a peer that says these messages; its goodbyes.
fn heard(messages: Vec<Message>) -> (World, NodeId, Vec<String>) {
    let (mut world, leecher, peer) = leecher_and(1, &Shape::pieces(10), says(messages));
    world.pass(MOMENT);
    let goodbyes = world.goodbyes(leecher, peer);
    (world, leecher, goodbyes)
}

fn bits(bytes: &'static [u8]) -> Message {
    Message::Bitfield(Bytes::from_static(bytes))
}

/// A bitfield that comes late or again is taken as so many `have`s, for aria2 sends such; without end it is a breach.
/// Before the metadata is here there is no torrent to hold it: its connections begin anew with the torrent.
#[test]
fn fault_09_a_bitfield_of_a_wrong_length_or_with_spare_bits_ends_the_connection_with_the_reason() {
    for (bytes, reason) in [
        (&[0xff][..], "bitfield of 1 bytes where 2 were due"),
        (&[0xff, 0, 0], "bitfield of 3 bytes where 2 were due"),
        (&[], "bitfield of 0 bytes where 2 were due"),
        (&[0xff, 0xe0], "bitfield with spare bits set"),
    ] {
        let (mut world, leecher, goodbyes) = heard(vec![bits(bytes)]);
        assert_eq!(goodbyes, [reason]);
        assert_eq!(world.detail(leecher).rarest_availability, Some(0));
    }
    let (mut world, leecher, goodbyes) =
        heard(vec![bits(&[0x80, 0]), Message::Have(PieceIndex(1)), bits(&[0xff, 0xc0]), bits(&[0, 0])]);
    assert!(goodbyes.is_empty(), "{goodbyes:?}");
    assert_eq!(world.detail(leecher).rarest_availability, Some(1), "nothing is taken back");
    let (mut world, leecher, goodbyes) = heard(vec![bits(&[0, 0]); limits::STALE_BITFIELDS_MAX as usize + 2]);
    assert_eq!(goodbyes, ["tells the same pieces again and again"]);
    assert_eq!(world.detail(leecher).rarest_availability, Some(0));
}

/// As with late bitfields: what comes second adds to what came first.
#[test]
fn fault_10_everything_and_nothing_in_both_orders_leave_the_counts_right() {
    for (messages, available) in [
        (vec![Message::HaveAll, Message::HaveNone], 1),
        (vec![Message::HaveNone, Message::HaveAll], 1),
        (vec![Message::HaveNone, Message::HaveNone], 0),
        (vec![Message::HaveAll, bits(&[0x80, 0]), Message::HaveAll], 1),
    ] {
        let (mut world, leecher, goodbyes) = heard(messages.clone());
        assert!(goodbyes.is_empty(), "{goodbyes:?}");
        assert_eq!(world.detail(leecher).rarest_availability, Some(available), "{messages:?}");
        let connections = world.connections_of(leecher);
        connections.into_iter().for_each(|connection| world.break_connection(connection));
        world.pass(MOMENT);
        assert_eq!(world.detail(leecher).rarest_availability, Some(0), "{messages:?}");
    }
    for index in [10, u32::MAX] {
        let (mut world, leecher, goodbyes) = heard(vec![Message::HaveAll, Message::Have(PieceIndex(index))]);
        assert_eq!(goodbyes, [format!("piece {index} of 10")]);
        assert_eq!(world.detail(leecher).rarest_availability, Some(0));
    }
}

#[test]
fn fault_13_what_is_unknown_is_ignored_and_what_is_malformed_drops_the_peer() {
    let extended =
        |id, payload: &'static [u8]| Message::Extended { id, payload: Bytes::from_static(payload) };
    let ignored = vec![
        Message::Unknown { id: 99 },
        Message::Port(1),
        Message::Suggest(PieceIndex(u32::MAX)),
        extended(200, b"whatever"),
        extended(extension::HANDSHAKE_ID, b"d1:md6:ut_pexi300e11:ut_metadata3:twoe1:pi0e1:v0:4:reqqi-1ee"),
        extended(Extension::UtPex.our_id(), b"no pex here"),
    ];
    let (mut world, leecher, goodbyes) = heard(ignored);
    assert!(goodbyes.is_empty(), "{goodbyes:?}");
    let seed = world.add_puppet(Manners::seed());
    world.introduce(leecher, seed);
    world.completes(leecher, Duration::from_secs(1));
    for malformed in [
        extended(extension::HANDSHAKE_ID, b"d1:m"),
        extended(extension::HANDSHAKE_ID, b"le"),
        extended(extension::HANDSHAKE_ID, b""),
        extended(Extension::LtDonthave.our_id(), b"abc"),
        extended(Extension::LtDonthave.our_id(), &[0xff; 4]),
        extended(Extension::UtMetadata.our_id(), b"i1e"),
    ] {
        let (_, _, goodbyes) = heard(vec![malformed.clone()]);
        assert_eq!(goodbyes.len(), 1, "{malformed:?}");
    }
}

#[test]
fn fault_13_no_bytes_that_decode_to_messages_bring_the_engine_down() {
    let mut rng = fastrand::Rng::with_seed(13);
    for _ in 0..60 {
        let frame = |rng: &mut fastrand::Rng| {
            let mut frame = vec![rng.u8(0..24)];
            // Small numbers more often than not, so that indices and numbers of extensions hit.
            frame.extend((0..rng.usize(0..24)).map(|_| if rng.bool() { 0 } else { rng.u8(..4) }));
            Message::decode(frame.into()).ok()
        };
        let messages: Vec<Message> = std::iter::repeat_with(|| frame(&mut rng)).flatten().take(60).collect();
        let (mut world, leecher, _) = heard(messages);
        let seed = world.add_puppet(Manners::seed());
        world.introduce(leecher, seed);
        world.completes(leecher, limits::REQUEST_TIMEOUT * 2);
    }
}

#[test]
fn fault_14_blocks_nobody_asked_for_are_counted_not_kept_and_repeated_ones_end_the_connection() {
    let (mut world, leecher, peer) =
        leecher_and(14, &Shape::pieces(8), Manners { holding: Holding::Nothing, ..Manners::seed() });
    world.pass(MOMENT);
    let right = world.payload().range(PieceIndex(0), 0, BLOCK_BYTES);
    let unasked = piece_message(first_block(0), right.clone());
    let too_short = piece_message(first_block(1), right.slice(..100));
    let too_long = piece_message(first_block(1), [&right[..], b"x"].concat().into());
    let askew = Message::Piece { piece: PieceIndex(0), begin: 1, data: right.clone() };
    let beyond = Message::Piece { piece: PieceIndex(7), begin: u32::MAX, data: right.clone() };
    let odd = [unasked.clone(), too_short, too_long, askew, beyond];
    world.puppet_says(peer, &odd);
    world.pass(MOMENT);
    let row = world.row(leecher);
    assert_eq!((row.downloaded_bytes, row.pieces.have), (0, 0));
    assert_eq!(row.wasted_bytes, u64::from(BLOCK_BYTES) * 4 + 101);
    assert!(world.is_connected(leecher, peer));
    let more = limits::UNASKED_BLOCKS_MAX as usize - odd.len();
    world.puppet_says(peer, &vec![unasked.clone(); more]);
    world.pass(MOMENT);
    assert!(world.is_connected(leecher, peer), "as many come from crossed cancels");
    world.puppet_says(peer, &[unasked]);
    world.pass(MOMENT);
    assert_eq!(world.goodbyes(leecher, peer), ["sends blocks that nobody asked for"]);
}

#[test]
fn fault_14_blocks_of_a_wrong_length_or_beside_the_asked_ones_do_not_hold_the_download_up() {
    for answers in [Answers::TooShort, Answers::AndUnasked] {
        let (mut world, leecher, _) =
            leecher_and(14, &Shape::pieces(24), Manners { answers, ..Manners::seed() });
        let seed = world.add_puppet(late_seed(Duration::from_secs(1)));
        world.introduce(leecher, seed);
        world.completes(leecher, Duration::from_secs(3));
        assert!(world.row(leecher).wasted_bytes > 0);
        let failed = world.told(leecher, |event| matches!(event, EventKind::PieceFailed { .. }));
        assert_eq!(failed, 0, "what is no block never became part of a piece");
    }
}

/// A block that was cancelled and comes all the same is late, not unasked: it is taken while it is of use.
#[test]
fn fault_14_a_cancelled_block_that_comes_is_waste_and_no_offence() {
    let deaf = Manners { heeds_cancels: false, ..mute() };
    let (mut world, leecher, peer) = leecher_and(14, &Shape::pieces(60), deaf);
    world.pass(MOMENT);
    let off = vec![(crate::units::FileIndex(0), crate::contract::Priority::Off)];
    world.command(leecher, crate::engine::io::TorrentCommand::SetPriority(off));
    world.pass(MOMENT);
    let cancelled: Vec<BlockRequest> = world.cancelled_at(peer).iter().map(|(_, request)| *request).collect();
    assert_eq!(cancelled.len(), limits::PIPELINE_START as usize);
    let late = |world: &World, request: &BlockRequest| {
        piece_message(*request, world.payload().range(request.piece, request.begin, request.length))
    };
    let all: Vec<Message> = cancelled.iter().map(|request| late(&world, request)).collect();
    world.puppet_says(peer, &all);
    world.pass(MOMENT);
    assert!(world.is_connected(leecher, peer));
    let (row, whole) = (world.row(leecher), u64::from(BLOCK_BYTES) * cancelled.len() as u64);
    assert_eq!((row.downloaded_bytes, row.wasted_bytes), (whole, 0), "they are here, so they are kept");
    // Once more they were never asked for.
    world.puppet_says(peer, &all);
    world.puppet_says(peer, &all);
    world.puppet_says(peer, &all[..1]);
    world.pass(MOMENT);
    assert_eq!(world.goodbyes(leecher, peer), ["sends blocks that nobody asked for"]);
}

#[test]
fn fault_18_we_hang_up_on_ourselves_and_on_a_peer_that_is_here_already_and_remember_it() {
    let mut world = World::new(18, &Shape::pieces(4));
    world.set_look_every(Duration::from_secs(1));
    let us = world.add_engine(EngineOptions::leecher());
    world.introduce(us, us);
    world.pass(Duration::from_secs(300));
    assert_eq!(world.node(us).calls().len(), 1, "our own address is called once");
    let row = world.row(us);
    assert_eq!((row.peers.known, row.peers.connected, row.peers.half_open), (0, 0, 0));
    assert!(world.goodbyes(us, us).iter().all(|reason| reason == "it is ourselves"));

    // Two addresses of one peer, by its name.
    let one = world.add_puppet(Manners { unchokes: Unchokes::Never, ..Manners::seed() });
    let other = world.add_puppet(Manners::seed());
    let names = world.nodes.iter().filter_map(|node| match node {
        Participant::Puppet(puppet) => Some(puppet.peer_id),
        Participant::Engine(_) => None,
    });
    let name = names.min_by_key(|id| id.0).expect("there are two");
    if let Participant::Puppet(puppet) = &mut world.nodes[other.0] {
        puppet.peer_id = name;
    }
    world.introduce(us, one);
    world.pass(MOMENT);
    world.introduce(us, other);
    world.puppet_calls(other, us);
    world.pass(Duration::from_secs(60));
    assert!(world.is_connected(us, one) && !world.is_connected(us, other));
    assert!(world.goodbyes(us, other).iter().all(|reason| reason == "connected already"));
    let tries = world.node(us).calls().iter().filter(|(_, address)| *address == address_of(other)).count();
    assert!(tries <= 10, "{tries} calls: it backs off");
}

#[test]
fn fault_21_a_peer_that_asks_for_thousands_of_blocks_and_reads_none_costs_bounded_memory_and_its_slot() {
    let mut world = World::new(21, &Shape::pieces(80));
    world.set_look_every(Duration::from_secs(1));
    let seed = world.add_engine(EngineOptions::seed());
    let blocks = (0..10_000u32).map(|at| Message::Request(first_block(at % 80)));
    let greedy = Manners {
        holding: Holding::Nothing,
        reads: false,
        flood: Some(Flood::Once(std::iter::once(Message::Interested).chain(blocks).collect())),
        ..Manners::seed()
    };
    let greedy = world.add_puppet(greedy);
    world.puppet_calls(greedy, seed);
    world.pass(Duration::from_secs(1));
    let peer = world.detail(seed).peers[0].clone();
    assert!(peer.requests_in <= limits::UPLOAD_QUEUE_MAX as u32, "{}", peer.requests_in);
    assert!(peer.requests_in > limits::UPLOAD_QUEUE_MAX as u32 / 2, "{}", peer.requests_in);
    let rejected = world.node(seed).rejects_sent();
    assert!(rejected >= 10_000 - limits::UPLOAD_QUEUE_MAX as u64 - 200, "{rejected}");
    let sent = world.row(seed).uploaded_bytes + world.waiting_bytes(greedy);
    let most = limits::UPLOAD_UNSENT_BYTES_MAX + u64::from(limits::UPLOAD_READ_BYTES_MAX) + (1 << 20);
    assert!(sent <= most, "{sent} bytes were read for it");
    // Those who read get its slot.
    let leechers: Vec<NodeId> =
        (0..limits::UPLOAD_SLOTS + 4).map(|_| world.add_puppet(Manners::leecher())).collect();
    world.set_limits(seed, None, Some(crate::units::Rate(400_000)));
    leechers.iter().for_each(|leecher| world.puppet_calls(*leecher, seed));
    let choked = |world: &World| {
        let peers = world.choked_by(seed);
        peers.contains(&address_of(greedy))
    };
    world.reach(limits::OPTIMISTIC_ROUND * 3, "choked", choked);
    world.pass(limits::PEER_SILENCE_MAX);
    assert!(!world.is_connected(seed, greedy), "silent for too long");
}

/// Requests for hashes (BEP 52, ids 21 to 23) are messages that we do not know.
#[test]
fn fault_22_floods_of_requests_for_hashes_or_metadata_starve_nobody() {
    let metadata = MetadataMessage::Request { piece: 0 }.encode().expect("a request has bytes");
    let floods = [
        (Message::Unknown { id: 21 }, None),
        (
            Message::Extended { id: Extension::UtMetadata.our_id(), payload: metadata },
            Some("asks for the metadata over and over"),
        ),
    ];
    for (message, goodbye) in floods {
        let mut world = World::new(22, &Shape::pieces(8));
        let seed = world.add_engine(EngineOptions::seed());
        let said =
            ExtensionHandshake { ids: vec![(Extension::UtMetadata, 9)], ..ExtensionHandshake::default() };
        let hello = Message::Extended { id: extension::HANDSHAKE_ID, payload: said.encode() };
        let rude = world.add_puppet(says(vec![hello]));
        world.puppet_calls(rude, seed);
        world.pass(MOMENT);
        world.set_manners(rude, |manners| manners.flood = Some(Flood::Again(message)));
        let leecher = world.add_puppet(Manners::leecher());
        world.puppet_calls(leecher, seed);
        world.reach(Duration::from_secs(1), "given all", |world| world.blocks_given_to(leecher) == 16);
        world.pass(Duration::from_secs(2));
        assert_eq!(world.goodbyes(seed, rude).first().map(String::as_str), goodbye);
    }
}

/// What peers say of hashes is not listened to yet, so wrong ones (id 22) mislead nobody; asking for piece layers, and
/// banning who sends wrong ones, comes with that.
#[test]
fn fault_24_the_v1_pieces_of_a_hybrid_flow_while_a_peer_sends_hashes_nobody_asked_for() {
    let mut world = World::of(24, crate::sim::payload::Payload::hybrid(300_000, 32 * 1024));
    let leecher = world.add_engine(EngineOptions::leecher());
    let flood = Some(Flood::Again(Message::Unknown { id: 22 }));
    let peer = world.add_puppet(Manners { flood, ..Manners::seed() });
    world.introduce(leecher, peer);
    world.completes(leecher, Duration::from_secs(2));
    assert_eq!(world.row(leecher).wasted_bytes, 0);
}
