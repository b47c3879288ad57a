//! Plot of a soak over time: memory, file handles and threads, latency, and the kills.
//!
//! A hand-written SVG with three panels and one time axis. A chart library would bring more code than this file, and
//! would still need the same details: breaks between runs, kill marks, labels at the line ends.

use std::fmt::{self, Write as _};

use pactolus_reports::table::{format_number, mebibytes, to_f64};

use super::samples::Sample;

#[derive(Clone, Copy, Debug)]
pub(super) struct KillMark {
    pub(super) at_s: f64,
    pub(super) method: StopMethod,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopMethod {
    Kill,
    Terminate,
}

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 70.0;
/// Where the lines end and their labels begin.
const RIGHT: f64 = 856.0;
const TOP: f64 = 104.0;
const PANEL_HEIGHT: f64 = 150.0;
const PANEL_GAP: f64 = 64.0;

/// More points than this cannot be distinguished.
const POINTS_MAX: usize = 800;

const INK: &str = "#1f2937";
const PALE_INK: &str = "#6b7280";
const GRID: &str = "#e5e7eb";
const RED: &str = "#dc2626";

/// Vertical axis.
#[derive(Clone, Copy)]
enum Scale {
    /// From 0 to `to`, with a gridline every `step`.
    Linear { to: f64, step: f64 },
    /// From 10^`from` to 10^`to`.
    Log10 { from: i32, to: i32 },
}

/// One line of a panel.
struct Series<'a> {
    name: &'a str,
    color: &'a str,
    /// Last value, with its unit.
    last: String,
    /// Seconds and values, one segment for each run of the process.
    segments: Vec<Vec<(f64, f64)>>,
    width: f64,
}

impl Scale {
    /// From 0 to at least `most`, with four to six gridlines at round numbers.
    fn linear(max: f64) -> Self {
        let rough = max.max(1.0) * 1.08 / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let every =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough);
        let every = every.unwrap_or(rough);
        Self::Linear { to: (max * 1.08 / every).ceil().max(1.0) * every, step: every }
    }

    /// For positive values.
    fn log10(least: f64, max: f64) -> Self {
        let power = |value: f64| value.max(1e-3).log10();
        #[expect(clippy::cast_possible_truncation, reason = "powers of ten are few")]
        let (from, to) = (power(least).floor() as i32, power(max).ceil() as i32);
        Self::Log10 { from, to: to.max(from + 1) }
    }

    /// Position of a value, from 0 to 1.
    fn position(self, value: f64) -> f64 {
        match self {
            Self::Linear { to, .. } => value / to,
            Self::Log10 { from, to } => (value.max(1e-3).log10() - f64::from(from)) / f64::from(to - from),
        }
        .clamp(0.0, 1.0)
    }

    fn gridlines(self) -> Vec<f64> {
        match self {
            Self::Linear { to, step: every } => std::iter::successors(Some(0.0), |line| Some(line + every))
                .take_while(|line| *line < to + every / 2.0)
                .collect(),
            Self::Log10 { from, to } => (from..=to).map(|power| 10_f64.powi(power)).collect(),
        }
    }
}

/// Draws the SVG.
pub(super) fn draw(title: &str, verdict: &str, samples: &[Sample], kills: &[KillMark]) -> String {
    let samples = downsample(samples);
    let seconds = samples.last().map_or(1.0, |sample| sample.at_s).max(1.0);
    let mut picture = Plot { svg: String::new(), duration_s: seconds };
    let height = TOP + 3.0 * PANEL_HEIGHT + 2.0 * PANEL_GAP + 52.0;
    picture.push_header(title, verdict, height);
    let top = |panel: u8| TOP + f64::from(panel) * (PANEL_HEIGHT + PANEL_GAP);

    let memory = series("memory", "#2563eb", &samples, 2.0, |sample| mebibytes(sample.memory_bytes), "MiB");
    let max = max_value(&[&memory]);
    picture.push_panel(top(0), "Memory of the process, MiB", Scale::linear(max), &[memory], kills);
    let handles = series("file handles", "#0f766e", &samples, 2.0, |sample| to_f64(sample.handles), "");
    let threads = series("threads", "#b45309", &samples, 2.0, |sample| to_f64(sample.threads), "");
    let most_held = self::max_value(&[&handles, &threads]);
    picture.push_panel(
        top(1),
        "Open files and connections, and threads",
        Scale::linear(most_held),
        &[handles, threads],
        kills,
    );

    let busy: Vec<_> = samples.iter().filter(|sample| sample.calls > 0).cloned().collect();
    let whole = |mut line: Series<'static>| {
        line.segments = vec![line.segments.concat()];
        line
    };
    let longest = whole(series("longest", "#f87171", &busy, 1.0, |sample| sample.latency.longest_ms, "ms"));
    let p99 = whole(series("p99", "#7c3aed", &busy, 1.6, |sample| sample.latency.p99_ms, "ms"));
    let p50 = whole(series("p50", "#2563eb", &busy, 1.6, |sample| sample.latency.p50_ms, "ms"));
    let least = p50.segments.concat().iter().map(|(_, value)| *value).fold(f64::MAX, f64::min).min(1.0);
    let most_waited = self::max_value(&[&longest]);
    let scale = Scale::log10(least, most_waited);
    picture.push_panel(top(2), "Latency of calls, ms, logarithmic", scale, &[longest, p99, p50], kills);
    picture.push_time_axis(top(2) + PANEL_HEIGHT);
    picture.svg.push_str("</svg>\n");
    picture.svg
}

/// Merges samples down to about [`POINTS_MAX`]. A point has the maxima of its samples and the p50 of the middle one.
fn downsample(samples: &[Sample]) -> Vec<Sample> {
    let of_one = samples.len().div_ceil(POINTS_MAX).max(1);
    let runs = samples.chunk_by(|one, next| one.run_no == next.run_no);
    let max = |some: &[Sample]| {
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
    runs.flat_map(|run| run.chunks(of_one)).map(max).collect()
}

fn series<'a>(
    name: &'a str,
    color: &'a str,
    samples: &[Sample],
    width: f64,
    of: fn(&Sample) -> f64,
    unit: &str,
) -> Series<'a> {
    let runs = samples.chunk_by(|one, next| one.run_no == next.run_no);
    let parts: Vec<Vec<_>> =
        runs.map(|run| run.iter().map(|sample| (sample.at_s, of(sample))).collect()).collect();
    let last = parts.last().and_then(|part: &Vec<(f64, f64)>| part.last()).map_or(0.0, |(_, value)| *value);
    let decimals = usize::from(unit == "ms" && last < 10.0);
    let last = format!("{} {unit}", format_number(last, decimals)).trim_end().to_owned();
    Series { name, color, last, segments: parts, width }
}

fn max_value(lines: &[&Series<'_>]) -> f64 {
    lines.iter().flat_map(|line| line.segments.iter().flatten()).map(|(_, value)| *value).fold(0.0, f64::max)
}

struct Plot {
    svg: String,
    /// Length of the time axis.
    duration_s: f64,
}

impl Plot {
    fn push_element(&mut self, element: fmt::Arguments<'_>) {
        writeln!(self.svg, "{element}").expect("a text takes everything");
    }

    fn push_text(&mut self, x: f64, y: f64, style: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.push_element(format_args!(r#"<text x="{x:.1}" y="{y:.1}" {style}>{text}</text>"#));
    }

    fn push_header(&mut self, title: &str, verdict: &str, height: f64) {
        self.push_element(format_args!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12" fill="{INK}">
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>"##
        ));
        self.push_text(LEFT, 30.0, r#"font-size="17" font-weight="600""#, title);
        self.push_text(LEFT, 51.0, &format!(r#"fill="{PALE_INK}""#), verdict);
        // Legend.
        let x = RIGHT - 152.0;
        self.push_kill_mark(x, 77.0, StopMethod::Kill);
        self.push_text(x + 10.0, 84.0, "", "kill -9");
        self.push_kill_mark(x + 80.0, 77.0, StopMethod::Terminate);
        self.push_text(x + 90.0, 84.0, "", "SIGTERM");
    }

    fn push_kill_mark(&mut self, x: f64, y: f64, how: StopMethod) {
        let fill = if how == StopMethod::Kill { RED } else { "#ffffff" };
        let points = format!("{:.1},{y:.1} {:.1},{y:.1} {x:.1},{:.1}", x - 4.5, x + 4.5, y + 7.0);
        self.push_element(format_args!(
            r#"<polygon points="{points}" fill="{fill}" stroke="{RED}" stroke-width="1.2"/>"#
        ));
    }

    fn x(&self, at_s: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (at_s / self.duration_s).clamp(0.0, 1.0)
    }

    fn push_panel(&mut self, top: f64, title: &str, scale: Scale, lines: &[Series<'_>], kills: &[KillMark]) {
        let y = |value: f64| top + PANEL_HEIGHT * (1.0 - scale.position(value));
        self.push_text(LEFT, top - 21.0, r#"font-weight="600""#, title);
        for value in scale.gridlines() {
            let (y, label) = (y(value), format_number(value, usize::from(value < 1.0 && value > 0.0)));
            self.push_element(format_args!(
                r#"<line x1="{LEFT}" y1="{y:.1}" x2="{RIGHT}" y2="{y:.1}" stroke="{GRID}" stroke-width="1"/>"#
            ));
            self.push_text(LEFT - 8.0, y + 4.0, &format!(r#"text-anchor="end" fill="{PALE_INK}""#), &label);
        }
        for mark in kills {
            let (x, bottom) = (self.x(mark.at_s), top + PANEL_HEIGHT);
            self.push_element(format_args!(
                r#"<line x1="{x:.1}" y1="{top:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="{RED}" stroke-opacity="0.35" stroke-dasharray="2 3"/>"#
            ));
            self.push_kill_mark(x, top - 10.0, mark.method);
        }
        for Series { color, segments: parts, width, .. } in lines {
            for part in parts {
                let points: Vec<_> =
                    part.iter().map(|(at, value)| format!("{:.1},{:.1}", self.x(*at), y(*value))).collect();
                let points = points.join(" ");
                self.push_element(format_args!(
                    r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"/>"#
                ));
            }
        }
        let ends = lines
            .iter()
            .map(|line| y(line.segments.iter().flatten().next_back().map_or(0.0, |(_, value)| *value)));
        for (line, y) in lines.iter().zip(spread_labels(&ends.collect::<Vec<_>>(), top + PANEL_HEIGHT)) {
            let Series { name, color, last, .. } = line;
            let words = format!("{name} {last}");
            self.push_text(RIGHT + 8.0, y + 4.0, &format!(r#"fill="{color}" font-weight="600""#), &words);
        }
    }

    fn push_time_axis(&mut self, bottom: f64) {
        let (unit, seconds_of_unit) = match self.duration_s {
            seconds if seconds <= 180.0 => ("seconds", 1.0),
            seconds if seconds <= 3.0 * 3600.0 => ("minutes", 60.0),
            _ => ("hours", 3600.0),
        };
        let whole = self.duration_s / seconds_of_unit;
        let steps = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];
        let step = steps.into_iter().find(|step| whole / step <= 13.0).unwrap_or(60.0);
        let ticks = std::iter::successors(Some(0.0), |tick| Some(tick + step))
            .take_while(|tick| *tick <= whole * 1.001);
        for tick in ticks {
            let x = self.x(tick * seconds_of_unit);
            self.push_element(format_args!(
                r#"<line x1="{x:.1}" y1="{bottom:.1}" x2="{x:.1}" y2="{:.1}" stroke="{PALE_INK}"/>"#,
                bottom + 4.0
            ));
            let style = format!(r#"text-anchor="middle" fill="{PALE_INK}""#);
            self.push_text(x, bottom + 18.0, &style, &format_number(tick, 0));
        }
        let style = format!(r#"text-anchor="middle" fill="{PALE_INK}""#);
        self.push_text(f64::midpoint(LEFT, RIGHT), bottom + 38.0, &style, unit);
    }
}

/// Label heights for lines with these ends, so that no label overlaps another or lies below `bottom`.
fn spread_labels(ends: &[f64], bottom: f64) -> Vec<f64> {
    const LABEL_HEIGHT: f64 = 16.0;
    let mut order: Vec<_> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*other].total_cmp(&ends[*one]));
    let mut heights = ends.to_vec();
    let mut lowest = bottom;
    for index in order {
        heights[index] = ends[index].min(lowest);
        lowest = heights[index] - LABEL_HEIGHT;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap() {
        assert_eq!(spread_labels(&[10.0, 100.0], 150.0), [10.0, 100.0]);
        assert_eq!(spread_labels(&[100.0, 101.0, 99.0], 150.0), [85.0, 101.0, 69.0]);
        assert_eq!(spread_labels(&[170.0, 140.0], 150.0), [150.0, 134.0]);
    }

    #[test]
    fn gridlines_are_round_numbers() {
        assert_eq!(Scale::linear(83.0).gridlines(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale::linear(0.0).gridlines().first(), Some(&0.0));
        assert_eq!(Scale::log10(0.4, 900.0).gridlines(), [0.1, 1.0, 10.0, 100.0, 1000.0]);
        let scale = Scale::log10(1.0, 100.0);
        assert!(
            (scale.position(10.0) - 0.5).abs() < 1e-9
                && scale.position(1e9) <= 1.0
                && scale.position(0.0) >= 0.0
        );
    }
}
