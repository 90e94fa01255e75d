//! How long a server wants to be left alone: Retry-After (RFC 9110) in seconds or as a date.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::{self, HeaderMap, HeaderName};

use crate::limits::WEBSEED_RETRY_AFTER_MAX;

/// Seconds from now; `None` where the server does not say. A date is measured by the server's own clock where it tells
/// what that shows: ours may be wrong.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let wait = text(header::RETRY_AFTER)?;
    if let Some(seconds) = seconds(wait) {
        return Some(seconds);
    }
    let until = unix_seconds(wait)?;
    let server_now = text(header::DATE).and_then(unix_seconds);
    let now = server_now.or_else(|| Some(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()))?;
    Some(until.saturating_sub(now).min(WEBSEED_RETRY_AFTER_MAX.as_secs()))
}

/// A number of seconds in ASCII, and nothing else. One too large for us is the longest wait.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = is_number.then(|| text.parse().unwrap_or(u64::MAX));
    parsed.map(|seconds: u64| seconds.min(WEBSEED_RETRY_AFTER_MAX.as_secs()))
}

/// Seconds since 1970 of a date in any of the three forms of HTTP: in all of them the numbers are day, year and time
/// in this order, and the month is a word.
fn unix_seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (mut day, mut month, mut year, mut time) = (None, None, None, None);
    for word in date.split([' ', ',', '-']).filter(|word| !word.is_empty()) {
        if word.contains(':') {
            let mut fields =
                word.split(':').map(|field| field.parse::<u64>().ok().filter(|field| *field <= 60));
            time = Some(fields.next()?? * 3600 + fields.next()?? * 60 + fields.next()??);
        } else if let Some(found) = MONTHS.iter().position(|name| *name == word) {
            month = Some(found as u64);
        } else if let Ok(number) = word.parse::<u64>() {
            if day.is_none() { day = Some(number) } else { year = Some(number) }
        }
    }
    let (day, month, year) = (day.filter(|day| (1..=31).contains(day))?, month?, year?);
    // Two digits are of the years around now; RFC 850 ended long before these.
    let year = if year < 100 { year + 2000 } else { year };
    (1970..=9999).contains(&year).then_some(())?;
    // Counted from March, so that the day that leap years add is the last.
    let (from_march, year) = if month >= 2 { (month - 2, year) } else { (month + 10, year - 1) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (from_march * 153 + 2) / 5 + day - 1;
    /// The days from the first of March of year 0 to the start of 1970.
    const DAYS_TO_1970: u64 = 719_468;
    Some((days.checked_sub(DAYS_TO_1970)?) * 86_400 + time?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn dates_are_read_in_all_forms() {
        let same =
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        for date in same {
            assert_eq!(unix_seconds(date), Some(784_111_777), "{date}");
        }
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(unix_seconds("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(unix_seconds("Thursday, 01-Jan-26 00:00:00 GMT"), Some(1_767_225_600));
        for broken in ["", "soon", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 8", "06 Foo 1994 08:49:37", "1:2:x"]
        {
            assert_eq!(unix_seconds(broken), None, "{broken}");
        }
    }

    #[test]
    fn waits_are_read_and_bounded() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(&headers("120", None)), Some(120));
        assert_eq!(
            retry_after(&headers("99999999999999999999999", None)),
            Some(WEBSEED_RETRY_AFTER_MAX.as_secs())
        );
        assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:50:37 GMT", Some(date))), Some(60));
        assert_eq!(retry_after(&headers(date, None)), Some(0), "in the past");
        assert_eq!(
            retry_after(&headers("Fri, 31 Dec 9999 23:59:59 GMT", None)),
            Some(WEBSEED_RETRY_AFTER_MAX.as_secs())
        );
        assert_eq!(retry_after(&headers("-5", None)), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
