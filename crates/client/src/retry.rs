//! Retry loop of one call: attempts until a reply, a refusal, or the deadline.
//!
//! Every attempt sends the same order under the same bill number, signed again with the current token.
//! [`PriorAttempt`] records whether an earlier attempt may have been applied although its reply was lost.

use std::time::Duration;

use pactolus_protocol::reply::{ApiError, parse_reply};
use pactolus_protocol::{AccessToken, Call, ErrorCode, ReplyOutcome, SessionKey, UnixSeconds, signed_body};
use pactolus_types::Environment;
use tokio::time::Instant;

use crate::client_inner::ClientInner;
use crate::error::{AttemptFailure, CallError, TokenError, is_token_error};
use crate::http::TransportError;
use crate::refusal::PriorAttempt;

pub(crate) enum CallOutcome<R> {
    /// Applied by the last attempt.
    Success(R),
    /// Refused at the last attempt, with the state before it. Each operation interprets the pair.
    Refused(ApiError, PriorAttempt),
    /// Ended without a final reply.
    Failed(CallError),
}

/// The content of a call, signed again for each attempt.
pub(crate) struct CallTemplate<'a, F> {
    /// Builds the call with the `ts` of an attempt.
    pub(crate) call_at: F,
    pub(crate) session_key: Option<&'a SessionKey>,
}

pub(crate) async fn call_with_retries<C: Call>(
    client: &ClientInner,
    template: CallTemplate<'_, impl Fn(UnixSeconds) -> C>,
    mut prior: PriorAttempt,
) -> CallOutcome<C::Reply> {
    let policy = &client.retry_policy;
    let deadline = Instant::now() + policy.call_timeout;
    let mut token_use = TokenUse::default();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let timeout = policy.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
        let failure = match attempt_once(client, &template, &mut token_use, timeout).await {
            Ok((ReplyOutcome::Success(reply), _)) => return CallOutcome::Success(reply),
            Ok((ReplyOutcome::Refused(refused), token)) => {
                if is_token_error(&refused) && !token_use.is_replaced {
                    tracing::debug!(errcode = refused.errcode, "access token rejected; fetching another");
                    token_use.rejected = Some(token);
                    match token_use.replacement_error.take() {
                        Some(error) => AttemptFailure::NoToken(error),
                        None => continue,
                    }
                } else if refused.code().is_some_and(ErrorCode::retryable) {
                    AttemptFailure::Transient(refused)
                } else {
                    return CallOutcome::Refused(refused, prior);
                }
            }
            Err(AttemptFailure::NoToken(source)) if !source.worth_another_attempt() => {
                return CallOutcome::Failed(CallError::NoToken { source, outcome: prior.outcome() });
            }
            Err(failure) => failure,
        };
        prior = prior.after_failure(C::KIND, &failure);
        let backoff = policy.backoff(attempts, &*client.random);
        if !worth_another_attempt(&failure) {
            tracing::debug!(attempts, failure = %error_chain(&failure), "attempt failed for good");
            let outcome = prior.outcome();
            return CallOutcome::Failed(CallError::NotRetryable { attempts, failure, outcome });
        }
        let is_last = attempts >= policy.attempts_max.get() || Instant::now() + backoff >= deadline;
        tracing::debug!(attempts, failure = %error_chain(&failure), is_last, "attempt failed");
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

/// Replacement of a rejected access token, over the attempts of one call.
#[derive(Default)]
struct TokenUse {
    /// The token that the next attempt has to replace.
    rejected: Option<AccessToken>,
    /// Why the last attempt could not replace it, and went on with it.
    replacement_error: Option<TokenError>,
    /// A replacement was obtained; a second rejection is final.
    is_replaced: bool,
}

impl TokenUse {
    /// The token of an attempt. A rejected one is replaced.
    ///
    /// If that fails for now, the old token is used while its lifetime lasts: a bank that rejects its own token and
    /// does not issue another is failing, and may accept it again. `timeout` leaves half of the attempt for the call.
    async fn token(&mut self, client: &ClientInner, timeout: Duration) -> Result<AccessToken, TokenError> {
        let Some(rejected) = self.rejected.take() else {
            return within(timeout, client.tokens.get(&client.http, timeout)).await;
        };
        let timeout = timeout / 2;
        match within(timeout, client.tokens.replace(&rejected, &client.http, timeout)).await {
            Ok(token) => {
                self.is_replaced = true;
                Ok(token)
            }
            Err(error) if error.worth_another_attempt() && client.tokens.is_unexpired(&rejected) => {
                self.replacement_error = Some(error);
                Ok(rejected)
            }
            Err(error) => {
                self.rejected = Some(rejected);
                Err(error)
            }
        }
    }
}

/// The token, within a timeout that also bounds the wait for another call's refresh.
async fn within(
    timeout: Duration,
    token: impl Future<Output = Result<AccessToken, TokenError>>,
) -> Result<AccessToken, TokenError> {
    let timed_out = || Err(TokenError::Transport(TransportError::TimedOut(timeout)));
    tokio::time::timeout(timeout, token).await.unwrap_or_else(|_| timed_out())
}

async fn attempt_once<C: Call>(
    client: &ClientInner,
    template: &CallTemplate<'_, impl Fn(UnixSeconds) -> C>,
    token_use: &mut TokenUse,
    timeout: Duration,
) -> Result<(ReplyOutcome<C::Reply>, AccessToken), AttemptFailure> {
    let deadline = Instant::now() + timeout;
    let token = token_use.token(client, timeout).await.map_err(AttemptFailure::NoToken)?;
    let remaining = deadline.saturating_duration_since(Instant::now());
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

fn worth_another_attempt(failure: &AttemptFailure) -> bool {
    match failure {
        AttemptFailure::Transport(error) => error.worth_another_attempt(),
        AttemptFailure::NoToken(error) => error.worth_another_attempt(),
        AttemptFailure::Transient(_) | AttemptFailure::DeadlineExceeded => true,
    }
}

/// The error and its sources, separated by colons.
fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
