//! `unchoke ctl read`: the bytes of a file to standard output while it is downloaded.

use std::io::Write;
use std::path::Path;

use anyhow::bail;

use super::{Call, Format, choice, unexpected};
use crate::cli::UsageError;
use crate::cli::args::ReadArgs;
use crate::contract::{Answer, Command, FileBytes};
use crate::limits::{READ_AHEAD_BYTES, READ_BYTES_PER_ANSWER_MAX};
use crate::session::remote::{Client, ClientError};

/// Refuses what would put payload on a screen or into JSON.
pub(super) fn check(format: Format, is_terminal: bool) -> Result<(), UsageError> {
    let message = match (format, is_terminal) {
        (Format::Json, _) => "ctl read writes the bytes of a file, which are no JSON: leave --json out",
        (Format::Table, true) => {
            "ctl read writes the bytes of a file, which could do anything to a terminal: send its output into a file \
             or a program"
        }
        (Format::Table, false) => return Ok(()),
    };
    Err(UsageError(message.to_owned()))
}

impl Call {
    pub(super) async fn read(&mut self, wanted: &ReadArgs, state_dir: &Path) -> anyhow::Result<()> {
        let detail = self.detail(&wanted.id).await?;
        let file = choice::file(&wanted.file, &detail.files)?;
        if wanted.offset > file.bytes {
            bail!("{} has {} bytes: there is nothing at offset {}", file.path, file.bytes, wanted.offset);
        }
        let mut offset = wanted.offset;
        let end = wanted.length.map_or(file.bytes, |length| offset.saturating_add(length).min(file.bytes));
        while offset < end && !self.output.is_closed() {
            let left = end - offset;
            let bytes_max = u32::try_from(left).unwrap_or(u32::MAX).min(READ_BYTES_PER_ANSWER_MAX);
            let command = Command::Read {
                torrent: detail.row.id,
                reader: 0,
                file: file.index,
                offset,
                bytes_max,
                ahead_bytes: (left - u64::from(bytes_max)).min(READ_AHEAD_BYTES),
            };
            let answer = match self.client.request(command.clone()).await {
                // The engine lets go of whom it has not heard for long, as of a player that is paused.
                Err(ClientError::Io { .. }) => {
                    self.client = Client::connect(state_dir).await?;
                    self.client.request(command).await
                }
                answer => answer,
            };
            let bytes = match answer? {
                Answer::Bytes(FileBytes(bytes)) if !bytes.is_empty() => bytes,
                other => return Err(unexpected(&other)),
            };
            self.output.write_all(&bytes)?;
            self.output.flush()?;
            offset += bytes.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_goes_neither_to_a_screen_nor_into_json() {
        assert!(check(Format::Table, false).is_ok());
        assert!(check(Format::Table, true).unwrap_err().to_string().contains("terminal"));
        assert!(check(Format::Json, false).unwrap_err().to_string().contains("--json"));
    }
}
