//! A scripted peer: it follows its manners, good or bad, and watches those of the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::manners::{Answers, Flood, Holding, Manners, Unchokes};
use super::payload::Payload;
use crate::codec::handshake;
use crate::codec::peer::{BlockRequest, Message};
use crate::engine::io::NewConnection;
use crate::limits::BLOCK_BYTES;
use crate::units::{ConnectionId, PeerId, PieceIndex, Time};

/// How long after a choke requests may still come: they were under way.
const CHOKE_GRACE: Duration = Duration::from_secs(10);
/// Blocks that a puppet hands over before they have left; the rest waits with it, where a cancel still finds it.
const UNSENT_BLOCKS_MAX: usize = 8;
/// Blocks a puppet asks for at a time.
const ASKED_AT_ONCE: usize = 8;

/// What a puppet does.
#[derive(Debug)]
pub(super) enum Action {
    Send(ConnectionId, Message),
    Close(ConnectionId),
    /// It wants to be woken then.
    Wake(Time),
    /// The engine broke a rule.
    Complain(String),
}

/// A scripted peer.
#[derive(Debug)]
pub(super) struct Puppet {
    pub(super) manners: Manners,
    pub(super) reserved: [u8; 8],
    pub(super) peer_id: PeerId,
    payload: Payload,
    have: BTreeSet<PieceIndex>,
    /// All that it ever had: a request may cross the news that a piece is lost.
    told_of: BTreeSet<PieceIndex>,
    talks: BTreeMap<ConnectionId, Talk>,
    /// Blocks it was asked for, ever, in order: what tests look at.
    pub(super) asked: Vec<(Time, BlockRequest)>,
    pub(super) cancelled: Vec<(Time, BlockRequest)>,
    pub(super) received_blocks: u64,
}

/// One connection of a puppet.
#[derive(Debug)]
struct Talk {
    fast: bool,
    interested: bool,
    choking: bool,
    choked_at: Option<Time>,
    connected_at: Time,
    waiting: VecDeque<BlockRequest>,
    next_answer_at: Time,
    next_flap_at: Option<Time>,
    blocks_sent: u32,
    /// Blocks given to its end of the connection that have not left it.
    unsent_blocks: usize,
    /// What it knows the engine has, and what it has asked it for.
    theirs: BTreeSet<PieceIndex>,
    they_choke: bool,
    asking: BTreeSet<(PieceIndex, u32)>,
    got: BTreeSet<(PieceIndex, u32)>,
}

impl Puppet {
    pub(super) fn new(number: usize, payload: &Payload, manners: Manners) -> Self {
        let count = payload.info.piece_count();
        let have = match &manners.holding {
            Holding::All => (0..count).map(PieceIndex).collect(),
            Holding::Nothing => BTreeSet::new(),
            Holding::Pieces(pieces) => pieces.iter().copied().collect(),
        };
        let mut reserved = [0; 8];
        if manners.fast {
            handshake::FAST.set(&mut reserved);
        }
        let number = u8::try_from(number).expect("a world has few participants");
        Self {
            manners,
            reserved,
            peer_id: PeerId([number; 20]),
            payload: payload.clone(),
            told_of: have.clone(),
            have,
            talks: BTreeMap::new(),
            asked: Vec::new(),
            cancelled: Vec::new(),
            received_blocks: 0,
        }
    }

    pub(super) fn connected(&mut self, now: Time, new: &NewConnection) -> Vec<Action> {
        let fast = handshake::FAST.is_set(&new.reserved);
        let talk = Talk {
            fast,
            interested: false,
            choking: true,
            choked_at: None,
            connected_at: now,
            waiting: VecDeque::new(),
            next_answer_at: now,
            next_flap_at: None,
            blocks_sent: 0,
            unsent_blocks: 0,
            theirs: BTreeSet::new(),
            they_choke: true,
            asking: BTreeSet::new(),
            got: BTreeSet::new(),
        };
        self.talks.insert(new.connection, talk);
        let mut actions = Vec::new();
        if let Some(greeting) = self.greeting(fast) {
            actions.push(Action::Send(new.connection, greeting));
        }
        if let Some(Flood::Once(messages)) = &self.manners.flood {
            actions.extend(messages.iter().map(|message| Action::Send(new.connection, message.clone())));
        }
        if self.manners.wants {
            actions.push(Action::Send(new.connection, Message::Interested));
        }
        if matches!(self.manners.flood, Some(Flood::Requests | Flood::Rejects | Flood::Again(_))) {
            actions.push(Action::Wake(now));
        }
        if let Unchokes::After(wait) = self.manners.unchokes {
            actions.push(Action::Wake(now + wait));
        }
        actions
    }

    fn greeting(&self, fast: bool) -> Option<Message> {
        let count = self.payload.info.piece_count();
        match self.have.len() {
            0 => fast.then_some(Message::HaveNone),
            all if all == count as usize && fast => Some(Message::HaveAll),
            _ => {
                let mut bits = vec![0u8; count.div_ceil(8) as usize];
                self.have.iter().for_each(|piece| bits[piece.at() / 8] |= 0x80 >> (piece.at() % 8));
                Some(Message::Bitfield(bits.into()))
            }
        }
    }

    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.talks.remove(&connection);
    }

    /// It says something on all its connections, whatever its manners are.
    pub(super) fn say(&mut self, now: Time, messages: &[Message]) -> Vec<Action> {
        for talk in self.talks.values_mut() {
            for message in messages {
                match message {
                    Message::Choke => (talk.choking, talk.choked_at) = (true, Some(now)),
                    Message::Unchoke => talk.choking = false,
                    _ => {}
                }
            }
        }
        let each = |&id: &ConnectionId| messages.iter().map(move |message| Action::Send(id, message.clone()));
        self.talks.keys().flat_map(each).collect()
    }

    /// It gets a piece and tells everybody.
    pub(super) fn get_piece(&mut self, piece: PieceIndex) -> Vec<Action> {
        self.have.insert(piece);
        self.told_of.insert(piece);
        self.talks.keys().map(|&id| Action::Send(id, Message::Have(piece))).collect()
    }

    /// It loses a piece; whoever speaks BEP 54 is told with the engine's own number for it.
    pub(super) fn lose_piece(&mut self, piece: PieceIndex) -> Vec<Action> {
        use crate::codec::extension::{Extension, encode_donthave};
        self.have.remove(&piece);
        let payload = encode_donthave(piece);
        let message = Message::Extended { id: Extension::LtDonthave.our_id(), payload };
        self.talks.keys().map(|&id| Action::Send(id, message.clone())).collect()
    }

    pub(super) fn messages(&mut self, now: Time, id: ConnectionId, messages: Vec<Message>) -> Vec<Action> {
        let mut actions = Vec::new();
        for message in messages {
            match message {
                Message::Interested => self.interested(now, id, &mut actions),
                Message::Request(request) => self.requested(now, id, request, &mut actions),
                Message::Cancel(request) => self.cancel(now, id, request, &mut actions),
                Message::Piece { piece, begin, data: _ } => self.block(id, piece, begin),
                other => self.note(id, &other),
            }
        }
        self.answer(now, id, &mut actions);
        self.ask(id, &mut actions);
        actions
    }

    fn note(&mut self, id: ConnectionId, message: &Message) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        match message {
            Message::NotInterested => talk.interested = false,
            Message::Choke => {
                talk.they_choke = true;
                talk.asking.clear();
            }
            Message::Unchoke => talk.they_choke = false,
            Message::Have(piece) => {
                talk.theirs.insert(*piece);
            }
            Message::HaveAll => {
                talk.theirs.extend((0..self.payload.info.piece_count()).map(PieceIndex));
            }
            Message::Bitfield(bits) => {
                let has = |piece: &PieceIndex| bits[piece.at() / 8] & (0x80 >> (piece.at() % 8)) != 0;
                talk.theirs.extend((0..self.payload.info.piece_count()).map(PieceIndex).filter(has));
            }
            Message::Reject(request) => {
                talk.asking.remove(&(request.piece, request.begin));
            }
            _ => {}
        }
    }

    fn interested(&mut self, now: Time, id: ConnectionId, actions: &mut Vec<Action>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        talk.interested = true;
        match self.manners.unchokes {
            Unchokes::Always => unchoke(id, talk, actions),
            Unchokes::Flaps(turn) => {
                unchoke(id, talk, actions);
                if talk.next_flap_at.is_none() {
                    talk.next_flap_at = Some(now + turn);
                    actions.push(Action::Wake(now + turn));
                }
            }
            Unchokes::After(wait) if talk.connected_at + wait <= now => unchoke(id, talk, actions),
            Unchokes::Never | Unchokes::After(_) => {}
        }
    }

    fn requested(&mut self, now: Time, id: ConnectionId, request: BlockRequest, actions: &mut Vec<Action>) {
        self.asked.push((now, request));
        let info = &self.payload.info;
        let whole = request.begin.is_multiple_of(BLOCK_BYTES)
            && request.length > 0
            && request.length
                == BLOCK_BYTES.min(info.piece_bytes(request.piece).saturating_sub(request.begin));
        if !whole {
            actions.push(Action::Complain(format!("asked for {request:?}, which is no block")));
            return;
        }
        let told_truly = matches!(self.manners.holding, Holding::Pieces(_)) && self.manners.flood.is_none();
        if told_truly && !self.told_of.contains(&request.piece) {
            actions.push(Action::Complain(format!("asked for {request:?}, which it was never told of")));
        }
        let Some(talk) = self.talks.get_mut(&id) else { return };
        if talk.choking {
            let grace = talk.choked_at.is_some_and(|at| now.since(at) < CHOKE_GRACE);
            if !grace {
                actions.push(Action::Complain(format!("asked for {request:?} while choked")));
            }
            if talk.fast {
                actions.push(Action::Send(id, Message::Reject(request)));
            }
            return;
        }
        // Without the fast extension a choke may cross a request, which then counts as dropped at one end alone.
        let certain = talk.fast || talk.choked_at.is_none();
        if certain && talk.waiting.contains(&request) {
            actions.push(Action::Complain(format!("asked for {request:?} twice")));
        }
        talk.waiting.push_back(request);
    }

    fn cancel(&mut self, now: Time, id: ConnectionId, request: BlockRequest, actions: &mut Vec<Action>) {
        self.cancelled.push((now, request));
        let Some(talk) = self.talks.get_mut(&id).filter(|_| self.manners.heeds_cancels) else { return };
        let before = talk.waiting.len();
        talk.waiting.retain(|waiting| *waiting != request);
        if talk.fast && talk.waiting.len() < before {
            actions.push(Action::Send(id, Message::Reject(request)));
        }
    }

    fn block(&mut self, id: ConnectionId, piece: PieceIndex, begin: u32) {
        self.received_blocks += 1;
        if let Some(talk) = self.talks.get_mut(&id) {
            talk.asking.remove(&(piece, begin));
            talk.got.insert((piece, begin));
        }
    }

    /// Answers what waits, as its manners say.
    fn answer(&mut self, now: Time, id: ConnectionId, actions: &mut Vec<Action>) {
        let manners = &self.manners;
        let Some(talk) = self.talks.get_mut(&id) else { return };
        while let Some(&request) = talk.waiting.front() {
            if talk.unsent_blocks >= UNSENT_BLOCKS_MAX {
                return;
            }
            if manners.answers == Answers::Never {
                return;
            }
            if let Answers::Trickle(pause) = manners.answers {
                if now < talk.next_answer_at {
                    actions.push(Action::Wake(talk.next_answer_at));
                    return;
                }
                talk.next_answer_at = now + pause;
            }
            talk.waiting.pop_front();
            let BlockRequest { piece, begin, length } = request;
            if !self.have.contains(&piece) || manners.answers == Answers::Reject {
                if talk.fast {
                    actions.push(Action::Send(id, Message::Reject(request)));
                }
                continue;
            }
            talk.blocks_sent += 1;
            talk.unsent_blocks += 1;
            let mut data = self.payload.range(piece, begin, length);
            match manners.answers {
                Answers::Corrupt { one_in } if talk.blocks_sent.is_multiple_of(one_in.max(1)) => {
                    let mut bytes = data.to_vec();
                    bytes[0] ^= 1;
                    data = bytes.into();
                }
                Answers::TooShort => data = data.slice(..data.len() / 2),
                Answers::AndUnasked => {
                    let data = self.payload.range(PieceIndex(0), 0, 1);
                    actions.push(Action::Send(id, Message::Piece { piece: PieceIndex(0), begin: 0, data }));
                }
                Answers::Right
                | Answers::Never
                | Answers::Corrupt { .. }
                | Answers::Reject
                | Answers::Trickle(_) => {}
            }
            actions.push(Action::Send(id, Message::Piece { piece, begin, data }));
            if manners.closes_after_blocks.is_some_and(|most| talk.blocks_sent >= most) {
                actions.push(Action::Close(id));
                return;
            }
        }
    }

    /// Asks for what the engine has.
    fn ask(&mut self, id: ConnectionId, actions: &mut Vec<Action>) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        if !self.manners.wants || talk.they_choke {
            return;
        }
        for &piece in &talk.theirs {
            for (begin, length) in super::disk::blocks_of(&self.payload, piece) {
                if talk.asking.len() >= ASKED_AT_ONCE {
                    return;
                }
                if !talk.got.contains(&(piece, begin)) && talk.asking.insert((piece, begin)) {
                    let request = BlockRequest { piece, begin, length };
                    actions.push(Action::Send(id, Message::Request(request)));
                }
            }
        }
    }

    /// Blocks have left its end of a connection: there is room for more.
    pub(super) fn sent(&mut self, now: Time, id: ConnectionId, blocks: usize) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(talk) = self.talks.get_mut(&id) {
            talk.unsent_blocks = talk.unsent_blocks.saturating_sub(blocks);
        }
        self.answer(now, id, &mut actions);
        actions
    }

    pub(super) fn wake(&mut self, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        let ids: Vec<ConnectionId> = self.talks.keys().copied().collect();
        for id in ids {
            self.flap(now, id, &mut actions);
            if let (Unchokes::After(wait), Some(talk)) = (self.manners.unchokes, self.talks.get_mut(&id))
                && talk.interested
                && talk.connected_at + wait <= now
            {
                unchoke(id, talk, &mut actions);
            }
            self.answer(now, id, &mut actions);
            self.flood(now, id, &mut actions);
        }
        actions
    }

    fn flap(&mut self, now: Time, id: ConnectionId, actions: &mut Vec<Action>) {
        let Unchokes::Flaps(turn) = self.manners.unchokes else { return };
        let Some(talk) = self.talks.get_mut(&id) else { return };
        if talk.next_flap_at.is_none_or(|at| now < at) {
            return;
        }
        talk.next_flap_at = Some(now + turn);
        actions.push(Action::Wake(now + turn));
        if talk.choking {
            unchoke(id, talk, actions);
            return;
        }
        talk.choking = true;
        talk.choked_at = Some(now);
        actions.push(Action::Send(id, Message::Choke));
        let dropped = std::mem::take(&mut talk.waiting);
        if talk.fast {
            actions.extend(dropped.into_iter().map(|request| Action::Send(id, Message::Reject(request))));
        }
    }

    fn flood(&self, now: Time, id: ConnectionId, actions: &mut Vec<Action>) {
        let length = BLOCK_BYTES.min(self.payload.info.piece_bytes(PieceIndex(0)));
        let request = BlockRequest { piece: PieceIndex(0), begin: 0, length };
        let message = match &self.manners.flood {
            Some(Flood::Requests) => Message::Request(request),
            Some(Flood::Rejects) => Message::Reject(request),
            Some(Flood::Again(message)) => message.clone(),
            Some(Flood::Once(_)) | None => return,
        };
        actions.extend((0..100).map(|_| Action::Send(id, message.clone())));
        actions.push(Action::Wake(now + Duration::from_millis(100)));
    }
}

fn unchoke(id: ConnectionId, talk: &mut Talk, actions: &mut Vec<Action>) {
    if talk.choking {
        talk.choking = false;
        actions.push(Action::Send(id, Message::Unchoke));
    }
}
