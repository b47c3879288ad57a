//! The output of a scrape, in two formats: OpenMetrics 1.0, and the older text format of Prometheus.
//!
//! `promtool check metrics` reads the older one only, and so do people. Values are integers or decimal seconds made of
//! integers, so that no count loses a digit.

use std::fmt::Write as _;

use pactolus_ledger::metrics::HistogramSnapshot;

use super::catalog::{Buckets, Metric, MetricKind, decimal_seconds as seconds};

/// A format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    /// Version 0.0.4.
    Plain,
}

impl Format {
    /// The format that an `Accept` header asks for.
    pub(crate) fn of_accept(accept: Option<&str>) -> Self {
        let wants = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if wants { Self::OpenMetrics } else { Self::Plain }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A value of a series.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(u64),
    /// Shown in seconds.
    Nanos(u64),
    Histogram(HistogramSnapshot),
}

/// The series of one metric.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) metric: &'static Metric,
    /// Label values in the order of the metric's labels, and the value.
    pub(crate) series: Vec<(Vec<String>, Value)>,
}

/// The text of these families. One without series is left out.
pub(crate) fn encode(families: &[Family], format: Format) -> String {
    let mut text = String::with_capacity(64 * 1024);
    for family in families.iter().filter(|family| !family.series.is_empty()) {
        write_header(&mut text, family.metric, format);
        for (labels, value) in &family.series {
            write_series(&mut text, family.metric, labels, value);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_header(text: &mut String, metric: &Metric, format: Format) {
    let (name, kind) = match (format, metric.kind) {
        (Format::OpenMetrics, kind) => (metric.family(), kind.name()),
        // The older format has no such type.
        (Format::Plain, MetricKind::Info) => (metric.name, "gauge"),
        (Format::Plain, kind) => (metric.name, kind.name()),
    };
    push(text, format_args!("# TYPE {name} {kind}\n"));
    if let (Format::OpenMetrics, Some(unit)) = (format, metric.unit()) {
        push(text, format_args!("# UNIT {name} {unit}\n"));
    }
    push(text, format_args!("# HELP {name} {}.\n", metric.help));
}

fn write_series(text: &mut String, metric: &Metric, values: &[String], value: &Value) {
    let name = metric.name;
    let labels = label_pairs(metric, values);
    match value {
        Value::Number(number) => push(text, format_args!("{name}{} {number}\n", braced(&labels))),
        Value::Nanos(nanos) => push(text, format_args!("{name}{} {}\n", braced(&labels), seconds(*nanos))),
        Value::Histogram(counts) => write_histogram(text, metric, &labels, counts),
    }
}

fn write_histogram(text: &mut String, metric: &Metric, labels: &str, counts: &HistogramSnapshot) {
    let name = metric.name;
    let in_seconds = matches!(metric.kind, MetricKind::Histogram(Buckets::Durations(_)));
    let shown = |value: u64| if in_seconds { seconds(value) } else { value.to_string() };
    let separator = if labels.is_empty() { "" } else { "," };
    let mut count = 0_u64;
    for (place, bucket) in counts.buckets.iter().enumerate() {
        count = count.saturating_add(*bucket);
        let bound =
            counts.bounds.get(place).map_or_else(|| "+Inf".to_owned(), |bound| decimal(shown(*bound)));
        push(text, format_args!("{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {count}\n"));
    }
    push(text, format_args!("{name}_sum{} {}\n", braced(labels), shown(counts.sum)));
    push(text, format_args!("{name}_count{} {count}\n", braced(labels)));
}

fn label_pairs(metric: &Metric, values: &[String]) -> String {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let pairs = metric.labels.iter().zip(values);
    let pairs: Vec<_> =
        pairs.map(|(label, value)| format!("{}=\"{}\"", label.name(), escape(value))).collect();
    pairs.join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A bound with a decimal point, as OpenMetrics writes it.
fn decimal(bound: String) -> String {
    if bound.contains('.') { bound } else { bound + ".0" }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use pactolus_ledger::metrics::Histogram;

    use super::super::catalog::{APP_CALLS, BUILD, SYNC_DURATION};
    use super::*;

    fn families() -> Vec<Family> {
        let histogram = Histogram::new(&[50_000, 1_000_000_000]);
        for value in [50_000, 60_000, 2_000_000_000] {
            histogram.observe(value);
        }
        let words = |words: [&str; 3]| words.map(str::to_owned).to_vec();
        vec![
            Family {
                metric: &BUILD,
                series: vec![(words(["1.0", "a\"b\\c", "embedded"]), Value::Number(1))],
            },
            Family {
                metric: &APP_CALLS,
                series: vec![(words(["wx1", "live", "ok"]), Value::Number(u64::MAX))],
            },
            Family {
                metric: &SYNC_DURATION,
                series: vec![(Vec::new(), Value::Histogram(histogram.snapshot()))],
            },
        ]
    }

    #[test]
    fn open_metrics_matches_the_specification() {
        let expected = r#"# TYPE pactolus_build info
# HELP pactolus_build Version, commit and engine of the bank.
pactolus_build_info{version="1.0",revision="a\"b\\c",engine="embedded"} 1
# TYPE pactolus_app_calls counter
# HELP pactolus_app_calls Answered calls with a valid token.
pactolus_app_calls_total{app="wx1",env="live",outcome="ok"} 18446744073709551615
# TYPE pactolus_ledger_sync_duration_seconds histogram
# UNIT pactolus_ledger_sync_duration_seconds seconds
# HELP pactolus_ledger_sync_duration_seconds Time until a batch is durable: write and sync, or the transaction of the database.
pactolus_ledger_sync_duration_seconds_bucket{le="0.00005"} 1
pactolus_ledger_sync_duration_seconds_bucket{le="1.0"} 2
pactolus_ledger_sync_duration_seconds_bucket{le="+Inf"} 3
pactolus_ledger_sync_duration_seconds_sum 2.00011
pactolus_ledger_sync_duration_seconds_count 3
# EOF
"#;
        assert_eq!(encode(&families(), Format::OpenMetrics), expected);
    }

    #[test]
    fn plain_format_names_the_series() {
        let text = encode(&families(), Format::Plain);
        assert!(text.contains("# TYPE pactolus_build_info gauge\n"), "{text}");
        assert!(text.contains("# TYPE pactolus_app_calls_total counter\n"), "{text}");
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    }

    #[test]
    fn seconds_keep_every_digit() {
        for (nanos, text) in [(0, "0"), (1, "0.000000001"), (250_000, "0.00025"), (5_000_000_000, "5")] {
            assert_eq!(seconds(nanos), text);
        }
    }
}
