//! `unchoke ctl read`: the bytes of a file to standard output while it is downloaded.

use std::io::Write;
use std::path::Path;

use anyhow::bail;

use super::{Call, Format, choice, unexpected};
use crate::cli::UsageError;
use crate::cli::args::ReadArgs;
use crate::cli::output::complain;
use crate::contract::{Answer, Command, FileBytes};
use crate::inspect;
use crate::limits::{READ_AHEAD_BYTES, READ_BYTES_PER_ANSWER_MAX, READ_NOTE_AFTER};
use crate::session::remote::{Client, ClientError};
use crate::tui::text;
use crate::units::TorrentId;

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
        let mut note = Some(Note { state_dir, torrent: detail.row.id });
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
            let answer = match self.patient(&mut note, command.clone()).await {
                // The engine lets go of whom it has not heard for long, as of a player that is paused.
                Err(ClientError::Io { .. }) => {
                    self.client = Client::connect(state_dir).await?;
                    self.patient(&mut note, command).await
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

    /// Asks; where the answer lets wait, says once on standard error what the torrent is doing.
    async fn patient(
        &mut self,
        note: &mut Option<Note<'_>>,
        command: Command,
    ) -> Result<Answer, ClientError> {
        let asking = self.client.request(command);
        tokio::pin!(asking);
        tokio::select! {
            answer = &mut asking => return answer,
            () = inspect::sleep(READ_NOTE_AFTER), if note.is_some() => {}
        }
        if let Some(note) = note.take() {
            note.say().await;
        }
        asking.await
    }
}

/// What is said of a torrent whose bytes let wait.
struct Note<'a> {
    state_dir: &'a Path,
    torrent: TorrentId,
}

impl Note<'_> {
    /// Asks on a connection of its own, as the first one waits. That it cannot be told is no reason to end.
    async fn say(self) {
        let rows = match Client::connect(self.state_dir).await {
            Ok(mut client) => client.request(Command::List).await,
            Err(error) => Err(error),
        };
        let Ok(Answer::List(rows)) = rows else { return };
        let Some(row) = rows.into_iter().find(|row| row.id == self.torrent) else { return };
        let cause = row.cause.as_ref().map(|cause| format!(", {}", text::cause(cause))).unwrap_or_default();
        complain("note", format_args!("waiting for bytes of {}: {}{cause}", row.name, row.state.word()));
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
