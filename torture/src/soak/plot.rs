//! The picture of a soak: memory, handles and threads, and how long calls waited, over time, with the kills.
//!
//! An SVG, written here: three panels with one axis of time. A library for charts would bring more code than this, and
//! would have to be told all of it all the same: where lives break the lines, the kills, and the names at the lines' ends.

use std::fmt::{self, Write as _};

use pactolus_reports::table::{format_number, mebibytes, to_f64};

use super::samples::Sample;

/// A kill, for the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at_s: f64,
    pub(super) how: How,
}

/// How the bank was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Killed,
    Terminated,
}

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 70.0;
/// Where lines end and their names begin.
const RIGHT: f64 = 856.0;
const TOP: f64 = 104.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 64.0;

/// More points than this are not told apart.
const POINTS_MAX: usize = 800;

const INK: &str = "#1f2937";
const PALE_INK: &str = "#6b7280";
const GRID: &str = "#e5e7eb";
const RED: &str = "#dc2626";

/// How values are laid out from the bottom to the top.
#[derive(Clone, Copy)]
enum Scale {
    /// From 0 to this, with a line for each so many.
    Even { to: f64, every: f64 },
    /// From 10 to the power of the one to 10 to the power of the other.
    Tens { from: i32, to: i32 },
}

/// A line of a panel.
struct Line<'a> {
    name: &'a str,
    color: &'a str,
    /// What it is at the end, with its unit.
    last: String,
    /// Seconds and values; a part for each life, between which no line is drawn.
    parts: Vec<Vec<(f64, f64)>>,
    width: f64,
}

impl Scale {
    /// One for values from 0 to `most`, with four to six lines at round figures.
    fn even(most: f64) -> Self {
        let rough = most.max(1.0) * 1.08 / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let every =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough);
        let every = every.unwrap_or(rough);
        Self::Even { to: (most * 1.08 / every).ceil().max(1.0) * every, every }
    }

    /// One for positive values.
    fn tens(least: f64, most: f64) -> Self {
        let power = |value: f64| value.max(1e-3).log10();
        #[expect(clippy::cast_possible_truncation, reason = "powers of ten are few")]
        let (from, to) = (power(least).floor() as i32, power(most).ceil() as i32);
        Self::Tens { from, to: to.max(from + 1) }
    }

    /// Where a value is, from 0 to 1.
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Even { to, .. } => value / to,
            Self::Tens { from, to } => (value.max(1e-3).log10() - f64::from(from)) / f64::from(to - from),
        }
        .clamp(0.0, 1.0)
    }

    fn lines(self) -> Vec<f64> {
        match self {
            Self::Even { to, every } => std::iter::successors(Some(0.0), |line| Some(line + every))
                .take_while(|line| *line < to + every / 2.0)
                .collect(),
            Self::Tens { from, to } => (from..=to).map(|power| 10_f64.powi(power)).collect(),
        }
    }
}

/// Draws it.
pub(super) fn draw(title: &str, verdict: &str, samples: &[Sample], marks: &[Mark]) -> String {
    let samples = thinned(samples);
    let seconds = samples.last().map_or(1.0, |sample| sample.at_s).max(1.0);
    let mut picture = Picture { svg: String::new(), seconds };
    let height = TOP + 3.0 * PANEL + 2.0 * GAP + 52.0;
    picture.head(title, verdict, height);
    let top = |panel: u8| TOP + f64::from(panel) * (PANEL + GAP);

    let memory = line("memory", "#2563eb", &samples, 2.0, |sample| mebibytes(sample.memory_bytes), "MiB");
    let most = most(&[&memory]);
    picture.panel(top(0), "Memory of the process, MiB", Scale::even(most), &[memory], marks);
    let handles = line("file handles", "#0f766e", &samples, 2.0, |sample| to_f64(sample.handles), "");
    let threads = line("threads", "#b45309", &samples, 2.0, |sample| to_f64(sample.threads), "");
    let most_held = self::most(&[&handles, &threads]);
    picture.panel(
        top(1),
        "Open files and connections, and threads",
        Scale::even(most_held),
        &[handles, threads],
        marks,
    );

    let busy: Vec<_> = samples.iter().filter(|sample| sample.calls > 0).cloned().collect();
    let whole = |mut line: Line<'static>| {
        line.parts = vec![line.parts.concat()];
        line
    };
    let longest = whole(line("longest", "#f87171", &busy, 1.0, |sample| sample.latency.longest_ms, "ms"));
    let p99 = whole(line("p99", "#7c3aed", &busy, 1.6, |sample| sample.latency.p99_ms, "ms"));
    let p50 = whole(line("p50", "#2563eb", &busy, 1.6, |sample| sample.latency.p50_ms, "ms"));
    let least = p50.parts.concat().iter().map(|(_, value)| *value).fold(f64::MAX, f64::min).min(1.0);
    let most_waited = self::most(&[&longest]);
    let scale = Scale::tens(least, most_waited);
    picture.panel(top(2), "How long calls waited, ms, by powers of ten", scale, &[longest, p99, p50], marks);
    picture.time(top(2) + PANEL);
    picture.svg.push_str("</svg>\n");
    picture.svg
}

/// As many samples as there are points, each with the most of those that it stands for, and their middle p50.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    let of_one = samples.len().div_ceil(POINTS_MAX).max(1);
    let lives = samples.chunk_by(|one, next| one.life == next.life);
    let most = |some: &[Sample]| {
        let mut point = some[some.len() / 2].clone();
        for sample in some {
            point.memory_bytes = point.memory_bytes.max(sample.memory_bytes);
            point.handles = point.handles.max(sample.handles);
            point.threads = point.threads.max(sample.threads);
            point.latency.p99_ms = point.latency.p99_ms.max(sample.latency.p99_ms);
            point.latency.longest_ms = point.latency.longest_ms.max(sample.latency.longest_ms);
        }
        point
    };
    lives.flat_map(|life| life.chunks(of_one)).map(most).collect()
}

fn line<'a>(
    name: &'a str,
    color: &'a str,
    samples: &[Sample],
    width: f64,
    of: fn(&Sample) -> f64,
    unit: &str,
) -> Line<'a> {
    let lives = samples.chunk_by(|one, next| one.life == next.life);
    let parts: Vec<Vec<_>> =
        lives.map(|life| life.iter().map(|sample| (sample.at_s, of(sample))).collect()).collect();
    let last = parts.last().and_then(|part: &Vec<(f64, f64)>| part.last()).map_or(0.0, |(_, value)| *value);
    let decimals = usize::from(unit == "ms" && last < 10.0);
    let last = format!("{} {unit}", format_number(last, decimals)).trim_end().to_owned();
    Line { name, color, last, parts, width }
}

fn most(lines: &[&Line<'_>]) -> f64 {
    lines.iter().flat_map(|line| line.parts.iter().flatten()).map(|(_, value)| *value).fold(0.0, f64::max)
}

struct Picture {
    svg: String,
    /// How many the axis of time holds.
    seconds: f64,
}

impl Picture {
    fn put(&mut self, element: fmt::Arguments<'_>) {
        writeln!(self.svg, "{element}").expect("a text takes everything");
    }

    fn text(&mut self, x: f64, y: f64, style: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.put(format_args!(r#"<text x="{x:.1}" y="{y:.1}" {style}>{text}</text>"#));
    }

    fn head(&mut self, title: &str, verdict: &str, height: f64) {
        self.put(format_args!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12" fill="{INK}">
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>"##
        ));
        self.text(LEFT, 30.0, r#"font-size="17" font-weight="600""#, title);
        self.text(LEFT, 51.0, &format!(r#"fill="{PALE_INK}""#), verdict);
        // What the marks mean.
        let x = RIGHT - 152.0;
        self.mark(x, 77.0, How::Killed);
        self.text(x + 10.0, 84.0, "", "kill -9");
        self.mark(x + 80.0, 77.0, How::Terminated);
        self.text(x + 90.0, 84.0, "", "SIGTERM");
    }

    fn mark(&mut self, x: f64, y: f64, how: How) {
        let fill = if how == How::Killed { RED } else { "#ffffff" };
        let points = format!("{:.1},{y:.1} {:.1},{y:.1} {x:.1},{:.1}", x - 4.5, x + 4.5, y + 7.0);
        self.put(format_args!(
            r#"<polygon points="{points}" fill="{fill}" stroke="{RED}" stroke-width="1.2"/>"#
        ));
    }

    fn x(&self, at_s: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (at_s / self.seconds).clamp(0.0, 1.0)
    }

    fn panel(&mut self, top: f64, title: &str, scale: Scale, lines: &[Line<'_>], marks: &[Mark]) {
        let y = |value: f64| top + PANEL * (1.0 - scale.place(value));
        self.text(LEFT, top - 21.0, r#"font-weight="600""#, title);
        for value in scale.lines() {
            let (y, label) = (y(value), format_number(value, usize::from(value < 1.0 && value > 0.0)));
            self.put(format_args!(
                r#"<line x1="{LEFT}" y1="{y:.1}" x2="{RIGHT}" y2="{y:.1}" stroke="{GRID}" stroke-width="1"/>"#
            ));
            self.text(LEFT - 8.0, y + 4.0, &format!(r#"text-anchor="end" fill="{PALE_INK}""#), &label);
        }
        for mark in marks {
            let (x, bottom) = (self.x(mark.at_s), top + PANEL);
            self.put(format_args!(
                r#"<line x1="{x:.1}" y1="{top:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="{RED}" stroke-opacity="0.35" stroke-dasharray="2 3"/>"#
            ));
            self.mark(x, top - 10.0, mark.how);
        }
        for Line { color, parts, width, .. } in lines {
            for part in parts {
                let points: Vec<_> =
                    part.iter().map(|(at, value)| format!("{:.1},{:.1}", self.x(*at), y(*value))).collect();
                let points = points.join(" ");
                self.put(format_args!(
                    r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"/>"#
                ));
            }
        }
        let ends = lines
            .iter()
            .map(|line| y(line.parts.iter().flatten().next_back().map_or(0.0, |(_, value)| *value)));
        for (line, y) in lines.iter().zip(apart(&ends.collect::<Vec<_>>(), top + PANEL)) {
            let Line { name, color, last, .. } = line;
            let words = format!("{name} {last}");
            self.text(RIGHT + 8.0, y + 4.0, &format!(r#"fill="{color}" font-weight="600""#), &words);
        }
    }

    /// The axis of time below the panels.
    fn time(&mut self, bottom: f64) {
        let (unit, seconds_of_unit) = match self.seconds {
            seconds if seconds <= 180.0 => ("seconds", 1.0),
            seconds if seconds <= 3.0 * 3600.0 => ("minutes", 60.0),
            _ => ("hours", 3600.0),
        };
        let whole = self.seconds / seconds_of_unit;
        let steps = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];
        let step = steps.into_iter().find(|step| whole / step <= 13.0).unwrap_or(60.0);
        let ticks = std::iter::successors(Some(0.0), |tick| Some(tick + step))
            .take_while(|tick| *tick <= whole * 1.001);
        for tick in ticks {
            let x = self.x(tick * seconds_of_unit);
            self.put(format_args!(
                r#"<line x1="{x:.1}" y1="{bottom:.1}" x2="{x:.1}" y2="{:.1}" stroke="{PALE_INK}"/>"#,
                bottom + 4.0
            ));
            let style = format!(r#"text-anchor="middle" fill="{PALE_INK}""#);
            self.text(x, bottom + 18.0, &style, &format_number(tick, 0));
        }
        let style = format!(r#"text-anchor="middle" fill="{PALE_INK}""#);
        self.text(f64::midpoint(LEFT, RIGHT), bottom + 38.0, &style, unit);
    }
}

/// Heights for names of lines that end at these, so that no name lies on another or below `bottom`.
fn apart(ends: &[f64], bottom: f64) -> Vec<f64> {
    const LINE: f64 = 16.0;
    let mut order: Vec<_> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*other].total_cmp(&ends[*one]));
    let mut heights = ends.to_vec();
    let mut lowest = bottom;
    for index in order {
        heights[index] = ends[index].min(lowest);
        lowest = heights[index] - LINE;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_lie_on_each_other() {
        assert_eq!(apart(&[10.0, 100.0], 150.0), [10.0, 100.0]);
        assert_eq!(apart(&[100.0, 101.0, 99.0], 150.0), [85.0, 101.0, 69.0]);
        assert_eq!(apart(&[170.0, 140.0], 150.0), [150.0, 134.0]);
    }

    #[test]
    fn grids_are_round() {
        assert_eq!(Scale::even(83.0).lines(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale::even(0.0).lines().first(), Some(&0.0));
        assert_eq!(Scale::tens(0.4, 900.0).lines(), [0.1, 1.0, 10.0, 100.0, 1000.0]);
        let scale = Scale::tens(1.0, 100.0);
        assert!((scale.place(10.0) - 0.5).abs() < 1e-9 && scale.place(1e9) <= 1.0 && scale.place(0.0) >= 0.0);
    }
}
