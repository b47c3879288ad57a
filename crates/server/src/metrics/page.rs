//! The page `docs/operating/metrics.md`, made from the list of metrics.

use std::fmt::Write as _;

use super::catalog::{CATALOG, Label, MetricKind};

const INTRODUCTION: &str = "\
# Metrics

`GET /metrics` shows what a bank counts, in OpenMetrics for a scraper that asks for it and else in the text format of Prometheus.
It is on the address of `operator_listen`, or else of `listen`.
A scraper on the same machine needs no key; any other sends the operator token as `Authorization: Bearer <token>`.
A proxy on the same machine must not pass the path on: to the bank, its requests come from the machine itself.
`metrics = \"off\"` in the configuration switches counting off.
`pactolus metrics` prints the list below.

```yaml
scrape_configs:
  - job_name: pactolus
    static_configs: [{ targets: [\"127.0.0.1:8790\"] }]
```

Alerts on these metrics, with what to do, are on the page [alerts](alerts.md).
A counter starts at zero with the process.
No label holds a player, a bill number, a zone, a user, an address or a request id, so the number of series is bounded.

";

/// The page, in Markdown.
pub fn reference_page() -> String {
    let mut page = String::from(INTRODUCTION);
    push(
        &mut page,
        "## Metrics\n\n| Metric | Type | Labels | Most series | Meaning |\n|---|---|---|---|---|\n",
    );
    for metric in CATALOG {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name())).collect();
        let line = format!(
            "| `{}` | {} | {} | {} | {} |\n",
            metric.name,
            metric.kind.name(),
            labels.join(", "),
            metric.series_max(),
            metric.help
        );
        push(&mut page, &line);
    }
    push(&mut page, "\n## Labels\n\n| Label | Most values |\n|---|---|\n");
    for label in Label::ALL {
        push(&mut page, &format!("| `{}` | {} |\n", label.name(), label.values_max()));
    }
    push(&mut page, "\n## Buckets\n\n| Histogram | Bounds |\n|---|---|\n");
    for metric in CATALOG {
        if let MetricKind::Histogram(buckets) = metric.kind {
            push(&mut page, &format!("| `{}` | {} |\n", metric.name, buckets.shown().join(", ")));
        }
    }
    page
}

fn push(page: &mut String, text: &str) {
    page.write_str(text).expect("a String takes everything");
}
