//! To be made.

use pactolus_figures::report::Part;

use crate::options::Options;

#[derive(Default, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments, _: &Options) -> anyhow::Result<Part> {
    anyhow::bail!("it is not there yet")
}
