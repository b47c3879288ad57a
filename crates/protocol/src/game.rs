//! The wire of mini games, `/wxa/game/*` ("virtual payment 2.0"): its table of codes.
//!
//! Its requests, replies and signatures are those of [`raw`](crate::raw).

pub mod code;
