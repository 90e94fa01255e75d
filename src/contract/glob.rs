//! Choosing files of a torrent by path or pattern, the same for `--file`, `ctl priority` and the files panel.
//!
//! `?` stands for one character of a part, `*` for any run within a part, `**` for any run across parts; `**/` also
//! for nothing. A pattern without `/` is tried on the last part too, so `*.nfo` finds those in every folder. Matching
//! takes time in proportion to pattern times path: no pattern makes it slow.

/// Positions of the paths that `pattern` chooses. A path equal to it is what is meant, whatever else would match.
pub fn choose<'a>(pattern: &str, paths: impl Iterator<Item = &'a str> + Clone) -> Vec<usize> {
    let positions_where = |test: &dyn Fn(&str) -> bool| -> Vec<usize> {
        paths.clone().enumerate().filter(|(_, path)| test(path)).map(|(at, _)| at).collect()
    };
    let exact = positions_where(&|path| path == pattern);
    if !exact.is_empty() {
        return exact;
    }
    let pattern = Pattern::new(pattern);
    positions_where(&|path| pattern.fits(path))
}

/// A pattern that is tried on many paths.
#[derive(Clone, Debug)]
pub struct Pattern {
    tokens: Vec<Token>,
    whole_path_only: bool,
}

impl Pattern {
    /// A pattern from its text.
    pub fn new(pattern: &str) -> Self {
        Self { tokens: tokens(pattern), whole_path_only: pattern.contains('/') }
    }

    /// Whether a text has characters that make it more than a path.
    pub fn is_one(text: &str) -> bool {
        text.contains(['*', '?'])
    }

    /// Whether it describes the path, or its last part.
    pub fn fits(&self, path: &str) -> bool {
        if let Some(Token::Literal(last)) = self.tokens.last()
            && !path.ends_with(*last)
        {
            return false;
        }
        let last_part = path.rsplit('/').next().unwrap_or(path);
        fits(&self.tokens, path) || (!self.whole_path_only && fits(&self.tokens, last_part))
    }
}

/// A step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Literal(char),
    /// `?`
    OneOfPart,
    /// `*`
    WithinPart,
    /// `**`
    AcrossParts,
    /// The `**` of a `**/` at the start of a part; the slash follows as a literal and may be left out with it.
    Folders,
}

/// A pattern as steps.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        let at_part_start = matches!(tokens.last(), None | Some(Token::Literal('/')));
        if rest.starts_with("**") {
            rest = rest.trim_start_matches('*');
            let folders = at_part_start && rest.starts_with('/');
            tokens.push(if folders { Token::Folders } else { Token::AcrossParts });
            continue;
        }
        rest = &rest[character.len_utf8()..];
        tokens.push(match character {
            '*' => Token::WithinPart,
            '?' => Token::OneOfPart,
            literal => Token::Literal(literal),
        });
    }
    tokens
}

/// Whether the steps describe all of `text`. Keeps the set of steps that may come next: `reached[i]` says that the
/// first `i` steps describe the text so far.
fn fits(tokens: &[Token], text: &str) -> bool {
    let mut reached = vec![false; tokens.len() + 1];
    reached[0] = true;
    skip_empty_runs(tokens, &mut reached, None);
    let mut next = vec![false; tokens.len() + 1];
    for character in text.chars() {
        next.fill(false);
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match token {
                Token::Literal(literal) => next[at + 1] |= *literal == character,
                Token::OneOfPart => next[at + 1] |= character != '/',
                Token::WithinPart => next[at] |= character != '/',
                Token::AcrossParts | Token::Folders => next[at] = true,
            }
        }
        skip_empty_runs(tokens, &mut next, Some(character));
        std::mem::swap(&mut reached, &mut next);
        if !reached.contains(&true) {
            return false;
        }
    }
    reached[tokens.len()]
}

/// Lets runs be empty or end where they are. [`Token::Folders`] takes its slash along, but only between parts.
fn skip_empty_runs(tokens: &[Token], reached: &mut [bool], previous: Option<char>) {
    for (at, token) in tokens.iter().enumerate() {
        if !reached[at] {
            continue;
        }
        match token {
            Token::Literal(_) | Token::OneOfPart => {}
            Token::WithinPart | Token::AcrossParts => reached[at + 1] = true,
            Token::Folders => {
                reached[at + 1] = true;
                reached[at + 2] |= matches!(previous, None | Some('/'));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 6] =
        ["demo/a.bin", "demo/b.bin", "demo/sub/a.bin", "demo/sub/deep/c.nfo", "top.nfo", "demo/[x]*.bin"];

    fn chosen(pattern: &str) -> Vec<&'static str> {
        choose(pattern, PATHS.iter().copied()).into_iter().map(|at| PATHS[at]).collect()
    }

    #[test]
    fn an_equal_path_wins_over_what_it_would_match_as_a_pattern() {
        assert_eq!(chosen("demo/[x]*.bin"), ["demo/[x]*.bin"]);
        assert_eq!(chosen("top.nfo"), ["top.nfo"]);
    }

    #[test]
    fn a_star_stays_within_a_part_and_two_cross_parts() {
        assert_eq!(chosen("demo/*.bin"), ["demo/a.bin", "demo/b.bin", "demo/[x]*.bin"]);
        assert_eq!(chosen("demo/**.bin"), ["demo/a.bin", "demo/b.bin", "demo/sub/a.bin", "demo/[x]*.bin"]);
        assert_eq!(chosen("**"), PATHS);
        assert_eq!(chosen("demo/*/c.nfo"), [""; 0]);
    }

    #[test]
    fn folders_before_a_name_may_be_none() {
        assert_eq!(chosen("**/*.nfo"), ["demo/sub/deep/c.nfo", "top.nfo"]);
        assert_eq!(chosen("demo/**/a.bin"), ["demo/a.bin", "demo/sub/a.bin"]);
        assert_eq!(chosen("demo/sub/**/.nfo"), [""; 0]);
    }

    #[test]
    fn a_pattern_without_slash_is_tried_on_the_last_part() {
        assert_eq!(chosen("a.bin"), ["demo/a.bin", "demo/sub/a.bin"]);
        assert_eq!(chosen("?.nfo"), ["demo/sub/deep/c.nfo"]);
        assert_eq!(chosen("*"), PATHS);
    }

    #[test]
    fn a_question_mark_is_one_character_and_never_a_slash() {
        assert_eq!(chosen("demo/?.bin"), ["demo/a.bin", "demo/b.bin"]);
        assert_eq!(chosen("demo?a.bin"), [""; 0]);
        assert_eq!(choose("?.txt", ["é.txt"].into_iter()), [0]);
    }

    #[test]
    fn nothing_matches_an_empty_pattern_but_an_empty_path() {
        assert_eq!(chosen(""), [""; 0]);
    }

    #[test]
    fn a_pattern_made_to_backtrack_costs_pattern_times_path() {
        let path = "a".repeat(4000);
        assert!(choose(&"*a".repeat(200), [path.as_str()].into_iter()).len() == 1);
        assert!(choose(&("*a".repeat(200) + "b"), [path.as_str()].into_iter()).is_empty());
    }
}
