//! What the bank takes and how long: measured on the real engine, told as a table and as JSON.
//!
//! It is a program of its own, and not a test, because how long something takes is not right or wrong.
//! To add a measurement: a module with its arguments and its `run`, and a line in [`Measure`].

mod engine;
mod machine;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the bank.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Arguments {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Orders a second through the embedded engine, without HTTP; its memory, its disk, and how fast it opens
    Engine(engine::Arguments),
    /// The part of `engine` that is killed
    #[command(hide = true)]
    PostAndWait(engine::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().measure {
        Measure::Engine(arguments) => engine::run(&arguments),
        Measure::PostAndWait(arguments) => engine::post_and_wait(&arguments),
    }
}
