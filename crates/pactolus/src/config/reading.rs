//! One reading of a configuration: the file parsed, its settings asked for, and the rest refused.
//!
//! What was never asked for is unknown, and is refused: a misspelt key must not leave a bank running on a default.
//! Read next: [`super::section`], which asks.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;
use zeroize::Zeroizing;

use super::nearest::nearest;
use super::problem::{Place, Problem, Problems};
use super::section::Section;
use super::sources::{Sources, Variables};

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "PACTOLUS_";

/// What the variables of a profile begin with; a bank reads none of them.
pub(super) const PROFILE_PREFIX: &str = "PACTOLUS_PROFILE_";

/// What the variables of test runs begin with; the bank reads none of them.
const TEST_PREFIX: &str = "PACTOLUS_TEST_";

/// Variables that the command line reads itself.
const COMMAND_LINE: [&str; 4] =
    ["PACTOLUS_CONFIG", "PACTOLUS_LOG", "PACTOLUS_LOG_FORMAT", "PACTOLUS_PROFILE"];

/// Reads the file at `path` and those `variables` that begin with `prefix` with `read`, and refuses what it did not
/// ask for.
pub(super) fn read<T>(
    path: &Path,
    variables: &Variables,
    prefix: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Problems> {
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        let message =
            format!("cannot be read: {error}; name another with --config, or write one with `pactolus init`");
        Problems::new(path.to_owned(), vec![Problem { place: Place::File, message }])
    })?;
    read_text(path, &text, variables, prefix, read)
}

/// The same, of the `text` that the file at `path` has.
pub(super) fn read_text<T>(
    path: &Path,
    text: &str,
    variables: &Variables,
    prefix: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Problems> {
    let refused = |problems| Problems::new(path.to_owned(), problems);
    let document = parse(text).map_err(refused)?;
    let sources = Sources::new(path.parent().unwrap_or(Path::new("")), variables);
    let reading = Reading { text, sources: &sources, prefix, problems: RefCell::default() };

    let mut top = Section::top(&reading, &document);
    let value = read(&mut top);
    top.refuse_unknown_keys();
    reading.refuse_unknown_variables();
    match (value, reading.problems.into_inner()) {
        (Some(value), problems) if problems.is_empty() => Ok(value),
        (_, problems) => Err(refused(problems)),
    }
}

/// The file's tree, or all its errors of syntax.
fn parse(text: &str) -> Result<DeTable<'_>, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(document.into_inner());
    }
    // Only the parser's description: its `Display` shows the line, and the line may hold a secret.
    let problem = |error: toml::de::Error| Problem {
        place: error.span().map_or(Place::File, |span| line(text, &span)),
        message: format!("is not TOML here: {}", error.message()),
    };
    Err(errors.into_iter().map(problem).collect())
}

fn line(text: &str, span: &Range<usize>) -> Place {
    let lines_before = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
    Place::Line(lines_before + 1)
}

/// One reading of a configuration: what all its sections share.
pub(super) struct Reading<'a> {
    text: &'a str,
    pub(super) sources: &'a Sources<'a>,
    pub(super) prefix: &'static str,
    problems: RefCell<Vec<Problem>>,
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

    fn refuse_unknown_variables(&self) {
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
