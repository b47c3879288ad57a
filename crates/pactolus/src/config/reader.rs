//! Shared state of one pass over a configuration: text, sources, and problems so far.
//!
//! A key or variable that no setting looks up is refused: a misspelt key must not leave a bank on a default.
//! Read next: [`super::section`].

use std::cell::RefCell;
use std::ops::Range;

use super::nearest::closest_match;
use super::problem::{ConfigProblem, Location};
use super::sources::Sources;

/// Prefix of all variables.
pub(super) const PREFIX: &str = "PACTOLUS_";

/// Prefix of a profile's variables; the configuration ignores them.
pub(super) const PROFILE_PREFIX: &str = "PACTOLUS_PROFILE_";

/// Prefix of the variables of test runs; the configuration ignores them.
const TEST_PREFIX: &str = "PACTOLUS_TEST_";

/// Variables of command-line options.
const COMMAND_LINE_VARIABLES: [&str; 6] = [
    "PACTOLUS_ACCESS_TOKEN",
    "PACTOLUS_CONFIG",
    "PACTOLUS_LOG",
    "PACTOLUS_LOG_FORMAT",
    "PACTOLUS_PROFILE",
    "PACTOLUS_SESSION_KEY",
];

pub(super) fn line(text: &str, span: &Range<usize>) -> Location {
    let lines_before = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
    Location::Line(lines_before + 1)
}

/// Shared by all sections of a configuration.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) sources: &'a Sources<'a>,
    pub(super) prefix: &'static str,
    pub(super) problems: RefCell<Vec<ConfigProblem>>,
}

impl Reader<'_> {
    /// The line on which a span begins.
    pub(super) fn line(&self, span: &Range<usize>) -> Location {
        line(self.text, span)
    }

    /// Records a problem. The pass goes on, so that all problems are reported together.
    pub(super) fn report(&self, place: Location, message: String) {
        self.problems.borrow_mut().push(ConfigProblem { location: place, message });
    }

    pub(super) fn report_unknown_variables(&self) {
        let known = self.sources.known_variables();
        for name in self.sources.unknown_variables(self.prefix) {
            let is_profile_variable = self.prefix == PREFIX && name.starts_with(PROFILE_PREFIX);
            let is_foreign =
                is_profile_variable || name.starts_with(TEST_PREFIX) || self.sources.is_service_link(name);
            if COMMAND_LINE_VARIABLES.contains(&name) || is_foreign {
                continue;
            }
            let message =
                match closest_match(name, known.iter().map(String::as_str).chain(COMMAND_LINE_VARIABLES)) {
                    Some(meant) => format!("is unknown; did you mean {meant}?"),
                    None => "is unknown; unset it, or see `pactolus serve --help` for the known variables"
                        .to_owned(),
                };
            self.report(Location::Variable(name.to_owned()), message);
        }
    }
}
