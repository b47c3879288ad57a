//! Rejections: every call of a wire that was answered with an error, kept for a while under its request id, with a
//! diagnosis.
//!
//! A rejection holds only the data that is shown: no key, no token, no whole signature, no body. So the diagnosis
//! runs when the call is rejected, against the keys of that moment; a later one would need the token and the body.
//! A search for the mistake in a signature costs some hundred HMACs. The sandbox always searches. In the live
//! environment a flood of rejections must not slow down valid calls, so the searches per second are limited
//! ([`Limits::diagnoses_per_second`]).
//!
//! Rejections are kept in memory, bounded in number and bytes; the oldest are evicted. On a store shared by several
//! nodes, a limited number per second is also stored for an hour, so that any node can show it. Calls without a valid
//! token have a small part of the space to themselves, so that outsiders cannot evict an app's own rejections.
//! Read next: `rejections/diagnose.rs`, the findings, and `rejections/ring.rs`, the eviction.
//!
//! [`Limits::diagnoses_per_second`]: crate::settings::Limits::diagnoses_per_second

mod diagnose;
pub(crate) mod log;
mod raw;
mod redact;
pub(crate) mod rejection;
pub(crate) mod request_check;
mod ring;
mod stored;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::http::request::Parts;
use pactolus_ledger::{Precondition, RecordAccess, RecordChange, RecordKey, RecordValue, Unavailable};
use pactolus_protocol::{ErrorReply, Rid, WirePath};

use self::log::{SHARED_PER_SECOND, lock};
use self::redact::Redactor;
use self::rejection::{Rejection, RequestTrace};
use self::stored::StoredRejection;
use crate::state::AppState;

/// TTL of a rejection in a shared store.
const SHARED_TTL: Duration = Duration::from_secs(3600);

/// Records a rejection and returns the reply: in the sandbox with the finding, live unchanged.
pub(crate) async fn record(
    bank: &AppState,
    rid: Rid,
    path: WirePath,
    head: &Parts,
    trace: RequestTrace,
    error: ErrorReply,
) -> ErrorReply {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let environment = match path {
        WirePath::Midas(path) => Some(path.environment),
        WirePath::Raw(_) => trace.environment,
    };
    let report = match path {
        WirePath::Midas(path) => diagnose::diagnose(bank, path, host, &trace, &error).await,
        WirePath::Raw(path) => raw::diagnose(bank, path, head, host, &trace, &error).await,
    };
    let reply = report.apply_to(environment, error);
    for diagnosis in &report.diagnoses {
        if let Cow::Borrowed(name) = diagnosis.name {
            bank.metrics.count_finding(name);
        }
    }
    let redactor = Redactor::new(bank, &trace);
    let rejection = Rejection {
        rid,
        at: bank.now(),
        method: head.method.clone(),
        path,
        environment,
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

/// Stores a rejection for the other nodes, if there are any, in a task of its own: the reply does not wait for it.
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

/// Finds a rejection of this node or another.
pub(crate) async fn find(bank: &AppState, rid: Rid) -> Result<Option<Arc<Rejection>>, Unavailable> {
    match (bank.rejections.get(rid), bank.records.access()) {
        (Some(rejection), _) => Ok(Some(rejection)),
        (None, RecordAccess::Exclusive) => Ok(None),
        (None, RecordAccess::Shared) => {
            let Some(stored) = bank.records.get(record_key(rid)).await? else { return Ok(None) };
            // Unreadable bytes are from a newer version, or damaged.
            let rejection = StoredRejection::read(&stored).ok_or(Unavailable::Failed)?;
            Ok(Some(Arc::new(rejection)))
        }
    }
}

fn record_key(rid: Rid) -> RecordKey {
    RecordKey::new("rejection", &[&rid.to_string()])
}
