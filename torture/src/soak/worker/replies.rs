//! What a worker reads in an answer, and how it reports one that it did not expect.
//!
//! Read next: `attempts.rs`, the connection and the retries.

use pactolus_protocol::reply::{ApiError, parse_reply};
use pactolus_protocol::{Call, ErrorCode, ReplyOutcome};
use serde::Deserialize;

use super::Worker;
use crate::soak::calls::OpKind;
use crate::soak::connection::{ApiRequest, ApiResponse};
use crate::soak::reconcile::SoakOrder;

/// Answer to a signed call.
pub(super) enum ParsedReply {
    Done,
    Refused(ApiError),
    /// Not a valid answer to this call; with its HTTP status.
    Malformed(u16),
}

/// The field that every answer of the game's routes has.
#[derive(Deserialize)]
struct ErrcodeBody {
    #[serde(default)]
    errcode: i32,
}

impl Worker {
    pub(super) async fn expect_status(
        &mut self,
        kind: OpKind,
        statuses: &[u16],
        make: impl Fn(&Self) -> ApiRequest,
    ) -> anyhow::Result<()> {
        let answered = self.call_until_answered(kind, make).await?;
        if !statuses.contains(&answered.status) {
            self.load.record_unexpected(kind, &format!("status {}", answered.status));
        }
        Ok(())
    }

    pub(super) fn expect_code(&self, kind: OpKind, answered: &ApiResponse, expected: i32) {
        let code = serde_json::from_slice(&answered.body).map(|ErrcodeBody { errcode }| errcode).ok();
        if code != Some(expected) {
            self.load.record_unexpected(kind, &format!("errcode {code:?}"));
        }
    }

    pub(super) fn report_unexpected(&self, kind: OpKind, reply: &ParsedReply) {
        let words = match reply {
            ParsedReply::Done => "success".to_owned(),
            ParsedReply::Refused(refused) => format!("errcode {}: {}", refused.errcode, refused.errmsg),
            ParsedReply::Malformed(status) => format!("a malformed answer with status {status}"),
        };
        self.load.record_unexpected(kind, &words);
    }
}

pub(super) fn parse_signed_reply<C: Call>(
    answered: &ApiResponse,
    is_right: impl Fn(&C::Reply) -> bool,
) -> ParsedReply {
    match parse_reply::<C>(&answered.body) {
        Ok(ReplyOutcome::Refused(refused)) => ParsedReply::Refused(refused),
        Ok(ReplyOutcome::Success(reply)) if is_right(&reply) => ParsedReply::Done,
        Ok(ReplyOutcome::Success(_)) | Err(_) => ParsedReply::Malformed(answered.status),
    }
}

pub(super) fn is_busy(answered: &ApiResponse) -> bool {
    let code = serde_json::from_slice(&answered.body).map(|ErrcodeBody { errcode }| errcode);
    answered.status == 503 || code.is_ok_and(|code| code == ErrorCode::SystemError.code())
}

/// Whether the refusal says that the bank has this very order.
pub(super) fn is_replay(refused: &ApiError, sent: &SoakOrder) -> bool {
    let existing = refused.existing.as_ref().is_some_and(|order| order.bill_no == sent.bill_no);
    refused.code() == Some(ErrorCode::OrderExist) && existing
}
