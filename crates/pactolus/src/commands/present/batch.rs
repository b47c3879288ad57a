//! A file of orders, from its check to its exit code: a campaign of gifts, or of debits.
//!
//! Invariant: no order is applied twice. An order has one bill number, its idempotency key, in every attempt and every
//! run. A results file carries a campaign through crashes and interruptions.
//! Read next: `plan`, the checked rows; `campaign`, sending; `results`, the results file; `summary`, the exit code.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pactolus_types::{Amount, ZoneId};

use super::bill_no::CampaignName;
use super::campaign::{CONCURRENCY_MAX, Campaign, SendLimits};
use super::plan::{DuplicatePolicy, GiftReader, PROBLEMS_SHOWN_MAX, Plan, PlanError};
use super::progress::{OutcomeCounts, Progress};
use super::results::{ResultsError, ResultsFile, ResultsIndex};
use super::row::{RowDefaults, UnknownColumns};
use super::sender::{GiftSender, OrderRule};
use super::source::{GiftFile, default_results_path};
use super::{confirm, preflight, summary};
use crate::cli::csv::CsvStyle;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat};
use crate::connect::Connection;
use crate::runtime;

/// Arguments of a campaign.
#[derive(clap::Args)]
#[command(next_help_heading = "Many orders")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct BatchArgs {
    /// Derive each bill number from this name, the player and the zone: sending the file twice gives once
    #[arg(long, value_name = "NAME", requires = "input", conflicts_with = "openid")]
    campaign: Option<CampaignName>,
    /// Treat several rows of one player in one zone as several orders, not as a mistake
    #[arg(long, requires = "input", conflicts_with = "openid")]
    allow_duplicates: bool,
    /// Ignore columns that no order has, such as those of a game's own export
    #[arg(long, requires = "input", conflicts_with = "openid")]
    ignore_unknown_columns: bool,
    /// Results file; default: beside the input, named after the campaign or the file
    #[arg(long, value_name = "FILE", requires = "input", conflicts_with = "openid")]
    results: Option<PathBuf>,
    /// Orders in flight, 1 to 256; default: 16
    #[arg(long, value_name = "ORDERS", requires = "input", conflicts_with = "openid", value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: Option<u16>,
    /// Rate limit, in orders per second
    #[arg(long, value_name = "ORDERS", requires = "input", conflicts_with = "openid", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Check the file and preview the orders, without sending any
    #[arg(long, requires = "input", conflicts_with = "openid")]
    dry_run: bool,
    /// Write the results file for spreadsheets: a byte order mark, and ' before cells that would run as a formula
    #[arg(long, requires = "input", conflicts_with = "openid")]
    spreadsheet: bool,
    /// Skip the confirmation, for scripts
    #[arg(long, requires = "input", conflicts_with = "openid")]
    yes: bool,
}

/// Orders in flight without `--concurrency`.
const CONCURRENCY_DEFAULT: usize = 16;

/// An order of a campaign has a longer timeout than an interactive call, so a campaign survives a restart of the bank.
const ORDER_TIMEOUT: Duration = Duration::from_secs(60);

/// A file of orders to send.
pub(crate) struct Batch<'a> {
    pub(crate) input: &'a Path,
    pub(crate) args: &'a BatchArgs,
    /// Zone of rows without one.
    pub(crate) zone: ZoneId,
    /// Coins of rows without a number.
    pub(crate) coins: Option<Amount>,
    /// The order that a row makes.
    pub(crate) rule: OrderRule,
    pub(crate) output: OutputFormat,
}

/// Checks the file, asks for confirmation, and sends what is left of it.
pub(crate) fn run(batch: &Batch<'_>, connection: &Connection, lang: Lang) -> Result<(), CliError> {
    let Batch { input, args, rule, .. } = batch;
    let kind = rule.kind();
    let source =
        GiftFile::open(input, lang).map_err(|error| unreadable_error(&input.display(), &error, lang))?;
    let default_path = || default_results_path(input, &kind.results_name(results_name(args, input)));
    let path = args.results.clone().unwrap_or_else(default_path);
    let defaults = RowDefaults {
        zone_id: batch.zone,
        coins: batch.coins,
        campaign: args.campaign.clone().map(|campaign| campaign.of_kind(kind)),
        pf: connection.pf,
        unknown_columns: if args.ignore_unknown_columns {
            UnknownColumns::Ignore
        } else {
            UnknownColumns::Refuse
        },
    };
    let duplicates = if args.allow_duplicates { DuplicatePolicy::Allow } else { DuplicatePolicy::Refuse };
    let gifts = GiftReader { source: &source, defaults: &defaults, duplicates, lang };
    let label = kind.label(connection.label());
    let results_error = |error| results_file_error(&path, error, lang);

    if args.dry_run {
        let earlier = ResultsFile::peek(&path, &label).map_err(results_error)?;
        let plan = build_plan(&gifts, &earlier, lang)?;
        let api = rule.api(plan.has_call_parameters, connection)?;
        output::eprint(confirm::preview(&plan, kind, api, connection));
        return summary::print(batch.output, &plan, &OutcomeCounts::of_kind(kind), None, lang);
    }
    let style = CsvStyle::of_flag(args.spreadsheet);
    let (results, earlier, is_resumed) = ResultsFile::open(&path, &label, style).map_err(results_error)?;
    let plan = build_plan(&gifts, &earlier, lang)?;
    let api = rule.api(plan.has_call_parameters, connection)?;
    let sender = GiftSender::new(*rule, api, connection, ORDER_TIMEOUT)?;
    let runtime = runtime::start()?;
    if let Some((_, first)) = plan.sample.first() {
        output::eprint(confirm::preview(&plan, kind, api, connection));
        let checked = runtime.block_on(preflight::check(&sender, first, lang));
        checked.map_err(|why| summary::setup_error(&plan, kind, is_resumed, &why, lang))?;
        confirm::confirm(args.yes, input, &plan, kind, lang)?;
    }
    let concurrency = args.concurrency.map_or(CONCURRENCY_DEFAULT, usize::from).min(CONCURRENCY_MAX);
    let limits = SendLimits { concurrency, rate: args.rate };
    let campaign = Campaign { sender, gifts, recorded: earlier, is_resumed, limits };
    let (counts, stop_reason) = runtime.block_on(async {
        let progress = Progress::new(plan.remaining(), kind, lang);
        let shutdown = runtime::shutdown_signal_or_exit()?;
        let stop = async {
            shutdown.await;
            progress.println(&tr!(
                lang,
                "stopping: waiting for orders in flight; Ctrl-C again ends at once",
                "正在停止：已发出的订单会处理完；再按一次 Ctrl-C 立即结束"
            ));
        };
        tokio::select! {
            done = campaign.run(results, stop, &progress) => Ok::<_, CliError>(done),
            never = progress.print_lines(output::eprintln) => match never {},
        }
    })?;
    summary::print(batch.output, &plan, &counts, Some(&path), lang)?;
    summary::exit_result(&plan, &counts, stop_reason, lang)
}

/// Base name of the results file: the campaign's name, else the file's.
fn results_name(args: &BatchArgs, from: &Path) -> String {
    match (&args.campaign, from.file_stem()) {
        (Some(campaign), _) => campaign.to_string().replace(['|', '*'], "_"),
        (None, Some(stem)) if from != Path::new("-") => stem.to_string_lossy().into_owned(),
        (None, _) => "pactolus".to_owned(),
    }
}

fn build_plan(gifts: &GiftReader<'_>, earlier: &ResultsIndex, lang: Lang) -> Result<Plan, CliError> {
    let name = gifts.source.name();
    match gifts.plan(earlier, |words| output::eprintln(words)) {
        Ok(plan) => Ok(plan),
        Err(PlanError::Io(error)) => Err(unreadable_error(&name, &error, lang)),
        Err(PlanError::Invalid(count)) => {
            if count > PROBLEMS_SHOWN_MAX {
                let more = count - PROBLEMS_SHOWN_MAX;
                output::eprintln(tr!(lang, "… and {more} more problems", "……另有 {more} 个问题"));
            }
            Err(CliError::message(
                ExitCode::Input,
                tr!(
                    lang,
                    "{name} is invalid, and nothing was sent; problems: {count}",
                    "{name} 有误，没有发送任何订单；问题数：{count}"
                ),
            ))
        }
    }
}

fn unreadable_error(name: &impl Display, error: &io::Error, lang: Lang) -> CliError {
    CliError::message(
        ExitCode::Input,
        tr!(lang, "{name} cannot be read: {}", "无法读取 {name}：{}", localize(&error.to_string(), lang)),
    )
}

fn results_file_error(path: &Path, error: ResultsError, lang: Lang) -> CliError {
    let path = path.display();
    let why = match error {
        ResultsError::Io(error) => localize(&error.to_string(), lang),
        // No advice to name another file: a second run beside the first would send the same gifts.
        ResultsError::InUse => {
            let message = tr!(
                lang,
                "this campaign is running: another process is writing its results file {path}; wait until it ends, and \
                 run the same command again only if it did not give everything",
                "该活动正在运行：另一个进程正在写入其结果文件 {path}；请等待其结束，仅在未全部发放时再次运行同一命令"
            );
            return CliError::message(ExitCode::Input, message);
        }
        ResultsError::BadHeader => tr!(lang, "it is not a results file", "它不是结果文件"),
        ResultsError::OtherBank(bank) => {
            tr!(
                lang,
                "it belongs to another bank, app or environment: {bank}",
                "它属于另一个环境、应用或地址：{bank}"
            )
        }
        ResultsError::InvalidRow(line) => {
            tr!(lang, "line {line} is not a results row", "第 {line} 行不是结果记录")
        }
    };
    CliError::message(
        ExitCode::Input,
        tr!(
            lang,
            "the results file {path} cannot be used: {why}; name another file with --results",
            "无法使用结果文件 {path}：{why}；请用 --results 另取一个文件"
        ),
    )
}
