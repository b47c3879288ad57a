//! How far a campaign is: a bar on a terminal, and nothing where there is none.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::outcome::Outcome;
use crate::cli::i18n::{Lang, words};

/// How many gifts came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) given: u64,
    pub(crate) given_before: u64,
    pub(crate) refused: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
}

impl Tally {
    /// Counts one more.
    pub(crate) fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Given => &mut self.given,
            Outcome::GivenBefore => &mut self.given_before,
            Outcome::Refused => &mut self.refused,
            Outcome::NotSent => &mut self.not_sent,
            Outcome::Unknown => &mut self.unknown,
        } += 1;
    }

    /// How many were tried.
    pub(crate) const fn tried(&self) -> u64 {
        self.given + self.given_before + self.refused + self.not_sent + self.unknown
    }

    /// The counts that are not zero, in the reader's language.
    pub(crate) fn in_words(&self, lang: Lang) -> String {
        let Self { given, given_before, refused, not_sent, unknown } = *self;
        let mut parts = vec![words!(lang, "given {given}", "已发放 {given}")];
        let mut part = |count: u64, words: String| {
            if count > 0 {
                parts.push(words);
            }
        };
        part(given_before, words!(lang, "given before {given_before}", "此前已发放 {given_before}"));
        part(refused, words!(lang, "refused {refused}", "被拒绝 {refused}"));
        part(not_sent, words!(lang, "not sent {not_sent}", "未发送 {not_sent}"));
        part(unknown, words!(lang, "not known {unknown}", "结果未知 {unknown}"));
        parts.join(words!(lang, ", ", "，").as_str())
    }
}

/// A bar, if stderr is a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    lang: Lang,
}

impl Progress {
    /// A bar of `length` gifts.
    pub(crate) fn new(length: u64, lang: Lang) -> Self {
        // Two lines, so that in a narrow window the bar shrinks and the counts are cut off, and nothing wraps.
        let template = words!(
            lang,
            "{{wide_bar}} {{pos}}/{{len}} {{rate}}/s, {{eta}} left\n{{wide_msg}}",
            "{{wide_bar}} {{pos}}/{{len}} 每秒 {{rate}}，剩余 {{eta}}\n{{wide_msg}}"
        );
        let style = ProgressStyle::with_template(&template).expect("the template names what there is");
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(10));
        // The library's own rate has four decimals.
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // What cannot be written is not shown; there is nobody to tell.
            let _ = write!(out, "{:.0}", state.per_sec());
        });
        bar.set_style(style.progress_chars("=> "));
        Self { bar, lang }
    }

    /// Shows where it is.
    pub(crate) fn show(&self, tally: &Tally) {
        self.bar.set_position(tally.tried());
        self.bar.set_message(tally.in_words(self.lang));
    }

    /// Says something above the bar, or on stderr where there is none.
    pub(crate) fn say(&self, words: &str) {
        self.bar.suspend(|| eprintln!("{words}"));
    }

    /// Leaves the bar as it is.
    pub(crate) fn end(&self) {
        self.bar.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_zero_is_said() {
        let mut tally = Tally::default();
        assert_eq!(tally.in_words(Lang::En), "given 0");
        for outcome in [Outcome::Given, Outcome::Given, Outcome::Unknown, Outcome::Refused] {
            tally.count(outcome);
        }
        assert_eq!(tally.in_words(Lang::En), "given 2, refused 1, not known 1");
        assert_eq!(tally.in_words(Lang::Zh), "已发放 2，被拒绝 1，结果未知 1");
        assert_eq!(tally.tried(), 4);
    }
}
