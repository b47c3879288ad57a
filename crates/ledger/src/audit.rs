//! Audit report: counts, history digest and findings.

use std::fmt;

use pactolus_types::UnixMillis;

use crate::history::HistoryDigest;

/// Result of an audit of a whole bank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Orders checked.
    pub orders: u64,
    /// The latest time of any order: later than now, if the clock was ahead once.
    pub latest_order: Option<UnixMillis>,
    /// Accounts checked.
    pub accounts: u64,
    /// Digest of the verified orders; only of a clean audit, and only of an engine that chains its orders.
    pub history: Option<HistoryDigest>,
    /// Violations found, at most [`Audit::FINDINGS_MAX`].
    pub findings: Vec<AuditFinding>,
}

impl Audit {
    /// Maximum number of findings kept: enough to see a pattern, few enough to read.
    pub const FINDINGS_MAX: usize = 100;

    /// Whether the audit found no violation.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Counts an order decided at `at`.
    pub fn count_order(&mut self, at: UnixMillis) {
        self.orders = self.orders.saturating_add(1);
        self.latest_order = self.latest_order.max(Some(at));
    }

    /// Adds a finding; dropped once [`Audit::FINDINGS_MAX`] are kept.
    pub fn add_finding(&mut self, finding: impl Into<AuditFinding>) {
        if self.findings.len() < Self::FINDINGS_MAX {
            self.findings.push(finding.into());
        }
    }
}

/// A violated invariant, described for an operator.
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
