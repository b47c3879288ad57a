//! One call, tried until it is answered, refused, or given up.
//!
//! Every try sends the same order with the same bill number, signed again with the token of the moment. What is kept
//! on the way is the doubt: whether some try may have been applied whose answer never came.

use std::time::Duration;

use pactolus_protocol::reply::{ApiError, parse_reply};
use pactolus_protocol::{AccessToken, Call, ErrorCode, ReplyOutcome, SessionKey, UnixSeconds, signed_body};
use pactolus_types::Environment;
use tokio::time::Instant;

use crate::client::Inner;
use crate::error::{CallError, Outcome, TokenError, TryFailure, is_about_the_token};
use crate::http::TryError;
use crate::requests::DoneBy;

/// Whether the order may have been applied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// No try before can have been.
    None,
    /// An order with this number is under way, and nobody says whose.
    UnderWay,
    /// The caller says that an earlier call may have been.
    EarlierCall,
    /// An earlier try of this call may have been.
    EarlierTry,
}

impl Doubt {
    fn outcome(self) -> Outcome {
        match self {
            Self::None => Outcome::NotDone,
            Self::UnderWay | Self::EarlierCall | Self::EarlierTry => Outcome::Unknown,
        }
    }

    /// What is in doubt once a try has failed too.
    fn after(self, failure: &TryFailure) -> Self {
        let code = match failure {
            TryFailure::NotNow(refused) => refused.code(),
            TryFailure::NoAnswer(_) | TryFailure::NoToken(_) | TryFailure::TimeIsUp => None,
        };
        if may_be_done(failure) {
            Self::EarlierTry
        } else if code == Some(ErrorCode::OrderProcessing) && self == Self::None {
            Self::UnderWay
        } else {
            self
        }
    }

    /// Who made an order that was there already.
    pub(crate) fn done_by(self) -> DoneBy {
        match self {
            Self::None | Self::UnderWay | Self::EarlierCall => DoneBy::AnEarlierCall,
            Self::EarlierTry => DoneBy::AnEarlierTry,
        }
    }
}

/// How a call ended.
pub(crate) enum Ended<R> {
    /// Done by the last try.
    Done(R),
    /// Refused by the last try, and what was in doubt by then. It is the operation's to say what that means.
    Refused(ApiError, Doubt),
    /// There is nothing more to be learnt.
    Failed(CallError),
}

/// What to sign, made anew for each try.
pub(crate) struct Signing<'a, F> {
    /// The call at a moment of the caller's clock.
    pub(crate) call_at: F,
    pub(crate) session_key: Option<&'a SessionKey>,
}

/// Makes the call.
pub(crate) async fn attempt<C: Call>(
    client: &Inner,
    signing: Signing<'_, impl Fn(UnixSeconds) -> C>,
    mut doubt: Doubt,
) -> Ended<C::Reply> {
    let patience = &client.patience;
    let deadline = Instant::now() + patience.deadline;
    let mut refused_token: Option<AccessToken> = None;
    let mut is_replaced = false;
    let mut tries = 0;
    loop {
        tries += 1;
        let timeout = patience.try_timeout.min(deadline.saturating_duration_since(Instant::now()));
        let failure = match one_try(client, &signing, refused_token.take(), timeout).await {
            Ok((ReplyOutcome::Success(reply), _)) => return Ended::Done(reply),
            Ok((ReplyOutcome::Refused(refused), token)) => {
                if is_about_the_token(&refused) && !is_replaced {
                    tracing::debug!(
                        errcode = refused.errcode,
                        "the access token is refused; getting another"
                    );
                    refused_token = Some(token);
                    is_replaced = true;
                    continue;
                }
                if !refused.code().is_some_and(ErrorCode::retryable) {
                    return Ended::Refused(refused, doubt);
                }
                TryFailure::NotNow(refused)
            }
            Err(TryFailure::NoToken(source)) if !source.retryable() => {
                return Ended::Failed(CallError::NoToken { source, outcome: doubt.outcome() });
            }
            Err(failure) => failure,
        };
        doubt = doubt.after(&failure);
        let pause = patience.pause(tries, &*client.random);
        let is_last = !is_retryable(&failure)
            || tries >= patience.tries_max.get()
            || Instant::now() + pause >= deadline;
        tracing::debug!(tries, failure = %in_words(&failure), is_last, "a try failed");
        if is_last {
            return Ended::Failed(CallError::GaveUp { tries, last: failure, outcome: doubt.outcome() });
        }
        tokio::time::sleep(pause).await;
    }
}

async fn one_try<C: Call>(
    client: &Inner,
    signing: &Signing<'_, impl Fn(UnixSeconds) -> C>,
    refused: Option<AccessToken>,
    timeout: Duration,
) -> Result<(ReplyOutcome<C::Reply>, AccessToken), TryFailure> {
    let until = Instant::now() + timeout;
    let token = async {
        match refused {
            Some(refused) => client.tokens.replace(&refused, &client.http, timeout).await,
            None => client.tokens.get(&client.http, timeout).await,
        }
    };
    // The timeout also bounds the waiting for others who ask for the token.
    let token = match tokio::time::timeout_at(until, token).await {
        Ok(token) => token.map_err(TryFailure::NoToken)?,
        Err(_) => return Err(TryFailure::NoToken(TokenError::NoAnswer(TryError::TimedOut(timeout)))),
    };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(TryFailure::TimeIsUp);
    }
    let environment: Environment = client.app.environment;
    let session = signing.session_key.map(|key| (key, &token));
    let call = (signing.call_at)(client.now());
    let body = signed_body(&call, environment, &client.app.midas_key, session);
    let path = format!("{}?{}", C::path(environment), token.to_query());
    let json = client.http.post(&path, body, left).await?;
    let answer = parse_reply::<C>(&json).map_err(TryError::NotAnAnswer)?;
    Ok((answer, token))
}

/// Whether the bank may have applied what this try asked for.
fn may_be_done(failure: &TryFailure) -> bool {
    match failure {
        TryFailure::NoAnswer(error) => error.may_be_done(),
        // The other refusals that are worth repeating come before an order is looked at.
        TryFailure::NotNow(refused) => refused.code() == Some(ErrorCode::SystemError),
        TryFailure::NoToken(_) | TryFailure::TimeIsUp => false,
    }
}

fn is_retryable(failure: &TryFailure) -> bool {
    match failure {
        TryFailure::NoAnswer(error) => error.retryable(),
        TryFailure::NoToken(error) => error.retryable(),
        TryFailure::NotNow(_) | TryFailure::TimeIsUp => true,
    }
}

/// What happened and why, each cause after a colon.
fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What every refusal comes to that the operation has no words of its own for.
pub(crate) fn refusal(refused: ApiError, doubt: Doubt) -> CallError {
    let outcome = doubt.outcome();
    if refused.code() == Some(ErrorCode::NoSession) {
        CallError::NoSession { outcome }
    } else {
        CallError::Refused { refused, outcome }
    }
}
