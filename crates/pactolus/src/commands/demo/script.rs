//! Script of the demo: its calls and the replies it expects. Any other reply fails the demo.

use anyhow::{Context as _, ensure};
use hyper::StatusCode;
use pactolus_types::Environment::{self, Live, Sandbox};
use serde_json::Value;

use super::printer::{Printer, ReplyOutcome};
use super::sample::SampleApp;
use super::sample::SigningKey::{self, RightKey, WrongKey};
use crate::cli::i18n::BilingualText;
use crate::http::HttpClient;

/// A present call and its expected errcode.
struct DemoCall {
    title: BilingualText,
    environment: Environment,
    bill_no: &'static str,
    signing_key: SigningKey,
    errcode: i64,
}

const CALLS: [DemoCall; 4] = [
    DemoCall {
        title: BilingualText {
            en: "The game gives the player 233 coins.",
            zh: "游戏给玩家赠送 233 个游戏币。",
        },
        environment: Live,
        bill_no: "BillNo_123",
        signing_key: RightKey,
        errcode: 0,
    },
    DemoCall {
        title: BilingualText {
            en: "The same in the sandbox, which has separate coins and bill numbers.",
            zh: "在沙箱中同样赠送：沙箱有独立的游戏币和订单号。",
        },
        environment: Sandbox,
        bill_no: "BillNo_123",
        signing_key: RightKey,
        errcode: 0,
    },
    DemoCall {
        title: BilingualText {
            en: "A replay of the first, as after a lost reply: nothing is given twice.",
            zh: "重放第一个请求，如同响应丢失之后：不会重复发放。",
        },
        environment: Live,
        bill_no: "BillNo_123",
        signing_key: RightKey,
        errcode: 90012,
    },
    DemoCall {
        title: BilingualText {
            en: "A forgery, signed with another key.",
            zh: "伪造请求，用另一个密钥签名。",
        },
        environment: Live,
        bill_no: "BillNo_666",
        signing_key: WrongKey,
        errcode: 90011,
    },
];

const LOGIN: BilingualText = BilingualText {
    en: "The player logs in: the studio pushes the session key to the bank.",
    zh: "玩家登录：由游戏方把 session_key 推送给服务。",
};

const BALANCES: BilingualText =
    BilingualText { en: "The player's balances.", zh: "玩家现在的余额。" };

/// Coins per gift.
const COINS: u64 = 233;

/// Runs the script against an empty bank.
pub(super) async fn run_script(
    sample: &SampleApp,
    http: &HttpClient,
    show: &mut Printer,
) -> anyhow::Result<()> {
    log_in(sample, http, show).await?;
    for step in &CALLS {
        present(step, sample, http, show).await?;
    }
    balances(sample, http, show).await
}

async fn log_in(sample: &SampleApp, http: &HttpClient, show: &mut Printer) -> anyhow::Result<()> {
    let path = sample.session_path();
    let body = format!(r#"{{"session_key":"{}","expires_in":86400}}"#, sample.session_key.expose());
    show.step(LOGIN)?;
    let authorization = format!("Authorization: Bearer {}", sample.operator_token.expose());
    show.request(&format!("PUT {path}"), Some(&authorization), &body)?;
    let response = http.put_as_operator(&path, &sample.operator_token, &body).await?;
    ensure!(response.status == StatusCode::OK, "the bank did not accept the session: {}", response.body);
    show.reply(ReplyOutcome::Done, &response.body)
}

async fn present(
    step: &DemoCall,
    sample: &SampleApp,
    http: &HttpClient,
    show: &mut Printer,
) -> anyhow::Result<()> {
    let (path, body) = sample.present(step.environment, step.bill_no, COINS, step.signing_key);
    show.step(step.title)?;
    show.request(&format!("POST {path}"), None, &body)?;
    let reply = http.post(&path, &body).await?.body;
    let errcode = field(&reply, "errcode")?.as_i64();
    ensure!(errcode == Some(step.errcode), "expected errcode {}, but the bank replied {reply}", step.errcode);
    show.reply(if step.errcode == 0 { ReplyOutcome::Done } else { ReplyOutcome::Refused }, &reply)
}

async fn balances(sample: &SampleApp, http: &HttpClient, show: &mut Printer) -> anyhow::Result<()> {
    show.step(BALANCES)?;
    for environment in Environment::ALL {
        let account =
            http.get_as_operator(&sample.account_path(environment), &sample.operator_token).await?.body;
        let balance = field(&account, "balance")?.as_u64().context("the balance is not a number")?;
        show.balance(environment, balance)?;
        ensure!(balance == COINS, "expected a balance of {COINS} coins");
    }
    Ok(())
}

fn field(json: &str, name: &str) -> anyhow::Result<Value> {
    let mut value: Value = serde_json::from_str(json).context("the bank's reply is not JSON")?;
    Ok(value.get_mut(name).map(Value::take).unwrap_or_default())
}
