//! Access tokens that the bank did not make are refused from memory.
//!
//! The bug: each unknown token was looked up, which on PostgreSQL is a round trip. The loss: a stranger without any
//! secret could load the database as much as all players together. The fix: a token carries a MAC, and only tokens of
//! builds before it are looked up, for a day, within a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::Method;
use pactolus_ledger::{
    Account, AccountKey, Audit, BillEntry, BillKey, BoxFuture, Cursor, Ledger, Order, Periods, PostError,
    Posted, Precondition, PutOutcome, RecordAccess, RecordChange, RecordKey, RecordValue, Records,
    StatementPage, Total, Unavailable,
};
use pactolus_protocol::{MidasKey, MpSig, signed_body};
use pactolus_server::{AppSettings, Keyring, Limits, MasterKey, OsRandomness};
use pactolus_types::{AppId, Environment, UnixMillis};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bank::{APPID, Engine, MIDAS_KEY, SECRET, START, StoreGuard, TestBank, gift, sample_app};

/// A store that counts the reads of its records.
struct CountingStore {
    store: Arc<dyn Engine>,
    reads: AtomicUsize,
}

impl CountingStore {
    async fn open() -> (Arc<Self>, StoreGuard) {
        let (store, guard) = crate::engine::open().await;
        (Arc::new(Self { store, reads: AtomicUsize::new(0) }), guard)
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Stores a record as an earlier build without a master key did.
    async fn write(&self, name: &str, value: &Value) {
        let change = RecordChange {
            key: RecordKey::from_name(name.to_owned()),
            value: RecordValue(value.to_string().into_bytes()),
            expires_at: UnixMillis::new(1 << 50),
            precondition: Precondition::Any,
        };
        assert_eq!(Records::put(&*self.store, vec![change]).await.unwrap(), PutOutcome::Stored);
    }

    /// Seals the record `name` with the keyring's first key, as `pactolus rotate-keys` does.
    async fn reseal(&self, name: &str, keys: &Keyring) {
        let key = RecordKey::from_name(name.to_owned());
        let value = RecordValue(self.store.get(key.clone()).await.unwrap().unwrap());
        let expires_at = UnixMillis::new(1 << 50);
        let record = RecordChange { key, value, expires_at, precondition: Precondition::Any };
        let change = keys.reseal(&OsRandomness, record).unwrap();
        assert_eq!(Records::put(&*self.store, vec![change]).await.unwrap(), PutOutcome::Stored);
    }
}

impl Ledger for CountingStore {
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>> {
        self.store.post(order, now)
    }

    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>> {
        self.store.account(key)
    }

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>> {
        self.store.order(bill)
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>> {
        self.store.statement(key, after, limit)
    }

    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        periods: Periods,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>> {
        self.store.totals(app, environment, periods)
    }

    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        self.store.audit()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.store.ready()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.store.close()
    }
}

impl Records for CountingStore {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.get(key)
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>> {
        self.store.put(changes)
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        self.store.sweep(now)
    }

    fn access(&self) -> RecordAccess {
        self.store.access()
    }
}

fn app() -> AppSettings {
    AppSettings { mp_sig: MpSig::Off, ..sample_app() }
}

async fn serve(store: &Arc<CountingStore>) -> TestBank {
    TestBank::on_store(Arc::clone(store) as Arc<dyn Engine>, vec![app()], Limits::default()).await
}

async fn fetch_token(bank: &TestBank) -> String {
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
    let (_, _, body) = bank.send(Method::GET, &path, &[], "").await;
    let reply: Value = serde_json::from_slice(&body).unwrap();
    reply["access_token"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

async fn fetch_stable(bank: &TestBank) -> String {
    let request = json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET });
    let reply = bank.post("/cgi-bin/stable_token", request.to_string()).await;
    reply["access_token"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

/// The errcode of a present with this token.
async fn present(bank: &TestBank, token: &str) -> i64 {
    let midas_key = MidasKey::new(MIDAS_KEY).unwrap();
    let number = hex(&Sha256::digest(token)[..16]);
    let body = signed_body(&gift(&number, 1), Environment::Live, &midas_key, None);
    let reply = bank.post(&format!("/cgi-bin/midas/present?access_token={token}"), body).await;
    match reply["errcode"].as_i64().unwrap() {
        90012 => 0,
        errcode => errcode,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// A token that no bank made, of the form of one.
fn forged(number: usize) -> String {
    hex(&Sha256::digest(format!("forged {number}")))
}

/// Stores the record of a token of an earlier build, valid until two hours after [`START`].
async fn write_earlier(store: &CountingStore, token: &str) {
    let (digest, secret) = (Sha256::digest(token), Sha256::digest(SECRET));
    let until = START.get() + 7_200_000;
    let record = json!({ "appid": APPID, "secret": &*secret, "good_until_ms": until, "replaced": false });
    store.write(&format!("token/{}", hex(&digest)), &record).await;
    store.write(&format!("latest-token/{APPID}"), &json!({ "digest": &*digest })).await;
}

#[tokio::test]
async fn forged_tokens_cause_no_store_read() {
    let (store, _guard) = CountingStore::open().await;
    let bank = serve(&store).await;
    let genuine = fetch_token(&bank).await;
    let before = store.reads();
    for number in 0..200 {
        assert_eq!(present(&bank, &forged(number)).await, 40001);
    }
    let (rest, last) = genuine.split_at(63);
    let changed = format!("{rest}{}", if last == "0" { "1" } else { "0" });
    for other in [rest, &changed, &format!("{genuine}0"), &format!("A{rest}"), "ACCESS_TOKEN"] {
        assert_eq!(present(&bank, other).await, 40001, "{other}");
    }
    assert_eq!(store.reads(), before, "a read of the store for a forged token");
    assert_eq!(present(&bank, &genuine).await, 0);
}

#[tokio::test]
async fn tokens_keep_their_form() {
    let (store, _guard) = CountingStore::open().await;
    let bank = serve(&store).await;
    for token in [fetch_token(&bank).await, fetch_stable(&bank).await] {
        let is_hex = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(token.len() == 64 && is_hex, "{token}");
        assert_eq!(present(&bank, &token).await, 0);
    }
    assert_eq!(fetch_stable(&bank).await, fetch_stable(&bank).await);
}

#[tokio::test]
async fn nodes_share_the_key() {
    let (store, _guard) = CountingStore::open().await;
    let (one, two) = (serve(&store).await, serve(&store).await);
    // Both create the key at once; one of them wins.
    let (first, second) = tokio::join!(fetch_token(&one), fetch_stable(&two));
    let third = serve(&store).await;
    for token in [first, second] {
        assert_eq!(present(&one, &token).await, 0);
        assert_eq!(present(&two, &token).await, 0);
        assert_eq!(present(&third, &token).await, 0, "a node that starts later");
    }
}

#[tokio::test]
async fn tokens_survive_a_rotated_master_key() {
    let (store, _guard) = CountingStore::open().await;
    let keyring = |digits: &[&str]| {
        let key = |digit: &&str| MasterKey::new(&digit.repeat(64)).unwrap();
        Keyring::new(digits.iter().map(key).collect()).unwrap()
    };
    let serve = async |keys| {
        TestBank::with_keyring(Arc::clone(&store) as Arc<dyn Engine>, app(), keyring(keys)).await
    };
    let (old, both, new) = (serve(&["a"]).await, serve(&["b", "a"]).await, serve(&["b"]).await);
    let token = fetch_token(&old).await;
    assert_eq!(present(&both, &token).await, 0);
    let digest = Sha256::digest(&token);
    for name in ["token-mac".to_owned(), format!("token/{}", hex(&digest))] {
        store.reseal(&name, &keyring(&["b", "a"])).await;
    }
    assert_eq!(present(&new, &token).await, 0);
}

#[tokio::test]
async fn earlier_tokens_are_accepted_until_they_expire() {
    let (store, _guard) = CountingStore::open().await;
    let token = forged(1);
    write_earlier(&store, &token).await;
    let bank = serve(&store).await;
    assert_eq!(present(&bank, &token).await, 0);
    bank.clock.advance(Duration::from_secs(7199));
    assert_eq!(present(&bank, &token).await, 0);
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(present(&bank, &token).await, 42001);
    // Then the transition ends, and with it the reads. A node that starts again does not prolong it.
    bank.clock.advance(Duration::from_secs(24 * 3600));
    let again = serve(&store).await;
    again.clock.advance(Duration::from_secs(26 * 3600));
    let before = (present(&again, &forged(2)).await, store.reads()).1;
    for number in 3..50 {
        assert_eq!(present(&bank, &forged(number)).await, 40001);
        assert_eq!(present(&again, &forged(number)).await, 40001);
    }
    assert_eq!(store.reads(), before);
}

/// While earlier tokens are looked up, strangers cause a bounded number of reads, and found tokens stay accepted.
#[tokio::test]
async fn reads_for_earlier_tokens_are_bounded() {
    let (store, _guard) = CountingStore::open().await;
    let token = forged(0);
    write_earlier(&store, &token).await;
    let bank = serve(&store).await;
    assert_eq!(present(&bank, &token).await, 0);
    let before = store.reads();
    // The manual clock stands still: all in one second.
    for number in 1..400 {
        assert!([40001, -1].contains(&present(&bank, &forged(number)).await));
    }
    // A refused token is read a second time for its diagnosis, from the same budget.
    assert!(store.reads() - before <= 100, "{} reads", store.reads() - before);
    assert_eq!(present(&bank, &token).await, 0);
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(present(&bank, &forged(500)).await, 40001, "the budget is of a second");
}

#[tokio::test]
async fn earlier_stable_token_stays_until_it_expires() {
    let (store, _guard) = CountingStore::open().await;
    let nonce = [7_u8; 32];
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(b"stable_token ");
    mac.update(&nonce);
    let earlier = hex(&mac.finalize().into_bytes());
    let (digest, secret) = (Sha256::digest(&earlier), Sha256::digest(SECRET));
    let until = START.get() + 7_200_000;
    let token = json!({ "appid": APPID, "secret": &*secret, "good_until_ms": until, "replaced": false });
    store.write(&format!("token/{}", hex(&digest)), &token).await;
    let forced = json!({ "last_ms": null, "times": 0 });
    let stable = json!({ "nonce": nonce, "secret": &*secret, "good_until_ms": until, "forced": forced });
    store.write(&format!("stable-token/{APPID}"), &stable).await;

    let bank = serve(&store).await;
    assert_eq!(fetch_stable(&bank).await, earlier);
    assert_eq!(present(&bank, &earlier).await, 0);
    bank.clock.advance(Duration::from_secs(7200));
    let new = fetch_stable(&bank).await;
    assert_ne!(new, earlier);
    assert_eq!(present(&bank, &new).await, 0);
    assert_eq!(fetch_stable(&bank).await, new);
}
