//! One reading of a configuration: the file parsed, its settings asked for, and the rest refused.
//!
//! What was never asked for is unknown, and is refused: a misspelt key must not leave a bank running on a default.
//! Read next: [`super::section`], which asks.

use std::cell::RefCell;
use std::ops::Range;

use super::nearest::closest_match;
use super::problem::{Location, Problem};
use super::sources::Sources;

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "PACTOLUS_";

/// What the variables of a profile begin with; a bank reads none of them.
pub(super) const PROFILE_PREFIX: &str = "PACTOLUS_PROFILE_";

/// What the variables of test runs begin with; the bank reads none of them.
const TEST_PREFIX: &str = "PACTOLUS_TEST_";

/// Variables that the command line reads itself.
const COMMAND_LINE_VARIABLES: [&str; 4] =
    ["PACTOLUS_CONFIG", "PACTOLUS_LOG", "PACTOLUS_LOG_FORMAT", "PACTOLUS_PROFILE"];

pub(super) fn line(text: &str, span: &Range<usize>) -> Location {
    let lines_before = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
    Location::Line(lines_before + 1)
}

/// One reading of a configuration: what all its sections share.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) sources: &'a Sources<'a>,
    pub(super) prefix: &'static str,
    pub(super) problems: RefCell<Vec<Problem>>,
}

impl Reader<'_> {
    /// The line on which something of the file begins.
    pub(super) fn line(&self, span: &Range<usize>) -> Location {
        line(self.text, span)
    }

    /// Notes a problem; the reading goes on, so that all are reported together.
    pub(super) fn report(&self, place: Location, message: String) {
        self.problems.borrow_mut().push(Problem { location: place, message });
    }

    pub(super) fn report_unknown_variables(&self) {
        let known = self.sources.known_variables();
        for name in self.sources.unknown_variables(self.prefix) {
            let of_a_profile = self.prefix == PREFIX && name.starts_with(PROFILE_PREFIX);
            let is_others =
                of_a_profile || name.starts_with(TEST_PREFIX) || self.sources.is_service_link(name);
            if COMMAND_LINE_VARIABLES.contains(&name) || is_others {
                continue;
            }
            let message =
                match closest_match(name, known.iter().map(String::as_str).chain(COMMAND_LINE_VARIABLES)) {
                    Some(meant) => format!("is unknown; did you mean {meant}?"),
                    None => "is unknown; unset it, or see `pactolus serve --help` for those that are read"
                        .to_owned(),
                };
            self.report(Location::Variable(name.to_owned()), message);
        }
    }
}
