//! Texts, cut into what may have to be hidden: URLs, addresses, names of hosts, secrets.
//!
//! Text in a recording is composed of text in it (an event of what a tracker said, say), so each word is replaced alone,
//! and the same everywhere.

use std::net::{IpAddr, SocketAddr};

/// Shortest part of a URL that is looked for in other texts, in bytes: a shorter one is a word like others.
const TELLING_BYTES_MIN: usize = 6;
/// Shortest word with digits that is taken for a secret wherever it stands, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// What becomes of the words of a text.
pub(super) trait Words {
    /// An address.
    fn ip(&self, ip: IpAddr) -> IpAddr;
    /// The host of a URL.
    fn host(&self, host: &str) -> String;
    /// A part of a URL that may be a secret.
    fn secret(&self, part: &str) -> String;
    /// A word outside of URLs that may be a host that a URL has.
    fn known_host(&self, word: &str) -> Option<String>;
    /// A word outside of URLs that may be a part that a URL has.
    fn known_secret(&self, word: &str) -> Option<String>;
}

/// The text with its words replaced.
pub(super) fn rewrite(text: &str, with: &impl Words) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end();
        let after = &word[bare.len()..];
        let replaced = match bare.split_once("://") {
            Some((scheme, rest)) => url(scheme, rest, with),
            None => with_addresses(&plain(bare, with), with),
        };
        replaced + after
    });
    words.collect()
}

/// A URL. What decides how it is used stays: its scheme, its port, slashes, and whether it names a file to announce to.
fn url(scheme: &str, rest: &str, with: &impl Words) -> String {
    let path_end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, tail) = rest.split_at(path_end);
    let mut parts = path.split('/');
    let authority = parts.next().unwrap_or_default();
    let (user, host_and_port) = match authority.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, authority),
    };
    let port_at = host_and_port.rfind(':').filter(|at| {
        host_and_port[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) && !host_and_port[..*at].is_empty()
    });
    let (host, port) = host_and_port.split_at(port_at.unwrap_or(host_and_port.len()));
    let mut replaced = format!("{scheme}://");
    if let Some(user) = user {
        replaced.push_str(&with.secret(user));
        replaced.push('@');
    }
    if !host.is_empty() {
        replaced.push_str(&with.host(host));
    }
    replaced.push_str(port);
    for part in parts {
        replaced.push('/');
        let hidden = match part.strip_prefix("announce") {
            _ if is_usual(part) => part.to_owned(),
            // Such a tracker can be scraped (BEP 48).
            Some(rest) => format!("announce-{}", with.secret(rest)),
            None => with.secret(part),
        };
        replaced.push_str(&hidden);
    }
    let mut letters = tail.chars();
    if let Some(mark) = letters.next() {
        replaced.push(mark);
        let query = letters.as_str();
        if !query.is_empty() {
            replaced.push_str(&with.secret(query));
        }
    }
    replaced
}

/// What of a secret part of a URL is one in other texts, too: the values of a query, and what has digits. Other words may
/// be in texts of our own.
pub(super) fn telling(secret: &str) -> impl Iterator<Item = &str> {
    let values = secret.split('&').map(|pair| match pair.split_once('=') {
        Some((_, value)) => (value, true),
        None => (pair, false),
    });
    let tells = |(word, is_value): &(&str, bool)| {
        word.len() >= TELLING_BYTES_MIN && (*is_value || word.bytes().any(|byte| byte.is_ascii_digit()))
    };
    values.filter(tells).map(|(word, _)| word)
}

/// Whether a part of a path is what many URLs have.
fn is_usual(part: &str) -> bool {
    let stem = part.strip_suffix(".php").unwrap_or(part);
    part.is_empty() || matches!(stem, "announce" | "scrape" | "tracker")
}

/// A word that is no URL: it may be, or have in it, what a URL has.
fn plain(word: &str, with: &impl Words) -> String {
    let is_of_host = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    runs(word, is_of_host, |run| {
        let bare = run.trim_matches('.');
        if let Some(host) = with.known_host(bare) {
            return run.replacen(bare, &host, 1);
        }
        runs(run, |letter| is_of_host(letter) && letter != '.', |token| secret_word(token, with))
    })
}

fn secret_word(token: &str, with: &impl Words) -> String {
    let looks_secret = token.len() >= SECRET_BYTES_MIN && token.bytes().any(|byte| byte.is_ascii_digit());
    match with.known_secret(token) {
        Some(hidden) => hidden,
        None if looks_secret => with.secret(token),
        None => token.to_owned(),
    }
}

/// The text with each run of such letters replaced.
fn runs(text: &str, is_part: impl Fn(char) -> bool, replace: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run_end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        if run_end > 0 {
            out.push_str(&replace(&rest[..run_end]));
            rest = &rest[run_end..];
        }
        let gap_end = rest.find(&is_part).unwrap_or(rest.len());
        out.push_str(&rest[..gap_end]);
        rest = &rest[gap_end..];
    }
    out
}

/// The text with every address in it replaced, whether or not a port follows.
fn with_addresses(text: &str, with: &impl Words) -> String {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '.' | ':' | '[' | ']');
    runs(text, is_part, |word| {
        let bare = word.trim_end_matches(['.', ':']);
        let after = &word[bare.len()..];
        match (bare.parse::<SocketAddr>(), bare.trim_matches(['[', ']']).parse::<IpAddr>()) {
            (Ok(address), _) => {
                format!("{}{after}", SocketAddr::new(with.ip(address.ip()), address.port()))
            }
            (_, Ok(ip)) if bare.starts_with('[') => format!("[{}]{after}", with.ip(ip)),
            (_, Ok(ip)) => format!("{}{after}", with.ip(ip)),
            (Err(_), Err(_)) => word.to_owned(),
        }
    })
}
