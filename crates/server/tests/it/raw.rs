//! The raw wires, `/wxa/game/*` and `/xpay/*`, through HTTP.

mod checks;
mod client;
mod codes;
mod faults;
mod linearizability;
mod orders;
mod policies;
mod rejections;
