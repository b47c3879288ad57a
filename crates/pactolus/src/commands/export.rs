//! `pactolus export`: orders or accounts of a store, by day, as CSV or JSON Lines.
//!
//! It reads the journal of an embedded store, or one snapshot of a database, and may run while the store is served.
//! Days are those of each app's time zone.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
#[cfg(feature = "postgres")]
use std::ops::Range;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::Date;
use pactolus_ledger::{Account, AccountKey, Numbering, Receipt};
use pactolus_ledger_embedded::backup;
use pactolus_server::{AppSettings, AppTimeZone};
use pactolus_types::AppId;
#[cfg(feature = "postgres")]
use pactolus_types::UnixMillis;
use serde_json::json;

use crate::cli::csv::{CsvArgs, CsvStyle};
use crate::cli::escape::EscapedLines;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;
use crate::config::StoreUrl;
#[cfg(feature = "postgres")]
use crate::runtime;
use crate::store::StoreArgs;

/// Export orders or accounts, by day
///
/// May run while the store is served. Orders come in the order in which the bank decided them; on PostgreSQL sorted by
/// time. Accounts are those that changed in these days, in their state after the last order of these days. Of an
/// embedded store, the export holds them in memory, some 500 bytes each. Days are those of each app's time_zone in the
/// configuration. With --store there is none, and they are in UTC, or in --time-zone.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Data to export
    what: Dataset,
    /// First day, such as 2017-10-09
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    from: Date,
    /// Last day; default: the first day
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    to: Option<Date>,
    /// File format
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    format: ExportFormat,
    #[command(flatten)]
    csv: CsvArgs,
    /// File to create; must not exist; default: stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Time zone of the days, such as Asia/Shanghai; default: each app's own
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<AppTimeZone>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dataset {
    Orders,
    Accounts,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    Csv,
    Jsonl,
}

fn parse_day(text: &str) -> Result<Date, &'static str> {
    text.parse().map_err(|_| "is not a day like 2017-10-09")
}

/// Exports the data.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let days = args.from..=args.to.unwrap_or(args.from);
    if days.is_empty() {
        let (from, to) = (days.start(), days.end());
        let message = tr!(lang, "--from {from} is later than --to {to}", "--from {from} 晚于 --to {to}");
        return Err(CliError::message(ExitCode::Usage, message));
    }
    if args.csv.style() == CsvStyle::Spreadsheet && args.format != ExportFormat::Csv {
        let message = tr!(lang, "--spreadsheet needs --format csv", "--spreadsheet 只能与 --format csv 同用");
        return Err(CliError::message(ExitCode::Usage, message));
    }
    let (url, apps) = args.store.resolve_with_apps(lang)?;
    let zones = DayZones::new(args.time_zone.as_ref(), &apps);
    let source = ExportSource { store: &url, days: days.clone(), zones };
    let out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(File::create_new(path).with_context(|| {
            let path = path.display();
            tr!(lang, "{path} cannot be written", "无法写入 {path}")
        })?),
        None => Box::new(output::data_stdout()),
    };
    let mut lines = RowWriter { out: BufWriter::new(out), format: args.format, style: args.csv.style() };
    let written = match args.what {
        Dataset::Orders => export_orders(&source, &mut lines),
        Dataset::Accounts => export_accounts(&source, &mut lines),
    };
    written.with_context(|| tr!(lang, "the store {url} cannot be exported", "无法导出存储 {url}"))?;
    Ok(lines.out.flush().context("the export cannot be written")?)
}

/// The orders of some days in a store.
struct ExportSource<'a> {
    store: &'a StoreUrl,
    days: RangeInclusive<Date>,
    zones: DayZones,
}

impl ExportSource<'_> {
    /// Shows the orders of these days.
    fn read_orders(&self, show: &mut dyn FnMut(&Receipt) -> io::Result<()>) -> anyhow::Result<()> {
        match self.store {
            StoreUrl::Embedded(folder) => self.read_journal(folder, show),
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(database) => {
                let show =
                    &mut |receipt: &Receipt| if self.includes(receipt) { show(receipt) } else { Ok(()) };
                let orders = pactolus_ledger_postgres::export_orders(database, self.longest_period(), show);
                Ok(runtime::start()?.block_on(orders)?)
            }
        }
    }

    /// Shows each account that changed in these days, after the last order of these days, sorted by key.
    fn read_accounts(
        &self,
        show: &mut dyn FnMut(&AccountKey, &Account) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        match self.store {
            StoreUrl::Embedded(folder) => {
                let mut accounts: BTreeMap<AccountKey, Account> = BTreeMap::new();
                self.read_journal(folder, &mut |receipt| {
                    accounts.insert(receipt.order.account, receipt.after);
                    Ok(())
                })?;
                Ok(accounts.iter().try_for_each(|(key, after)| show(key, after))?)
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(database) => {
                let runtime = runtime::start()?;
                for zone in self.zones.distinct() {
                    let show = &mut |last: &Receipt| {
                        let account = &last.order.account;
                        if self.zones.of(account.app) == zone { show(account, &last.after) } else { Ok(()) }
                    };
                    let period = self.period(zone);
                    runtime.block_on(pactolus_ledger_postgres::export_accounts(database, period, show))?;
                }
                Ok(())
            }
        }
    }

    fn read_journal(
        &self,
        folder: &Path,
        show: &mut dyn FnMut(&Receipt) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        backup::read_orders(folder, |receipt| if self.includes(receipt) { show(receipt) } else { Ok(()) })?;
        Ok(())
    }

    fn includes(&self, receipt: &Receipt) -> bool {
        self.zones.date(receipt).is_some_and(|day| self.days.contains(&day))
    }

    /// From the begin of the first day in the zone to the end of the last.
    #[cfg(feature = "postgres")]
    fn period(&self, zone: &AppTimeZone) -> Range<UnixMillis> {
        // The last day that can be written is the last of all.
        let end = self.days.end().tomorrow().map(|after| zone.start_of_date(after));
        zone.start_of_date(*self.days.start())..end.unwrap_or(UnixMillis::new(i64::MAX.unsigned_abs()))
    }

    /// The days in all of the zones.
    #[cfg(feature = "postgres")]
    fn longest_period(&self) -> Range<UnixMillis> {
        let periods = || self.zones.distinct().into_iter().map(|zone| self.period(zone));
        let start = periods().map(|period| period.start).min();
        let end = periods().map(|period| period.end).max();
        start.unwrap_or(UnixMillis::new(0))..end.unwrap_or(UnixMillis::new(0))
    }
}

fn export_orders(source: &ExportSource<'_>, lines: &mut RowWriter) -> anyhow::Result<()> {
    lines.write_header(&ORDER_COLUMNS)?;
    source.read_orders(&mut |receipt| lines.write_row(&ORDER_COLUMNS, &order_cells(receipt)))
}

fn export_accounts(source: &ExportSource<'_>, lines: &mut RowWriter) -> anyhow::Result<()> {
    lines.write_header(&ACCOUNT_COLUMNS)?;
    source.read_accounts(&mut |key, after| lines.write_row(&ACCOUNT_COLUMNS, &account_cells(key, after)))
}

fn timestamp(receipt: &Receipt) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(receipt.at.get()).ok()?).ok()
}

/// Time zones of the days, by app.
struct DayZones {
    apps: HashMap<AppId, AppTimeZone>,
    /// Zone of every other app.
    other: AppTimeZone,
}

impl DayZones {
    /// The zone of the command line for all apps, else that of each app, and UTC for unknown apps.
    fn new(named: Option<&AppTimeZone>, apps: &[AppSettings]) -> Self {
        let apps = if named.is_some() { &[][..] } else { apps };
        let zones = apps.iter().map(|app| (app.appid, app.time_zone.clone()));
        Self { apps: zones.collect(), other: named.cloned().unwrap_or(AppTimeZone::UTC) }
    }

    fn date(&self, receipt: &Receipt) -> Option<Date> {
        self.of(receipt.order.account.app).date_at(receipt.at)
    }

    fn of(&self, app: AppId) -> &AppTimeZone {
        self.apps.get(&app).unwrap_or(&self.other)
    }

    /// Each zone once.
    #[cfg(feature = "postgres")]
    fn distinct(&self) -> Vec<&AppTimeZone> {
        let mut zones = vec![&self.other];
        for zone in self.apps.values() {
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        zones
    }
}

/// A cell: a text, or a number.
enum Cell {
    Text(String),
    Number(u64),
}

const ORDER_COLUMNS: [&str; 15] = [
    "at",
    "kind",
    "bill_no",
    "appid",
    "env",
    "offer_id",
    "openid",
    "zone_id",
    "coins",
    "gifted",
    "item",
    "remark",
    "balance",
    "numbering",
    "pay_bill_no",
];
const ACCOUNT_COLUMNS: [&str; 12] = [
    "appid",
    "env",
    "offer_id",
    "openid",
    "zone_id",
    "balance",
    "gifted",
    "saved",
    "presented",
    "spent",
    "debited",
    "orders",
];

fn key_cells(key: &AccountKey) -> [Cell; 5] {
    let AccountKey { app, environment, offer, player, zone } = key;
    [app.to_string(), environment.to_string(), offer.to_string(), player.to_string(), zone.to_string()]
        .map(Cell::Text)
}

fn order_cells(receipt: &Receipt) -> Vec<Cell> {
    let order = &receipt.order;
    let at = timestamp(receipt).map(|at| at.to_string()).unwrap_or_default();
    let mut cells =
        vec![Cell::Text(at), Cell::Text(order.kind.name().to_owned()), Cell::Text(order.bill_no.to_string())];
    cells.extend(key_cells(&order.account));
    cells.extend([receipt.coins.get(), receipt.gifted.get()].map(Cell::Number));
    cells.extend([order.memo.item(), order.memo.remark()].map(|text| Cell::Text(text.to_owned())));
    cells.push(Cell::Number(receipt.after.balance().get()));
    let numbering = match order.numbering {
        Numbering::OfApp => "app",
        Numbering::OfAccount => "account",
    };
    cells.push(Cell::Text(numbering.to_owned()));
    cells.push(Cell::Text(order.pay_bill().map_or_else(String::new, |pay| pay.bill_no.to_string())));
    cells
}

fn account_cells(key: &AccountKey, account: &Account) -> Vec<Cell> {
    let sums = [
        account.balance().get(),
        account.gifted().get(),
        account.saved().get(),
        account.presented().get(),
        account.spent().get(),
        account.debited().get(),
        account.orders(),
    ];
    key_cells(key).into_iter().chain(sums.map(Cell::Number)).collect()
}

/// Writes rows as CSV or JSON Lines.
struct RowWriter {
    out: BufWriter<Box<dyn Write>>,
    format: ExportFormat,
    style: CsvStyle,
}

impl RowWriter {
    fn write_header(&mut self, names: &[&str]) -> io::Result<()> {
        match self.format {
            ExportFormat::Csv => writeln!(self.out, "{}{}", self.style.start(), names.join(",")),
            ExportFormat::Jsonl => Ok(()),
        }
    }

    fn write_row(&mut self, names: &[&str], cells: &[Cell]) -> io::Result<()> {
        match self.format {
            ExportFormat::Csv => {
                let style = self.style;
                let text = |cell: &Cell| match cell {
                    Cell::Text(text) => style.cell(text.as_str().into()).into_owned(),
                    Cell::Number(number) => number.to_string(),
                };
                csv::Writer::from_writer(&mut self.out)
                    .write_record(cells.iter().map(text))
                    .map_err(io::Error::from)
            }
            ExportFormat::Jsonl => {
                let mut object = json!({});
                for (name, cell) in names.iter().zip(cells) {
                    object[*name] = match cell {
                        Cell::Text(text) => text.as_str().into(),
                        Cell::Number(number) => (*number).into(),
                    };
                }
                writeln!(self.out, "{}", EscapedLines(object))
            }
        }
    }
}
