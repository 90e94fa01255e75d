//! What stands for the names of hosts, in whatever spelling they come up.

use std::collections::{BTreeMap, BTreeSet};

/// Stand-ins of all hosts that URLs have.
pub(super) struct Hosts {
    /// As URLs spell them.
    spelled: BTreeMap<String, String>,
    /// By the name that is the same for all spellings.
    canonical: BTreeMap<String, String>,
    /// Of the domains that they are in: what stands for one host there. A top-level domain is a word like others.
    above: BTreeMap<String, String>,
}

impl Hosts {
    /// For these, as URLs spell them.
    pub(super) fn of(seen: &BTreeSet<String>) -> Self {
        let spelled = stand_ins(seen);
        let (mut canonical, mut above) = (BTreeMap::new(), BTreeMap::new());
        for (host, stand_in) in &spelled {
            let Ok(parsed) = url::Host::parse(host) else { continue };
            let name = parsed.to_string().trim_end_matches('.').to_owned();
            let stand_in = stand_in.trim_end_matches('.').to_ascii_lowercase();
            let mut domain = name.as_str();
            while let (url::Host::Domain(_), Some((_, upper))) = (&parsed, domain.split_once('.')) {
                if upper.contains('.') {
                    above.entry(upper.to_owned()).or_insert_with(|| stand_in.clone());
                }
                domain = upper;
            }
            canonical.insert(name, stand_in);
        }
        Self { spelled, canonical, above }
    }

    /// For the host of a URL.
    pub(super) fn of_url(&self, host: &str) -> Option<&String> {
        self.spelled.get(host)
    }

    /// For a word that may be such a host, a domain that one is in, or a name in the domain of one. A word without a dot is
    /// one like others.
    pub(super) fn of_word(&self, word: &str) -> Option<String> {
        if !word.contains('.') {
            return None;
        }
        if let Some(stand_in) = self.spelled.get(word).or_else(|| self.canonical.get(word)) {
            return Some(stand_in.clone());
        }
        let Ok(url::Host::Domain(domain)) = url::Host::parse(word) else { return None };
        let domain = domain.trim_end_matches('.');
        if let Some(stand_in) = self.canonical.get(domain) {
            return Some(stand_in.clone());
        }
        if let Some(stand_in) = self.above.get(domain) {
            return Some(format!("above-{stand_in}"));
        }
        let mut uppers = std::iter::successors(domain.split_once('.'), |(_, upper)| upper.split_once('.'));
        let known = uppers.find_map(|(_, upper)| self.canonical.get(upper).filter(|_| upper.contains('.')));
        known.map(|stand_in| format!("below.{stand_in}"))
    }
}

/// In the order in which they come as keys of webseeds, where a port follows. Spellings of one host stay spellings of one
/// host, and what is none stays none.
fn stand_ins(seen: &BTreeSet<String>) -> BTreeMap<String, String> {
    let canonical = |host: &str| match url::Host::parse(host) {
        Ok(parsed) => (parsed.to_string().trim_end_matches('.').to_owned() + ":", ""),
        Err(_) => (host.to_owned() + ":", "^"),
    };
    let mut spellings: BTreeMap<(String, &str), Vec<&String>> = BTreeMap::new();
    for host in seen {
        spellings.entry(canonical(host)).or_default().push(host);
    }
    let mut stand_ins = BTreeMap::new();
    for (number, ((canonical, wrong), spelled)) in (1u32..).zip(spellings) {
        let others = spelled.iter().filter(|host| format!("{host}:") != canonical);
        let first = spelled.iter().filter(|host| format!("{host}:") == canonical);
        let variants = first.map(|host| (0, host)).chain((1u32..).zip(others));
        for (variant, host) in variants {
            let dot = if host.ends_with('.') { "." } else { "" };
            let name = spelling(&format!("host-{number:05}{wrong}.invalid"), variant);
            stand_ins.insert((*host).clone(), name + dot);
        }
    }
    stand_ins
}

/// The same name in another spelling: the letters that the number says are large.
fn spelling(name: &str, mut number: u32) -> String {
    let mut spell = |letter: char| {
        if !letter.is_ascii_lowercase() {
            return letter;
        }
        let large = number % 2 == 1;
        number /= 2;
        if large { letter.to_ascii_uppercase() } else { letter }
    };
    name.chars().map(&mut spell).collect()
}
