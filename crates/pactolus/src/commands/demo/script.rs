//! What the demo calls, and what has to come back: a bank that answers otherwise fails the demo.

use anyhow::{Context as _, ensure};
use hyper::StatusCode;
use pactolus_types::Environment::{self, Live, Sandbox};
use serde_json::Value;

use super::printer::{Outcome, Show};
use super::sample::Sample;
use super::sample::SignedWith::{self, RightKey, WrongKey};
use crate::cli::i18n::Text;
use crate::http::Http;

/// A present, and what it has to bring.
struct Step {
    title: Text,
    environment: Environment,
    bill_no: &'static str,
    signed_with: SignedWith,
    errcode: i64,
}

const STEPS: [Step; 4] = [
    Step {
        title: Text {
            en: "The game gives the player 233 coins.", zh: "游戏给玩家赠送 233 个游戏币。"
        },
        environment: Live,
        bill_no: "BillNo_123",
        signed_with: RightKey,
        errcode: 0,
    },
    Step {
        title: Text {
            en: "The same in the sandbox, which has its own coins and bill numbers.",
            zh: "在沙箱中同样赠送：沙箱有独立的游戏币和订单号。",
        },
        environment: Sandbox,
        bill_no: "BillNo_123",
        signed_with: RightKey,
        errcode: 0,
    },
    Step {
        title: Text {
            en: "The first again, as after a lost reply: no coin is given twice.",
            zh: "重发第一个请求，如同响应丢失之后：不会重复发放。",
        },
        environment: Live,
        bill_no: "BillNo_123",
        signed_with: RightKey,
        errcode: 90012,
    },
    Step {
        title: Text {
            en: "A forgery, signed with another key.", zh: "伪造请求，用另一个密钥签名。"
        },
        environment: Live,
        bill_no: "BillNo_666",
        signed_with: WrongKey,
        errcode: 90011,
    },
];

const LOGIN: Text = Text {
    en: "The player logs in: the studio tells the bank the session key.",
    zh: "玩家登录：由游戏方把 session_key 告知服务。",
};

const BALANCES: Text = Text { en: "What the player has now.", zh: "玩家现在的余额。" };

/// The coins of every gift.
const COINS: u64 = 233;

/// Plays the demo against a bank without orders.
pub(super) async fn play(sample: &Sample, http: &Http, show: &mut Show) -> anyhow::Result<()> {
    log_in(sample, http, show).await?;
    for step in &STEPS {
        present(step, sample, http, show).await?;
    }
    balances(sample, http, show).await
}

async fn log_in(sample: &Sample, http: &Http, show: &mut Show) -> anyhow::Result<()> {
    let path = sample.session_path();
    let body = format!(r#"{{"session_key":"{}","expires_in":86400}}"#, sample.session_key.expose());
    show.step(LOGIN)?;
    let authorization = format!("Authorization: Bearer {}", sample.operator_token.expose());
    show.request(&format!("PUT {path}"), Some(&authorization), &body)?;
    let response = http.put_as_operator(&path, &sample.operator_token, &body).await?;
    ensure!(response.status == StatusCode::OK, "the bank did not take the session: {}", response.body);
    show.reply(Outcome::Done, &response.body)
}

async fn present(step: &Step, sample: &Sample, http: &Http, show: &mut Show) -> anyhow::Result<()> {
    let (path, body) = sample.present(step.environment, step.bill_no, COINS, step.signed_with);
    show.step(step.title)?;
    show.request(&format!("POST {path}"), None, &body)?;
    let reply = http.post(&path, &body).await?.body;
    let errcode = field(&reply, "errcode")?.as_i64();
    ensure!(errcode == Some(step.errcode), "the bank had to answer {}, not {reply}", step.errcode);
    show.reply(if step.errcode == 0 { Outcome::Done } else { Outcome::Refused }, &reply)
}

async fn balances(sample: &Sample, http: &Http, show: &mut Show) -> anyhow::Result<()> {
    show.step(BALANCES)?;
    for environment in Environment::ALL {
        let account =
            http.get_as_operator(&sample.account_path(environment), &sample.operator_token).await?.body;
        let balance = field(&account, "balance")?.as_u64().context("the balance is no number")?;
        show.balance(environment, balance)?;
        ensure!(balance == COINS, "the player has to have {COINS} coins");
    }
    Ok(())
}

fn field(json: &str, name: &str) -> anyhow::Result<Value> {
    let mut value: Value = serde_json::from_str(json).context("the bank's answer is not JSON")?;
    Ok(value.get_mut(name).map(Value::take).unwrap_or_default())
}
