//! What the bank takes and how long: measured on the real engine, told as a table and as JSON.
//!
//! It is a program of its own, and not a test, because how long something takes is not right or wrong.
//! To add a measurement: a module with its arguments and its `run`, and a line in [`Measure`].

mod engine;
mod http;
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
    /// Signed durable presents a second over HTTP, in turn with a route that only parses the body
    Http(http::Arguments),
    /// The part of `http` that serves
    #[command(hide = true)]
    Serve(http::server::Arguments),
    /// The part of `engine` that is killed
    #[command(hide = true)]
    PostAndWait(engine::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().measure {
        Measure::Engine(arguments) => engine::run(&arguments),
        Measure::Http(arguments) => http::run(&arguments),
        Measure::Serve(arguments) => http::server::run(&arguments),
        Measure::PostAndWait(arguments) => engine::post_and_wait(&arguments),
    }
}
