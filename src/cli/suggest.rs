//! What a mistyped command was to be: a word that names no command is a SRC, and "the screen needs a terminal" would be an
//! odd answer to `unchoke shwo`.

use clap::CommandFactory;

use super::UsageError;
use super::args::Arguments;
use crate::contract::{Source, Untrusted};
use crate::limits::TYPOS_MAX;

/// Refuses a first SRC that is neither there nor looks like a name of a torrent.
pub(super) fn check_first(sources: &[String]) -> Result<(), UsageError> {
    let Some(word) = sources.first() else { return Ok(()) };
    let Source::Path(path) = Source::guess(word) else { return Ok(()) };
    if path.exists() || word.contains(['.', '/']) {
        return Ok(());
    }
    let hint = match nearest(word) {
        Some(command) => format!("; did you mean '{command}'?"),
        None => ": `unchoke help` lists the commands".to_owned(),
    };
    Err(UsageError(format!("no such command or file '{}'{hint}", Untrusted::new(word.as_str()))))
}

/// The command that the fewest slips of the hand make into `word`.
fn nearest(word: &str) -> Option<String> {
    let command = Arguments::command();
    let names = command.get_subcommands().map(clap::Command::get_name).chain(["help"]);
    let near = names.map(|name| (slips(word, name), name)).filter(|(slips, _)| *slips <= TYPOS_MAX);
    near.min().map(|(_, name)| name.to_owned())
}

/// Letters left out, put in, exchanged, or swapped with their neighbour, at least, between two words (the optimal string
/// alignment distance).
fn slips(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let exchanged = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = exchanged.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(word: &str) -> Option<String> {
        check_first(&[word.to_owned()]).err().map(|error| error.to_string())
    }

    #[test]
    fn a_mistyped_command_is_told_what_it_was_to_be() {
        let expected = |word: &str, name: &str| {
            Some(format!("no such command or file '{word}'; did you mean '{name}'?"))
        };
        for (word, name) in
            [("shwo", "show"), ("dowload", "download"), ("Verify", "verify"), ("hlep", "help")]
        {
            assert_eq!(told(word), expected(word, name));
        }
        let error = told("linuxisos").unwrap();
        assert!(!error.contains("did you mean") && error.contains("unchoke help"), "{error}");
    }

    #[test]
    fn what_may_be_a_torrent_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let hash = "ab".repeat(20);
        let there = folder.path().to_string_lossy();
        for word in ["shwo.torrent", "./shwo", "magnet:?dn=x", "http://t", &*hash, &*there] {
            assert_eq!(told(word), None, "{word}");
        }
        assert!(check_first(&[]).is_ok());
    }
}
