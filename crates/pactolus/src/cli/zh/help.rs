//! The command `help` in Chinese. That of clap cannot be translated.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use super::{HELP_TEMPLATE, commands};

const HELP: &str = "help";
const HELP_NAMED: &str = "command";

pub(super) fn command() -> Command {
    let names = commands().map(|(name, _)| name).filter(|name| !name.is_empty());
    let argument = Arg::new(HELP_NAMED).value_name("命令").help("命令").help_heading("参数");
    Command::new(HELP)
        .about("显示某个命令的帮助")
        .help_template(HELP_TEMPLATE)
        .disable_help_flag(true)
        .arg(argument.value_parser(PossibleValuesParser::new(names)).hide_possible_values(true))
}

/// The arguments that `pactolus help COMMAND` stands for.
pub(in crate::cli) fn requested_help(matches: &ArgMatches) -> Option<Vec<String>> {
    let Some((HELP, named)) = matches.subcommand() else { return None };
    let named = named.get_one::<String>(HELP_NAMED).cloned();
    Some(["pactolus".to_owned()].into_iter().chain(named).chain(["--help".to_owned()]).collect())
}
