//! What became of one gift, in the words of the results file, which are the same in every language.

use pactolus_client::{
    AppliedBy, AttemptFailure, CallError, Client, Coins, ErrorCode, ErrorSource, OrderOutcome as Known,
    PresentError, PresentRequest, TransportError,
};

use crate::cli::exit::with_causes;

/// What became of a gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Given by this run.
    Given,
    /// Given before this run: the very same order was there already.
    GivenBefore,
    /// Refused, and not given.
    Refused,
    /// Not given, because the bank could not be asked; a later run may.
    NotSent,
    /// Nobody knows yet whether it is given; a later run finds out.
    Unknown,
}

impl Outcome {
    /// Its name in the results file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::GivenBefore => "given-before",
            Self::Refused => "refused",
            Self::NotSent => "not-sent",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Given, Self::GivenBefore, Self::Refused, Self::NotSent, Self::Unknown];
        all.into_iter().find(|outcome| outcome.name() == name)
    }

    /// What it means for a later run.
    pub(crate) const fn recorded(self) -> Recorded {
        match self {
            Self::Given | Self::GivenBefore => Recorded::Given,
            Self::Refused | Self::NotSent => Recorded::NotGiven,
            Self::Unknown => Recorded::Unknown,
        }
    }
}

/// What the results say of a gift, the strongest word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Recorded {
    /// It is given.
    Given,
    /// Its number gave something else, or to another player.
    Otherwise,
    /// It was sent, and nobody knows what became of it.
    Unknown,
    /// It is not given.
    NotGiven,
    /// Nothing.
    No,
}

/// What came of sending a gift.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) outcome: Outcome,
    pub(crate) balance: Option<Coins>,
    /// Why it is not given.
    pub(crate) detail: String,
    /// Whether every other gift would meet the same.
    pub(crate) concerns_all: bool,
}

/// What a number means that was used before, where the bank does not say by which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// It is somebody else's: this gift was not sent before.
    Anybodys,
    /// It is this gift's own: nobody else makes such a number.
    Own,
    /// It is this gift's own, which may have been sent before.
    MaybeSent,
}

/// Sends a gift, and says what came of it.
pub(crate) async fn send(client: &Client, present: &PresentRequest, number: Number) -> Sent {
    let presented = match number {
        Number::Anybodys | Number::Own => client.present(present).await,
        Number::MaybeSent => client.retry_present(present).await,
    };
    match presented {
        Err(PresentError::BillNoUsed) if number == Number::Own => {
            Sent { outcome: Outcome::GivenBefore, balance: None, detail: String::new(), concerns_all: false }
        }
        Ok(presented) => {
            let outcome = match presented.applied_by {
                AppliedBy::ThisAttempt | AppliedBy::EarlierAttempt => Outcome::Given,
                AppliedBy::EarlierCall => Outcome::GivenBefore,
            };
            Sent { outcome, balance: presented.balance, detail: String::new(), concerns_all: false }
        }
        Err(error) => {
            let outcome = match error.outcome() {
                Known::Unknown => Outcome::Unknown,
                Known::NotApplied if error.retryable() => Outcome::NotSent,
                Known::NotApplied => Outcome::Refused,
            };
            Sent { outcome, balance: None, detail: with_causes(&error), concerns_all: concerns_all(&error) }
        }
    }
}

/// Whether it is the app's set-up that is wrong, and not this gift.
fn concerns_all(error: &PresentError) -> bool {
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
