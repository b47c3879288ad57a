//! Client of the operator API: statements, totals, orders by bill number.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hyper::Method;
use pactolus_test_support::sample::{APPID, SESSION_KEY};
use pactolus_types::Environment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AccountId;
use super::http::HttpClient;

/// Operator of one node.
pub(crate) struct Operator<'a> {
    pub(crate) http: &'a HttpClient,
    pub(crate) bank: SocketAddr,
}

/// TTL of a pushed session, longer than any attack.
const SESSION_TTL_S: u64 = 366 * 86_400;

/// Timeout of one attempt, the number of attempts, and the delay between two.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS_MAX: usize = 50;
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The last day of the calendar, whose last hours are past the range of a timestamp.
const LAST_DAY: &str = "9999-12-31";

/// An account's sums, as in the operator API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct AccountSummary {
    pub(crate) balance: u64,
    pub(crate) gifted: u64,
    pub(crate) saved: u64,
    pub(crate) presented: u64,
    pub(crate) spent: u64,
    pub(crate) orders: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) bill_no: String,
    pub(crate) kind: OrderKind,
    pub(crate) coins: u64,
    pub(crate) gifted: u64,
    pub(crate) at_ms: u64,
    pub(crate) after: AccountSummary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderKind {
    Save,
    Present,
    Pay,
    Cancel,
}

#[derive(Deserialize)]
struct Page {
    orders: Vec<Receipt>,
    next: Option<String>,
}

/// Count and coins of the orders of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) orders: u64,
    pub(crate) coins: u64,
}

impl Total {
    pub(crate) fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.coins += other.coins;
    }
}

impl Operator<'_> {
    /// Pushes a player's session.
    pub(crate) async fn log_in(&self, name: AccountId) -> anyhow::Result<()> {
        let path = format!("/api/v1/apps/{APPID}/players/{}/session", name.openid());
        let body = json!({ "session_key": SESSION_KEY, "expires_in": SESSION_TTL_S });
        self.request(Method::PUT, &path, Some(&body)).await.map(drop)
    }

    /// Tops up an account, once for the bill number.
    pub(crate) async fn save(&self, name: AccountId, bill_no: &str, coins: u64) -> anyhow::Result<Receipt> {
        let body = json!({
            "kind": "save", "env": name.environment.as_str(), "openid": name.openid(),
            "zone_id": name.zone(), "bill_no": bill_no, "coins": coins,
        });
        let reply = self.request(Method::POST, &format!("/api/v1/apps/{APPID}/orders"), Some(&body)).await?;
        Ok(Receipt::deserialize(&reply["receipt"])?)
    }

    pub(crate) async fn account_summary(&self, name: AccountId) -> anyhow::Result<AccountSummary> {
        let path = format!("/api/v1/apps/{APPID}/accounts?{}", account_query(name));
        Ok(AccountSummary::deserialize(self.request(Method::GET, &path, None).await?)?)
    }

    /// Every order of an account, oldest first.
    pub(crate) async fn statement(&self, name: AccountId) -> anyhow::Result<Vec<Receipt>> {
        let first = format!("/api/v1/apps/{APPID}/statement?{}&limit=100", account_query(name));
        let (mut receipts, mut path) = (Vec::new(), first.clone());
        loop {
            let page = Page::deserialize(self.request(Method::GET, &path, None).await?)?;
            receipts.extend(page.orders);
            let Some(next) = page.next else { break };
            path = format!("{first}&after={next}");
        }
        receipts.reverse();
        Ok(receipts)
    }

    /// The order of a bill number, and its cancel.
    pub(crate) async fn order(
        &self,
        environment: Environment,
        bill_no: &str,
    ) -> anyhow::Result<(Receipt, Option<Receipt>)> {
        let path = format!("/api/v1/apps/{APPID}/orders/{bill_no}?env={environment}");
        let reply = self.request(Method::GET, &path, None).await?;
        Ok((Receipt::deserialize(&reply["receipt"])?, Option::deserialize(&reply["cancel"])?))
    }

    /// Totals of one zone for the days `from` to `to`, by kind.
    pub(crate) async fn totals(
        &self,
        environment: Environment,
        zone: &str,
        (from, to): (&str, &str),
    ) -> anyhow::Result<[Total; 4]> {
        let path = format!("/api/v1/apps/{APPID}/totals?env={environment}&from={from}&to={to}");
        let reply = self.request(Method::GET, &path, None).await?;
        let mut totals = [Total::default(); 4];
        let days = reply["totals"].as_array().context("the totals are no list")?;
        for day in days.iter().filter(|day| day["zone_id"] == zone) {
            for (total, kind) in totals.iter_mut().zip(["save", "present", "pay", "cancel"]) {
                let orders = day[kind]["orders"].as_u64().context("a total counts no orders")?;
                let coins = day[kind]["coins"].as_str().context("a total has no coins")?.parse()?;
                total.add(Total { orders, coins });
            }
        }
        Ok(totals)
    }

    /// From two days before the bank's today to one day after, in UTC.
    pub(crate) async fn days_around_today(&self) -> anyhow::Result<[String; 2]> {
        let now = i64::try_from(self.now_ms().await?)?;
        let day = |hours: i64| {
            let then = jiff::Timestamp::from_millisecond((now + hours * 3_600_000).max(0));
            then.map_or_else(|_| LAST_DAY.to_owned(), |then| then.strftime("%F").to_string())
        };
        Ok([day(-48), day(24)])
    }

    /// The bank's clock.
    pub(crate) async fn now_ms(&self) -> anyhow::Result<u64> {
        let reply = self.request(Method::GET, "/api/v1/clock", None).await?;
        reply["now_ms"].as_u64().context("the clock has no now_ms")
    }

    /// Retries on connection errors and on status 500 and above. Any other status from 300 on is an error.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            match self.http.send(self.bank, method.clone(), path, text.clone(), REQUEST_TIMEOUT).await {
                Ok(response) if response.status < 300 => return Ok(serde_json::from_slice(&response.body)?),
                Ok(response) => {
                    let response_text = String::from_utf8_lossy(&response.body);
                    ensure!(response.status >= 500, "{method} {path}: {} {response_text}", response.status);
                    last = Some(anyhow::anyhow!("{} {response_text}", response.status));
                }
                Err(error) => last = Some(error.into()),
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        match last {
            Some(error) => {
                Err(error.context(format!("{method} {path} has no answer after {ATTEMPTS_MAX} attempts")))
            }
            None => bail!("{method} {path} was not tried"),
        }
    }
}

fn account_query(name: AccountId) -> String {
    format!("env={}&openid={}&zone_id={}", name.environment, name.openid(), name.zone())
}
