//! Shared workload of the attacks that run the built executable: clients that sign like a game's back end and know
//! only the bank's answers.
//!
//! Read next: [`clients`], concurrent clients that record every call; [`expected_ledger`], the comparison at the end.

pub(crate) mod calls;
pub(crate) mod clients;
pub(crate) mod expected_ledger;
pub(crate) mod http;
pub(crate) mod operator;
pub(crate) mod resolve;
pub(crate) mod tally;

use pactolus_test_support::sample::CONFIG;
use pactolus_types::Environment;

/// Panic message for values that always parse.
pub(crate) const VALID: &str = "these values are valid";

/// Configuration of a bank with the store `store`; `more` is appended to the app's section.
pub(crate) fn config(store: &str, more: &str) -> String {
    format!("store = \"{store}\"\n{CONFIG}{more}")
}

/// Identity of an account: a player on one of the game's servers. Each round opens a new server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AccountId {
    pub(crate) environment: Environment,
    pub(crate) player: usize,
    pub(crate) server: u64,
}

impl AccountId {
    pub(crate) fn openid(self) -> String {
        format!("player-{}", self.player)
    }

    pub(crate) fn zone(self) -> String {
        format!("s{}", self.server)
    }

    /// Bill number for the account's index `bill`.
    pub(crate) fn bill_no(self, bill: u32) -> String {
        format!("s{}-{}-{bill}", self.server, self.player)
    }

    /// The account's index for a bill number.
    pub(crate) fn parse_bill_no(self, bill_no: &str) -> Option<u32> {
        let bill = bill_no.rsplit_once('-')?.1.parse().ok()?;
        (self.bill_no(bill) == bill_no).then_some(bill)
    }
}
