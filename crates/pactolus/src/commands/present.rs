//! `pactolus present`: coins for one player, or for all in a file.
//!
//! Twice is never given: a gift has one bill number, in every try and in every run. One gift is one call. A file of
//! them is a campaign, which a results file carries through crashes and interruptions.
//! Read next: `plan`, what is to be given; `campaign`, how it is; `results`, what is kept of it; `summary`, how it ends.

mod bill_no;
mod campaign;
mod confirm;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod outcome;
mod plan;
mod progress;
mod results;
mod row;
mod single;
mod source;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use pactolus_types::{Amount, ZoneId};

use crate::cli::args::parse_amount;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::OutputFormat;
use crate::connect::{ConnectArgs, Connection};
use crate::runtime;
use bill_no::CampaignName;
use campaign::{CONCURRENCY_MAX, SendLimits};
use plan::{DuplicatePolicy, GiftReader, Plan, PlanError};
use progress::{OutcomeCounts, Progress};
use results::{ResultsError, ResultsFile, ResultsIndex};
use row::RowDefaults;
use source::{GiftFile, default_results_path};

/// Give coins to one player, or to all in a file
///
/// One gift takes --openid and --coins. For many, --input reads a CSV file whose first line names its columns: openid,
/// and as it needs them zone_id, present_counts, bill_no, session_key and user_ip. Every row is checked before the
/// first is sent. Each gift gets a row in a file of results; stopped or killed, the same command goes on where it was.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How many coins; with a file, for rows that do not say
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Option<Amount>,
    /// The zone; with a file, of rows that do not say
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    #[command(flatten)]
    single: single::SingleArgs,
    #[command(flatten)]
    batch: BatchArgs,
    #[command(flatten)]
    connect: ConnectArgs,
    /// How to print the outcome
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    output: OutputFormat,
}

/// What a file of gifts takes.
#[derive(clap::Args)]
#[command(next_help_heading = "Many gifts")]
struct BatchArgs {
    /// The file of gifts, or - for standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Make the bill numbers of this name, the player and the zone: the same file twice gives once
    #[arg(long, value_name = "NAME", requires = "input")]
    campaign: Option<CampaignName>,
    /// Take several rows of one player in one zone for several gifts, and not for a mistake
    #[arg(long, requires = "input")]
    allow_duplicates: bool,
    /// Where the results are kept; without it, beside the file and called after the campaign or the file
    #[arg(long, value_name = "FILE", requires = "input")]
    results: Option<PathBuf>,
    /// How many gifts are sent at once, 1 to 256
    #[arg(long, value_name = "GIFTS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// How many gifts are begun in a second at most
    #[arg(long, value_name = "GIFTS", requires = "input", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Check the file, show what would be given, and give nothing
    #[arg(long, requires = "input")]
    dry_run: bool,
    /// Do not ask; for scripts
    #[arg(long, requires = "input")]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus present --env live --openid odkx20ENSNa2w5y3g_qOkOvBNM1g --coins 233
  pactolus present --env live --input players.csv --campaign spring --dry-run
  pactolus present --env live --input players.csv --campaign spring --rate 500";

/// A gift of a campaign has longer than a player who waits: a bank is restarted, and the campaign goes on.
const GIFT_TIMEOUT: Duration = Duration::from_secs(60);

/// Gives.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    match (&args.batch.input, args.single.openid, args.coins) {
        (Some(input), ..) => present_batch(args, input, &connection, lang),
        (None, Some(openid), Some(coins)) => single::run(args, openid, coins, &connection, lang),
        (None, ..) => unreachable!("clap lets none of these through"),
    }
}

fn present_batch(args: &Args, from: &Path, connection: &Connection, lang: Lang) -> Result<(), CliError> {
    let source = GiftFile::open(from, lang)
        .with_context(|| tr!(lang, "{} cannot be read", "无法读取 {}", from.display()))?;
    let path =
        args.batch.results.clone().unwrap_or_else(|| default_results_path(from, &results_name(args, from)));
    let defaults = RowDefaults {
        zone_id: args.zone,
        coins: args.coins,
        campaign: args.batch.campaign.clone(),
        pf: connection.pf,
    };
    let duplicates =
        if args.batch.allow_duplicates { DuplicatePolicy::Allow } else { DuplicatePolicy::Refuse };
    let gifts = GiftReader { source: &source, defaults: &defaults, duplicates, lang };
    let results_error = |error| results_file_error(&path, error, lang);

    if args.batch.dry_run {
        let earlier = ResultsFile::peek(&path, &connection.label()).map_err(results_error)?;
        let plan = build_plan(&gifts, &earlier, lang)?;
        eprint!("{}", confirm::preview(&plan, connection, lang));
        return summary::print(args.output, &plan, &OutcomeCounts::default(), None, lang);
    }
    let (results, earlier, is_resumed) =
        ResultsFile::open(&path, &connection.label()).map_err(results_error)?;
    let plan = build_plan(&gifts, &earlier, lang)?;
    if plan.remaining() > 0 {
        eprint!("{}", confirm::preview(&plan, connection, lang));
        confirm::confirm(&args.batch, from, lang)?;
    }
    let (concurrency, rate) = (usize::from(args.batch.concurrency).min(CONCURRENCY_MAX), args.batch.rate);
    let campaign = campaign::Campaign {
        client: connection.client_with_timeout(GIFT_TIMEOUT),
        gifts,
        recorded: earlier,
        is_resumed,
        limits: SendLimits { concurrency, rate },
    };
    let (tally, shortfall) = runtime::start()?.block_on(async {
        let progress = Progress::new(plan.remaining(), lang);
        let shutdown = runtime::shutdown_signal_or_exit()?;
        let stop = async {
            shutdown.await;
            progress.println(&tr!(
                lang,
                "stopping: gifts that are under way are finished; Ctrl-C again ends at once",
                "正在停止：已发出的赠币会处理完；再按一次 Ctrl-C 立即结束"
            ));
        };
        Ok::<_, CliError>(campaign.run(results, stop, &progress).await)
    })?;
    summary::print(args.output, &plan, &tally, Some(&path), lang)?;
    summary::exit_result(&plan, &tally, shortfall, lang)
}

/// What a campaign's results are called after: its name, else the file's.
fn results_name(args: &Args, from: &Path) -> String {
    match (&args.batch.campaign, from.file_stem()) {
        (Some(campaign), _) => campaign.to_string().replace(['|', '*'], "_"),
        (None, Some(stem)) if from != Path::new("-") => stem.to_string_lossy().into_owned(),
        (None, _) => "pactolus".to_owned(),
    }
}

fn build_plan(gifts: &GiftReader<'_>, earlier: &ResultsIndex, lang: Lang) -> Result<Plan, CliError> {
    let name = gifts.source.name();
    match gifts.plan(earlier, |words| eprintln!("{words}")) {
        Ok(plan) => Ok(plan),
        Err(PlanError::Io(error)) => Err(anyhow::Error::new(error)
            .context(tr!(lang, "{name} cannot be read", "无法读取 {name}"))
            .into()),
        Err(PlanError::Invalid(count)) => Err(CliError::message(
            ExitCode::Input,
            tr!(
                lang,
                "{name} is refused, and nothing was sent; problems: {count}",
                "{name} 有误，没有发放任何赠币；问题数：{count}"
            ),
        )),
    }
}

fn results_file_error(path: &Path, error: ResultsError, lang: Lang) -> CliError {
    let path = path.display();
    let why = match error {
        ResultsError::Io(error) => {
            let context = tr!(lang, "the results {path} cannot be used", "无法使用结果文件 {path}");
            return anyhow::Error::new(error).context(context).into();
        }
        ResultsError::InUse => tr!(lang, "another process is writing it", "另一个进程正在写入"),
        ResultsError::BadHeader => tr!(lang, "it is no file of results", "它不是结果文件"),
        ResultsError::OtherBank(bank) => {
            tr!(
                lang,
                "it is of another bank, app or environment: {bank}",
                "它属于另一个环境、应用或地址：{bank}"
            )
        }
        ResultsError::InvalidRow(line) => {
            tr!(lang, "line {line} is no row of results", "第 {line} 行不是结果记录")
        }
    };
    CliError::message(
        ExitCode::Input,
        tr!(
            lang,
            "the results {path} cannot be used: {why}; name another file with --results",
            "无法使用结果文件 {path}：{why}；请用 --results 另取一个文件"
        ),
    )
}
