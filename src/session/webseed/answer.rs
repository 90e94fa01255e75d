//! Whether the head of an answer is one to what was asked.

use reqwest::header::{self, HeaderMap};

use super::ask::{Ask, Form};
use super::retry_after::retry_after;
use crate::engine::io::{FetchError, FetchErrorKind};
use crate::limits;

use FetchErrorKind::{NotThere, Trouble};

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    /// Content-Length.
    pub(super) body_bytes: Option<u64>,
}

/// Checks an answer; gives how many bytes of its body come before what was asked for.
pub(super) fn check(ask: &Ask, head: Head<'_>) -> Result<u64, FetchError> {
    let checked = match (head.status, ask.form) {
        (200 | 206, _) if encoding(head.headers).is_some() => {
            let encoding = encoding(head.headers).unwrap_or_default();
            Err((NotThere, format!("the server sent it as {encoding} though asked not to")))
        }
        (206, Form::Range { offset, file_bytes, .. }) => part_of_file(ask, head.headers, offset, file_bytes),
        (200, Form::Range { offset, file_bytes, .. }) => whole_file(ask, head.body_bytes, offset, file_bytes),
        (200, Form::Whole) => match head.body_bytes {
            Some(bytes) if bytes != ask.bytes => {
                Err((NotThere, format!("the server sends {bytes} bytes, asked were {}", ask.bytes)))
            }
            Some(_) | None => Ok(0),
        },
        (status, _) => Err((kind_of(status), format!("HTTP status {status}"))),
    };
    checked.map_err(|(kind, what)| {
        let retry_after_s = if kind == Trouble { retry_after(head.headers) } else { None };
        FetchError { status: Some(head.status), retry_after_s, ..ask.failed(kind, what) }
    })
}

/// Of statuses that are no answer. 408 and 425 are of this request at this time, as 429 is.
const fn kind_of(status: u16) -> FetchErrorKind {
    match status {
        408 | 425 | 429 => Trouble,
        400..=499 => NotThere,
        _ => Trouble,
    }
}

/// 206: the range has to be exactly the one asked for, of a file as long as ours.
fn part_of_file(
    ask: &Ask,
    headers: &HeaderMap,
    offset: u64,
    file_bytes: u64,
) -> Result<u64, (FetchErrorKind, String)> {
    let value = headers.get(header::CONTENT_RANGE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(value) = value else {
        return Err((NotThere, "the server does not say which range it sends".to_owned()));
    };
    let Some(range) = ContentRange::parse(&value) else {
        let quoted: String = value.chars().take(limits::WEBSEED_QUOTE_CHARS_MAX).collect();
        return Err((NotThere, format!("the server sends what is no range of bytes: {quoted}")));
    };
    let last = offset + ask.bytes - 1;
    if (range.first, range.last) != (offset, last) {
        let (sent_first, sent_last) = (range.first, range.last);
        let what = format!("the server sends bytes {sent_first}-{sent_last}, asked were {offset}-{last}");
        return Err((NotThere, what));
    }
    match range.total {
        Some(total) if total != file_bytes => Err((NotThere, other_file(total, file_bytes))),
        Some(_) | None => Ok(0),
    }
}

/// 200: the whole file from its first byte, whatever was asked.
fn whole_file(
    ask: &Ask,
    body_bytes: Option<u64>,
    offset: u64,
    file_bytes: u64,
) -> Result<u64, (FetchErrorKind, String)> {
    if let Some(bytes) = body_bytes.filter(|bytes| *bytes != file_bytes) {
        return Err((NotThere, other_file(bytes, file_bytes)));
    }
    if offset > limits::WEBSEED_SKIP_BYTES_MAX {
        let what =
            format!("the server ignores ranges, and bytes from {offset} on ({}) were asked", ask.bytes);
        return Err((NotThere, what));
    }
    Ok(offset)
}

fn other_file(bytes: u64, file_bytes: u64) -> String {
    format!("the file on the server has {bytes} bytes, that of the torrent {file_bytes}")
}

/// An encoding other than none; ranges would be of what is encoded.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let value =
        String::from_utf8_lossy(headers.get(header::CONTENT_ENCODING)?.as_bytes()).to_ascii_lowercase();
    let value = value.trim();
    let quoted = value.chars().take(limits::WEBSEED_QUOTE_CHARS_MAX).collect();
    (!value.is_empty() && value != "identity").then_some(quoted)
}

/// What Content-Range says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 0-99/1000`; the total may be `*`.
    fn parse(value: &str) -> Option<Self> {
        let (unit, value) = value.trim().split_once(' ')?;
        let (range, total) = value.split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let total = match total.trim() {
            "*" => None,
            total => Some(number(total)?),
        };
        let range = Self { first: number(first)?, last: number(last)?, total };
        unit.eq_ignore_ascii_case("bytes").then_some(range)
    }
}

/// A number without a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
