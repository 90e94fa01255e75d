//! One request: a part that has to be fetched, and how its failures are worded.

use std::fmt::Display;

use url::Url;

use crate::contract::{Untrusted, redact_url};
use crate::engine::io::{FetchError, FetchErrorKind, FetchPart};
use crate::session::discovery::HttpError;
use crate::units::FileIndex;

/// What one request asks for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) url: String,
    pub(super) bytes: u64,
    pub(super) form: Form,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A range of a file (BEP 19).
    Range { file: FileIndex, offset: u64, file_bytes: u64 },
    /// The URL says it all, and the body is no more than that (BEP 17).
    Whole,
}

impl Ask {
    /// What to ask for a part; a number of zeros where there is nothing to ask.
    pub(super) fn new(part: FetchPart) -> Result<Self, u64> {
        match part {
            FetchPart::Zeros { bytes } => Err(bytes),
            FetchPart::File { file, url, offset, bytes, file_bytes } => {
                Ok(Self { url, bytes, form: Form::Range { file, offset, file_bytes } })
            }
            FetchPart::Piece { url, bytes } => Ok(Self { url, bytes, form: Form::Whole }),
        }
    }

    /// Which URLs of a webseed named by a torrent may lead to public addresses only: a query could make a service that
    /// only we reach do something. That which BEP 17 itself puts there cannot.
    pub(super) fn public_only(&self, by_hand: bool) -> fn(&Url) -> bool {
        match self.form {
            _ if by_hand => |_| false,
            Form::Range { .. } => |url| url.query().is_some(),
            Form::Whole => |url| url.query().is_some_and(|query| !is_of_a_piece(query)),
        }
    }

    /// A failure without a status.
    pub(super) fn failed(&self, kind: FetchErrorKind, what: impl Display) -> FetchError {
        let file = match self.form {
            Form::Range { file, .. } => Some(file),
            Form::Whole => None,
        };
        let message = Untrusted::new(format!("{}: {what}", redact_url(&self.url).raw()));
        FetchError { kind, file, status: None, retry_after_s: None, message }
    }

    /// A failure to get any answer.
    pub(super) fn unanswered(&self, error: &HttpError) -> FetchError {
        let kind = match error {
            HttpError::BadUrl(_) | HttpError::Blocked(_) => FetchErrorKind::Forbidden,
            // Of a server that is set up wrongly, and may be put right.
            HttpError::TooManyRedirects(_)
            | HttpError::TooLarge(_)
            | HttpError::TimedOut(_)
            | HttpError::Network(_) => FetchErrorKind::Trouble,
        };
        self.failed(kind, error)
    }
}

/// Whether a query is what BEP 17 puts behind a URL that had none: nothing of it is the torrent's to choose.
fn is_of_a_piece(query: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = query.split('&').map(|part| part.split_once('=').unwrap_or((part, "")));
    let parts = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(("info_hash", _)), Some(("piece", piece)), Some(("ranges", ranges)), None) = parts else {
        return false;
    };
    is_number(piece) && ranges.split_once('-').is_some_and(|(from, to)| is_number(from) && is_number(to))
}
