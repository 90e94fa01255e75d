//! Values of options that are more than a word or a number: rates, file levels, durations.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::contract::{FileChoice, FirstLast, OrderChange, PieceSequence, Priority, PriorityChange};
use crate::limits::{BLOCK_BYTES, PIECE_LENGTH_MAX};
use crate::units::Rate;

/// A rate limit, or none. A type of its own because the parser gives `Option<Option<_>>` another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Option<Rate>);

/// Reads a rate: a number, a unit, and `/s` if one likes. `k`, `M`, `G` are powers of 1000, `Ki`, `Mi`, `Gi` of 1024.
pub fn rate_limit(text: &str) -> Result<Limit, String> {
    let wrong = || format!("'{text}' is no rate: say 500k, 2M, 1.5MiB, or none for no limit");
    if matches!(text, "none" | "off" | "unlimited") {
        return Ok(Limit(None));
    }
    let body = text.strip_suffix("/s").unwrap_or(text);
    let digits_end = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
    let (number, unit) = body.split_at(digits_end);
    let factor: f64 = match unit.trim_end_matches(['B', 'b']) {
        "" => 1.0,
        "k" | "K" => 1e3,
        "M" | "m" => 1e6,
        "G" | "g" => 1e9,
        "Ki" | "ki" => 1024.0,
        "Mi" | "mi" => 1024.0 * 1024.0,
        "Gi" | "gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if bytes > 0.0 && bytes < 1.0 {
        return Err(format!("'{text}' is less than one byte a second: pause the torrents instead"));
    }
    // A float's cast saturates, and a limit of u64::MAX bytes a second is as good as none.
    let bytes = bytes.round() as u64;
    Ok(Limit((bytes > 0).then_some(Rate(bytes))))
}

/// `GLOB=LEVEL` of `--file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLevel {
    /// Path or pattern.
    pub glob: String,
    /// How much it is wanted.
    pub level: Priority,
}

/// Reads `GLOB=LEVEL`; the last `=` divides, since paths may hold others.
pub fn file_level(text: &str) -> Result<FileLevel, String> {
    let (glob, word) =
        text.rsplit_once('=').ok_or_else(|| format!("'{text}' has no level: say 'docs/**=off'"))?;
    let level = Priority::from_word(word)
        .ok_or_else(|| format!("'{word}' is no level: use off, low, normal or high"))?;
    if glob.is_empty() {
        return Err(format!("'{text}' names no file: '**={word}' means all"));
    }
    Ok(FileLevel { glob: glob.to_owned(), level })
}

/// The changes that `--file` options ask for, in order.
pub fn priority_changes(files: &[FileLevel]) -> Vec<PriorityChange> {
    let change =
        |file: &FileLevel| PriorityChange { files: FileChoice::Glob(file.glob.clone()), level: file.level };
    files.iter().map(change).collect()
}

/// In which order pieces are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct OrderOptions {
    /// Fetch pieces in the order of the data rather than the rarest first
    #[arg(long)]
    pub sequential: bool,
    /// Fetch the first and the last piece of each wanted file before all others, so that players can open it
    #[arg(long)]
    pub first_last: bool,
}

impl OrderOptions {
    /// What they ask for; where one is not given, a torrent's own record counts.
    pub fn change(self) -> OrderChange {
        OrderChange {
            sequence: self.sequential.then_some(PieceSequence::InOrder),
            first_last: self.first_last.then_some(FirstLast::First),
        }
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// on
    On,
    /// off
    Off,
}

/// Reads the bytes of a piece, as torrents may have them.
pub fn piece_length(text: &str) -> Result<u32, String> {
    let usable = |bytes: &u32| bytes.is_power_of_two() && (BLOCK_BYTES..=PIECE_LENGTH_MAX).contains(bytes);
    text.parse().ok().filter(usable).ok_or_else(|| {
        format!(
            "'{text}' is no piece length: give a power of two from {BLOCK_BYTES} to \
             {PIECE_LENGTH_MAX}"
        )
    })
}

/// Reads seconds, with a fraction if one likes.
pub fn duration_s(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("'{text}' is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("'{text}' is no usable number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_decimal_and_binary_units() {
        for (text, bytes) in [
            ("1", 1),
            ("500k", 500_000),
            ("500K", 500_000),
            ("2M", 2_000_000),
            ("2MB/s", 2_000_000),
            ("1.5MiB", 1_572_864),
            ("1.5MiB/s", 1_572_864),
            ("1Ki", 1024),
            ("1G", 1_000_000_000),
            (".5k", 500),
        ] {
            assert_eq!(rate_limit(text), Ok(Limit(Some(Rate(bytes)))), "{text}");
        }
        for text in ["0", "0k", "none", "off", "unlimited"] {
            assert_eq!(rate_limit(text), Ok(Limit(None)), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "k", "-1", "1 M", "1T", "M1", "1.2.3", "nan", "inf", "1e3", "0.1", "."] {
            assert!(rate_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_equals_sign_divides_path_and_level() {
        assert_eq!(file_level("a=b/*=high"), Ok(FileLevel { glob: "a=b/*".into(), level: Priority::High }));
        for text in ["a", "a=", "a=maybe", "=off"] {
            assert!(file_level(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_piece_length_is_a_power_of_two_within_bounds() {
        assert_eq!(piece_length("16384"), Ok(16_384));
        for text in ["1000", "8192", "0", "-1", "1073741824", "x"] {
            assert!(piece_length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(duration_s("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["-1", "nan", "inf", "x", "1e300"] {
            assert!(duration_s(text).is_err(), "{text}");
        }
    }
}
