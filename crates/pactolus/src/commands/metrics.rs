//! `pactolus metrics`: the list of metrics that a bank exposes, with the most series of each.

use pactolus_server::metrics::{CATALOG, Metric};
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;

/// List the metrics of a bank, with the most series of each
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Prints the list.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    match args.output {
        OutputFormat::Text => output::print(table(lang)),
        OutputFormat::Json => output::print(json_lines()),
    }
}

fn table(lang: Lang) -> String {
    let mut table = Table::new(match lang {
        Lang::En => ["metric", "type", "series", "labels"],
        Lang::Zh => ["指标", "类型", "序列上限", "标签"],
    });
    for metric in CATALOG {
        let labels: Vec<_> = metric.labels.iter().map(|label| label.name()).collect();
        let series = metric.series_max().to_string();
        table.push_row([metric.name.to_owned(), metric.kind.name().to_owned(), series, labels.join(" ")]);
    }
    let series: usize = CATALOG.iter().map(Metric::series_max).sum();
    let metrics = CATALOG.len();
    let total =
        tr!(lang, "{metrics} metrics, at most {series} series", "{metrics} 个指标，最多 {series} 个时间序列");
    format!("{table}{total}\n")
}

/// One object a line.
fn json_lines() -> String {
    let object = |metric: &Metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| label.name()).collect();
        let object = json!({
            "name": metric.name, "type": metric.kind.name(), "unit": metric.unit(), "labels": labels,
            "series_max": metric.series_max(), "help": metric.help,
        });
        format!("{object}\n")
    };
    CATALOG.iter().map(object).collect()
}
