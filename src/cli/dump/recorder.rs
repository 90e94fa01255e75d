//! `unchoke dump recorder`: the flight recorder of a torrent, or of a magnet's search for its metadata, as a file for
//! `unchoke replay`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::super::args::DumpArgs;
use super::super::output::Output;
use super::super::{Exit, ctl, unexpected};
use crate::contract::{Answer, Command, FileBytes, TorrentRow};
use crate::recorder::{Recording, Subject, redact};
use crate::session::remote::Client;

/// Runs the command.
pub(super) async fn run(arguments: &DumpArgs, state_dir: &Path) -> anyhow::Result<Exit> {
    let mut client = Client::connect(state_dir).await?;
    let rows = match client.request(Command::List).await? {
        Answer::List(rows) => rows,
        other => return Err(unexpected(&other)),
    };
    let row: &TorrentRow = match (&arguments.torrent, rows.as_slice()) {
        (Some(id), _) => ctl::find_torrent(id, &rows)?,
        (None, [only]) => only,
        (None, []) => bail!("no torrent is there to be recorded: add one"),
        (None, many) => {
            bail!("there are {} torrents: name one by its info-hash, see `unchoke ctl list`", many.len())
        }
    };
    let bytes = match client.request(Command::Recording(row.id)).await? {
        Answer::Bytes(FileBytes(bytes)) => bytes,
        other => return Err(unexpected(&other)),
    };
    let recording =
        Recording::from_bytes(&bytes).context("the engine gave something else than a recording")?;
    let recording = if arguments.unredacted { recording } else { redact(&recording)? };
    let default = || PathBuf::from(format!("{}.recording", row.id));
    let path = arguments.out.clone().unwrap_or_else(default);
    write(&path, &recording.to_bytes()?)
        .with_context(|| format!("cannot write {}: choose another file with --out", path.display()))?;
    let seconds = recording.ended.since(recording.began).as_secs_f64();
    let kind = if recording.redacted {
        "passkeys, hosts and addresses have stand-ins"
    } else {
        "it holds passkeys and addresses: show it to nobody who must not know them"
    };
    let of = match recording.subject {
        Subject::Torrent => "",
        Subject::Magnet => "the search for the metadata of ",
    };
    let (path, name) = (path.display(), row.name.shown());
    Output::new().line(format_args!("{seconds:.1} s of {of}{name} in {path}; {kind}"))?;
    Ok(Exit::Done)
}

/// For the owner's eyes.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
