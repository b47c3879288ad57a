//! Situations that users of comparable systems reported, each tried on the built binary with further inputs of its
//! kind: `cargo test -p pactolus --test it cases`.
//!
//! Where clients call: `platform_calls`, `paths`, `bodies`, `tokens`, `times`, `replies`, `signatures`, `zones`,
//! `nul_text`.
//! What people feed the command line: `gift_file`, `spreadsheet_export`, `piped_output`, `listen_address`.
//! What the machine does: `signals`, `log_without_reader`, `full_disk`, `wait`, `database`.
//! What the day brings: `daily_limit`, `dates`, `taken_back`.

mod bodies;
mod daily_limit;
mod database;
mod dates;
mod full_disk;
mod gift_file;
mod listen_address;
mod log_without_reader;
mod nul_text;
mod paths;
mod piped_output;
mod platform_calls;
mod raw;
mod replies;
mod signals;
mod signatures;
mod spreadsheet_export;
mod taken_back;
mod times;
mod tokens;
mod wait;
mod zones;
