//! The attempts of a call: each on the worker's connection, until there is an answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::replies::is_busy;
use super::{DRAW_CONNECTION, Worker};
use crate::soak::calls::OpKind;
use crate::soak::connection::{ApiRequest, ApiResponse, CallFailure, Connection};

/// Delay before a retry.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// A call without an answer for this long ends the soak.
const CALL_DEADLINE: Duration = Duration::from_secs(120);

/// Calls of a connection before it is reopened: at least so many, and a random number of extra ones.
const CONNECTION_CALLS_MIN: u64 = 500;
const CONNECTION_CALLS_EXTRA: u64 = 1000;

impl Worker {
    /// Retries until there is an answer, signed again for each attempt, with the same bill number.
    pub(super) async fn call_until_answered(
        &mut self,
        kind: OpKind,
        make: impl Fn(&Self) -> ApiRequest,
    ) -> anyhow::Result<ApiResponse> {
        let begun = Instant::now();
        loop {
            let failure = match self.attempt(make(self)).await? {
                Ok(answered) if is_busy(&answered) => CallFailure::Busy,
                Ok(answered) => return Ok(answered),
                Err(trouble) => trouble,
            };
            self.load.record_failure(failure);
            if begun.elapsed() > CALL_DEADLINE {
                bail!(
                    "no answer to a {} for {CALL_DEADLINE:?}, the last failure: {}",
                    kind.name(),
                    failure.name()
                );
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    async fn attempt(&mut self, request: ApiRequest) -> anyhow::Result<Result<ApiResponse, CallFailure>> {
        if self.calls_left == 0 {
            self.connection = None;
            self.calls_left = CONNECTION_CALLS_MIN + self.draw(DRAW_CONNECTION) % CONNECTION_CALLS_EXTRA;
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(self.wait_for_bank_address().await?).await {
                Ok(connection) => connection,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        self.calls_left = self.calls_left.saturating_sub(1);
        let answered = connection.exchange(request).await;
        if answered.is_ok() {
            self.connection = Some(connection);
        }
        Ok(answered)
    }

    /// Waits while the bank is down, as a game's back end does. This is not a failure.
    async fn wait_for_bank_address(&mut self) -> anyhow::Result<SocketAddr> {
        let address = *self.bank_address.wait_for(Option::is_some).await.context("the soak has ended")?;
        address.context("it was just there")
    }
}
