//! Reads Rust source just well enough to check rules on it: comments, texts and test code are blanked, lines stay.

use std::path::{Path, PathBuf};

/// A source file without what rules do not apply to.
pub(super) struct Source {
    /// Path below `src`, parts joined by `/`.
    pub(super) path: String,
    /// The file as it is.
    pub(super) text: String,
    /// The same lines with comments, texts and test modules blanked.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut code = blank_comments_and_texts(text);
        blank_tests(&mut code);
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The top-level module it belongs to.
    pub(super) fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Every path that a `use` names, groups written out, with its line.
    pub(super) fn used_paths(&self) -> Vec<(usize, String)> {
        let mut paths = Vec::new();
        for at in words(&self.code, "use") {
            let Some(length) = self.code[at..].find(';') else { continue };
            let mut expanded = Vec::new();
            expand("", &self.code[at + 3..at + length], &mut expanded);
            paths.extend(expanded.into_iter().map(|path| (line_of(&self.code, at), path)));
        }
        paths
    }

    /// Lines where `pattern` stands as whole words, in code or in a written-out `use`.
    pub(super) fn lines_with(&self, pattern: &str) -> Vec<usize> {
        let in_code = words(&self.code, pattern).into_iter().map(|at| line_of(&self.code, at));
        let used = self.used_paths();
        let in_uses = used.iter().filter(|(_, path)| !words(path, pattern).is_empty()).map(|(line, _)| *line);
        let mut lines: Vec<usize> = in_code.chain(in_uses).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// Name, first line and length in lines of every function.
    pub(super) fn functions(&self) -> Vec<(String, usize, usize)> {
        let mut functions = Vec::new();
        for at in words(&self.code, "fn") {
            let rest = self.code[at + 2..].trim_start();
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let body = self.code[at..].find(['{', ';']).map(|offset| at + offset);
            let Some(open) = body.filter(|open| self.code.as_bytes()[*open] == b'{' && !name.is_empty())
            else {
                continue;
            };
            let first = line_of(&self.code, at);
            functions.push((name, first, line_of(&self.code, closing(&self.code, open)) + 1 - first));
        }
        functions
    }
}

/// All `.rs` files below `root`, in a fixed order.
pub(super) fn read_all(root: &Path) -> Vec<Source> {
    let mut folders = vec![root.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the source folder can be read") {
            let path = entry.expect("the source folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root).expect("found below the root").to_string_lossy().into_owned();
        Source::new(&name, &std::fs::read_to_string(path).expect("sources are UTF-8"))
    };
    files.iter().map(read).collect()
}

/// Whether a file holds nothing but tests.
pub(super) fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Line number, from 1, of a byte.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where `pattern` stands in `text` with no letter, digit or `_` touching a letter, digit or `_` of its ends.
fn words(text: &str, pattern: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts = pattern.starts_with(is_word);
    let ends = pattern.ends_with(is_word);
    let free = |at: &usize| {
        let before = text[..*at].chars().next_back().is_some_and(is_word);
        let after = text[at + pattern.len()..].chars().next().is_some_and(is_word);
        !(starts && before || ends && after)
    };
    text.match_indices(pattern).map(|(at, _)| at).filter(free).collect()
}

/// Writes out the groups of a use tree.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            paths.push(format!("{prefix}{path}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let inside = &tree[open + 1..closing(tree, open)];
    let mut start = 0;
    let mut depth = 0;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inside[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &inside[start..], paths);
}

/// Where the brace opened at `open` is closed; the end where it is not.
fn closing(text: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Blanks each item, variant, arm and field under `#[cfg(test)]`.
fn blank_tests(code: &mut String) {
    const MARK: &str = "#[cfg(test)]";
    let mut from = 0;
    while let Some(at) = code[from..].find(MARK).map(|offset| from + offset) {
        // A variant, or an arm for one, begins with a type's name and ends with its line; so does a field.
        let rest = code[at + MARK.len()..].trim_start();
        let of_enum = rest.starts_with(char::is_uppercase);
        let behind = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
        let ends: &[char] = if of_enum || behind.starts_with(": ") { &[','] } else { &['{', ';'] };
        let body = code[at..].find(ends).map_or(code.len(), |offset| at + offset);
        let end = if code.as_bytes().get(body) == Some(&b'{') { closing(code, body) } else { body };
        let end = (end + 1).min(code.len());
        let blank: String = code[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(at..end, &blank);
        from = at + blank.len();
    }
}

/// Blanks comments and the insides of texts and characters, line by line in place.
fn blank_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_text(rest).filter(|_| !previous.is_alphanumeric() && previous != '_')
        {
            length
        } else if first == '"' {
            quoted(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            code.push(first);
            previous = first;
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        previous = ' ';
        rest = &rest[length..];
    }
    code
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn raw_text(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let body_at = text.len() - body.len() + hashes;
    let inside = text[body_at..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(inside.find(&end).map_or(text.len(), |at| body_at + 1 + at + end.len()))
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal, or of the quote alone where it starts a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(1, |at| 3 + at + 1),
        Some((at, c)) if text[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 1,
    }
}
