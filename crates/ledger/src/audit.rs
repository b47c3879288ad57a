//! What an audit finds.

use std::fmt;

use crate::history::HistoryDigest;

/// The outcome of an audit of a whole bank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many orders were looked at.
    pub orders: u64,
    /// How many accounts were looked at.
    pub accounts: u64,
    /// What the orders that were proved are called, if all is right and the engine chains its orders.
    pub history: Option<HistoryDigest>,
    /// What is wrong, at most [`Audit::FINDINGS_MAX`] of it.
    pub findings: Vec<AuditFinding>,
}

impl Audit {
    /// How many findings are kept: enough to see a pattern, few enough to read.
    pub const FINDINGS_MAX: usize = 100;

    /// Whether the books are right.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes that something is wrong.
    pub fn add_finding(&mut self, finding: impl Into<AuditFinding>) {
        if self.findings.len() < Self::FINDINGS_MAX {
            self.findings.push(finding.into());
        }
    }
}

/// Something wrong in the books, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFinding(String);

impl From<String> for AuditFinding {
    fn from(words: String) -> Self {
        Self(words)
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
