//! `pactolus completions` and `pactolus man`: what shells and `man` want to know of the command line.

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap_complete::Shell;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};

/// Print what a shell needs to complete this command line
#[derive(clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Write the manual pages
#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// The folder to write them to
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Prints the completions.
pub(crate) fn completions(args: &CompletionsArgs, mut command: clap::Command) {
    clap_complete::generate(args.shell, &mut command, "pactolus", &mut io::stdout());
}

/// Writes a page for the program and one for each command.
pub(crate) fn man(args: &ManArgs, command: clap::Command, lang: Lang) -> Result<(), CliError> {
    let folder = args.to.display();
    let context = || tr!(lang, "{folder} cannot be written", "无法写入 {folder}");
    std::fs::create_dir_all(&args.to).with_context(context)?;
    clap_mangen::generate_to(command, &args.to).with_context(context)?;
    Ok(())
}
