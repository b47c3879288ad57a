//! Access tokens and logins, which every wire shares.
//!
//! Read next: `platform/token.rs`, `platform/login.rs`.

pub mod code;
pub mod credentials;
pub mod login;
pub mod token;
