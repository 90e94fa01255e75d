//! Names that differ in numbers and addresses only are those of like things.

use std::net::{IpAddr, SocketAddr};

/// A name with a star for each address, identity and number.
pub fn pattern(name: &str) -> String {
    let words = name.split(' ').map(|word| {
        let bare = word.trim_end_matches([':', ',']);
        let is_hash = bare.len() >= HASH_DIGITS_MIN && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash || bare.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok() {
            format!("*{}", &word[bare.len()..])
        } else {
            without_numbers(word)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Shorter words of hex digits may be words.
const HASH_DIGITS_MIN: usize = 40;

fn without_numbers(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len());
    for letter in word.chars() {
        if !letter.is_ascii_digit() {
            pattern.push(letter);
        } else if !pattern.ends_with('*') {
            pattern.push('*');
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_numbers_and_addresses_are_one() {
        for (name, expected) in [
            ("peer 10.0.0.7:51413 of d43e185e297421ea3f253ae04300e373aef9404e: read", "peer * of *: read"),
            ("peer [2001:db8::1]:6881 of x: write", "peer * of x: write"),
            ("disk 3", "disk *"),
            ("owner of debian-12.iso", "owner of debian-*.iso"),
            ("resolve ::1", "resolve *"),
            ("budget", "budget"),
        ] {
            assert_eq!(pattern(name), expected);
        }
    }
}
