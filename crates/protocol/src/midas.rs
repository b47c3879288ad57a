//! The first wire, `/cgi-bin/midas/*`: parameters, signatures over sorted fields, dialects, replies, mistakes.
//!
//! Read next: `midas/body.rs`, `midas/call.rs`, `midas/sign.rs`.

pub mod body;
pub mod call;
pub mod code;
pub mod explain;
pub mod parameter;
pub mod reply;
pub mod request;
pub mod sign;
