//! One call, tried until it is answered, refused, or given up.
//!
//! Every try sends the same order with the same bill number, signed again with the token of the moment. What is kept
//! on the way is the doubt: whether some try may have been applied whose answer never came.

use std::time::Duration;

use pactolus_protocol::reply::{ApiError, parse_reply};
use pactolus_protocol::{AccessToken, Call, ErrorCode, ReplyOutcome, SessionKey, UnixSeconds, signed_body};
use pactolus_types::Environment;
use tokio::time::Instant;

use crate::client::ClientInner;
use crate::error::{AttemptFailure, CallError, OrderOutcome, TokenError, is_token_error};
use crate::http::TransportError;
use crate::requests::AppliedBy;

/// Whether the order may have been applied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriorAttempt {
    /// No try before can have been.
    None,
    /// An order with this number is under way, and nobody says whose.
    InFlight,
    /// The caller says that an earlier call may have been.
    EarlierCall,
    /// An earlier try of this call may have been.
    EarlierAttempt,
}

impl PriorAttempt {
    fn outcome(self) -> OrderOutcome {
        match self {
            Self::None => OrderOutcome::NotApplied,
            Self::InFlight | Self::EarlierCall | Self::EarlierAttempt => OrderOutcome::Unknown,
        }
    }

    /// What is in doubt once a try has failed too.
    fn after_failure(self, failure: &AttemptFailure) -> Self {
        let code = match failure {
            AttemptFailure::Transient(refused) => refused.code(),
            AttemptFailure::Transport(_) | AttemptFailure::NoToken(_) | AttemptFailure::DeadlineExceeded => {
                None
            }
        };
        if may_have_applied(failure) {
            Self::EarlierAttempt
        } else if code == Some(ErrorCode::OrderProcessing) && self == Self::None {
            Self::InFlight
        } else {
            self
        }
    }

    /// Who made an order that was there already.
    pub(crate) fn applied_by(self) -> AppliedBy {
        match self {
            Self::None | Self::InFlight | Self::EarlierCall => AppliedBy::EarlierCall,
            Self::EarlierAttempt => AppliedBy::EarlierAttempt,
        }
    }
}

/// How a call ended.
pub(crate) enum CallOutcome<R> {
    /// Done by the last try.
    Success(R),
    /// Refused by the last try, and what was in doubt by then. It is the operation's to say what that means.
    Refused(ApiError, PriorAttempt),
    /// There is nothing more to be learnt.
    Failed(CallError),
}

/// What to sign, made anew for each try.
pub(crate) struct CallTemplate<'a, F> {
    /// The call at a moment of the caller's clock.
    pub(crate) call_at: F,
    pub(crate) session_key: Option<&'a SessionKey>,
}

/// Makes the call.
pub(crate) async fn call_with_retries<C: Call>(
    client: &ClientInner,
    template: CallTemplate<'_, impl Fn(UnixSeconds) -> C>,
    mut prior: PriorAttempt,
) -> CallOutcome<C::Reply> {
    let policy = &client.retry_policy;
    let deadline = Instant::now() + policy.call_timeout;
    let mut refused_token: Option<AccessToken> = None;
    let mut token_replaced = false;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let timeout = policy.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
        let failure = match attempt_once(client, &template, refused_token.take(), timeout).await {
            Ok((ReplyOutcome::Success(reply), _)) => return CallOutcome::Success(reply),
            Ok((ReplyOutcome::Refused(refused), token)) => {
                if is_token_error(&refused) && !token_replaced {
                    tracing::debug!(
                        errcode = refused.errcode,
                        "the access token is refused; getting another"
                    );
                    refused_token = Some(token);
                    token_replaced = true;
                    continue;
                }
                if !refused.code().is_some_and(ErrorCode::retryable) {
                    return CallOutcome::Refused(refused, prior);
                }
                AttemptFailure::Transient(refused)
            }
            Err(AttemptFailure::NoToken(source)) if !source.retryable() => {
                return CallOutcome::Failed(CallError::NoToken { source, outcome: prior.outcome() });
            }
            Err(failure) => failure,
        };
        prior = prior.after_failure(&failure);
        let backoff = policy.backoff(attempts, &*client.random);
        let is_last = !is_retryable(&failure)
            || attempts >= policy.attempts_max.get()
            || Instant::now() + backoff >= deadline;
        tracing::debug!(attempts, failure = %error_chain(&failure), is_last, "a try failed");
        if is_last {
            return CallOutcome::Failed(CallError::RetriesExhausted {
                attempts,
                last_failure: failure,
                outcome: prior.outcome(),
            });
        }
        tokio::time::sleep(backoff).await;
    }
}

async fn attempt_once<C: Call>(
    client: &ClientInner,
    template: &CallTemplate<'_, impl Fn(UnixSeconds) -> C>,
    rejected_token: Option<AccessToken>,
    timeout: Duration,
) -> Result<(ReplyOutcome<C::Reply>, AccessToken), AttemptFailure> {
    let until = Instant::now() + timeout;
    let token = async {
        match rejected_token {
            Some(refused) => client.tokens.replace(&refused, &client.http, timeout).await,
            None => client.tokens.get(&client.http, timeout).await,
        }
    };
    // The timeout also bounds the waiting for others who ask for the token.
    let token = match tokio::time::timeout_at(until, token).await {
        Ok(token) => token.map_err(AttemptFailure::NoToken)?,
        Err(_) => {
            return Err(AttemptFailure::NoToken(TokenError::Transport(TransportError::TimedOut(timeout))));
        }
    };
    let remaining = until.saturating_duration_since(Instant::now());
    if remaining.is_zero() {
        return Err(AttemptFailure::DeadlineExceeded);
    }
    let environment: Environment = client.app.environment;
    let session = template.session_key.map(|key| (key, &token));
    let call = (template.call_at)(client.now());
    let body = signed_body(&call, environment, &client.app.midas_key, session);
    let path = format!("{}?{}", C::path(environment), token.to_query());
    let json = client.http.post(&path, body, remaining).await?;
    let answer = parse_reply::<C>(&json).map_err(TransportError::InvalidReply)?;
    Ok((answer, token))
}

/// Whether the bank may have applied what this try asked for.
fn may_have_applied(failure: &AttemptFailure) -> bool {
    match failure {
        AttemptFailure::Transport(error) => error.may_have_applied(),
        // The other refusals that are worth repeating come before an order is looked at.
        AttemptFailure::Transient(refused) => refused.code() == Some(ErrorCode::SystemError),
        AttemptFailure::NoToken(_) | AttemptFailure::DeadlineExceeded => false,
    }
}

fn is_retryable(failure: &AttemptFailure) -> bool {
    match failure {
        AttemptFailure::Transport(error) => error.retryable(),
        AttemptFailure::NoToken(error) => error.retryable(),
        AttemptFailure::Transient(_) | AttemptFailure::DeadlineExceeded => true,
    }
}

/// What happened and why, each cause after a colon.
fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What every refusal comes to that the operation has no words of its own for.
pub(crate) fn to_call_error(refused: ApiError, prior: PriorAttempt) -> CallError {
    let outcome = prior.outcome();
    if refused.code() == Some(ErrorCode::NoSession) {
        CallError::NoSession { outcome }
    } else {
        CallError::Api { error: refused, outcome }
    }
}
