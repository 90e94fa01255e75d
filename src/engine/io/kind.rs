//! One word for an effect, for recordings and reports.

use super::Effect;

impl Effect {
    /// One word for it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Send { .. } => "send",
            Self::SendBlock { .. } => "send block",
            Self::Disconnect { .. } => "disconnect",
            Self::StorePiece { .. } => "store piece",
            Self::WriteBlocks { .. } => "write blocks",
            Self::HashPiece { .. } => "hash piece",
            Self::ReadBlocks { .. } => "read blocks",
            Self::FilesWanted { .. } => "files wanted",
            Self::SaveResume { .. } => "save resume",
            Self::Announce { .. } => "announce",
            Self::Scrape { .. } => "scrape",
            Self::WantGrant { .. } => "want grant",
            Self::AskSlots(_) => "ask slots",
            Self::Fetch(_) => "fetch",
            Self::FetchCredit { .. } => "fetch credit",
            Self::EndFetch { .. } => "end fetch",
            Self::Host { .. } => "host",
            Self::AnswerRead { .. } => "answer read",
            Self::Notify(_) => "notify",
            Self::Stopped => "stopped",
        }
    }
}
