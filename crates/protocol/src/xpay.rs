//! The wire of mini programs, `/xpay/*`: its table of codes.
//!
//! Its requests, replies and signatures are those of [`raw`](crate::raw).

pub mod code;
