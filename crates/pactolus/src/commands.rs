//! The commands, one file each. `cli` holds the tree.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod balance;
pub(crate) mod cancelpay;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod digest;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod init;
pub(crate) mod migrate;
pub(crate) mod order;
pub(crate) mod pay;
pub(crate) mod present;
pub(crate) mod rotate_keys;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod statement;
pub(crate) mod token;
