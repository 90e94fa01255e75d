//! `unchoke verify`: hashes the data in a folder against a torrent, with the engine's own disk threads.
//!
//! The answer is yes only if every piece is right and every file has its exact length. A wrong piece counts against each
//! file that it touches, since it cannot tell which of them is wrong.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use serde::Serialize;

use super::Exit;
use super::args::VerifyArgs;
use super::output::{Output, complain};
use super::source::read_torrent;
use crate::contract::Untrusted;
use crate::engine::io::{HashOutcome, Input};
use crate::inspect;
use crate::limits::VERIFY_PIECES_AHEAD;
use crate::metainfo::Info;
use crate::session::disk::{DiskPool, FileStamp, Job, PieceWork, Storage};
use crate::tui::format;
use crate::units::{FileIndex, PieceIndex};

/// Runs the command.
pub(super) fn run(arguments: &VerifyArgs) -> anyhow::Result<Exit> {
    check_folder(&arguments.dir)?;
    let torrent = read_torrent(&arguments.source)?;
    let mut output = Output::new();
    let pool = DiskPool::start(DiskPool::default_threads()).context("cannot start the disk threads")?;
    let save_dir = std::path::absolute(&arguments.dir)?;
    let storage = Arc::new(Storage::new(Arc::clone(&torrent.info), save_dir, &pool));
    let stamps = file_stamps(&pool, &storage)?;
    let watched = output.is_terminal() && !arguments.json;
    let outcomes = hash_all(&pool, &storage, |done, all| match watched {
        true => output.passing_line(format_args!("{done} of {all} pieces hashed")),
        false => Ok(()),
    })?;
    let findings = Findings::new(&torrent.info, &outcomes, &stamps);
    if arguments.json {
        output.json(&findings)?;
    } else {
        findings.print(&mut output, &arguments.dir)?;
    }
    if findings.good == 0
        && let Some(folder) = folder_meant(&torrent.info, &arguments.dir)
    {
        complain("hint", format_args!("its files are one folder up: give --dir {}", shown(&folder)));
    }
    outcomes.iter().find_map(Verdict::error).into_iter().for_each(|error| complain("warning", error));
    Ok(if findings.is_whole() { Exit::Done } else { Exit::Failed })
}

/// A folder that is not there holds nothing, which would read like lost data.
fn check_folder(dir: &Path) -> anyhow::Result<()> {
    let found = std::fs::metadata(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("the folder {} is not there: is --dir right?", shown(dir)),
        _ => anyhow!("cannot look into the folder {}: {error}", shown(dir)),
    })?;
    ensure!(
        found.is_dir(),
        "{} is no folder: --dir is the folder that the payload was saved into",
        shown(dir)
    );
    Ok(())
}

/// The folder above, where its files are below that: people name the torrent's own folder instead of the one it is in.
fn folder_meant(info: &Info, dir: &Path) -> Option<PathBuf> {
    let dir = std::path::absolute(dir).ok()?;
    let above = dir.parent()?;
    let is_own = dir.file_name()? == info.name.raw();
    let has_one = || info.files.iter().any(|file| !file.pad && above.join(file.path.as_str()).is_file());
    (is_own && has_one()).then(|| above.to_owned())
}

fn shown(path: &Path) -> Untrusted {
    Untrusted::new(path.to_string_lossy())
}

/// What hashing a piece came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
    /// A file is not there, or ends before the piece does.
    Missing,
    /// It is there and cannot be read, and why.
    Unreadable(String),
}

impl Verdict {
    fn error(&self) -> Option<&str> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Good | Self::Bad | Self::Missing => None,
        }
    }
}

/// Hashes every piece, with a bounded number on their way. `progress` is told after each.
fn hash_all(
    pool: &DiskPool,
    storage: &Arc<Storage>,
    mut progress: impl FnMut(u32, u32) -> io::Result<()>,
) -> anyhow::Result<Vec<Verdict>> {
    let pieces = storage.info().piece_count();
    // Nothing is lost if a piece gets no answer: the sender is gone then and the loop below ends with an error.
    let mut verdicts = vec![Verdict::Missing; pieces as usize];
    let (answers, mut answered) = inspect::channel("pieces hashed by verify", VERIFY_PIECES_AHEAD);
    let submit = |piece| {
        let answers = answers.clone();
        let work = PieceWork::Hash { piece: PieceIndex(piece) };
        let job = Job::piece(Arc::clone(storage), work, move |answer| {
            // The reader has gone only if it failed, and then nobody wants the answer.
            let _ = answers.send_blocking(answer);
        });
        pool.submit(job)
            .map_err(|_| anyhow!("the disk threads took no more work; this is a defect, please report it"))
    };
    let ahead = u32::try_from(VERIFY_PIECES_AHEAD).unwrap_or(u32::MAX).min(pieces);
    (0..ahead).try_for_each(&submit)?;
    for done in 1..=pieces {
        let Some(Input::PieceHashed { piece, outcome }) = answered.recv_blocking() else {
            return Err(anyhow!("a disk thread ended without an answer; this is a defect, please report it"));
        };
        verdicts[piece.at()] = match outcome {
            HashOutcome::Match => Verdict::Good,
            HashOutcome::Mismatch => Verdict::Bad,
            HashOutcome::NoData => Verdict::Missing,
            HashOutcome::Failed(error) => Verdict::Unreadable(error.to_string()),
        };
        if ahead + done <= pieces {
            submit(ahead + done - 1)?;
        }
        progress(done, pieces)?;
    }
    Ok(verdicts)
}

fn file_stamps(pool: &DiskPool, storage: &Arc<Storage>) -> anyhow::Result<Vec<Option<FileStamp>>> {
    let (answer, answered) = inspect::reply("files found by verify");
    let job = Job::stamps(Arc::clone(storage), |stamps| answer.send(stamps));
    pool.submit(job)
        .map_err(|_| anyhow!("the disk threads took no work; this is a defect, please report it"))?;
    Ok(answered.wait_blocking()??)
}

/// What was found, as programs read it.
#[derive(Debug, Serialize)]
struct Findings {
    name: Untrusted,
    pieces: u32,
    good: u32,
    bad: u32,
    missing: u32,
    unreadable: u32,
    files: Vec<FileFindings>,
}

/// What was found of a file.
#[derive(Debug, Serialize)]
struct FileFindings {
    index: FileIndex,
    path: Untrusted,
    bytes: u64,
    /// Its length on disk; null where it is not there.
    disk_bytes: Option<u64>,
    /// Bytes of it that lie in right pieces.
    done_bytes: u64,
    state: FileState,
}

/// How a file stands, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum FileState {
    Missing,
    WrongLength,
    Unreadable,
    Bad,
    Good,
}

impl Findings {
    fn new(info: &Info, verdicts: &[Verdict], stamps: &[Option<FileStamp>]) -> Self {
        let count = |wanted: fn(&Verdict) -> bool| {
            u32::try_from(verdicts.iter().filter(|verdict| wanted(verdict)).count())
                .expect("not more than pieces, a u32")
        };
        let real =
            |index: &FileIndex| !info.files[index.at()].pad && info.files[index.at()].symlink.is_none();
        Self {
            name: info.name.clone(),
            pieces: info.piece_count(),
            good: count(|verdict| *verdict == Verdict::Good),
            bad: count(|verdict| *verdict == Verdict::Bad),
            missing: count(|verdict| *verdict == Verdict::Missing),
            unreadable: count(|verdict| matches!(verdict, Verdict::Unreadable(_))),
            files: info
                .file_indices()
                .filter(real)
                .map(|index| FileFindings::new(info, index, verdicts, stamps[index.at()].as_ref()))
                .collect(),
        }
    }

    fn is_whole(&self) -> bool {
        self.good == self.pieces && self.files.iter().all(|file| file.state == FileState::Good)
    }

    fn print(&self, output: &mut Output, dir: &Path) -> io::Result<()> {
        for file in self.files.iter().filter(|file| file.state != FileState::Good) {
            let what = match file.state {
                FileState::Missing => "not there".to_owned(),
                FileState::WrongLength => {
                    format!("{} bytes, should be {}", file.disk_bytes.unwrap_or_default(), file.bytes)
                }
                FileState::Unreadable => "cannot be read".to_owned(),
                FileState::Bad => format!("{} right", format::percent(file.done_bytes, file.bytes)),
                FileState::Good => continue,
            };
            output.line(format_args!("{}: {what}", file.path))?;
        }
        let Self { name, pieces, good, bad, missing, unreadable, files: _ } = self;
        let mut line = format!("{name} in {}: {good} of {pieces} pieces good", dir.display());
        for (count, word) in [(bad, "bad"), (missing, "missing"), (unreadable, "unreadable")] {
            if *count > 0 {
                line += &format!(", {count} {word}");
            }
        }
        output.line(line)
    }
}

impl FileFindings {
    fn new(info: &Info, index: FileIndex, verdicts: &[Verdict], stamp: Option<&FileStamp>) -> Self {
        let file = &info.files[index.at()];
        let pieces = || {
            let range = info.pieces_of(index).map(|range| range.start().0..range.end().0 + 1);
            range.unwrap_or(0..0).map(PieceIndex)
        };
        let bytes_in = |piece: PieceIndex| -> u64 {
            let spans = info.spans(piece, 0, info.piece_bytes(piece));
            spans.filter(|span| span.file == index).map(|span| u64::from(span.bytes)).sum()
        };
        let good = pieces().filter(|piece| verdicts[piece.at()] == Verdict::Good);
        let done_bytes = good.map(bytes_in).sum();
        let disk_bytes = stamp.map(|stamp| stamp.bytes);
        let state = match disk_bytes {
            None => FileState::Missing,
            Some(bytes) if bytes != file.bytes => FileState::WrongLength,
            Some(_) if pieces().any(|piece| verdicts[piece.at()].error().is_some()) => FileState::Unreadable,
            Some(_) if done_bytes < file.bytes => FileState::Bad,
            Some(_) => FileState::Good,
        };
        let path = Untrusted::new(file.path.as_str());
        Self { index, path, bytes: file.bytes, disk_bytes, done_bytes, state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{Kind, create::from_memory, parse};

    const PIECE: usize = 16 * 1024;

    /// A torrent of three files, and a folder that holds them.
    fn world() -> (Arc<Info>, tempfile::TempDir) {
        let one = vec![1; PIECE + 10];
        let two = vec![2; 2 * PIECE];
        let files: [(&str, &[u8]); 3] = [("one", &one), ("sub/two", &two), ("void", b"")];
        let torrent = from_memory("world", 16 * 1024, &files, Kind::V1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join("world").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        (parse(torrent.into()).unwrap().info, folder)
    }

    fn findings(info: &Arc<Info>, folder: &Path) -> Findings {
        let pool = DiskPool::start(2).unwrap();
        let storage = Arc::new(Storage::new(Arc::clone(info), folder.to_owned(), &pool));
        let verdicts = hash_all(&pool, &storage, |_, _| Ok(())).unwrap();
        Findings::new(info, &verdicts, &file_stamps(&pool, &storage).unwrap())
    }

    fn states(findings: &Findings) -> Vec<FileState> {
        findings.files.iter().map(|file| file.state).collect()
    }

    #[test]
    fn data_that_is_all_there_is_whole() {
        let (info, folder) = world();
        let found = findings(&info, folder.path());
        assert!(found.is_whole(), "{found:?}");
        assert_eq!((found.pieces, found.good), (4, 4));
    }

    #[test]
    fn a_wrong_byte_counts_against_each_file_of_its_piece() {
        let (info, folder) = world();
        let mut bytes = vec![1; PIECE + 10];
        bytes[PIECE + 3] = 9;
        std::fs::write(folder.path().join("world/one"), bytes).unwrap();
        let found = findings(&info, folder.path());
        assert_eq!((found.good, found.bad, found.missing), (3, 1, 0));
        assert_eq!(states(&found), [FileState::Bad, FileState::Bad, FileState::Good]);
        assert_eq!(found.files[0].done_bytes, PIECE as u64);
    }

    #[test]
    fn files_that_are_missing_short_or_long_are_named_as_such() {
        let (info, folder) = world();
        std::fs::remove_file(folder.path().join("world/void")).unwrap();
        std::fs::write(folder.path().join("world/one"), vec![1; PIECE]).unwrap();
        let mut long = vec![2; 2 * PIECE];
        long.push(0);
        std::fs::write(folder.path().join("world/sub/two"), long).unwrap();
        let found = findings(&info, folder.path());
        assert_eq!(states(&found), [FileState::WrongLength, FileState::WrongLength, FileState::Missing]);
        assert_eq!((found.good, found.missing), (3, 1));
        assert!(!found.is_whole());
    }

    #[test]
    fn the_folder_above_is_hinted_at_where_the_files_are_there() {
        let (info, folder) = world();
        assert_eq!(folder_meant(&info, &folder.path().join("world")).as_deref(), Some(folder.path()));
        assert_eq!(folder_meant(&info, folder.path()), None);
        assert_eq!(folder_meant(&info, &folder.path().join("world/world")), None, "nothing is there");
    }

    #[test]
    fn a_folder_that_is_not_there_has_nothing() {
        let (info, folder) = world();
        let error = check_folder(&folder.path().join("nowhere")).unwrap_err();
        assert!(format!("{error:#}").contains("nowhere is not there"), "{error:#}");
        let found = findings(&info, &folder.path().join("nowhere"));
        assert_eq!((found.good, found.missing), (0, 4));
        assert_eq!(states(&found), [FileState::Missing; 3]);
    }
}
