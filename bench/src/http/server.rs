//! The server that is measured: the bank's own, and beside its routes one that does nothing but parse.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_protocol::{AccessToken, AppSecret, Body, MidasKey};
use pactolus_server::{
    AppSettings, Bank, Limits, OsRandomness, Settings, Store, SystemClock, router, serve_routes,
};

pub(crate) const APPID: &str = "wx1234567";
pub(crate) const OFFER: &str = "12345678";
pub(crate) const MIDAS_KEY: &str = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u";
pub(crate) const TOKEN: &str = "ACCESSTOKEN";
pub(crate) const OPERATOR: &str = "operators-token";

/// Where to serve from.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The store's folder
    folder: PathBuf,
}

/// Serves until it is killed, and tells its address in a line.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let store = EmbeddedStore::open(&arguments.folder, &pactolus_ledger_embedded::Settings::default())?;
    let settings = Settings {
        operator_token: AccessToken::new(OPERATOR)?,
        apps: vec![AppSettings {
            static_access_tokens: vec![AccessToken::new(TOKEN)?],
            ..AppSettings::new(
                APPID.parse()?,
                AppSecret::new("0123456789abcdef0123456789abcdef")?,
                OFFER.parse()?,
                MidasKey::new(MIDAS_KEY)?,
                MidasKey::new(MIDAS_KEY)?,
            )
        }],
        limits: Limits::default(),
    };
    let bank = Bank::new(settings, Store::of(Arc::new(store)), Arc::new(SystemClock), Arc::new(OsRandomness));
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let routes = router(Arc::clone(&bank)).merge(Router::new().route("/null", post(null)));
        serve_routes(bank, routes, listener, std::future::pending()).await?;
        Ok(())
    })
}

/// Parses the body and answers as a present does.
async fn null(body: Bytes) -> &'static str {
    match Body::parse(&body) {
        Ok(_) => r#"{"errcode":0,"errmsg":"ok","balance":233,"bill_no":"BillNo_123"}"#,
        Err(_) => r#"{"errcode":47001,"errmsg":"data format error"}"#,
    }
}
