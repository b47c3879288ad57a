//! Outcome of one gift. Its names in the results file are the same in every language.

use pactolus_client::{
    AppliedBy, AttemptFailure, CallError, Client, Coins, ErrorCode, ErrorSource, OrderOutcome as Known,
    PresentError, PresentRequest,
};

use crate::cli::exit::error_chain;

/// Outcome of a gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiftOutcome {
    /// Given by this run.
    Applied,
    /// An idempotent replay: given before this run, by the same order.
    Replayed,
    /// Refused, and not given.
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
            Self::Refused => "refused",
            Self::NotSent => "not-sent",
            Self::Unknown => "unknown",
            Self::NumberUsed => "number-used",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all =
            [Self::Applied, Self::Replayed, Self::Refused, Self::NotSent, Self::Unknown, Self::NumberUsed];
        all.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The status that a later run derives from this outcome.
    pub(crate) const fn status(self) -> GiftStatus {
        match self {
            Self::Applied | Self::Replayed => GiftStatus::Applied,
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

/// Sends a gift.
pub(crate) async fn send(client: &Client, present: &PresentRequest, origin: BillNoOrigin) -> SendResult {
    let presented = match origin {
        BillNoOrigin::Supplied | BillNoOrigin::Derived => client.present(present).await,
        BillNoOrigin::MaybeSent => client.retry_present(present).await,
    };
    match presented {
        Err(PresentError::BillNoUsed { .. }) if origin == BillNoOrigin::Derived => SendResult {
            outcome: GiftOutcome::Replayed,
            balance: None,
            detail: String::new(),
            app_misconfigured: false,
        },
        Ok(presented) => {
            let outcome = match presented.applied_by {
                AppliedBy::ThisAttempt | AppliedBy::EarlierAttempt => GiftOutcome::Applied,
                AppliedBy::EarlierCall => GiftOutcome::Replayed,
            };
            SendResult {
                outcome,
                balance: presented.balance,
                detail: String::new(),
                app_misconfigured: false,
            }
        }
        Err(error) => {
            let outcome = match error.outcome() {
                Known::Unknown if matches!(error, PresentError::BillNoUsed { .. }) => GiftOutcome::NumberUsed,
                Known::Unknown => GiftOutcome::Unknown,
                Known::NotApplied if error.retryable() => GiftOutcome::NotSent,
                Known::NotApplied => GiftOutcome::Refused,
            };
            SendResult {
                outcome,
                balance: None,
                detail: error_chain(&error),
                app_misconfigured: is_app_misconfigured(&error),
            }
        }
    }
}

/// Whether the error comes from the app's settings, not from this gift.
fn is_app_misconfigured(error: &PresentError) -> bool {
    let PresentError::Call(call) = error else { return false };
    match &**call {
        CallError::NoToken { source, .. } => source.error_source() == ErrorSource::Caller,
        CallError::Api { error: refused, .. } => {
            matches!(refused.code(), Some(ErrorCode::SigError | ErrorCode::NoPrivilege))
        }
        CallError::NotRetryable { failure, .. } => failure.error_source() == ErrorSource::Caller,
        CallError::RetriesExhausted { last_failure: AttemptFailure::Transport(error), .. } => {
            !error.retryable() && error.error_source() == ErrorSource::Caller
        }
        // `RetriesExhausted` and `NoSession`; a variant of a later version concerns this gift until it is listed here.
        _ => false,
    }
}
