//! Blocking client for programs without an async runtime.
//!
//! It runs one worker thread, which stops when the last clone is dropped. Do not call it inside an async runtime: the
//! call panics, because it would block a thread that the runtime needs.

use std::io;
use std::sync::Arc;

use pactolus_protocol::{AccessToken, BalanceReply};
use tokio::runtime::{Builder, Runtime};

use crate::error::{BalanceError, CancelPayError, PayError, PresentError, TokenError};
use crate::requests::{
    CancelPayReceipt, CancelPayRequest, PayReceipt, PayRequest, Player, PresentReceipt, PresentRequest,
};

/// A [`Client`](crate::Client) with blocking calls. Clones share connections, token and thread.
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
    runtime: Arc<Runtime>,
}

impl Client {
    /// Wraps `client`. Fails if the worker thread cannot be started.
    pub fn new(client: crate::Client) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pactolus-client")
            .enable_all()
            .build()?;
        Ok(Self { client, runtime: Arc::new(runtime) })
    }

    /// See [`Client::present`](crate::Client::present).
    pub fn present(&self, present: &PresentRequest) -> Result<PresentReceipt, PresentError> {
        self.runtime.block_on(self.client.present(present))
    }

    /// See [`Client::retry_present`](crate::Client::retry_present).
    pub fn retry_present(&self, present: &PresentRequest) -> Result<PresentReceipt, PresentError> {
        self.runtime.block_on(self.client.retry_present(present))
    }

    /// See [`Client::pay`](crate::Client::pay).
    pub fn pay(&self, pay: &PayRequest) -> Result<PayReceipt, PayError> {
        self.runtime.block_on(self.client.pay(pay))
    }

    /// See [`Client::retry_pay`](crate::Client::retry_pay).
    pub fn retry_pay(&self, pay: &PayRequest) -> Result<PayReceipt, PayError> {
        self.runtime.block_on(self.client.retry_pay(pay))
    }

    /// See [`Client::cancel_pay`](crate::Client::cancel_pay).
    pub fn cancel_pay(&self, cancel: &CancelPayRequest) -> Result<CancelPayReceipt, CancelPayError> {
        self.runtime.block_on(self.client.cancel_pay(cancel))
    }

    /// See [`Client::retry_cancel_pay`](crate::Client::retry_cancel_pay).
    pub fn retry_cancel_pay(&self, cancel: &CancelPayRequest) -> Result<CancelPayReceipt, CancelPayError> {
        self.runtime.block_on(self.client.retry_cancel_pay(cancel))
    }

    /// See [`Client::get_balance`](crate::Client::get_balance).
    pub fn get_balance(&self, player: &Player) -> Result<BalanceReply, BalanceError> {
        self.runtime.block_on(self.client.get_balance(player))
    }

    /// See [`Client::access_token`](crate::Client::access_token).
    pub fn access_token(&self) -> Result<AccessToken, TokenError> {
        self.runtime.block_on(self.client.access_token())
    }
}
