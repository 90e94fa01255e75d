//! A recording for others: passkeys and addresses have stand-ins, and it replays all the same.
//!
//! The same address has the same stand-in everywhere, and stand-ins sort as the addresses do, for a torrent goes through
//! its peers in the order of their addresses. So do hosts, by which webseeds are kept, and the tails of peer ids, which
//! decide which of two connections to one peer stays. Loopback says nothing and stays, and groups have groups as stand-ins:
//! both are treated otherwise. Of a URL the scheme and the port stay; its host, its user, its query and each part of its path that is no
//! usual word have stand-ins, also where they come up in other texts. What stays is what the torrent is (its info-hash,
//! names of its files), ports, what clients call themselves, and the wording of errors, with paths of files in it.

use std::sync::Arc;

use super::entry::Entry;
use super::file::{Part, Recording};
use super::machine::Machine;
use super::names::Names;
use super::redacting::{Redacted, Replace};
use super::replay::{self, ReplayError};
use super::stand_ins::{Seen, StandIns};
use crate::metainfo::Info;

/// Why a recording could not be redacted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReplayError),
    /// It could not be written again, which is a bug.
    #[error("the redacted recording could not be encoded")]
    Encode,
}

/// The recording with stand-ins.
///
/// # Errors
/// It is none of this program's.
pub fn redact(recording: &Recording) -> Result<Recording, RedactError> {
    let info = replay::info_of(recording)?;
    let seen = Seen::default();
    rewrite(recording, info.as_ref(), &seen)?;
    let names = Names::of(info.as_deref());
    rewrite(recording, info.as_ref(), &StandIns::of(seen, names))
}

fn rewrite(
    recording: &Recording,
    info: Option<&Arc<Info>>,
    with: &impl Replace,
) -> Result<Recording, RedactError> {
    let version = || recording.version.clone();
    let state = |state: &[u8]| -> Result<Vec<u8>, RedactError> {
        let read = |state: &[u8]| {
            replay::guarded(0, || Machine::read(info.cloned(), state))?
                .map_err(|_| ReplayError::State(version()))
        };
        let redacted =
            postcard::to_allocvec(&Redacted(&read(state)?, with)).map_err(|_| RedactError::Encode)?;
        // Once more, for a map is written in the order of its old keys.
        read(&redacted)?.write().map_err(|_| RedactError::Encode)
    };
    let entries = |mut rest: &[u8]| -> Result<Vec<u8>, RedactError> {
        let mut written = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let (entry, after) =
                postcard::take_from_bytes::<Entry>(rest).map_err(|_| ReplayError::Entry(version()))?;
            rest = after;
            written =
                postcard::to_extend(&Redacted(&entry, with), written).map_err(|_| RedactError::Encode)?;
        }
        Ok(written)
    };
    let mut redacted = Recording { redacted: true, parts: Vec::new(), ..recording.clone() };
    for part in &recording.parts {
        let (state, entries) = (state(&part.state)?, entries(&part.entries)?);
        redacted.parts.push(Part { state: state.into(), entries: entries.into() });
    }
    redacted.end_state = state(&recording.end_state)?.into();
    Ok(redacted)
}
