//! URLs of the command line: refused at once where nobody could ever ask there.

use super::UsageError;
use crate::contract::redact_url;

/// What a tracker is asked by.
pub(super) const TRACKER_SCHEMES: &[&str] = &["http", "https", "udp"];

/// What a webseed is asked by.
pub(super) const WEBSEED_SCHEMES: &[&str] = &["http", "https"];

/// Refuses the first URL of `option` that has none of these schemes, or no host.
pub(super) fn check_urls(option: &str, urls: &[String], schemes: &[&str]) -> Result<(), UsageError> {
    for url in urls {
        let known = url::Url::parse(url).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
        if !known {
            return Err(UsageError(format!(
                "{option} {}: give a URL that starts with {}",
                redact_url(url),
                schemes.join("://, ") + "://"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_the_url_and_what_is_taken_are_named() {
        let urls = |text: &str| [text.to_owned()];
        assert!(check_urls("--webseed", &urls("https://w.example/x"), WEBSEED_SCHEMES).is_ok());
        let error = check_urls("--webseed", &urls("ftp://u:pw@w.example/"), WEBSEED_SCHEMES).unwrap_err();
        let said = error.to_string();
        assert_eq!(said, "--webseed ftp://w.example/: give a URL that starts with http://, https://");
    }
}
