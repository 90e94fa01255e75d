//! How scripted peers behave.

use std::time::Duration;

use crate::codec::peer::Message;
use crate::units::PieceIndex;

/// What a puppet has, and says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Everything.
    All,
    /// Nothing.
    Nothing,
    /// These pieces.
    Pieces(Vec<PieceIndex>),
}

/// When a puppet lets others download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchokes {
    /// As soon as they are interested.
    Always,
    /// Never.
    Never,
    /// By turns for this long.
    Flaps(Duration),
    /// This long after they connect.
    After(Duration),
}

/// How a puppet answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// With the right block.
    Right,
    /// Not at all.
    Never,
    /// With a wrong byte in one of so many blocks.
    Corrupt {
        /// 1: in each.
        one_in: u32,
    },
    /// With a reject (nothing, where it does not speak the fast extension).
    Reject,
    /// With the right block, but one only in this time.
    Trickle(Duration),
    /// With a block that is too short.
    TooShort,
    /// With the right block and another one that nobody asked for.
    AndUnasked,
}

/// What a puppet sends without being asked, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flood {
    /// These messages, once, after the handshake.
    Once(Vec<Message>),
    /// Requests for blocks, whether choked or not.
    Requests,
    /// Rejects of requests that were never made.
    Rejects,
    /// A message, many times a second.
    Again(Message),
}

/// How a puppet behaves.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Speaks the fast extension (BEP 6).
    pub fast: bool,
    /// What it has.
    pub holding: Holding,
    /// Whether it lets others download.
    pub unchokes: Unchokes,
    /// How it answers.
    pub answers: Answers,
    /// Whether it asks for what the other has.
    pub wants: bool,
    /// Whether it reads what it is sent.
    pub reads: bool,
    /// What it sends unasked.
    pub flood: Option<Flood>,
    /// Hangs up after so many blocks, once they have left.
    pub closes_after_blocks: Option<u32>,
    /// Whether it gives up what is cancelled; else it sends that too.
    pub heeds_cancels: bool,
}

impl Manners {
    /// A peer with everything that gives it.
    pub fn seed() -> Self {
        Self {
            fast: true,
            holding: Holding::All,
            unchokes: Unchokes::Always,
            answers: Answers::Right,
            wants: false,
            reads: true,
            flood: None,
            closes_after_blocks: None,
            heeds_cancels: true,
        }
    }

    /// A peer with nothing that takes everything.
    pub fn leecher() -> Self {
        Self { holding: Holding::Nothing, wants: true, ..Self::seed() }
    }
}
