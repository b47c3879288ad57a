//! The program from outside: the built executable, its output, its exit codes, its server over HTTP.
//!
//! Read next: `process`, how it is started and watched; `kill`, the invariant that matters most.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../src/http.rs"]
mod http;

mod audit;
mod backup;
mod calls;
mod campaign;
mod cases;
mod chinese;
mod clock;
mod config;
mod copy;
mod damage;
mod demo;
mod explain;
mod flags;
mod gifts;
mod help;
mod hostile;
mod init;
mod kill;
mod load;
mod nodes;
mod operator_campaign;
mod operator_listen;
mod operator_token;
mod output;
mod permissions;
mod process;
mod prometheus;
mod raw;
mod reload;
mod results;
mod seal;
mod secrets;
mod serve;
mod support;
mod tls;
mod tls_server;
mod unit;
mod vendor;
