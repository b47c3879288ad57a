//! `pactolus rejections`: the newest rejections of Midas calls, filtered.

use pactolus_client::operator::RejectionBrief;
use pactolus_types::{AppId, Environment};

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::receipts::time;
use crate::cli::table::Table;
use crate::connect::{BankArgs, environment_parser};
use crate::runtime;

/// List the newest rejections of Midas calls
///
/// The bank keeps its newest rejections, each with a diagnosis; `pactolus explain RID` shows it. It calls the operator
/// API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Maximum number of rejections, after the filters
    #[arg(long, value_name = "REJECTIONS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Only those of an environment: live or sandbox
    #[arg(long, value_name = "live|sandbox", value_parser = environment_parser(), hide_possible_values = true)]
    env: Option<Environment>,
    /// Only those of an app
    #[arg(long, value_name = "APPID")]
    appid: Option<AppId>,
    /// Only those with an errcode, such as 90011
    #[arg(long, value_name = "ERRCODE", allow_negative_numbers = true)]
    errcode: Option<i32>,
    #[command(flatten)]
    bank: BankArgs,
    /// Output format; JSON is one rejection a line
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Longest list of the operator API.
const LIST_MAX: u32 = 100;

impl Args {
    fn is_wanted(&self, rejection: &RejectionBrief) -> bool {
        self.env.is_none_or(|env| rejection.env == Some(env))
            && self.appid.is_none_or(|appid| rejection.appid == Some(appid))
            && self.errcode.is_none_or(|errcode| rejection.errcode == errcode)
    }

    const fn is_filtered(&self) -> bool {
        self.env.is_some() || self.appid.is_some() || self.errcode.is_some()
    }
}

/// Queries the newest rejections and prints those that pass the filters.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let bank = args.bank.resolve(lang)?;
    let asked = if args.is_filtered() { LIST_MAX } else { args.limit };
    let list = runtime::start()?.block_on(bank.operator()?.rejections(asked));
    let list = list.map_err(|error| bank.query_error(&error))?.rejections;
    let wanted = list.iter().filter(|rejection| args.is_wanted(rejection));
    let shown: Vec<_> = wanted.take(usize::try_from(args.limit).unwrap_or(usize::MAX)).collect();
    if list.is_empty() {
        output::eprintln(tr!(lang, "the bank keeps no rejection", "服务没有保留任何拒绝记录"));
    } else if shown.is_empty() {
        let looked = list.len();
        output::eprintln(tr!(
            lang,
            "none of the newest rejections passes the filters (looked at: {looked})",
            "最近的拒绝记录中没有符合条件的（已查看：{looked}）"
        ));
    }
    match args.output {
        OutputFormat::Json => output::print(shown.iter().map(to_json_line).collect::<Vec<_>>().concat()),
        OutputFormat::Text => output::print(table(&shown)),
    }
}

fn table(rejections: &[&RejectionBrief]) -> Table<6> {
    let mut table = Table::new(["at", "appid", "errcode", "path", "rid", "errmsg"]);
    for rejection in rejections {
        let rid = rejection.rid.to_string();
        // The rid has a column of its own.
        let errmsg = rejection.errmsg.strip_suffix(&format!(" rid: {rid}")).unwrap_or(&rejection.errmsg);
        table.push_row([
            time(rejection.at_ms),
            rejection.appid.map(|appid| appid.to_string()).unwrap_or_default(),
            rejection.errcode.to_string(),
            rejection.path.clone(),
            rid,
            errmsg.to_owned(),
        ]);
    }
    table
}
