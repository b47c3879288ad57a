//! Rejections: every refusal of a Midas call, kept for a while under its request's id, with why it came about.
//!
//! What is kept is what is shown, and nothing else: no key, no token, no whole signature, no body. So findings are
//! made when the call is refused, against the keys of that moment; later would mean to keep the token and the body.
//! A search costs some hundred HMACs. In the sandbox that is what it is for. Live, where a flood of refusals must
//! not slow down the calls that are right, only so many a second are searched ([`Limits::explained_per_second`]).
//!
//! Rejections are kept in memory, bounded in number and bytes, and the newest win. Where several nodes share a store,
//! so many a second are also kept there for an hour, so that any node can be asked. Those that showed no good token
//! have a small part of the room to themselves, so that nobody from outside can push out an app's own.
//! Read next: `rejections/explained.rs`, the findings, and `rejections/ring.rs`, what is forgotten.

mod explained;
mod masks;
mod ring;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, header};
use pactolus_ledger::{Former, RecordChange, RecordKey, RecordValue, Sharing, Unavailable};
use pactolus_protocol::explain::ShownParameters;
use pactolus_protocol::{AccessToken, CallPath, Refusal, Rid};
use pactolus_types::{AppId, UnixMillis};

use self::masks::Masks;
use self::ring::Ring;
use crate::bank::Bank;
use crate::operator::rejections::shown;
use crate::rates::Bucket;
use crate::settings::{AppSettings, Limits};

/// A refusal of a Midas call, without anything secret.
pub(crate) struct Rejection {
    pub(crate) rid: Rid,
    pub(crate) at: UnixMillis,
    pub(crate) method: Method,
    pub(crate) path: CallPath,
    /// The app that the token spoke for.
    pub(crate) appid: Option<AppId>,
    pub(crate) errcode: i32,
    /// As it was answered.
    pub(crate) errmsg: String,
    /// What the body held, if it was read and is one.
    pub(crate) parameters: Option<ShownParameters>,
    /// The text of the signature that does not verify.
    pub(crate) signed_text: Option<String>,
    pub(crate) findings: Vec<Told>,
}

/// Something found out about a refusal.
pub(crate) struct Told {
    /// A name for programs.
    pub(crate) name: &'static str,
    /// What was done, or is so.
    pub(crate) words: String,
    /// What would be right.
    pub(crate) fix: String,
}

/// The rejections of a bank.
pub(crate) struct Rejections {
    of_apps: Mutex<Ring>,
    of_strangers: Mutex<Ring>,
    /// What is left of this second's searches in the live environment.
    searches: Mutex<Bucket>,
    /// What is left of this second's room in a store that is shared.
    shared: Mutex<Bucket>,
}

/// How many rejections a second a node keeps for the others: at some 2 KB each, those of an hour take 140 MB at most,
/// and a flood of refusals does not become a flood of writes.
const SHARED_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

/// How long they are kept there.
const SHARED_FOR: Duration = Duration::from_secs(3600);

/// One part in so many of the room is for those who showed no good token.
const STRANGERS_SHARE: usize = 8;

impl Rejections {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (kept, bytes) = (limits.rejections_kept, limits.rejections_bytes_max);
        let (kept_of_strangers, bytes_of_strangers) = (kept / STRANGERS_SHARE, bytes / STRANGERS_SHARE);
        Self {
            of_apps: Mutex::new(Ring::new(kept - kept_of_strangers, bytes - bytes_of_strangers)),
            of_strangers: Mutex::new(Ring::new(kept_of_strangers, bytes_of_strangers)),
            searches: Mutex::new(Bucket::full(limits.explained_per_second)),
            shared: Mutex::new(Bucket::full(SHARED_PER_SECOND)),
        }
    }

    /// The rejection with this id, if it is still kept.
    pub(crate) fn get(&self, rid: Rid) -> Option<Arc<Rejection>> {
        [&self.of_apps, &self.of_strangers].into_iter().find_map(|ring| locked(ring).get(rid))
    }

    /// The newest `limit` rejections, the newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Arc<Rejection>> {
        let rings = [&self.of_apps, &self.of_strangers];
        let mut newest: Vec<_> = rings.into_iter().flat_map(|ring| locked(ring).newest(limit)).collect();
        newest.sort_by_key(|rejection| std::cmp::Reverse(rejection.at));
        newest.truncate(limit);
        newest
    }

    fn keep(&self, rejection: Rejection) {
        let ring = if rejection.appid.is_some() { &self.of_apps } else { &self.of_strangers };
        locked(ring).push(Arc::new(rejection));
    }
}

/// A lock is held for a look-up or a push alone, and no other is taken under it.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nothing panics while it holds this lock")
}

/// What a request has shown so far; whoever checks it writes it down, and whoever refuses it reads it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) token: Option<AccessToken>,
    pub(crate) app: Option<Arc<AppSettings>>,
    pub(crate) body: Option<Bytes>,
}

/// Keeps a refusal, and tells it as it is to be answered: in the sandbox with the finding, live as it was.
pub(crate) async fn keep(
    bank: &Bank,
    rid: Rid,
    path: CallPath,
    head: &Parts,
    seen: Seen,
    refusal: Refusal,
) -> Refusal {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let explained = explained::explain(bank, path, host, &seen, &refusal).await;
    let answered = explained.answered(path.environment, refusal);
    let masks = Masks::of(bank, &seen);
    let rejection = Rejection {
        rid,
        at: bank.now(),
        method: head.method.clone(),
        path,
        appid: seen.app.map(|app| app.appid),
        errcode: answered.code().code(),
        errmsg: masks.mask(format!("{answered} rid: {rid}")),
        parameters: explained.parameters.map(|parameters| masks.mask_all(parameters)),
        signed_text: explained.signed_text.map(|text| masks.mask(text)),
        findings: explained.findings,
    };
    share(bank, &rejection);
    bank.rejections.keep(rejection);
    answered
}

/// Keeps a rejection for the other nodes, if there are any, beside the answer: who is refused does not wait for it.
fn share(bank: &Bank, rejection: &Rejection) {
    let has_room = || locked(&bank.rejections.shared).take(SHARED_PER_SECOND, rejection.at);
    if bank.records.sharing() == Sharing::OneProcess || !has_room() {
        return;
    }
    let change = RecordChange {
        key: record_key(rejection.rid),
        value: RecordValue(shown(rejection)),
        expires_at: rejection.at.after(SHARED_FOR),
        former: Former::Any,
    };
    let records = Arc::clone(&bank.records);
    tokio::spawn(async move {
        if let Err(error) = records.put(vec![change]).await {
            tracing::debug!(%error, "a rejection is kept by this node only");
        }
    });
}

/// A rejection that this node or another keeps, as it is shown.
pub(crate) async fn find(bank: &Bank, rid: Rid) -> Result<Option<Vec<u8>>, Unavailable> {
    match (bank.rejections.get(rid), bank.records.sharing()) {
        (Some(rejection), _) => Ok(Some(shown(&rejection))),
        (None, Sharing::OneProcess) => Ok(None),
        (None, Sharing::ManyProcesses) => bank.records.get(record_key(rid)).await,
    }
}

fn record_key(rid: Rid) -> RecordKey {
    RecordKey::new("rejection", &[&rid.to_string()])
}
