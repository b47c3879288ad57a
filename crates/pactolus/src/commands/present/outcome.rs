//! What became of one gift, in the words of the results file, which are the same in every language.

use pactolus_client::{
    AppliedBy, AttemptFailure, CallError, Client, Coins, ErrorCode, ErrorSource, OrderOutcome as Known,
    PresentError, PresentRequest, TransportError,
};

use crate::cli::exit::error_chain;

/// What became of a gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiftOutcome {
    /// Given by this run.
    Applied,
    /// Given before this run: the very same order was there already.
    Replayed,
    /// Refused, and not given.
    Refused,
    /// Not given, because the bank could not be asked; a later run may.
    NotSent,
    /// Nobody knows yet whether it is given; a later run finds out.
    Unknown,
}

impl GiftOutcome {
    /// Its name in the results file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Applied => "given",
            Self::Replayed => "given-before",
            Self::Refused => "refused",
            Self::NotSent => "not-sent",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Applied, Self::Replayed, Self::Refused, Self::NotSent, Self::Unknown];
        all.into_iter().find(|outcome| outcome.name() == name)
    }

    /// What it means for a later run.
    pub(crate) const fn status(self) -> GiftStatus {
        match self {
            Self::Applied | Self::Replayed => GiftStatus::Applied,
            Self::Refused | Self::NotSent => GiftStatus::NotApplied,
            Self::Unknown => GiftStatus::Unknown,
        }
    }
}

/// What the results say of a gift, the strongest word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum GiftStatus {
    /// It is given.
    Applied,
    /// Its number gave something else, or to another player.
    Conflict,
    /// It was sent, and nobody knows what became of it.
    Unknown,
    /// It is not given.
    NotApplied,
    /// Nothing.
    Missing,
}

/// What came of sending a gift.
#[derive(Debug)]
pub(crate) struct SendResult {
    pub(crate) outcome: GiftOutcome,
    pub(crate) balance: Option<Coins>,
    /// Why it is not given.
    pub(crate) detail: String,
    /// Whether every other gift would meet the same.
    pub(crate) app_misconfigured: bool,
}

/// What a number means that was used before, where the bank does not say by which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BillNoOrigin {
    /// It is somebody else's: this gift was not sent before.
    Supplied,
    /// It is this gift's own: nobody else makes such a number.
    Derived,
    /// It is this gift's own, which may have been sent before.
    MaybeSent,
}

/// Sends a gift, and says what came of it.
pub(crate) async fn send(client: &Client, present: &PresentRequest, origin: BillNoOrigin) -> SendResult {
    let presented = match origin {
        BillNoOrigin::Supplied | BillNoOrigin::Derived => client.present(present).await,
        BillNoOrigin::MaybeSent => client.retry_present(present).await,
    };
    match presented {
        Err(PresentError::BillNoUsed) if origin == BillNoOrigin::Derived => SendResult {
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

/// Whether it is the app's set-up that is wrong, and not this gift.
fn is_app_misconfigured(error: &PresentError) -> bool {
    let PresentError::Call(call) = error else { return false };
    match &**call {
        CallError::NoToken { source, .. } => source.error_source() == ErrorSource::Caller,
        CallError::Api { error: refused, .. } => {
            matches!(refused.code(), Some(ErrorCode::SigError | ErrorCode::NoPrivilege))
        }
        CallError::RetriesExhausted {
            last_failure: AttemptFailure::Transport(error @ TransportError::Status(_)),
            ..
        } => error.error_source() == ErrorSource::Caller,
        CallError::RetriesExhausted { .. } | CallError::NoSession { .. } => false,
    }
}
