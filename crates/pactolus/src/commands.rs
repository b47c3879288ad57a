//! The commands, one file each. `cli` holds the tree.

use std::io::{self, Read as _};
use std::path::Path;

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod balance;
pub(crate) mod cancelpay;
pub(crate) mod clock;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod debit;
pub(crate) mod demo;
pub(crate) mod digest;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod faults;
pub(crate) mod init;
pub(crate) mod metrics;
pub(crate) mod migrate;
pub(crate) mod operator_order;
pub(crate) mod order;
pub(crate) mod pay;
pub(crate) mod present;
pub(crate) mod rejections;
pub(crate) mod rotate_keys;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod sign;
pub(crate) mod statement;
pub(crate) mod token;
pub(crate) mod totals;

/// The bytes of a file; `-` is standard input.
fn read_file_or_stdin(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
