//! Rejections: every refusal of a Midas call, kept for a while under its request's id, with why it came about.
//!
//! What is kept is what is shown, and nothing else: no key, no token, no whole signature, no body. So findings are
//! made when the call is refused, against the keys of that moment; later would mean to keep the token and the body.
//! A search costs some hundred HMACs. In the sandbox that is what it is for. Live, where a flood of refusals must
//! not slow down the calls that are right, only so many a second are searched ([`Limits::diagnoses_per_second`]).
//!
//! Rejections are kept in memory, bounded in number and bytes, and the newest win. Where several nodes share a store,
//! so many a second are also kept there for an hour, so that any node can be asked. Those that showed no good token
//! have a small part of the room to themselves, so that nobody from outside can push out an app's own.
//! Read next: `rejections/diagnose.rs`, the findings, and `rejections/ring.rs`, what is forgotten.
//!
//! [`Limits::diagnoses_per_second`]: crate::settings::Limits::diagnoses_per_second

mod diagnose;
pub(crate) mod log;
mod redact;
pub(crate) mod rejection;
mod ring;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::http::request::Parts;
use pactolus_ledger::{Precondition, RecordAccess, RecordChange, RecordKey, RecordValue, Unavailable};
use pactolus_protocol::{CallPath, ErrorReply, Rid};

use self::log::{SHARED_PER_SECOND, lock};
use self::redact::Redactor;
use self::rejection::{Rejection, RequestTrace};
use self::stored::StoredRejection;
use crate::state::AppState;

/// How long rejections are kept for the other nodes.
const SHARED_TTL: Duration = Duration::from_secs(3600);

/// Keeps a refusal, and tells it as it is to be answered: in the sandbox with the finding, live as it was.
pub(crate) async fn record(
    bank: &AppState,
    rid: Rid,
    path: CallPath,
    head: &Parts,
    trace: RequestTrace,
    refusal: ErrorReply,
) -> ErrorReply {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let report = diagnose::diagnose(bank, path, host, &trace, &refusal).await;
    let reply = report.apply_to(path.environment, refusal);
    let redactor = Redactor::new(bank, &trace);
    let rejection = Rejection {
        rid,
        at: bank.now(),
        method: head.method.clone(),
        path,
        appid: trace.app.map(|app| app.appid),
        errcode: reply.code().code(),
        errmsg: redactor.redact(format!("{reply} rid: {rid}")),
        parameters: report.parameters.map(|parameters| redactor.redact_parameters(parameters)),
        signed_text: report.signed_text.map(|text| redactor.redact(text)),
        diagnoses: report.diagnoses,
    };
    share(bank, &rejection);
    bank.rejections.push(rejection);
    reply
}

/// Keeps a rejection for the other nodes, if there are any, beside the answer: who is refused does not wait for it.
fn share(bank: &AppState, rejection: &Rejection) {
    let has_room = || lock(&bank.rejections.share_budget).take(SHARED_PER_SECOND, rejection.at);
    if bank.records.access() == RecordAccess::Exclusive || !has_room() {
        return;
    }
    let change = RecordChange {
        key: record_key(rejection.rid),
        value: RecordValue(StoredRejection::from(rejection).to_json()),
        expires_at: rejection.at.saturating_add(SHARED_TTL),
        precondition: Precondition::Any,
    };
    let records = Arc::clone(&bank.records);
    tokio::spawn(async move {
        if let Err(error) = records.put(vec![change]).await {
            tracing::debug!(%error, "a rejection is kept by this node only");
        }
    });
}

/// A rejection that this node or another keeps.
pub(crate) async fn find(bank: &AppState, rid: Rid) -> Result<Option<Arc<Rejection>>, Unavailable> {
    match (bank.rejections.get(rid), bank.records.access()) {
        (Some(rejection), _) => Ok(Some(rejection)),
        (None, RecordAccess::Exclusive) => Ok(None),
        (None, RecordAccess::Shared) => {
            let Some(stored) = bank.records.get(record_key(rid)).await? else { return Ok(None) };
            // Bytes of another form are a newer program's, or damage.
            let rejection = StoredRejection::read(&stored).ok_or(Unavailable::Failed)?;
            Ok(Some(Arc::new(rejection)))
        }
    }
}

fn record_key(rid: Rid) -> RecordKey {
    RecordKey::new("rejection", &[&rid.to_string()])
}
