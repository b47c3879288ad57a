//! One reading of a configuration: the file parsed, its settings asked for, and the rest refused.
//!
//! What was never asked for is unknown, and is refused: a misspelt key must not leave a bank running on a default.
//! Read next: [`super::section`], which asks.

use std::cell::RefCell;
use std::ops::Range;

use super::nearest::nearest;
use super::problem::{Place, Problem};
use super::sources::Sources;

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "PACTOLUS_";

/// What the variables of a profile begin with; a bank reads none of them.
pub(super) const PROFILE_PREFIX: &str = "PACTOLUS_PROFILE_";

/// What the variables of test runs begin with; the bank reads none of them.
const TEST_PREFIX: &str = "PACTOLUS_TEST_";

/// Variables that the command line reads itself.
const COMMAND_LINE: [&str; 4] =
    ["PACTOLUS_CONFIG", "PACTOLUS_LOG", "PACTOLUS_LOG_FORMAT", "PACTOLUS_PROFILE"];

pub(super) fn line(text: &str, span: &Range<usize>) -> Place {
    let lines_before = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
    Place::Line(lines_before + 1)
}

/// One reading of a configuration: what all its sections share.
pub(super) struct Reading<'a> {
    pub(super) text: &'a str,
    pub(super) sources: &'a Sources<'a>,
    pub(super) prefix: &'static str,
    pub(super) problems: RefCell<Vec<Problem>>,
}

impl Reading<'_> {
    /// The line on which something of the file begins.
    pub(super) fn line(&self, span: &Range<usize>) -> Place {
        line(self.text, span)
    }

    /// Notes a problem; the reading goes on, so that all are reported together.
    pub(super) fn note(&self, place: Place, message: String) {
        self.problems.borrow_mut().push(Problem { place, message });
    }

    pub(super) fn refuse_unknown_variables(&self) {
        let known = self.sources.known_variables();
        for name in self.sources.unknown_variables(self.prefix) {
            let of_a_profile = self.prefix == PREFIX && name.starts_with(PROFILE_PREFIX);
            let is_others =
                of_a_profile || name.starts_with(TEST_PREFIX) || self.sources.is_service_link(name);
            if COMMAND_LINE.contains(&name) || is_others {
                continue;
            }
            let message = match nearest(name, known.iter().map(String::as_str).chain(COMMAND_LINE)) {
                Some(meant) => format!("is unknown; did you mean {meant}?"),
                None => {
                    "is unknown; unset it, or see `pactolus serve --help` for those that are read".to_owned()
                }
            };
            self.note(Place::Variable(name.to_owned()), message);
        }
    }
}
