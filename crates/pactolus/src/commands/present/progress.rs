//! Progress of a campaign: a bar on a terminal, and a line every half minute elsewhere.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::kind::BatchKind;
use super::outcome::GiftOutcome;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;

/// Number of gifts per outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutcomeCounts {
    pub(crate) kind: BatchKind,
    pub(crate) applied: u64,
    pub(crate) replayed: u64,
    pub(crate) refused: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
}

impl OutcomeCounts {
    pub(crate) fn add(&mut self, outcome: GiftOutcome) {
        *match outcome {
            GiftOutcome::Applied | GiftOutcome::Taken => &mut self.applied,
            GiftOutcome::Replayed | GiftOutcome::TakenBefore => &mut self.replayed,
            GiftOutcome::Refused => &mut self.refused,
            GiftOutcome::NotSent => &mut self.not_sent,
            GiftOutcome::Unknown | GiftOutcome::NumberUsed => &mut self.unknown,
        } += 1;
    }

    /// Number of gifts tried.
    pub(crate) const fn attempted(&self) -> u64 {
        self.applied + self.replayed + self.refused + self.not_sent + self.unknown
    }

    /// No order of this kind yet.
    pub(crate) fn of_kind(kind: BatchKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The counts above zero, localized.
    pub(crate) fn localized(&self, lang: Lang) -> String {
        let Self { kind, applied, replayed, refused, not_sent, unknown } = *self;
        let mut parts = vec![kind.done(applied, lang)];
        let mut part = |count: u64, words: String| {
            if count > 0 {
                parts.push(words);
            }
        };
        part(replayed, kind.done_before(replayed, lang));
        part(refused, tr!(lang, "refused {refused}", "被拒绝 {refused}"));
        part(not_sent, tr!(lang, "not sent {not_sent}", "未发送 {not_sent}"));
        part(unknown, tr!(lang, "unknown {unknown}", "结果未知 {unknown}"));
        parts.join(tr!(lang, ", ", "，").as_str())
    }
}

/// Interval of the lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// A progress bar, if stderr is a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    tally: Cell<OutcomeCounts>,
    lang: Lang,
}

impl Progress {
    /// A bar for `length` orders.
    pub(crate) fn new(length: u64, kind: BatchKind, lang: Lang) -> Self {
        // Two lines: in a narrow window the bar shrinks and the counts are truncated, and nothing wraps.
        let template = tr!(
            lang,
            "{{wide_bar}} {{pos}}/{{len}} {{rate}}/s, {{eta}} left\n{{wide_msg}}",
            "{{wide_bar}} {{pos}}/{{len}} 每秒 {{rate}}，剩余 {{eta}}\n{{wide_msg}}"
        );
        let style = ProgressStyle::with_template(&template).expect("the template names what there is");
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(10));
        // The library's own rate has four decimals.
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            // A failed write only leaves the rate out of the bar.
            let _ = write!(out, "{:.0}", state.per_sec());
        });
        bar.set_style(style.progress_chars("=> "));
        Self { bar, tally: Cell::new(OutcomeCounts::of_kind(kind)), lang }
    }

    /// Updates the position and the counts.
    pub(crate) fn update(&self, tally: &OutcomeCounts) {
        self.tally.set(*tally);
        self.bar.set_position(tally.attempted());
        self.bar.set_message(tally.localized(self.lang));
    }

    /// Passes a line to `print` every [`LINE_INTERVAL`], if there is no terminal for the bar. It never ends.
    pub(crate) async fn print_lines(&self, print: impl Fn(String)) -> Infallible {
        let mut ticks = tokio::time::interval(LINE_INTERVAL);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if self.bar.is_hidden() {
                let tally = self.tally.get();
                let (done, all) = (tally.attempted(), self.bar.length().unwrap_or_default());
                print(format!("{done}/{all}: {}", tally.localized(self.lang)));
            }
        }
    }

    /// Prints a line above the bar, or on stderr without one.
    pub(crate) fn println(&self, words: &str) {
        self.bar.suspend(|| output::eprintln(words));
    }

    /// Leaves the bar on the screen.
    pub(crate) fn finish(&self) {
        self.bar.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn line_is_printed_every_half_minute() {
        let progress = Progress::new(1000, BatchKind::Gifts, Lang::En);
        progress.update(&OutcomeCounts { applied: 120, refused: 3, ..OutcomeCounts::default() });
        let lines = std::cell::RefCell::new(Vec::new());
        let printing = progress.print_lines(|line| lines.borrow_mut().push(line));
        assert!(tokio::time::timeout(Duration::from_secs(65), printing).await.is_err());
        assert_eq!(lines.into_inner(), ["123/1000: given 120, refused 3"; 2]);
    }

    #[test]
    fn counts_of_zero_are_omitted() {
        let mut tally = OutcomeCounts::default();
        assert_eq!(tally.localized(Lang::En), "given 0");
        for outcome in
            [GiftOutcome::Applied, GiftOutcome::Applied, GiftOutcome::Unknown, GiftOutcome::Refused]
        {
            tally.add(outcome);
        }
        assert_eq!(tally.localized(Lang::En), "given 2, refused 1, unknown 1");
        assert_eq!(tally.localized(Lang::Zh), "已发放 2，被拒绝 1，结果未知 1");
        assert_eq!(tally.attempted(), 4);
    }
}
