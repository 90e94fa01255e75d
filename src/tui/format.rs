//! Numbers as people read them, in widths that do not jump.
//!
//! Sizes are binary and have at most three digits. A zero that says nothing is the quiet dot of the glyph set, so that
//! what moves stands out. Called by panels, dialogs and `text`.

use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::units::Rate;

/// Where text sits in a field that is wider than it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const SHORT_UNITS: [&str; 7] = ["B", "K", "M", "G", "T", "P", "E"];

/// A size for a sentence: `1.23 GiB`.
pub fn bytes(count: u64) -> String {
    let (number, unit) = scaled(count);
    format!("{number} {}", UNITS[unit])
}

/// A size for a column, five wide at most: `1.23G`.
pub fn short_bytes(count: u64) -> String {
    let (number, unit) = scaled(count);
    format!("{number}{}", SHORT_UNITS[unit])
}

/// A rate for a sentence: `1.23 MiB/s`.
pub fn rate(rate: Rate) -> String {
    format!("{}/s", bytes(rate.0))
}

/// Three significant digits and the index of the unit.
fn scaled(count: u64) -> (String, usize) {
    if count < 1000 {
        return (count.to_string(), 0);
    }
    let mut unit = 0;
    let mut tenths = u128::from(count) * 100;
    while tenths >= 100_000 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let number = match tenths {
        0..1_000 => format!("{}.{:02}", tenths / 100, tenths % 100),
        1_000..10_000 => format!("{}.{}", tenths / 100, tenths % 100 / 10),
        10_000.. => (tenths / 100).to_string(),
    };
    (number, unit)
}

/// How much of `whole` is done, never rounded up to a hundred: `99.9%`.
pub fn percent(done: u64, whole: u64) -> String {
    if done >= whole {
        return "100%".to_owned();
    }
    let tenths = u128::from(done) * 1000 / u128::from(whole.max(1));
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// A length of time in its two largest units, six wide at most: `12m05s`.
pub fn duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m{:02}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h{:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ if seconds < 100 * DAY => format!("{}d{:02}h", seconds / DAY, seconds % DAY / HOUR),
        _ if seconds < 1000 * DAY => format!("{}d", seconds / DAY),
        _ => ">999d".to_owned(),
    }
}

/// A length of time that may be below a second, six wide at most: `85ms`, `1.2s`, `12m05s`.
pub fn millis(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..10_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        10_000.. => duration(millis / 1000),
    }
}

/// Time until `left_bytes` are here at `rate`; `None` where nothing moves or nothing is left.
pub fn eta(left_bytes: u64, rate: Rate) -> Option<Duration> {
    (rate.0 > 0 && left_bytes > 0).then(|| Duration::from_secs(left_bytes.div_ceil(rate.0)))
}

/// Sent over received, five wide at most; `None` where nothing was received or sent.
pub fn ratio(uploaded_bytes: u64, downloaded_bytes: u64) -> Option<String> {
    if downloaded_bytes == 0 || uploaded_bytes == 0 {
        return None;
    }
    let hundredths = u128::from(uploaded_bytes) * 100 / u128::from(downloaded_bytes);
    Some(match hundredths {
        0..10_000 => format!("{}.{:02}", hundredths / 100, hundredths % 100),
        10_000..1_000_000 => (hundredths / 100).to_string(),
        1_000_000.. => ">9999".to_owned(),
    })
}

/// The time of day in UTC of a second since the Unix epoch: `14:03:09`.
pub fn time_of_day(unix_s: u64) -> String {
    let second = unix_s % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// A second since the Unix epoch as a date and time in UTC: `2009-02-13 23:31:30 UTC`.
pub fn date_time(unix_s: i64) -> String {
    const DAY_S: i64 = 86_400;
    // Days since 1 March of the year 0, in eras of 400 years: leap days come last in their year, so each month has its
    // place whatever the year (the proleptic Gregorian calendar).
    let days = unix_s.div_euclid(DAY_S) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let time = time_of_day(unix_s.rem_euclid(DAY_S).unsigned_abs());
    format!("{year:04}-{month:02}-{day:02} {time} UTC")
}

/// Columns that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The start of `text` that fits into `columns`, with `more` at its end where something is cut off.
pub fn cut(text: &str, columns: usize, more: &str) -> String {
    // A character takes a column at least in all but combining text, so a long text is known to be too wide early.
    if text.len() <= columns || text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(more.width());
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > room {
            break;
        }
        kept.push_str(grapheme);
    }
    if columns >= more.width() {
        kept.push_str(more);
    }
    kept
}

/// What is left of `text` without its first `columns`.
pub fn skip(text: &str, columns: usize) -> &str {
    let mut skipped = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if skipped >= columns {
            return &text[at..];
        }
        skipped += grapheme.width();
    }
    if columns == 0 { text } else { "" }
}

/// The end of `text` that fits into `columns`, with `more` before it where something is cut off: for paths.
pub fn cut_start(text: &str, columns: usize, more: &str) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(more.width());
    let mut start = text.len();
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += grapheme.width();
        if used > room {
            break;
        }
        start = at;
    }
    let sign = if columns >= more.width() { more } else { "" };
    format!("{sign}{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_are_told_in_their_own_unit() {
        assert_eq!([0, 999, 1_000, 9_999].map(millis), ["0ms", "999ms", "1.0s", "9.9s"]);
        assert_eq!([10_000, 725_000, u64::MAX].map(millis), ["10s", "12m05s", ">999d"]);
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (unix_s, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (1_234_567_890, "2009-02-13 23:31:30 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(date_time(unix_s), expected);
        }
        assert!(date_time(i64::MAX).ends_with("UTC") && date_time(i64::MIN).ends_with("UTC"));
    }

    #[test]
    fn sizes_never_outgrow_their_column() {
        for shift in 0..64 {
            for count in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) + (1u64 << shift) / 3] {
                assert!(short_bytes(count).len() <= 5, "{count}: {}", short_bytes(count));
                assert!(bytes(count).len() <= 8, "{count}: {}", bytes(count));
            }
        }
        assert_eq!(short_bytes(0), "0B");
        assert_eq!(short_bytes(1000), "0.97K");
        assert_eq!(bytes(123 << 20), "123 MiB");
        assert_eq!(bytes(u64::MAX), "15.9 EiB");
    }

    #[test]
    fn a_hundred_percent_means_complete() {
        assert_eq!(percent(999_999, 1_000_000), "99.9%");
        assert_eq!(percent(0, 0), "100%");
        assert_eq!(percent(0, 7), "0.0%");
    }

    #[test]
    fn times_and_ratios_never_outgrow_their_column() {
        for power in 0..63 {
            assert!(duration(1 << power).len() <= 6, "{}", duration(1 << power));
            assert!(ratio(1 << power, 1 << 10).is_none_or(|text| text.len() <= 5));
        }
        assert_eq!(duration(725), "12m05s");
        assert_eq!(eta(10, Rate(0)), None);
        assert_eq!(eta(10, Rate(3)), Some(Duration::from_secs(4)));
        assert_eq!(ratio(150, 100).as_deref(), Some("1.50"));
    }

    #[test]
    fn text_is_cut_at_graphemes_and_by_columns() {
        assert_eq!(cut("日本語", 5, "…"), "日本…");
        assert_eq!(cut("日本語", 4, "…"), "日…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2, "…"), "e\u{301}…");
        assert_eq!(cut("abc", 3, "…"), "abc");
        assert_eq!(cut("abc", 0, "…"), "");
        assert_eq!(cut_start("/srv/日本語", 5, "…"), "…本語");
        assert_eq!((skip("日本語", 3), skip("abc", 0), skip("abc", 3)), ("語", "abc", ""));
    }
}
