//! `pactolus completions` and `pactolus man`: shell completions and manual pages, generated from the tree of
//! commands.

use std::path::PathBuf;

use anyhow::Context as _;
use clap_complete::Shell;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;

/// Print a completion script for a shell
#[derive(clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Shell
    shell: Shell,
}

/// Write the manual pages
#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// Folder to write to
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Prints the completion script.
pub(crate) fn completions(args: &CompletionsArgs, mut command: clap::Command) -> Result<(), CliError> {
    // The generator panics on a failed write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "pactolus", &mut script);
    output::print(String::from_utf8_lossy(&script))
}

/// Writes a page for the program and one for each command.
pub(crate) fn man(args: &ManArgs, command: clap::Command, lang: Lang) -> Result<(), CliError> {
    let folder = args.to.display();
    let context = || tr!(lang, "{folder} cannot be written", "无法写入 {folder}");
    std::fs::create_dir_all(&args.to).with_context(context)?;
    clap_mangen::generate_to(command, &args.to).with_context(context)?;
    Ok(())
}
