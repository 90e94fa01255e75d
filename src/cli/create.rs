//! `unchoke create`: makes a torrent of a file or folder and writes it whole or not at all.

use std::fs::Permissions;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{anyhow, bail};
use bytes::Bytes;

use super::urls::{TRACKER_SCHEMES, WEBSEED_SCHEMES, check_urls};
use crate::contract::Untrusted;
use crate::metainfo::create::{Options, create};
use crate::metainfo::parse;
use crate::tui::format;

/// What to make and where to write it.
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// The file or folder to share.
    pub path: PathBuf,
    /// The .torrent file to write.
    pub output: PathBuf,
    /// What becomes of a file that is there already.
    pub existing: Existing,
    /// What to put into it. `created_by` and `creation_date` are filled in where they are missing.
    pub options: Options,
}

/// What becomes of a file where the torrent is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is made.
    Keep,
    /// The torrent takes its place.
    Replace,
}

/// Makes the torrent. `out` is told what was made, `notes` (standard error) how far it is and what was left
/// out.
pub fn run(request: CreateRequest, out: &mut dyn Write, notes: &mut dyn Write) -> anyhow::Result<()> {
    let CreateRequest { path, output, existing, mut options } = request;
    let shown = Untrusted::new(output.to_string_lossy());
    let is_there = || anyhow!("{shown} is already there: give --force to replace it, or another -o");
    // Before the work, which may be long; looked at once more when the file is moved into its place.
    if existing == Existing::Keep && std::fs::symlink_metadata(&output).is_ok() {
        bail!(is_there());
    }
    check_urls("--tracker", &options.trackers, TRACKER_SCHEMES)?;
    check_urls("--webseed", &options.webseeds, WEBSEED_SCHEMES)?;
    options.created_by.get_or_insert_with(|| format!("unchoke/{}", env!("CARGO_PKG_VERSION")));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    options.creation_date = options.creation_date.or(i64::try_from(now).ok());

    let watched = std::io::stderr().is_terminal();
    let mut percent_told = None;
    let created = create(&path, &options, &mut |done, all| {
        let percent = done * 100 / all.max(1);
        if watched && percent_told != Some(percent) {
            percent_told = Some(percent);
            // Progress is a courtesy: a closed standard error must not stop the work.
            let _ = write!(notes, "\rhashing {percent} %").and_then(|()| notes.flush());
        }
    })?;
    if watched {
        let _ = writeln!(notes);
    }
    if !created.left_out.is_empty() {
        let first = Untrusted::new(created.left_out[0].to_string_lossy());
        let count = created.left_out.len();
        let _ = writeln!(notes, "left out {count} entries whose name starts with a dot, such as {first}");
    }
    write_whole(&output, &created.torrent, existing).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => is_there(),
        _ => anyhow::Error::new(error).context(format!("cannot write {shown}")),
    })?;

    let info = parse(Bytes::from(created.torrent))?.info;
    if path.is_dir() && info.files.iter().any(|file| file.path.parts().count() == 1) {
        let lone = &info.name;
        let _ = writeln!(
            notes,
            "a v2 torrent of one file cannot name its folder: clients will look for {lone} itself (--hybrid can)"
        );
    }
    writeln!(
        out,
        "made {shown}: {}, {} pieces of {}",
        info.kind.word(),
        info.piece_count(),
        format::bytes(info.piece_length.into())
    )?;
    if let Some(hash) = info.info_hash_v1 {
        writeln!(out, "info-hash v1 {hash}")?;
    }
    if let Some(hash) = info.info_hash_v2 {
        writeln!(out, "info-hash v2 {hash}")?;
    }
    Ok(())
}

/// Writes beside the place and moves it there, so that nobody ever reads half a torrent.
fn write_whole(path: &Path, bytes: &[u8], existing: Existing) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match existing {
        Existing::Keep => file.persist_noclobber(path)?,
        Existing::Replace => file.persist(path)?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::Kind;

    #[test]
    fn a_torrent_is_written_and_its_hashes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (path, output) = (folder.path().join("data"), folder.path().join("t.torrent"));
        std::fs::write(&path, [7; 50_000]).unwrap();
        let options = Options {
            kind: Kind::Hybrid,
            trackers: vec!["udp://t.example:80".into()],
            creation_date: Some(5),
            ..Options::default()
        };
        let mut told = Vec::new();
        let existing = Existing::Keep;
        let request = CreateRequest { path: path.clone(), output: output.clone(), existing, options };
        run(request.clone(), &mut told, &mut Vec::new()).unwrap();
        let torrent = parse(Bytes::from(std::fs::read(&output).unwrap())).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains(&torrent.info.info_hash_v1.unwrap().to_string()));
        assert!(told.contains(&torrent.info.info_hash_v2.unwrap().to_string()));
        assert!(torrent.created_by.unwrap().raw().starts_with("unchoke/"));

        let one = folder.path().join("one");
        std::fs::create_dir(&one).unwrap();
        std::fs::write(one.join("a"), [1; 9]).unwrap();
        let lone = Options { kind: Kind::V2, ..Options::default() };
        let mut notes = Vec::new();
        let request_lone =
            CreateRequest { path: one, output: output.clone(), existing: Existing::Replace, options: lone };
        run(request_lone, &mut Vec::new(), &mut notes).unwrap();
        assert!(String::from_utf8(notes).unwrap().contains("look for a itself"));

        let bad = Options { webseeds: vec!["ftp://w.example/".into()], ..request.options };
        let error = run(
            CreateRequest { options: bad, existing: Existing::Replace, ..request },
            &mut Vec::new(),
            &mut Vec::new(),
        )
        .unwrap_err();
        assert!(error.to_string().contains("--webseed"));
        let output = folder.path().join("no/t.torrent");
        let nowhere = CreateRequest { path, output, existing, options: Options::default() };
        assert!(
            run(nowhere, &mut Vec::new(), &mut Vec::new()).unwrap_err().to_string().contains("cannot write")
        );
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let (path, output) = (folder.path().join("data"), folder.path().join("t.torrent"));
        std::fs::write(&path, [7; 9]).unwrap();
        std::fs::write(&output, "precious").unwrap();
        let make = |existing| {
            let (path, output) = (path.clone(), output.clone());
            let request = CreateRequest { path, output, existing, options: Options::default() };
            run(request, &mut Vec::new(), &mut Vec::new())
        };
        let error = make(Existing::Keep).unwrap_err().to_string();
        assert!(error.contains("t.torrent is already there") && error.contains("--force"), "{error}");
        assert_eq!(std::fs::read(&output).unwrap(), b"precious");
        make(Existing::Replace).unwrap();
        assert!(parse(Bytes::from(std::fs::read(&output).unwrap())).is_ok());
    }
}
