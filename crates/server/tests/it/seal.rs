//! Sealing: with a master key, a stolen store holds nothing that a thief could sign or call with.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use pactolus_ledger::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue, Records};
use pactolus_protocol::{AccessToken, MidasKey, SessionKey, signed_body};
use pactolus_server::{Keyring, MasterKey};
use pactolus_types::{Environment, UnixMillis};
use serde_json::Value;

use crate::bank::{APPID, MIDAS_KEY, PLAYER, SECRET, SESSION_KEY, TestBank, gift, sample_app};
use crate::engine::ReopenableStore;

/// A keyring whose keys repeat one hex digit each.
fn keyring(digits: &[&str]) -> Keyring {
    let key = |digit: &&str| MasterKey::new(&digit.repeat(64)).unwrap();
    Keyring::new(digits.iter().map(key).collect()).unwrap()
}

async fn start_bank(place: &ReopenableStore, digits: &[&str]) -> TestBank {
    TestBank::with_keyring(place.open().await, sample_app(), keyring(digits)).await
}

async fn get(bank: &TestBank, path: &str) -> Value {
    let (status, _, body) = bank.send(Method::GET, path, &[], "").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

fn string_field(reply: &Value, field: &str) -> String {
    reply[field].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

async fn fetch_stable(bank: &TestBank) -> String {
    let request = serde_json::json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET });
    string_field(&bank.post("/cgi-bin/stable_token", request.to_string()).await, "access_token")
}

async fn fetch_token(bank: &TestBank) -> String {
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
    string_field(&get(bank, &path).await, "access_token")
}

async fn issue_code(bank: &TestBank, openid: &str) -> String {
    let path = format!("/api/v1/apps/{APPID}/players/{openid}/code");
    string_field(&bank.operator_request(Method::POST, &path, "").await.1, "js_code")
}

async fn log_in_with_code(bank: &TestBank, code: &str) -> Value {
    let app = format!("appid={APPID}&secret={SECRET}&grant_type=authorization_code");
    get(bank, &format!("/sns/jscode2session?{app}&js_code={code}")).await
}

/// The reply to a live present, signed with this session key and sent with this token.
async fn present(bank: &TestBank, openid: &str, session_key: &str, token: &str, bill_no: &str) -> Value {
    let mut call = gift(bill_no, 1);
    call.caller.openid = openid.parse().unwrap();
    let (key, token) = (SessionKey::new(session_key).unwrap(), AccessToken::new(token).unwrap());
    let midas_key = MidasKey::new(MIDAS_KEY).unwrap();
    let body = signed_body(&call, Environment::Live, &midas_key, Some((&key, &token)));
    bank.post(&format!("/cgi-bin/midas/present?access_token={}", token.expose()), body).await
}

/// Uses every kind of stored record. Returns their secrets.
async fn use_every_secret(bank: &TestBank) -> Vec<String> {
    bank.log_in(PLAYER).await;
    let code = issue_code(bank, PLAYER).await;
    let key = string_field(&log_in_with_code(bank, &code).await, "session_key");
    let (stable, token) = (fetch_stable(bank).await, fetch_token(bank).await);
    for (number, token) in [&stable, &token].into_iter().enumerate() {
        assert_eq!(present(bank, PLAYER, &key, token, &format!("used-{number}")).await["errcode"], 0);
    }
    // The first is the session key of the earlier login.
    vec![SESSION_KEY.to_owned(), key, code, stable, token]
}

fn contains(raw: &[u8], text: &str) -> bool {
    raw.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Fields that occur only in the plaintext of the records, one for each kind of secret.
const RECORD_FIELDS: [&str; 6] =
    ["\"session_key\":", "\"replaced_at_ms\":", "\"used\":", "\"forced\":", "\"replaced\":", "\"mac_key\":"];

#[tokio::test]
async fn sealed_store_holds_no_usable_secret() {
    let place = ReopenableStore::new();
    let bank = start_bank(&place, &["a"]).await;
    let secrets = use_every_secret(&bank).await;
    bank.shut_down().await;
    let raw = place.raw_bytes();
    assert!(contains(&raw, PLAYER), "openids are plaintext, so the search works");
    for secret in secrets.iter().map(String::as_str).chain([SECRET]).chain(RECORD_FIELDS) {
        assert!(!contains(&raw, secret), "{secret}");
    }
}

/// Without a master key the secrets are found, so the test above can fail. Codes and tokens are digests in any case.
#[tokio::test]
async fn unsealed_store_holds_session_keys() {
    let place = ReopenableStore::new();
    let bank = start_bank(&place, &[]).await;
    let secrets = use_every_secret(&bank).await;
    bank.shut_down().await;
    let raw = place.raw_bytes();
    let found: Vec<_> = secrets.iter().map(|secret| contains(&raw, secret)).collect();
    assert_eq!(found, [true, true, false, false, false]);
    for inside in RECORD_FIELDS {
        assert!(contains(&raw, inside), "{inside}");
    }
}

#[tokio::test]
async fn unsealed_records_are_sealed_on_write() {
    let place = ReopenableStore::new();
    let open = start_bank(&place, &[]).await;
    open.log_in(PLAYER).await;
    let (token, code) = (fetch_stable(&open).await, issue_code(&open, "alice").await);
    open.shut_down().await;

    let sealing = start_bank(&place, &["a"]).await;
    assert_eq!(present(&sealing, PLAYER, SESSION_KEY, &token, "a").await["errcode"], 0);
    assert_eq!(fetch_stable(&sealing).await, token);
    let key = string_field(&log_in_with_code(&sealing, &code).await, "session_key");
    sealing.shut_down().await;
    assert!(!contains(&place.raw_bytes(), &key));

    // Without the key again the sealed records are unusable: no panic, and the code is not valid a second time.
    let without = start_bank(&place, &[]).await;
    assert_eq!(present(&without, "alice", &key, &token, "b").await["errcode"], -1);
    assert_eq!(log_in_with_code(&without, &code).await["errcode"], -1);
    without.shut_down().await;
}

#[tokio::test]
async fn key_rotation_seals_with_the_new_key() {
    let place = ReopenableStore::new();
    let old = start_bank(&place, &["a"]).await;
    old.log_in(PLAYER).await;
    let token = fetch_stable(&old).await;
    old.shut_down().await;

    let both = start_bank(&place, &["b", "a"]).await;
    assert_eq!(present(&both, PLAYER, SESSION_KEY, &token, "a").await["errcode"], 0);
    assert_eq!(fetch_stable(&both).await, token);
    both.log_in("alice").await;
    both.shut_down().await;

    // Later records are sealed with the new key.
    let new = start_bank(&place, &["b"]).await;
    let other = fetch_stable(&new).await;
    assert_eq!(present(&new, "alice", SESSION_KEY, &other, "b").await["errcode"], 0);
    assert_eq!(present(&new, PLAYER, SESSION_KEY, &other, "c").await["errcode"], -1);
    new.shut_down().await;
}

#[tokio::test]
async fn wrong_master_key_fails_until_next_login() {
    let place = ReopenableStore::new();
    let right = start_bank(&place, &["a"]).await;
    right.log_in(PLAYER).await;
    let token = fetch_stable(&right).await;
    right.shut_down().await;

    let wrong = start_bank(&place, &["c"]).await;
    assert_eq!(present(&wrong, PLAYER, SESSION_KEY, &token, "a").await["errcode"], 40001);
    let another = fetch_stable(&wrong).await;
    assert_ne!(another, token);
    assert_eq!(present(&wrong, PLAYER, SESSION_KEY, &another, "a").await["errcode"], -1);
    wrong.log_in(PLAYER).await;
    assert_eq!(present(&wrong, PLAYER, SESSION_KEY, &another, "a").await["errcode"], 0);
    wrong.shut_down().await;
}

/// A thief with write access could copy his own login record to another player's key.
#[tokio::test]
async fn moved_login_record_is_rejected() {
    let place = ReopenableStore::new();
    let (thief, victim) = ("thief", "victim");
    let key = |player: &str| RecordKey::from_name(format!("session/{APPID}/{player}"));
    for (digits, moved_is_good) in [(&["a"][..], false), (&[], true)] {
        let logged_in = start_bank(&place, digits).await;
        logged_in.log_in(thief).await;
        logged_in.shut_down().await;

        let store = place.open().await;
        let stolen = store.get(key(thief)).await.unwrap().unwrap();
        let change = RecordChange {
            key: key(victim),
            value: RecordValue(stolen),
            expires_at: UnixMillis::new(1 << 50),
            precondition: Precondition::Any,
        };
        assert_eq!(Records::put(&*store, vec![change]).await.unwrap(), PutOutcome::Stored);
        store.close().await;
        drop::<Arc<_>>(store);

        let robbed = start_bank(&place, digits).await;
        let token = fetch_token(&robbed).await;
        assert_eq!(
            present(&robbed, thief, SESSION_KEY, &token, &format!("t{moved_is_good}")).await["errcode"],
            0
        );
        let reply = present(&robbed, victim, SESSION_KEY, &token, &format!("v{moved_is_good}")).await;
        assert_eq!(reply["errcode"], if moved_is_good { 0 } else { -1 });
        robbed.shut_down().await;
    }
}
