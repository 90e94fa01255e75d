//! Finds what a person means: a torrent by prefix, files by path, pattern or index, levels by word.

use std::sync::Arc;

use anyhow::{anyhow, bail};

use crate::contract::{
    FileChoice, FileRow, Priority, PriorityChange, TorrentRow, Untrusted, WebseedRow, choose_files,
    redact_url,
};
use crate::units::{FileIndex, WebseedKey};

/// The one torrent whose info-hash begins with `id`.
pub(in crate::cli) fn torrent<'a>(
    id: &str,
    rows: &'a [Arc<TorrentRow>],
) -> anyhow::Result<&'a Arc<TorrentRow>> {
    let prefix = id.to_ascii_lowercase();
    let mut fitting = rows.iter().filter(|row| !prefix.is_empty() && row.id.to_string().starts_with(&prefix));
    let Some(found) = fitting.next() else {
        bail!("no torrent has an info-hash that begins with '{id}': `unchoke ctl list` shows them all");
    };
    match fitting.count() {
        0 => Ok(found),
        more => bail!("{} torrents have an info-hash that begins with '{id}': give more of it", more + 1),
    }
}

/// `FILE... LEVEL [FILE... LEVEL]...` as groups, in order.
pub(super) fn levels(words: &[String]) -> anyhow::Result<Vec<(&[String], Priority)>> {
    let mut groups = Vec::new();
    let mut start = 0;
    for (at, word) in words.iter().enumerate() {
        let Some(level) = Priority::from_word(word) else { continue };
        if start == at {
            bail!(super::super::UsageError(format!("no file stands before the level '{word}'")));
        }
        groups.push((&words[start..at], level));
        start = at + 1;
    }
    match words.get(start) {
        None => Ok(groups),
        Some(word) => bail!(super::super::UsageError(format!(
            "no level comes after '{word}': end with off, low, normal or high"
        ))),
    }
}

/// The changes that the groups ask for, as positions. A path wins over an index, an index over a pattern.
pub(super) fn changes(
    groups: &[(&[String], Priority)],
    files: &[FileRow],
) -> anyhow::Result<Vec<PriorityChange>> {
    let mut changes = Vec::with_capacity(groups.len());
    for (words, level) in groups {
        let mut indices = Vec::new();
        for word in *words {
            indices.extend(fitting(word, files)?.into_iter().map(|file| file.index));
        }
        changes.push(PriorityChange { files: FileChoice::Indices(indices), level: *level });
    }
    Ok(changes)
}

/// The one file that a word means.
pub(super) fn file<'a>(word: &str, files: &'a [FileRow]) -> anyhow::Result<&'a FileRow> {
    match fitting(word, files)?[..] {
        [file] => Ok(file),
        ref several => bail!("'{word}' fits {} files: name one of them", several.len()),
    }
}

/// The one webseed that a word means: by its number, else by its URL, with its secrets or as it is shown.
pub(super) fn webseed(word: &str, rows: &[WebseedRow]) -> anyhow::Result<WebseedKey> {
    let shown = Untrusted::new(word);
    let all = "`unchoke ctl webseeds` shows them all";
    if let Ok(number) = word.parse() {
        let key = WebseedKey(number);
        let is_there = rows.iter().any(|row| row.key == key);
        return if is_there { Ok(key) } else { Err(anyhow!("no webseed has the number {number}: {all}")) };
    }
    let redacted = redact_url(word);
    let fits = |row: &&WebseedRow| row.url.shown() == word || row.url == redacted;
    let mut fitting = rows.iter().filter(fits);
    match (fitting.next(), fitting.count()) {
        (Some(row), 0) => Ok(row.key),
        (Some(_), more) => {
            bail!("{} webseeds are shown as '{redacted}': give the number of one; {all}", more + 1)
        }
        (None, _) => bail!("no webseed has the URL '{shown}': {all}"),
    }
}

/// The files that a word means, at least one.
fn fitting<'a>(word: &str, files: &'a [FileRow]) -> anyhow::Result<Vec<&'a FileRow>> {
    let paths = files.iter().map(|file| file.path.raw());
    let by_index = || {
        let index = word.parse().ok()?;
        files.iter().find(|file| file.index == FileIndex(index))
    };
    let is_path = paths.clone().any(|path| path == word);
    if let Some(file) = by_index().filter(|_| !is_path) {
        return Ok(vec![file]);
    }
    let chosen = choose_files(word, paths);
    if chosen.is_empty() {
        return Err(anyhow!("no file fits '{word}': `unchoke ctl files` shows them all"));
    }
    Ok(chosen.into_iter().map(|at| &files[at]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// Files 0, 2, 3 and so on: position 1 is a pad file, which is not listed.
    fn files() -> Vec<FileRow> {
        ["a/x.bin", "a/y.nfo", "3", "b/z.bin"]
            .iter()
            .zip([0, 2, 3, 4])
            .map(|(path, index)| FileRow {
                index: FileIndex(index),
                path: Untrusted::new(*path),
                bytes: 1,
                done_bytes: 0,
                priority: Priority::Normal,
                pieces: None,
            })
            .collect()
    }

    fn chosen(line: &str) -> anyhow::Result<Vec<(Vec<u32>, Priority)>> {
        let words = words(line);
        let plain = |change: PriorityChange| match change.files {
            FileChoice::Indices(indices) => (indices.iter().map(|index| index.0).collect(), change.level),
            FileChoice::All | FileChoice::Glob(_) => panic!("positions are what goes over the socket"),
        };
        Ok(changes(&levels(&words)?, &files())?.into_iter().map(plain).collect())
    }

    #[test]
    fn several_levels_stay_in_order() {
        let expected = vec![(vec![0, 2, 3, 4], Priority::Off), (vec![0, 4], Priority::High)];
        assert_eq!(chosen("** off a/x.bin b/* high").unwrap(), expected);
    }

    #[test]
    fn an_index_counts_pad_files_and_a_path_wins_over_it() {
        assert_eq!(chosen("2 low").unwrap(), [(vec![2], Priority::Low)]);
        assert_eq!(chosen("3 low").unwrap(), [(vec![3], Priority::Low)]);
        assert!(chosen("1 low").is_err(), "a pad file has no priority");
    }

    #[test]
    fn words_without_a_level_and_levels_without_a_file_are_wrong_usage() {
        for line in ["a/x.bin", "a/x.bin high b/*", "high", "a/x.bin high low"] {
            let error = chosen(line).unwrap_err();
            assert!(error.is::<crate::cli::UsageError>(), "{line}: {error}");
        }
        assert!(!chosen("nothing.such high").unwrap_err().is::<crate::cli::UsageError>());
    }
}
