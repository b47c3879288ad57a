//! Entry point of the process. Read next: `lib.rs`.

use std::process::ExitCode;

/// Requests make small allocations on one thread and free them on another: the case mimalloc is built for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pactolus::main()
}
