//! Texts, cut into what may have to be hidden: URLs, addresses, names of hosts, secrets.
//!
//! Text in a recording is composed of text in it (an event of what a tracker said, say), so each word is replaced alone,
//! and the same everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// Shortest part of a URL that is looked for in other texts, in bytes: a shorter one is a word like others.
pub(super) const TELLING_BYTES_MIN: usize = 6;
/// Shortest word with digits that is taken for a secret wherever it stands, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// Colons of an IPv6 address at most.
const V6_COLONS_MAX: usize = 8;

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
    /// Where in what is no URL the first part that a URL has and that is no word lies.
    fn known_part(&self, word: &str) -> Option<Range<usize>>;
}

/// The text with its words replaced.
pub(super) fn rewrite(text: &str, with: &impl Words) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end();
        let after = &word[bare.len()..];
        let replaced = match bare.split_once("://") {
            // More than a scheme may stand there, and a scheme is a word that is no secret.
            Some((before, rest)) => url(&no_url(before, with), rest, with),
            None => no_url(bare, with),
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

/// What is no URL: it may be, or have in it, what a URL has, and addresses.
fn no_url(word: &str, with: &impl Words) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(part) = with.known_part(rest) {
        out.push_str(&with_addresses(&plain(&rest[..part.start], with), with));
        out.push_str(&with.secret(&rest[part.clone()]));
        rest = &rest[part.end..];
    }
    out + &with_addresses(&plain(rest, with), with)
}

/// Whether a text is one word to [`plain`].
pub(super) fn is_word(text: &str) -> bool {
    text.chars().all(is_of_word)
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '-' | '_')
}

/// Hosts, and words that are parts of URLs or look like secrets.
fn plain(word: &str, with: &impl Words) -> String {
    runs(
        word,
        |letter| is_of_word(letter) || letter == '.',
        |run| {
            let bare = [&['.'][..], &['.', '-', '_']].map(|around| run.trim_matches(around));
            let host = bare.into_iter().find_map(|bare| Some((bare, with.known_host(bare)?)));
            match host {
                Some((bare, host)) => run.replacen(bare, &host, 1),
                None => runs(run, is_of_word, |token| secret_word(token, with)),
            }
        },
    )
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
    runs(text, is_part, |run| {
        let starts = [0, run.len() - run.trim_start_matches(['.', ':']).len()];
        let ends = [run.len(), run.trim_end_matches(['.', ':']).len()];
        let parts = starts.into_iter().flat_map(|start| ends.map(|end| start..end));
        let address = parts
            .filter(|part| part.start < part.end)
            .find_map(|part| Some((part.clone(), whole_address(&run[part], with)?)));
        match address {
            Some((part, address)) => format!("{}{address}{}", &run[..part.start], &run[part.end..]),
            None => {
                // Words may be of the same letters: `failed:` and `:banned` are, in part.
                runs(run, |letter| !matches!(letter, '[' | ']'), |run| with_addresses_among(run, with))
            }
        }
    })
}

fn whole_address(text: &str, with: &impl Words) -> Option<String> {
    match (text.parse::<SocketAddr>(), text.trim_matches(['[', ']']).parse::<IpAddr>()) {
        (Ok(address), _) => Some(SocketAddr::new(with.ip(address.ip()), address.port()).to_string()),
        (_, Ok(ip)) if text.starts_with('[') => Some(format!("[{}]", with.ip(ip))),
        (_, Ok(ip)) => Some(with.ip(ip).to_string()),
        (Err(_), Err(_)) => None,
    }
}

/// With the longest parts between colons that are an address replaced.
fn with_addresses_among(run: &str, with: &impl Words) -> String {
    let ends: Vec<usize> = run.match_indices(':').map(|(at, _)| at).chain([run.len()]).collect();
    let starts = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
    let mut out = String::with_capacity(run.len());
    let mut done = 0;
    for (start, ends) in starts.zip((0..ends.len()).map(|at| &ends[at..])) {
        let ends = ends.iter().take(V6_COLONS_MAX + 1).rev();
        let address = ends.filter(|end| start >= done && **end > start).find_map(|end| {
            let ip = run[start..*end].parse::<Ipv6Addr>().ok()?;
            Some((*end, ip))
        });
        if let Some((end, ip)) = address {
            out.push_str(&with_dotted_quads(&run[done..start], with));
            out.push_str(&with.ip(ip.into()).to_string());
            done = end;
        }
    }
    out + &with_dotted_quads(&run[done..], with)
}

fn with_dotted_quads(text: &str, with: &impl Words) -> String {
    runs(
        text,
        |letter| letter.is_ascii_digit() || letter == '.',
        |run| {
            let bare = run.trim_matches('.');
            match bare.parse::<Ipv4Addr>() {
                Ok(ip) => run.replacen(bare, &with.ip(ip.into()).to_string(), 1),
                Err(_) => run.to_owned(),
            }
        },
    )
}
