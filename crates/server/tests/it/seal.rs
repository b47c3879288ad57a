//! What a thief of the store gets: with a master key nothing that he could sign or call with.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use pactolus_ledger::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue, Records};
use pactolus_protocol::{AccessToken, MidasKey, SessionKey, signed_body};
use pactolus_server::{Keyring, MasterKey};
use pactolus_types::{Environment, UnixMillis};
use serde_json::Value;

use crate::bank::{APPID, MIDAS_KEY, PLAYER, SECRET, SESSION_KEY, TestBank, gift, sample_app};
use crate::engine::Reopened;

/// A ring of keys that are this digit alone.
fn ring(digits: &[&str]) -> Keyring {
    let key = |digit: &&str| MasterKey::new(&digit.repeat(64)).unwrap();
    Keyring::new(digits.iter().map(key).collect()).unwrap()
}

async fn bank(place: &Reopened, digits: &[&str]) -> TestBank {
    TestBank::sealing(place.open().await, sample_app(), ring(digits)).await
}

async fn get(bank: &TestBank, path: &str) -> Value {
    let (status, _, body) = bank.send(Method::GET, path, &[], "").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

fn text(reply: &Value, field: &str) -> String {
    reply[field].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

async fn stable(bank: &TestBank) -> String {
    let asked = serde_json::json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET });
    text(&bank.post("/cgi-bin/stable_token", asked.to_string()).await, "access_token")
}

async fn token(bank: &TestBank) -> String {
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
    text(&get(bank, &path).await, "access_token")
}

async fn code_for(bank: &TestBank, openid: &str) -> String {
    let path = format!("/api/v1/apps/{APPID}/players/{openid}/code");
    text(&bank.operate(Method::POST, &path, "").await.1, "js_code")
}

async fn log_in_by(bank: &TestBank, code: &str) -> Value {
    let app = format!("appid={APPID}&secret={SECRET}&grant_type=authorization_code");
    get(bank, &format!("/sns/jscode2session?{app}&js_code={code}")).await
}

/// What a live present comes to that is signed with this session key and sent with this token.
async fn present(bank: &TestBank, openid: &str, session_key: &str, token: &str, bill_no: &str) -> Value {
    let mut call = gift(bill_no, 1);
    call.caller.openid = openid.parse().unwrap();
    let (key, token) = (SessionKey::new(session_key).unwrap(), AccessToken::new(token).unwrap());
    let midas_key = MidasKey::new(MIDAS_KEY).unwrap();
    let body = signed_body(&call, Environment::Live, &midas_key, Some((&key, &token)));
    bank.post(&format!("/cgi-bin/midas/present?access_token={}", token.expose()), body).await
}

/// Uses all that is kept in records, and tells the secrets of it.
async fn used(bank: &TestBank) -> Vec<String> {
    bank.log_in(PLAYER).await;
    let code = code_for(bank, PLAYER).await;
    let key = text(&log_in_by(bank, &code).await, "session_key");
    let (stable, token) = (stable(bank).await, token(bank).await);
    for (number, token) in [&stable, &token].into_iter().enumerate() {
        assert_eq!(present(bank, PLAYER, &key, token, &format!("used-{number}")).await["errcode"], 0);
    }
    // The first is the key of the login before.
    vec![SESSION_KEY.to_owned(), key, code, stable, token]
}

fn holds(raw: &[u8], text: &str) -> bool {
    raw.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What only the inside of a record of each kind of secret has.
const INSIDES: [&str; 5] =
    ["\"session_key\":", "\"replaced_at_ms\":", "\"used\":", "\"forced\":", "\"replaced\":"];

#[tokio::test]
async fn with_a_master_key_the_store_holds_nothing_to_sign_or_call_with() {
    let place = Reopened::new();
    let bank = bank(&place, &["a"]).await;
    let secrets = used(&bank).await;
    bank.ended().await;
    let raw = place.raw();
    assert!(holds(&raw, PLAYER), "names are no secret: the search finds what is there");
    for secret in secrets.iter().map(String::as_str).chain([SECRET]).chain(INSIDES) {
        assert!(!holds(&raw, secret), "{secret}");
    }
}

/// Without one it does, which shows that the test above can fail. Codes and tokens are kept as digests even so.
#[tokio::test]
async fn without_a_master_key_the_store_holds_session_keys() {
    let place = Reopened::new();
    let bank = bank(&place, &[]).await;
    let secrets = used(&bank).await;
    bank.ended().await;
    let raw = place.raw();
    let found: Vec<_> = secrets.iter().map(|secret| holds(&raw, secret)).collect();
    assert_eq!(found, [true, true, false, false, false]);
    for inside in INSIDES {
        assert!(holds(&raw, inside), "{inside}");
    }
}

#[tokio::test]
async fn what_was_kept_before_there_was_a_key_is_read_and_sealed_when_it_is_written() {
    let place = Reopened::new();
    let open = bank(&place, &[]).await;
    open.log_in(PLAYER).await;
    let (told, code) = (stable(&open).await, code_for(&open, "alice").await);
    open.ended().await;

    let sealing = bank(&place, &["a"]).await;
    assert_eq!(present(&sealing, PLAYER, SESSION_KEY, &told, "a").await["errcode"], 0);
    assert_eq!(stable(&sealing).await, told);
    let key = text(&log_in_by(&sealing, &code).await, "session_key");
    sealing.ended().await;
    assert!(!holds(&place.raw(), &key));

    // And back without the key, it cannot be used: nothing panics, and the code is not good a second time.
    let without = bank(&place, &[]).await;
    assert_eq!(present(&without, "alice", &key, &told, "b").await["errcode"], -1);
    assert_eq!(log_in_by(&without, &code).await["errcode"], -1);
    without.ended().await;
}

#[tokio::test]
async fn a_new_key_takes_the_place_of_an_old_one() {
    let place = Reopened::new();
    let old = bank(&place, &["a"]).await;
    old.log_in(PLAYER).await;
    let told = stable(&old).await;
    old.ended().await;

    let both = bank(&place, &["b", "a"]).await;
    assert_eq!(present(&both, PLAYER, SESSION_KEY, &told, "a").await["errcode"], 0);
    assert_eq!(stable(&both).await, told);
    both.log_in("alice").await;
    both.ended().await;

    // What was written since is sealed with the new one.
    let new = bank(&place, &["b"]).await;
    let other = token(&new).await;
    assert_eq!(present(&new, "alice", SESSION_KEY, &other, "b").await["errcode"], 0);
    assert_eq!(present(&new, PLAYER, SESSION_KEY, &other, "c").await["errcode"], -1);
    new.ended().await;
}

#[tokio::test]
async fn with_a_wrong_key_the_bank_is_busy_for_a_login_until_the_player_logs_in_again() {
    let place = Reopened::new();
    let right = bank(&place, &["a"]).await;
    right.log_in(PLAYER).await;
    let told = stable(&right).await;
    right.ended().await;

    let wrong = bank(&place, &["c"]).await;
    assert_eq!(present(&wrong, PLAYER, SESSION_KEY, &told, "a").await["errcode"], 40001);
    let another = stable(&wrong).await;
    assert_ne!(another, told);
    assert_eq!(present(&wrong, PLAYER, SESSION_KEY, &another, "a").await["errcode"], -1);
    wrong.log_in(PLAYER).await;
    assert_eq!(present(&wrong, PLAYER, SESSION_KEY, &another, "a").await["errcode"], 0);
    wrong.ended().await;
}

/// A thief who can also write might give his own login to another player.
#[tokio::test]
async fn a_login_that_was_moved_to_another_player_is_none() {
    let place = Reopened::new();
    let (thief, victim) = ("thief", "victim");
    let key = |player: &str| RecordKey::from_name(format!("session/{APPID}/{player}"));
    for (digits, moved_is_good) in [(&["a"][..], false), (&[], true)] {
        let logged_in = bank(&place, digits).await;
        logged_in.log_in(thief).await;
        logged_in.ended().await;

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

        let robbed = bank(&place, digits).await;
        let told = token(&robbed).await;
        assert_eq!(
            present(&robbed, thief, SESSION_KEY, &told, &format!("t{moved_is_good}")).await["errcode"],
            0
        );
        let reply = present(&robbed, victim, SESSION_KEY, &told, &format!("v{moved_is_good}")).await;
        assert_eq!(reply["errcode"], if moved_is_good { 0 } else { -1 });
        robbed.ended().await;
    }
}
