//! Test bank: a server on its own port with its own store and the documented sample's app. Its books are audited on
//! drop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use pactolus_ledger::{Ledger, Records};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_protocol::{AppSecret, Call, Caller, MidasKey, OperatorToken, Present, signed_body};
use pactolus_server::{
    AppSettings, AppState, Backend, Clock, ClockChange, Keyring, Limits, ManualClock, OsRandomness, Settings,
    Shutdown, SystemClock, serve,
};
use pactolus_test_support::sample::{self, ZONE_ID, access_token, session_key};
pub(crate) use pactolus_test_support::sample::{
    ACCESS_TOKEN as TOKEN, APPID, MIDAS_KEY, NOW as START, OFFER_ID as OFFER, OPENID as PLAYER, SESSION_KEY,
};
use pactolus_types::{Amount, Environment, UnixMillis};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) const SANDBOX_KEY: &str = "sandboxsandboxsandboxsandboxsand";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const OPERATOR: &str = "operators-token";

/// A clock that moves only on `advance`.
pub(crate) struct TestClock(Arc<ManualClock>);

impl TestClock {
    pub(crate) fn now(&self) -> UnixMillis {
        self.0.now()
    }

    pub(crate) fn advance(&self, later: Duration) {
        self.0.apply(ClockChange::Set(self.now().saturating_add(later))).unwrap();
    }
}

pub(crate) struct TestBank {
    pub(crate) clock: TestClock,
    pub(crate) base: String,
    store: Arc<dyn Engine>,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<tokio::task::JoinHandle<()>>,
    /// Dropped last.
    store_guard: Option<StoreGuard>,
}

/// The engine of a bank. Each test program chooses one in its `engine.rs`.
pub(crate) trait Engine: Ledger + Records {}

impl<T: Ledger + Records> Engine for T {}

/// Owner of an engine's files or tables, which are removed on drop.
pub(crate) type StoreGuard = Box<dyn std::any::Any + Send + Sync>;

/// The documented sample's app, with a secret and a sandbox key chosen here.
pub(crate) fn sample_app() -> AppSettings {
    AppSettings {
        static_access_tokens: vec![access_token()],
        ..AppSettings::new(
            APPID.parse().unwrap(),
            AppSecret::new(SECRET).unwrap(),
            OFFER.parse().unwrap(),
            MidasKey::new(MIDAS_KEY).unwrap(),
            MidasKey::new(SANDBOX_KEY).unwrap(),
        )
    }
}

pub(crate) fn open_in(folder: &Path) -> Arc<EmbeddedStore> {
    Arc::new(EmbeddedStore::open(folder, &pactolus_ledger_embedded::EmbeddedSettings::default()).unwrap())
}

/// Ledger and records, both in the test's engine.
fn backend(store: &Arc<dyn Engine>) -> Backend {
    Backend { ledger: Arc::clone(store) as Arc<dyn Ledger>, records: Arc::clone(store) as Arc<dyn Records> }
}

impl TestBank {
    /// A bank with the sample's app and a logged-in player.
    pub(crate) async fn start() -> Self {
        Self::with_app(sample_app()).await
    }

    /// [`TestBank::start`] with other settings of the app.
    pub(crate) async fn with_app(app: AppSettings) -> Self {
        let (store, store_guard) = crate::engine::open().await;
        let mut bank = Self::on_store(store, vec![app], Limits::default()).await;
        bank.store_guard = Some(store_guard);
        bank.log_in(PLAYER).await;
        bank
    }

    /// A bank on an open store, with these apps and no logins.
    pub(crate) async fn on_store(store: Arc<dyn Engine>, apps: Vec<AppSettings>, limits: Limits) -> Self {
        let settings = Settings { apps, limits, ..Settings::new(OperatorToken::new(OPERATOR).unwrap()) };
        Self::with_settings(store, settings).await
    }

    /// A bank of one app on an open store that seals with these keys.
    pub(crate) async fn with_keyring(store: Arc<dyn Engine>, app: AppSettings, keys: Keyring) -> Self {
        let operator_token = OperatorToken::new(OPERATOR).unwrap();
        Self::with_settings(store, Settings { apps: vec![app], keys, ..Settings::new(operator_token) }).await
    }

    /// A bank with these settings on an open store.
    pub(crate) async fn with_settings(store: Arc<dyn Engine>, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::starting_at(START));
        let backend = backend(&store);
        let bank = AppState::with_manual_clock(settings, backend, Arc::clone(&clock), Arc::new(OsRandomness));
        Self::spawn_server(bank, clock, store).await
    }

    /// A bank of one app on the store in a folder, which may hold the orders and logins of an earlier bank.
    pub(crate) async fn start_in(folder: &Path, app: AppSettings) -> Self {
        Self::on_store(open_in(folder), vec![app], Limits::default()).await
    }

    /// Stops the bank and drops its store.
    pub(crate) async fn shut_down(mut self) {
        self.stop().await.unwrap();
    }

    /// A bank on the system clock, which tests cannot advance.
    pub(crate) async fn on_system_clock() -> Self {
        let (store, store_guard) = crate::engine::open().await;
        let settings =
            Settings { apps: vec![sample_app()], ..Settings::new(OperatorToken::new(OPERATOR).unwrap()) };
        let bank = AppState::new(settings, backend(&store), Arc::new(SystemClock), Arc::new(OsRandomness));
        let unused_clock = Arc::new(ManualClock::starting_at(START));
        let mut bank = Self::spawn_server(bank, unused_clock, store).await;
        bank.store_guard = Some(store_guard);
        bank
    }

    async fn spawn_server(bank: Arc<AppState>, clock: Arc<ManualClock>, store: Arc<dyn Engine>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(bank, listener, async {
            let _ = stopped.await;
        });
        let server = tokio::spawn(async { assert_eq!(serving.await.unwrap(), Shutdown::Clean) });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            clock: TestClock(clock),
            base,
            store,
            client,
            stop: Some(stop),
            server: Some(server),
            store_guard: None,
        }
    }

    /// Starts a graceful shutdown, as a signal does.
    pub(crate) fn stop(&mut self) -> tokio::task::JoinHandle<()> {
        drop(self.stop.take());
        self.server.take().unwrap()
    }

    /// Closes the ledger while the server runs.
    pub(crate) async fn close_ledger(&self) {
        self.store.close().await;
    }

    /// Sends a request. Returns status, content type and body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> (StatusCode, String, Bytes) {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind.unwrap_or_default(), body)
    }

    /// POST to the platform API. Every reply is 200 and JSON.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Value {
        let (status, kind, body) = self.send(Method::POST, path, &[], body).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kind, "application/json; encoding=utf-8");
        serde_json::from_slice(&body).unwrap()
    }

    /// A Midas call with the sample's token.
    pub(crate) async fn call<C: Call>(&self, environment: Environment, body: impl Into<Bytes>) -> Value {
        self.post(&format!("{}?access_token={TOKEN}", C::path(environment)), body).await
    }

    /// A live present, signed by the sample's client.
    pub(crate) async fn present(&self, call: &Present) -> Value {
        self.call::<Present>(Environment::Live, sign(call, Environment::Live)).await
    }

    /// A request to the operator API. Returns status and body.
    pub(crate) async fn operator_request(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> (StatusCode, Value) {
        let headers =
            [("authorization", &*format!("Bearer {OPERATOR}")), ("content-type", "application/json")];
        let (status, _, body) = self.send(method, path, &headers, body).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub(crate) async fn log_in(&self, openid: &str) {
        let path = format!("/api/v1/apps/{APPID}/players/{openid}/session");
        let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
        assert_eq!(self.operator_request(Method::PUT, &path, body).await.0, StatusCode::OK);
    }

    /// The sample player's account, read through the operator API.
    pub(crate) async fn account(&self, environment: Environment) -> Value {
        let path = format!("/api/v1/apps/{APPID}/accounts?env={environment}&openid={PLAYER}&zone_id=1");
        let (status, account) = self.operator_request(Method::GET, &path, "").await;
        assert_eq!(status, StatusCode::OK);
        account
    }

    pub(crate) async fn balance(&self, environment: Environment) -> u64 {
        self.account(environment).await["balance"].as_u64().unwrap()
    }
}

impl Drop for TestBank {
    fn drop(&mut self) {
        // Shutdown flushes and closes the store. Its books can still be read.
        let audit = pollster::block_on(self.store.audit()).unwrap();
        if !std::thread::panicking() {
            assert!(audit.is_clean(), "{audit:?}");
        }
    }
}

pub(crate) fn caller() -> Caller {
    sample::caller(PLAYER, ZONE_ID)
}

/// The documented request with this bill number and this count of coins.
pub(crate) fn gift(bill_no: &str, count: u64) -> Present {
    Present {
        caller: caller(),
        present_counts: Amount::new(count).unwrap(),
        bill_no: bill_no.parse().unwrap(),
    }
}

/// The body that the sample's client sends.
pub(crate) fn sign<C: Call>(call: &C, environment: Environment) -> String {
    let midas_key =
        MidasKey::new(if environment == Environment::Live { MIDAS_KEY } else { SANDBOX_KEY }).unwrap();
    sign_with(call, environment, &midas_key)
}

pub(crate) fn sign_with<C: Call>(call: &C, environment: Environment, midas_key: &MidasKey) -> String {
    signed_body(call, environment, midas_key, Some((&session_key(), &access_token())))
}

/// Asserts the errcode and errmsg of a refusal, and that a request id follows.
pub(crate) fn assert_refused(reply: &Value, errcode: i64, words: &str) {
    assert_eq!(reply["errcode"], errcode, "{reply}");
    let (before, rid) = reply["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap();
    assert_eq!(before, words);
    rid.parse::<pactolus_protocol::Rid>().unwrap();
}
