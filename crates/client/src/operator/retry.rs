//! Retry loop of one call of the operator API.
//!
//! A request is sent again only if that is safe: it reads, it has an idempotency key, or it cannot have arrived.
//! After an attempt without a reply a refusal speaks for its own attempt only: the earlier one may still be under way.
//! One refusal is final, that of a bill number that belongs to another order.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::OperatorInner;
use super::error::{OperatorError, OperatorFailure, Problem, ProblemKind};
use super::request::{OperatorRequest, RetrySafety};
use crate::error::OrderOutcome;
use crate::http::{HttpReply, TransportError};

/// Maximum reply size in bytes: a year of totals of a hundred zones takes some 15 MB.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The reply of an attempt, as far as the bank gave one.
enum AttemptReply<T> {
    Success(T),
    Refused(Problem),
}

/// The reply, and what is known of the attempts before it.
pub(super) async fn call_with_retries<T: DeserializeOwned>(
    client: &OperatorInner,
    request: &OperatorRequest,
) -> Result<(T, OrderOutcome), OperatorError> {
    let policy = &client.retry_policy;
    let deadline = Instant::now() + policy.call_timeout;
    let mut outcome = OrderOutcome::NotApplied;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let timeout = policy.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
        let failure = match attempt_once(client, request, timeout).await {
            Ok(AttemptReply::Success(reply)) => return Ok((reply, outcome)),
            Ok(AttemptReply::Refused(problem)) => {
                let outcome = if is_final(request, &problem) { OrderOutcome::NotApplied } else { outcome };
                return Err(OperatorError::Refused { problem, outcome });
            }
            Err(failure) => failure,
        };
        if failure.may_have_applied() && request.repetition != RetrySafety::Read {
            outcome = OrderOutcome::Unknown;
        }
        let is_safe = request.repetition != RetrySafety::Additive || outcome == OrderOutcome::NotApplied;
        if !is_safe || !failure.retryable() {
            return Err(OperatorError::NotRetryable { attempts, failure, outcome });
        }
        let backoff = policy.backoff(attempts, &*client.random);
        let is_last = attempts >= policy.attempts_max.get() || Instant::now() + backoff >= deadline;
        tracing::debug!(attempts, failure = %failure, is_last, "attempt failed");
        if is_last {
            return Err(OperatorError::RetriesExhausted { attempts, last_failure: failure, outcome });
        }
        tokio::time::sleep(backoff).await;
    }
}

/// Whether no attempt of this order can be applied any more: its number belongs to another order.
fn is_final(request: &OperatorRequest, problem: &Problem) -> bool {
    let names = |field: &str| request.identity_fields.contains(&field);
    problem.kind() == ProblemKind::Conflict && problem.field.as_deref().is_some_and(names)
}

async fn attempt_once<T: DeserializeOwned>(
    client: &OperatorInner,
    request: &OperatorRequest,
    timeout: Duration,
) -> Result<AttemptReply<T>, OperatorFailure> {
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {}", client.token.expose())).expect("a token is visible ASCII");
    bearer.set_sensitive(true);
    let sent = client.http.request(request.method.clone(), &request.path).header(AUTHORIZATION, bearer);
    let reply = client.http.exchange(sent, request.body.clone(), REPLY_BYTES_MAX, timeout).await?;
    parse_reply(&reply)
}

fn parse_reply<T: DeserializeOwned>(reply: &HttpReply) -> Result<AttemptReply<T>, OperatorFailure> {
    let HttpReply { status, body } = reply;
    if [StatusCode::OK, StatusCode::CREATED].contains(status) {
        // The text of a parser's error could repeat a value of the reply.
        let parsed = serde_json::from_slice(body).map_err(|_| OperatorFailure::InvalidReply)?;
        return Ok(AttemptReply::Success(parsed));
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if problem.retryable || status.is_server_error() => {
            Err(OperatorFailure::Unavailable(problem))
        }
        Ok(problem) if problem.status == status.as_u16() => Ok(AttemptReply::Refused(problem)),
        Ok(_) | Err(_) => Err(TransportError::Status(*status).into()),
    }
}
