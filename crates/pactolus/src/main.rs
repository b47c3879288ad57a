//! Where the process starts. Read `lib.rs` next.

use std::process::ExitCode;

/// Requests make small allocations on every thread, and free them on others; mimalloc is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pactolus::main()
}
