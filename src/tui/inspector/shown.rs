//! What each line of a page says, cell by cell: for the screen and for the text that is copied and saved.

use super::diff::{Change, Mark};
use super::facts::{Fact, Names, Part, task_words};
use super::groups::{Group, in_words, member, title, wait_words};
use super::page::{Line, Page};
use super::tree::{Branch, Circle};
use super::{Inspector, time_heading};
use crate::contract::{Dump, DumpRows, Stuck, StuckThing, Untrusted};
use crate::tui::theme::Role;
use crate::tui::widgets::Look;
use crate::tui::{format, text};

/// One line, cell by cell; nothing is cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// How many.
    pub(super) count: String,
    /// How it stands.
    pub(super) state: String,
    /// Since when.
    pub(super) time: String,
    /// Its name, with what stands before it.
    pub(super) name: String,
    /// What the page says of it beside its numbers.
    pub(super) about: String,
    /// Its numbers.
    pub(super) numbers: String,
    /// What made it.
    pub(super) place: String,
    /// A line that goes across all columns: a fact.
    pub(super) across: Option<(String, Role)>,
}

/// A line of the page that is shown.
pub(super) fn line(look: &Look, inspector: &Inspector, line: &Line) -> Shown {
    let page = inspector.page();
    let names = &inspector.names;
    let shown = match line {
        Line::Group(at) => page.group(*at).map(|group| {
            let shown = of_group(look, page, group, names);
            // What stands alone has its own name.
            match (group.members.as_slice(), page.dump_rows()) {
                ([one], Some(rows)) => match member(rows, *one) {
                    Some(own) => Shown { name: named(look, &own.kind.name), ..shown },
                    None => shown,
                },
                _ => shown,
            }
        }),
        Line::Member(row) => {
            let group = page.dump_rows().and_then(|rows| member(rows, *row));
            group.map(|group| {
                let shown = of_group(look, page, &group, names);
                Shown { count: String::new(), name: format!("  {}", shown.name), ..shown }
            })
        }
        Line::Fact(_, fact) => Some(of_fact(look, fact)),
        Line::Branch(branch) => Some(of_branch(look, page, branch)),
        Line::Change(at) => page.change(*at).map(|change| of_change(look, change)),
        Line::Moved(mark, name) => Some(Shown {
            name: format!("  {} {}", sign(*mark), named(look, name)),
            state: text::mark(*mark).to_owned(),
            ..Shown::default()
        }),
    };
    shown.unwrap_or_default()
}

/// The whole page as text: what is stuck, then every line, those of opened rows too.
pub(super) fn text(look: &Look, inspector: &Inspector) -> Option<String> {
    let page = inspector.page();
    let dump = page.look.as_ref()?;
    let mut lines = vec![format!("{} {}", text::INSPECTOR, text::inspector_page(page.kind))];
    for stuck in causes_first(dump) {
        lines.push(text::stuck(stuck, |outside| look.outside(outside, || None)));
    }
    lines.push(title(&dump.rows));
    if page.comparing {
        lines.push(text::COMPARED.to_owned());
    }
    let time = time_heading(&dump.rows);
    lines.push(format!(
        "{:>6}  {:9}  {time:>7}  {}",
        text::heading::COUNT,
        text::heading::STATE,
        text::heading::NAME
    ));
    for shown in page.lines().iter().map(|one| line(look, inspector, one)) {
        let Shown { count, state, time, name, about, numbers, place, across } = shown;
        if let Some((across, _)) = across {
            lines.push(format!("{:28}{across}", ""));
            continue;
        }
        let mut said = format!("{count:>6}  {state:9}  {time:>7}  {name}");
        if !about.is_empty() {
            said += &format!("  {}: {about}", text::about_heading(page.kind).to_lowercase());
        }
        if !numbers.is_empty() {
            said += &format!("  ({numbers})");
        }
        if !place.is_empty() {
            said += &format!("  {} {place}", text::MADE_AT);
        }
        lines.push(said.trim_end().to_owned());
    }
    Some(lines.join("\n") + "\n")
}

/// What is stuck, that which explains the most first: whoever waits for a held lock is stuck as well.
pub(super) fn causes_first(dump: &Dump) -> Vec<&Stuck> {
    let mut stuck: Vec<&Stuck> = dump.stuck.iter().collect();
    stuck.sort_by_key(|stuck| match &stuck.what {
        StuckThing::Deadlock { .. } => 0,
        StuckThing::Hold { .. } => 1,
        StuckThing::Forgotten { .. } => 2,
        StuckThing::Poll { waits_for: None, .. } => 3,
        StuckThing::Full { .. } => 4,
        StuckThing::Late { .. } => 5,
        StuckThing::Poll { waits_for: Some(_), .. } => 6,
    });
    stuck
}

pub(super) fn named(look: &Look, name: &Untrusted) -> String {
    look.name(name, || text::HIDDEN_TEXT.to_owned())
}

pub(super) fn joined(look: &Look, parts: &[Part]) -> String {
    let mut joined = String::new();
    for part in parts {
        match part {
            Part::Ours(said) => joined += &look.plain(said.clone()),
            Part::Named(name) => joined += &named(look, name),
        }
    }
    joined
}

fn seconds(millis: Option<u64>, look: &Look) -> String {
    millis.map_or_else(|| look.nothing().to_owned(), |millis| format::duration(millis / 1000))
}

fn of_group(look: &Look, page: &Page, group: &Group, names: &Names) -> Shown {
    Shown {
        count: group.members.len().to_string(),
        state: group.kind.state.clone(),
        time: seconds(group.longest_ms, look),
        name: named(look, &group.kind.name),
        about: joined(look, &about(page, group, names)),
        numbers: in_words(&group.numbers),
        place: look.text(&group.kind.site),
        across: None,
    }
}

/// What a page says of a group beside its numbers: of a lock who holds it, of an owner what took longest.
fn about(page: &Page, group: &Group, names: &Names) -> Vec<Part> {
    let Some((rows, first)) = page.dump_rows().zip(group.members.first()) else { return Vec::new() };
    match rows {
        DumpRows::Tasks(_) | DumpRows::Waits(_) => vec![Part::Named(group.kind.waits.clone())],
        DumpRows::Locks(rows) => rows.get(*first).map_or_else(Vec::new, |row| match row.holder {
            Some(holder) => {
                let site = row.holder_site.as_ref().map(|site| format!(" {} {site}", text::AT));
                let site = Untrusted::new(site.unwrap_or_default()).shown();
                task_words(holder, names).into_iter().chain([Part::Ours(site)]).collect()
            }
            None if row.held => vec![Part::Ours(text::NOBODY_KNOWN.to_owned())],
            None => Vec::new(),
        }),
        DumpRows::Queues(rows) => {
            let oldest = group.members.iter().filter_map(|at| rows.get(*at)?.oldest_ms).max();
            let oldest =
                oldest.map_or_else(String::new, |oldest| format!(", oldest {}", format::millis(oldest)));
            let number = |at: usize| group.numbers.get(at).map_or(0, |(_, number)| *number);
            vec![Part::Ours(format!("{} of {}{oldest}", number(0), number(1)))]
        }
        DumpRows::Semaphores(_) => {
            let number = |at: usize| group.numbers.get(at).map_or(0, |(_, number)| *number);
            let waiting = match number(2) {
                0 => String::new(),
                waiting => format!(", {waiting} waiting"),
            };
            vec![Part::Ours(format!("{} of {} out{waiting}", number(0), number(1)))]
        }
        DumpRows::Owners(rows) => {
            let longest = group.members.iter().filter_map(|at| rows.get(*at));
            longest.max_by_key(|row| row.longest_turn_us).map_or_else(Vec::new, |row| {
                let input = Untrusted::new(&*row.longest_turn_input).shown();
                vec![Part::Ours(format!("{} {input}", format::millis(row.longest_turn_us / 1000)))]
            })
        }
    }
}

fn of_fact(look: &Look, fact: &Fact) -> Shown {
    let (arrow, role) = match fact.target {
        Some(_) => (look.glyph("→", ">"), Role::Text),
        None => (" ", Role::Quiet),
    };
    let said = format!("{:>14} {arrow} {}", fact.label, joined(look, &fact.parts));
    Shown { across: Some((said, role)), ..Shown::default() }
}

fn of_branch(look: &Look, page: &Page, branch: &Branch) -> Shown {
    let Branch { depth, task, name, rows, holds_up, circle, identity: _ } = branch;
    let mut shown = Shown::default();
    let indent = "  ".repeat((*depth).saturating_sub(1).min(BRANCH_INDENT_MAX));
    let twig = if *depth == 0 { "" } else { look.glyph("└ ", "`-") };
    let who = match (task, rows.len()) {
        (Some(_), 2..) => format!("{} x \"{}\"", rows.len(), named(look, name)),
        (Some(id), _) => format!("{} {} \"{}\"", text::TASK, id.0, named(look, name)),
        (None, _) => format!("{} {}: {}", text::HELD_BY, text::NOBODY_KNOWN, named(look, name)),
    };
    shown.name = format!("{indent}{twig}{who}");
    shown.count = if *holds_up > 0 { holds_up.to_string() } else { look.nothing().to_owned() };
    shown.state = match (circle, rows.is_empty()) {
        (Circle::In, _) => text::DEADLOCK,
        (Circle::Out, true) => text::HOLDS_UP,
        (Circle::Out, false) => text::IN_WAIT,
    }
    .to_owned();
    if let Some((DumpRows::Waits(all), first)) = page.dump_rows().zip(rows.first())
        && let Some(row) = all.get(*first)
    {
        shown.time = seconds(Some(row.waited_ms), look);
        let mut parts = vec![Part::Named(Untrusted::new(wait_words(&row.wait, str::to_owned)))];
        if let (Circle::In, Some(behind)) = (circle, &row.behind) {
            parts.push(Part::Ours(format!(", {} {} {}", text::HELD_BY, text::TASK, behind.id.0)));
        }
        shown.about = joined(look, &parts);
        shown.place = look.text(&Untrusted::new(&*row.task.site));
    }
    shown
}

/// Branches deeper than this stand in one column: a narrow screen has no room for more.
const BRANCH_INDENT_MAX: usize = 12;

fn of_change(look: &Look, change: &Change) -> Shown {
    let Change { mark, kind, was, is, longer_ms, numbers, members: _ } = change;
    let count = match mark {
        Mark::New => format!("+{is}"),
        Mark::Gone => format!("-{was}"),
        Mark::Changed if is == was => format!("{is}"),
        Mark::Changed => format!("{was}>{is}"),
    };
    let time = longer_ms.filter(|longer| longer.unsigned_abs() >= 1000).map_or_else(String::new, |longer| {
        let sign = if longer < 0 { "-" } else { "+" };
        format!("{sign}{}", format::duration(longer.unsigned_abs() / 1000))
    });
    let numbers: Vec<String> = numbers
        .iter()
        .filter(|(_, number)| *number != 0)
        .map(|(word, number)| format!("{word} {number:+}"))
        .collect();
    Shown {
        count,
        state: text::mark(*mark).to_owned(),
        time,
        name: named(look, &kind.name),
        about: [kind.state.clone(), named(look, &kind.waits)].join(" ").trim_end().to_owned(),
        numbers: numbers.join(", "),
        place: look.text(&kind.site),
        across: None,
    }
}

fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::New => "+",
        Mark::Gone => "-",
        Mark::Changed => "~",
    }
}
