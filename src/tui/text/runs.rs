//! Runs of pieces: the state of one in words, and all of them in a line of letters.

use super::{MAP_CHECKING, MAP_HAVE, MAP_PARTIAL, MAP_REQUESTED, MAP_UNKNOWN, MAP_UNWANTED};
use crate::contract::{Blocked, PieceLevel, PieceRun, PieceRuns};

/// Here on the word of a record or of the user.
const HAVE_UNVERIFIED: &str = "here, unchecked";
/// A piece that is wanted and not here.
const MISSING: &str = "missing";

/// The state of a run in words.
pub fn run_state(run: &PieceRun) -> String {
    if run.have {
        return if run.unverified { HAVE_UNVERIFIED.to_owned() } else { MAP_HAVE.to_owned() };
    }
    let words = [
        (run.checking, MAP_CHECKING),
        (run.unknown, MAP_UNKNOWN),
        (run.partial, MAP_PARTIAL),
        (run.requested, MAP_REQUESTED),
    ];
    let said: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    match said.is_empty() {
        true if run.priority.is_wanted() => MISSING.to_owned(),
        true => MAP_UNWANTED.to_owned(),
        false => said.join(", "),
    }
}

/// What the letters of a line of runs mean. Each stands for one thing only, and never for nothing.
pub const RUN_LETTERS: &str = "\
    In the line of runs a number counts pieces, and letters after it say how they are.\n\
    Wanted: ! now, by a reader; R soon, by a reader; F first or last; H high; . normal; L low; - off.\n\
    State: C here, c here but not checked in this run; P partial; Q being checked or waiting for it; ? unknown; > requested.\n\
    Not requestable: z all who have it choke us; x nobody has it; W being written.";

/// All runs in a line, as `1!P> 9R 31C 2.Q? 629.`; [`RUN_LETTERS`] says what the letters mean.
pub fn run_line(runs: &PieceRuns) -> String {
    let words: Vec<String> = runs.iter().map(|run| format!("{}{}", run.length, run_letters(&run))).collect();
    words.join(" ")
}

fn run_letters(run: &PieceRun) -> String {
    // How much one is wanted that is here changes nothing.
    if run.have {
        return if run.unverified { "c" } else { "C" }.to_owned();
    }
    let level = match run.priority {
        PieceLevel::Now => '!',
        PieceLevel::Ahead => 'R',
        PieceLevel::FirstLast => 'F',
        PieceLevel::High => 'H',
        PieceLevel::Normal => '.',
        PieceLevel::Low => 'L',
        PieceLevel::Off => '-',
    };
    let blocked = match run.blocked {
        Some(Blocked::Choked) => Some('z'),
        Some(Blocked::NoSource) => Some('x'),
        Some(Blocked::Storing) => Some('W'),
        // Said by its letter, or true of the whole torrent.
        Some(Blocked::Checking | Blocked::AllRequested | Blocked::Paused | Blocked::TorrentError) | None => {
            None
        }
    };
    let states = [(run.partial, 'P'), (run.checking, 'Q'), (run.unknown, '?'), (run.requested, '>')];
    let states = states.into_iter().filter(|(is, _)| *is).map(|(_, letter)| letter);
    std::iter::once(level).chain(states).chain(blocked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PieceIndex;

    fn run(length: u32, priority: PieceLevel) -> PieceRun {
        PieceRun {
            start: PieceIndex(0),
            length,
            priority,
            have: false,
            partial: false,
            checking: false,
            unknown: false,
            unverified: false,
            requested: false,
            blocked: None,
        }
    }

    #[test]
    fn a_line_of_runs_says_level_and_state_of_each() {
        use PieceLevel::{Ahead, FirstLast, High, Low, Normal, Now, Off};
        let runs = [
            PieceRun { partial: true, requested: true, blocked: Some(Blocked::AllRequested), ..run(1, Now) },
            run(9, Ahead),
            PieceRun { have: true, ..run(31, Normal) },
            PieceRun { have: true, unverified: true, ..run(5, High) },
            PieceRun { checking: true, unknown: true, blocked: Some(Blocked::Checking), ..run(2, Normal) },
            PieceRun { blocked: Some(Blocked::NoSource), ..run(3, FirstLast) },
            PieceRun { blocked: Some(Blocked::Choked), ..run(4, High) },
            PieceRun { partial: true, blocked: Some(Blocked::Storing), ..run(6, Low) },
            run(629, Normal),
            run(7, Off),
        ];
        let line = run_line(&runs.into_iter().collect());
        assert_eq!(line, "1!P> 9R 31C 5c 2.Q? 3Fx 4Hz 6LPW 629. 7-");
        let used = line.chars().filter(|letter| !letter.is_ascii_digit() && *letter != ' ');
        for letter in used {
            assert!(RUN_LETTERS.contains(&format!(" {letter} ")), "{letter} is explained");
        }
    }
}
