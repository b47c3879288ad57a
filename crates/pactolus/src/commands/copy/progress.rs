//! Progress of a copy on stderr: a bar on a terminal, else a line every 30 seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::i18n::{Lang, tr};
use crate::cli::output;

/// Interval of the lines.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct CopyProgress {
    bar: ProgressBar,
    lang: Lang,
    orders: u64,
    copied: u64,
    started_at: Instant,
    line_at: Instant,
}

impl CopyProgress {
    /// Starts the progress of a copy of so many orders.
    pub(super) fn start(orders: u64, lang: Lang) -> Self {
        let template = match lang {
            Lang::En => "orders {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left",
            Lang::Zh => "订单 {wide_bar} {human_pos}/{human_len}，{per_sec}，剩余 {eta}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(orders).with_style(style);
        let now = Instant::now();
        Self { bar, lang, orders, copied: 0, started_at: now, line_at: now }
    }

    /// Counts copied orders.
    pub(super) fn add(&mut self, orders: u64) {
        self.copied += orders;
        self.bar.inc(orders);
        if self.bar.is_hidden() && self.line_at.elapsed() >= LINE_INTERVAL {
            self.line_at = Instant::now();
            output::eprintln(line(self.copied, self.orders, self.started_at.elapsed(), self.lang));
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish();
    }
}

/// The line of a log, with the orders a second so far.
fn line(copied: u64, orders: u64, elapsed: Duration, lang: Lang) -> String {
    let millis = elapsed.as_millis().max(1);
    let per_second = u128::from(copied) * 1000 / millis;
    tr!(
        lang,
        "copied {copied} of {orders} orders, {per_second} a second",
        "已复制 {copied}/{orders} 笔订单，每秒 {per_second} 笔"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_shows_the_rate() {
        let half = line(1_500_000, 3_000_000, Duration::from_secs(6), Lang::En);
        assert_eq!(half, "copied 1500000 of 3000000 orders, 250000 a second");
        assert!(line(0, 0, Duration::ZERO, Lang::Zh).contains("0/0"));
    }
}
