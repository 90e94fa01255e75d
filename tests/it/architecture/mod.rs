//! The rules of the code map, checked on the source itself.
//!
//! Who may import whom is the table in `src/lib.rs`; a module that is not in it yet fails here until it has a row.
//! Test code is free of these rules.

mod source;

use std::path::Path;

use source::{Source, is_test_file, line_of, read_all};

/// A top-level module, what it may import, and words that must not stand in it.
struct Row {
    module: &'static str,
    may_import: &'static [&'static str],
    must_not_contain: &'static [&'static str],
}

const NO_IO: &[&str] =
    &["tokio", "std::fs", "TcpStream", "TcpListener", "UdpSocket", "Instant", "SystemTime"];

const PURE: &[&str] = &[
    "tokio",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "std::thread",
    "Condvar",
    "HashMap",
    "HashSet",
    "RandomState",
];

const TABLE: &[Row] = &[
    Row { module: "units", may_import: &[], must_not_contain: NO_IO },
    Row { module: "limits", may_import: &[], must_not_contain: NO_IO },
    // Codec and metainfo read names and texts of strangers, which are `contract::Untrusted` from the first byte.
    Row { module: "codec", may_import: &["units", "limits", "contract"], must_not_contain: NO_IO },
    Row { module: "metainfo", may_import: &["units", "limits", "contract"], must_not_contain: NO_IO },
    Row { module: "contract", may_import: &["units", "limits"], must_not_contain: NO_IO },
    Row { module: "transport", may_import: &["units", "limits", "codec"], must_not_contain: NO_IO },
    Row {
        module: "engine",
        may_import: &["units", "limits", "codec", "metainfo", "contract"],
        must_not_contain: PURE,
    },
    // Text and profiles of what is told: the diagnostics server needs them as the command line does, and imports no screen.
    Row { module: "report", may_import: &["units", "limits", "contract"], must_not_contain: NO_IO },
    Row {
        module: "inspect",
        may_import: &["units", "limits", "contract"],
        must_not_contain: &["ratatui", "crossterm"],
    },
    Row {
        module: "recorder",
        may_import: &["units", "limits", "codec", "metainfo", "contract", "engine"],
        must_not_contain: PURE,
    },
    Row {
        module: "sim",
        may_import: &["units", "limits", "codec", "metainfo", "contract", "engine", "recorder"],
        must_not_contain: PURE,
    },
    Row {
        module: "session",
        may_import: &[
            "units",
            "limits",
            "codec",
            "metainfo",
            "contract",
            "transport",
            "engine",
            "report",
            "inspect",
            "recorder",
        ],
        must_not_contain: &["ratatui", "crossterm"],
    },
    Row {
        module: "tui",
        may_import: &["units", "limits", "contract", "report", "inspect"],
        must_not_contain: &["std::fs", "std::os::unix::net", "TcpStream", "TcpListener", "UdpSocket"],
    },
    Row {
        module: "cli",
        may_import: &[
            "units",
            "limits",
            "codec",
            "metainfo",
            "contract",
            "transport",
            "engine",
            "report",
            "inspect",
            "recorder",
            "session",
            "tui",
        ],
        must_not_contain: &[],
    },
];

/// Files that a row's forbidden word does not bind, and why.
const ASIDE: &[(&str, &str, &str)] =
    &[("metainfo/create", "std::fs", "making a torrent reads the files it is made of")];

/// What `inspect` wraps: nothing runs, waits or queues unregistered.
const ONLY_IN_INSPECT: &[&str] = &[
    "tokio::spawn",
    "tokio::sync",
    "tokio::task",
    "tokio::fs",
    "tokio::process",
    "lookup_host",
    "time::sleep",
    "time::sleep_until",
    "time::timeout",
    "time::timeout_at",
    "time::interval",
    "time::interval_at",
    "task::spawn_blocking",
    "block_in_place",
    "spawn_local",
    "LocalSet",
    "JoinSet",
    "Handle::current",
    "Handle::try_current",
    "runtime::Handle",
    "runtime::Builder",
    "Runtime::new",
    "TokioTimer",
    "TokioExecutor",
    "thread::spawn",
    "thread::Builder",
    "thread::scope",
    "thread::sleep",
    "thread::park",
    "parking_lot",
    "Mutex",
    "RwLock",
    "Condvar",
    "Barrier",
    "mpsc",
    "oneshot",
    "broadcast::channel",
    "watch::channel",
];

/// Modules that are not imported as a whole: under another name their items would pass the words above.
const NOT_WHOLE: &[&str] =
    &["tokio", "tokio::time", "tokio::runtime", "std::sync", "std::thread", "hyper_util::rt"];

/// Files that a word of [`ONLY_IN_INSPECT`] does not bind, and why.
const REGISTERED_OTHERWISE: &[(&str, &str, &str)] = &[
    ("session/control/mod.rs", "time::interval", TICKS),
    ("session/control/snapshots.rs", "time::interval", TICKS),
    ("session/budget.rs", "time::interval", TICKS),
    ("tui/runtime/mod.rs", "time::interval", TICKS),
    ("cli/download/mod.rs", "time::interval", TICKS),
    (
        "session/diagnostics/mod.rs",
        "TokioTimer",
        "hyper's wait for a head; its client's task is said to wait",
    ),
    ("session/diagnostics/mod.rs", "runtime::Builder", OWN_RUNTIME),
    ("session/remote/dumps.rs", "runtime::Builder", OWN_RUNTIME),
    ("cli/dump/on_signal.rs", "runtime::Builder", OWN_RUNTIME),
    ("cli/mod.rs", "runtime::Builder", "the program's runtime"),
    (
        "tui/runtime/terminal.rs",
        "thread::sleep",
        "a moment, in a write that is said to wait for the terminal",
    ),
    ("cli/demo/chaos.rs", "thread::sleep", "it holds its thread on purpose"),
];
const TICKS: &str = "its ticks are waited for through inspect::ticking";
const OWN_RUNTIME: &str = "a thread of inspect's drives it, to answer where the program's runtime is held";

/// What no code outside tests contains.
const NOWHERE: &[(&str, &str)] = &[
    (".unwrap()", "say why it holds with expect, or handle it"),
    ("todo!", "what is not done is an issue, not code"),
    ("unimplemented!", "what is not done is an issue, not code"),
    ("dbg!", "a debugging aid was left in"),
    ("println!", "output is written by cli through std::io::Write"),
    ("eprintln!", "output is written by cli through std::io::Write"),
];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn modules_import_only_what_the_table_lists() {
    report(&sources(), import_faults);
}

#[test]
fn modules_keep_free_of_what_their_layer_must_not_touch() {
    report(&sources(), forbidden_word_faults);
}

#[test]
fn tasks_locks_and_queues_are_made_by_inspect_alone() {
    report(&sources(), unregistered_faults);
}

#[test]
fn what_is_registered_otherwise_is_still_there() {
    let sources = sources();
    for (path, word, _why) in REGISTERED_OTHERWISE {
        let source = sources.iter().find(|source| source.path == *path);
        let used = source.is_some_and(|source| !source.lines_with(word).is_empty());
        assert!(used, "{path} has no {word} any more: take it off the list");
    }
}

#[test]
fn files_and_functions_stay_small_and_headed() {
    report(&sources(), size_faults);
}

#[test]
fn nothing_unfinished_or_silenced_is_left() {
    report(&sources(), leftover_faults);
}

#[test]
fn a_breach_of_each_rule_is_seen() {
    let of = |path: &str, text: &str, rule: fn(&Source) -> Vec<String>| rule(&Source::new(path, text)).len();
    assert_eq!(of("tui/a.rs", "use crate::{engine::io, units::Time};", import_faults), 1);
    assert_eq!(of("codec/a.rs", "fn f() { crate::session::run(); }", import_faults), 1);
    assert_eq!(of("brand_new/a.rs", "", import_faults), 1);
    assert_eq!(of("engine/a.rs", "use std::{collections::HashMap, fmt};", forbidden_word_faults), 1);
    assert_eq!(of("codec/a.rs", "// tokio\nconst A: &str = \"std::fs\";", forbidden_word_faults), 0);
    assert_eq!(of("session/a.rs", "fn f() { tokio::spawn(async {}); }", unregistered_faults), 1);
    for word in ONLY_IN_INSPECT {
        assert_eq!(of("session/a.rs", &format!("fn f() {{ {word}(); }}"), unregistered_faults), 1, "{word}");
    }
    for passed in [
        "fn f() { tokio::time::sleep(a).await }",
        "use tokio::time::{Instant, interval};",
        "fn f() { tokio::runtime::Handle::current().spawn(a) }",
        "use std::sync::{Arc, Condvar};",
        "use std::{sync::mpsc::channel, fmt};",
        "use tokio::time;",
        "use tokio::time as other;",
        "use tokio::{self as other, net};",
        "use std::{fmt, thread};",
        "use std::sync::*;",
    ] {
        assert_ne!(of("session/a.rs", passed, unregistered_faults), 0, "{passed}");
    }
    let own = "use tokio::{net::TcpStream, time::Instant}; use std::sync::{Arc, atomic::AtomicBool};";
    assert_eq!(of("session/a.rs", own, unregistered_faults), 0);
    let ticking = "fn f() { tokio::time::interval(a) }";
    assert_eq!(of("session/budget.rs", ticking, unregistered_faults), 0);
    assert_eq!(of("session/budget/a.rs", ticking, unregistered_faults), 1);
    assert_eq!(of("session/a.rs", "fn f() { inspect::Semaphore::new(\"a\", 1); }", unregistered_faults), 0);
    assert_eq!(of("inspect/a.rs", "use tokio::sync::mpsc;", unregistered_faults), 0);
    assert_eq!(of("cli/a.rs", "//! A.\nfn f() { g().unwrap(); }", leftover_faults), 1);
    assert_eq!(of("cli/a.rs", "#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }", leftover_faults), 0);
    assert_eq!(of("cli/a.rs", "#[allow(dead_code)]\nfn f() {}", leftover_faults), 1);
    let long = format!("//! A.\nfn f<'a>() {{\n{}}}\nfn g() {{}}", "    h('{');\n".repeat(80));
    assert_eq!(of("cli/a.rs", &long, size_faults), 1);
    assert_eq!(of("cli/a.rs", &format!("//! A.\n{}", "// x\n".repeat(500)), size_faults), 1);
    assert_eq!(of("cli/mod.rs", "mod a;", size_faults), 1);
}

fn sources() -> Vec<Source> {
    let sources = read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 10, "the source folder was not found");
    sources
}

fn report(sources: &[Source], rule: fn(&Source) -> Vec<String>) {
    let faults: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn row(source: &Source) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.module == source.module())
}

fn has_no_row(source: &Source) -> bool {
    matches!(source.path.as_str(), "lib.rs" | "main.rs") || is_test_file(&source.path)
}

fn import_faults(source: &Source) -> Vec<String> {
    if has_no_row(source) {
        return Vec::new();
    }
    let Some(row) = row(source) else {
        return vec![format!("{}: module {} has no row in the import table", source.path, source.module())];
    };
    let named = |line: usize, path: &str| {
        let start = path.find("crate::")? + "crate::".len();
        let module: String = path[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let allowed = module.is_empty() || module == row.module || row.may_import.contains(&module.as_str());
        (!allowed).then(|| format!("{}:{line}: {} may not import {module}", source.path, row.module))
    };
    let used = source.used_paths();
    let in_uses = used.iter().filter_map(|(line, path)| named(*line, path));
    let crate_paths = source.code.match_indices("crate::");
    let in_code = crate_paths.filter_map(|(at, _)| named(line_of(&source.code, at), &source.code[at..]));
    let mut faults: Vec<String> = in_uses.chain(in_code).collect();
    faults.sort();
    faults.dedup();
    faults
}

fn forbidden_word_faults(source: &Source) -> Vec<String> {
    let Some(row) = row(source).filter(|_| !is_test_file(&source.path)) else { return Vec::new() };
    let bound = |word: &&&str| {
        !ASIDE.iter().any(|(path, aside, _why)| source.path.starts_with(path) && *aside == **word)
    };
    let mut faults = Vec::new();
    for word in row.must_not_contain.iter().filter(bound) {
        for line in source.lines_with(word) {
            faults.push(format!("{}:{line}: {} must not contain {word}", source.path, row.module));
        }
    }
    faults
}

fn unregistered_faults(source: &Source) -> Vec<String> {
    if source.module() == "inspect" || is_test_file(&source.path) {
        return Vec::new();
    }
    let bound = |word: &&&str| {
        let aside = |(path, aside, _why): &(&str, &str, &str)| source.path == *path && *aside == **word;
        !REGISTERED_OTHERWISE.iter().any(aside)
    };
    let mut faults = Vec::new();
    for word in ONLY_IN_INSPECT.iter().filter(bound) {
        for line in source.lines_with(word) {
            faults.push(format!("{}:{line}: {word} belongs behind crate::inspect", source.path));
        }
    }
    for (line, path) in source.used_paths() {
        let module = path.trim_end_matches("::self").trim_end_matches("::*");
        if NOT_WHOLE.contains(&module) {
            faults.push(format!("{}:{line}: import what is needed of {module}, not the whole", source.path));
        }
    }
    faults
}

fn size_faults(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        faults.push(format!("{}: {lines} lines, split it by concept", source.path));
    }
    for (name, line, length) in source.functions() {
        if length > FUNCTION_LINES_MAX && !is_test_file(&source.path) {
            faults.push(format!("{}:{line}: fn {name} has {length} lines, split it", source.path));
        }
    }
    if source.path.ends_with("/mod.rs") && !source.text.starts_with("//!") {
        faults.push(format!("{}: a module begins with a header that says what it is for", source.path));
    }
    faults
}

fn leftover_faults(source: &Source) -> Vec<String> {
    if is_test_file(&source.path) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (pattern, remedy) in NOWHERE {
        for line in source.lines_with(pattern) {
            faults.push(format!("{}:{line}: {pattern} ({remedy})", source.path));
        }
    }
    for (at, _) in source.code.match_indices("[allow(") {
        let attribute =
            &source.code[at..source.code[at..].find(']').map_or(source.code.len(), |end| at + end)];
        if !attribute.contains("reason") {
            faults.push(format!("{}:{}: an allow without a reason", source.path, line_of(&source.code, at)));
        }
    }
    faults
}
