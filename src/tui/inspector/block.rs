//! One row as text, with all that is known of it: what is copied of a page. A task is a block as `dump tasks --stacks` has
//! it (Go's `debug=2`); other rows are their facts.

use super::Inspector;
use super::facts;
use super::groups::member;
use super::shown::{joined, named};
use crate::contract::{DumpRows, TaskReport, TaskState, Untrusted};
use crate::report;
use crate::tui::widgets::{Look, Names};
use crate::tui::{format, text};

/// The row of the cursor; `None` where the line is about none.
pub(super) fn text(look: &Look, inspector: &Inspector) -> Option<String> {
    let page = inspector.page();
    let row = page.row_of(page.lines().get(page.rows.at())?)?;
    let rows = page.dump_rows()?;
    if let DumpRows::Tasks(tasks) = rows {
        let task = as_shown(look, tasks.get(row)?);
        return Some(report::blocks(&[task]).trim_end().to_owned() + "\n");
    }
    let own = member(rows, row)?;
    let since = own.longest_ms.map(|millis| format!(", {}", format::millis(millis))).unwrap_or_default();
    let (what, name) = (text::inspector_row(page.kind), named(look, &own.kind.name));
    let mut lines = vec![format!("{what} \"{name}\" [{}{since}]:", own.kind.state)];
    for fact in facts::facts(rows, row, &inspector.names) {
        lines.push(format!("  {:<13} {}", fact.label, joined(look, &fact.parts)));
    }
    Some(lines.join("\n") + "\n")
}

/// A task whose names are hidden where the screen hides them.
fn as_shown(look: &Look, task: &TaskReport) -> TaskReport {
    let mut task = task.clone();
    if look.names == Names::Hidden {
        let hide = |name: &str| named(look, &Untrusted::new(name));
        task.name = hide(&task.name).into();
        task.torrent = None;
        task.peer = None;
        for wait in &mut task.waits {
            wait.on = wait.on.as_ref().map(|on| hide(on).into());
        }
        for frame in &mut task.frames {
            frame.name = hide(&frame.name).into();
        }
        if let TaskState::Panicked(said) = &mut task.state {
            *said = hide(said);
        }
    }
    task
}
