//! `pactolus present`: gives coins to one player, or to all players in a file (a campaign).
//!
//! Invariant: no gift is given twice. A gift has one bill number, its idempotency key, in every attempt and every
//! run. A results file carries a campaign through crashes and interruptions.
//! Read next: `plan`, the checked rows; `campaign`, sending; `results`, the results file; `summary`, the exit code.

mod bill_no;
mod campaign;
mod confirm;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod outcome;
mod plan;
mod preflight;
mod progress;
mod results;
mod row;
mod sender;
mod single;
mod source;
mod summary;

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pactolus_types::{Amount, ZoneId};

use crate::cli::args::parse_amount;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::connect::{ConnectArgs, Connection};
use crate::runtime;
use bill_no::CampaignName;
use campaign::{CONCURRENCY_MAX, SendLimits};
use plan::{DuplicatePolicy, GiftReader, PROBLEMS_SHOWN_MAX, Plan, PlanError};
use progress::{OutcomeCounts, Progress};
use results::{ResultsError, ResultsFile, ResultsIndex};
use row::{RowDefaults, UnknownColumns};
use sender::{Api, GiftSender};
use source::{GiftFile, default_results_path};

/// Give coins to one player, or to all players in a file
///
/// For one gift, use --openid and --coins. For a campaign, --input reads a CSV file. Its first line names the
/// columns: openid is required, present_counts unless --coins is given, bill_no unless --campaign is given; zone_id,
/// session_key and user_ip are optional.
///
/// All rows are checked before the first gift is sent. Every gift has one bill number, its idempotency key, so no
/// gift is given twice. Each outcome is appended to a results file. After an interruption or a crash, run the same
/// command again: it resumes where it stopped.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Number of coins; with a file, the default for rows without one
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Option<Amount>,
    /// Zone; with a file, the default for rows without one
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    #[command(flatten)]
    single: single::SingleArgs,
    #[command(flatten)]
    batch: BatchArgs,
    /// API: midas signs calls with the app's keys, and sends session keys; operator needs the operator token alone, and
    /// the app's gift limits do not apply. Default: operator, if the target has its token and no session key is given
    #[arg(long, value_name = "API", hide_possible_values = true)]
    api: Option<Api>,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    output: OutputFormat,
}

/// Arguments of a campaign.
#[derive(clap::Args)]
#[command(next_help_heading = "Many gifts")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct BatchArgs {
    /// CSV file of gifts, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "openid")]
    input: Option<PathBuf>,
    /// Derive each bill number from this name, the player and the zone: sending the file twice gives once
    #[arg(long, value_name = "NAME", requires = "input", conflicts_with = "openid")]
    campaign: Option<CampaignName>,
    /// Treat several rows of one player in one zone as several gifts, not as a mistake
    #[arg(long, requires = "input", conflicts_with = "openid")]
    allow_duplicates: bool,
    /// Ignore columns that no gift has, such as those of a game's own export
    #[arg(long, requires = "input", conflicts_with = "openid")]
    ignore_unknown_columns: bool,
    /// Results file; default: beside the input, named after the campaign or the file
    #[arg(long, value_name = "FILE", requires = "input", conflicts_with = "openid")]
    results: Option<PathBuf>,
    /// Gifts in flight, 1 to 256; default: 16
    #[arg(long, value_name = "GIFTS", requires = "input", conflicts_with = "openid", value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: Option<u16>,
    /// Rate limit, in gifts per second
    #[arg(long, value_name = "GIFTS", requires = "input", conflicts_with = "openid", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Check the file and preview the gifts, without sending any
    #[arg(long, requires = "input", conflicts_with = "openid")]
    dry_run: bool,
    /// Skip the confirmation, for scripts
    #[arg(long, requires = "input", conflicts_with = "openid")]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus present --env live --openid odkx20ENSNa2w5y3g_qOkOvBNM1g --coins 233
  pactolus present --env live --input players.csv --campaign spring --dry-run
  pactolus present --env live --input players.csv --campaign spring --rate 500";

/// Gifts in flight without `--concurrency`.
const CONCURRENCY_DEFAULT: usize = 16;

/// A gift of a campaign has a longer timeout than an interactive call, so a campaign survives a restart of the bank.
const GIFT_TIMEOUT: Duration = Duration::from_secs(60);

/// Gives the coins.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    match (&args.batch.input, args.single.openid, args.coins) {
        (Some(input), ..) => present_batch(args, input, &connection, lang),
        (None, Some(openid), Some(coins)) => single::run(args, openid, coins, &connection, lang),
        (None, ..) => unreachable!("clap refuses these combinations"),
    }
}

fn present_batch(args: &Args, from: &Path, connection: &Connection, lang: Lang) -> Result<(), CliError> {
    let source =
        GiftFile::open(from, lang).map_err(|error| unreadable_error(&from.display(), &error, lang))?;
    let path =
        args.batch.results.clone().unwrap_or_else(|| default_results_path(from, &results_name(args, from)));
    let defaults = RowDefaults {
        zone_id: args.zone,
        coins: args.coins,
        campaign: args.batch.campaign.clone(),
        pf: connection.pf,
        unknown_columns: if args.batch.ignore_unknown_columns {
            UnknownColumns::Ignore
        } else {
            UnknownColumns::Refuse
        },
    };
    let duplicates =
        if args.batch.allow_duplicates { DuplicatePolicy::Allow } else { DuplicatePolicy::Refuse };
    let gifts = GiftReader { source: &source, defaults: &defaults, duplicates, lang };
    let results_error = |error| results_file_error(&path, error, lang);

    if args.batch.dry_run {
        let earlier = ResultsFile::peek(&path, &connection.label()).map_err(results_error)?;
        let plan = build_plan(&gifts, &earlier, lang)?;
        let api = Api::choose(args.api, plan.has_call_parameters, connection)?;
        output::eprint(confirm::preview(&plan, api, connection));
        return summary::print(args.output, &plan, &OutcomeCounts::default(), None, lang);
    }
    let (results, earlier, is_resumed) =
        ResultsFile::open(&path, &connection.label()).map_err(results_error)?;
    let plan = build_plan(&gifts, &earlier, lang)?;
    let api = Api::choose(args.api, plan.has_call_parameters, connection)?;
    let sender = GiftSender::new(api, connection, GIFT_TIMEOUT)?;
    let runtime = runtime::start()?;
    if let Some((_, first)) = plan.sample.first() {
        output::eprint(confirm::preview(&plan, api, connection));
        let checked = runtime.block_on(preflight::check(&sender, first, lang));
        checked.map_err(|why| summary::setup_error(&plan, is_resumed, &why, lang))?;
        confirm::confirm(&args.batch, from, &plan, lang)?;
    }
    let concurrency = args.batch.concurrency.map_or(CONCURRENCY_DEFAULT, usize::from).min(CONCURRENCY_MAX);
    let rate = args.batch.rate;
    let campaign = campaign::Campaign {
        sender,
        gifts,
        recorded: earlier,
        is_resumed,
        limits: SendLimits { concurrency, rate },
    };
    let (counts, stop_reason) = runtime.block_on(async {
        let progress = Progress::new(plan.remaining(), lang);
        let shutdown = runtime::shutdown_signal_or_exit()?;
        let stop = async {
            shutdown.await;
            progress.println(&tr!(
                lang,
                "stopping: waiting for gifts in flight; Ctrl-C again ends at once",
                "正在停止：已发出的赠币会处理完；再按一次 Ctrl-C 立即结束"
            ));
        };
        tokio::select! {
            done = campaign.run(results, stop, &progress) => Ok::<_, CliError>(done),
            never = progress.print_lines(output::eprintln) => match never {},
        }
    })?;
    summary::print(args.output, &plan, &counts, Some(&path), lang)?;
    summary::exit_result(&plan, &counts, stop_reason, lang)
}

/// Base name of the results file: the campaign's name, else the file's.
fn results_name(args: &Args, from: &Path) -> String {
    match (&args.batch.campaign, from.file_stem()) {
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
                    "{name} 有误，没有发放任何赠币；问题数：{count}"
                ),
            ))
        }
    }
}

fn unreadable_error(name: &impl Display, error: &io::Error, lang: Lang) -> CliError {
    CliError::message(
        ExitCode::Input,
        tr!(lang, "{name} cannot be read: {error}", "无法读取 {name}：{error}"),
    )
}

fn results_file_error(path: &Path, error: ResultsError, lang: Lang) -> CliError {
    let path = path.display();
    let why = match error {
        ResultsError::Io(error) => error.to_string(),
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
