//! What happened last, kept cheaply, and told when a checker fails. Two runs of one seed leave the same trail.

use std::collections::VecDeque;
use std::fmt;

use super::world::NodeId;
use crate::units::Time;

/// Entries told with a failure.
const KEPT: usize = 60;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: Time,
    pub(super) node: NodeId,
    pub(super) what: &'static str,
    /// A piece, a connection or a count, as `what` suggests.
    pub(super) detail: u64,
}

/// The latest steps, and a digest of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    steps: VecDeque<Step>,
    digest: u64,
    count: u64,
}

impl Trail {
    pub(super) fn push(&mut self, step: Step) {
        if self.steps.len() == KEPT {
            self.steps.pop_front();
        }
        self.count += 1;
        // FNV-1a over the numbers and the word.
        let words = [step.at.as_micros(), step.node.0 as u64, step.what.len() as u64, step.detail];
        for word in words {
            self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.steps.push_back(step);
    }

    /// A number that differs where the runs differ.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many steps there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { at, node, what, detail } in &self.steps {
            writeln!(f, "  {:>12.6} s  node {:<2} {what} {detail}", at.as_micros() as f64 / 1e6, node.0)?;
        }
        Ok(())
    }
}
