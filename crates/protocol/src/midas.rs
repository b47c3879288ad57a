//! The first wire, `/cgi-bin/midas/*`: parameters, signatures over sorted fields, dialects, replies, mistakes.
//!
//! Read next: `midas/call.rs`.

pub mod call;
pub mod explain;
pub mod parameter;
pub mod reply;
pub mod request;
pub mod sign;
