//! A real bank in this process, with the documented sample app, and clients of that app.

use std::sync::Arc;

use pactolus_client::{
    Amount, App, AppSecret, BaseUrl, BillNo, Client, ClientBuilder, MidasKey, OpenId, Player, PresentRequest,
    SessionKey,
};
use pactolus_ledger::model::Model;
use pactolus_server::{AppSettings, AppState, Backend, OsRandomness, Settings, SystemClock, serve};
use pactolus_test_support::sample::{
    APPID, MIDAS_KEY, OFFER_ID, OPERATOR_TOKEN, SESSION_KEY, operator_token,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
const LIVE_KEY: &str = "a-key-for-live-calls";

/// A bank served until the test ends.
pub(crate) struct TestBank {
    address: std::net::SocketAddr,
}

impl TestBank {
    pub(crate) async fn start() -> Self {
        let app = AppSettings::new(
            APPID.parse().unwrap(),
            AppSecret::new(SECRET).unwrap(),
            OFFER_ID.parse().unwrap(),
            MidasKey::new(LIVE_KEY).unwrap(),
            MidasKey::new(MIDAS_KEY).unwrap(),
        );
        let settings = Settings { apps: vec![app], ..Settings::new(operator_token()) };
        let store = Backend::from_engine(Arc::new(Model::new()));
        let bank = AppState::new(settings, store, Arc::new(SystemClock), Arc::new(OsRandomness));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(bank, listener, std::future::pending()));
        Self { address }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bank's OpenAPI document.
    pub(crate) async fn openapi(&self) -> Value {
        self.request("GET", "/api/v1/openapi.json", "").await
    }

    /// A client of the sample app's sandbox.
    pub(crate) fn client(&self) -> Client {
        self.builder().build()
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        sandbox(&self.url())
    }

    /// Sends a request to the operator API and returns the JSON of the reply.
    pub(crate) async fn operate(&self, method: &str, path: &str, body: &str) -> Value {
        self.request(method, &format!("/api/v1/apps/{APPID}{path}"), body).await
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> Value {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\
             Authorization: Bearer {OPERATOR_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Logs a player in.
    pub(crate) async fn log_in(&self, openid: &str) -> Player {
        let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
        self.operate("PUT", &format!("/players/{openid}/session"), &body).await;
        player(openid)
    }

    /// The player's sandbox account, from the operator API.
    pub(crate) async fn account(&self, openid: &str) -> Value {
        self.operate("GET", &format!("/accounts?env=sandbox&openid={openid}&zone_id=1"), "").await
    }
}

/// A client of the sample app's sandbox at `url`.
pub(crate) fn sandbox(url: &str) -> ClientBuilder {
    let app = App::sandbox(
        APPID.parse().unwrap(),
        OFFER_ID.parse().unwrap(),
        AppSecret::new(SECRET).unwrap(),
        MidasKey::new(MIDAS_KEY).unwrap(),
    );
    Client::builder(app).base_url(BaseUrl::new(url).unwrap())
}

pub(crate) fn player(openid: &str) -> Player {
    Player::new(OpenId::new(openid).unwrap()).with_session_key(SessionKey::new(SESSION_KEY).unwrap())
}

pub(crate) fn gift(player: &Player, bill_no: &str, coins: u64) -> PresentRequest {
    PresentRequest {
        player: player.clone(),
        coins: Amount::new(coins).unwrap(),
        bill_no: BillNo::new(bill_no).unwrap(),
    }
}
