//! Outcome of one gift. Its names in the results file are the same in every language.

use pactolus_client::{AppliedBy, Coins, OrderOutcome};

use super::kind::BatchKind;

/// Outcome of a gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiftOutcome {
    /// Given by this run.
    Applied,
    /// An idempotent replay: given before this run, by the same order.
    Replayed,
    /// Taken by this run.
    Taken,
    /// An idempotent replay: taken before this run, by the same order.
    TakenBefore,
    /// Refused, and not applied.
    Refused,
    /// Not given, because the bank was unreachable; a later run retries it.
    NotSent,
    /// It is unknown whether it was given; a later run finds out.
    Unknown,
    /// Its bill number was used before, and the bank does not say for which order. A later run sends it again as a new
    /// gift: that it was sent before is for the user to say.
    NumberUsed,
}

impl GiftOutcome {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Applied => "given",
            Self::Replayed => "given-before",
            Self::Taken => "taken",
            Self::TakenBefore => "taken-before",
            Self::Refused => "refused",
            Self::NotSent => "not-sent",
            Self::Unknown => "unknown",
            Self::NumberUsed => "number-used",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Applied,
            Self::Replayed,
            Self::Taken,
            Self::TakenBefore,
            Self::Refused,
            Self::NotSent,
            Self::Unknown,
            Self::NumberUsed,
        ];
        all.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The status that a later run derives from this outcome.
    pub(crate) const fn status(self) -> GiftStatus {
        match self {
            Self::Applied | Self::Replayed | Self::Taken | Self::TakenBefore => GiftStatus::Applied,
            Self::Refused | Self::NotSent | Self::NumberUsed => GiftStatus::NotApplied,
            Self::Unknown => GiftStatus::Unknown,
        }
    }
}

/// Recorded status of a gift. Of several rows the first in this order wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum GiftStatus {
    /// Given.
    Applied,
    /// The bill number was used for other coins or another player.
    Conflict,
    /// Sent, with an unknown outcome.
    Unknown,
    /// Not given, as far as this file knows.
    NotApplied,
    /// No row.
    Missing,
}

/// Result of sending a gift.
#[derive(Debug)]
pub(crate) struct SendResult {
    pub(crate) outcome: GiftOutcome,
    pub(crate) balance: Option<Coins>,
    /// Why it was not given.
    pub(crate) detail: String,
    /// Whether every other gift would fail the same way.
    pub(crate) app_misconfigured: bool,
}

impl SendResult {
    /// A gift that is in the bank.
    pub(crate) fn in_bank(kind: BatchKind, applied_by: AppliedBy, balance: Option<Coins>) -> Self {
        let outcome = match (kind, applied_by) {
            (BatchKind::Gifts, AppliedBy::ThisAttempt | AppliedBy::EarlierAttempt) => GiftOutcome::Applied,
            (BatchKind::Gifts, AppliedBy::EarlierCall) => GiftOutcome::Replayed,
            (BatchKind::Debits, AppliedBy::ThisAttempt | AppliedBy::EarlierAttempt) => GiftOutcome::Taken,
            (BatchKind::Debits, AppliedBy::EarlierCall) => GiftOutcome::TakenBefore,
        };
        Self { outcome, balance, detail: String::new(), app_misconfigured: false }
    }

    /// A gift whose call failed for the reason `detail`.
    pub(crate) fn failed(state: OrderOutcome, retryable: bool, detail: String) -> Self {
        let outcome = match state {
            OrderOutcome::Unknown => GiftOutcome::Unknown,
            OrderOutcome::NotApplied if retryable => GiftOutcome::NotSent,
            OrderOutcome::NotApplied => GiftOutcome::Refused,
        };
        Self { outcome, balance: None, detail, app_misconfigured: false }
    }
}

/// Origin of a bill number. It decides what a bare "number used" reply means, which does not name the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BillNoOrigin {
    /// From the user: the reply proves nothing. Another order may have the number, or this very gift, sent from another
    /// machine or with a results file that is lost.
    Supplied,
    /// Derived from the campaign: the reply means this gift, because only this gift has the number.
    Derived,
    /// This gift's own, from an attempt that may have reached the bank.
    MaybeSent,
}
