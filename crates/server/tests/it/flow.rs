//! Client flow from login to balance, in both environments, over HTTP only. The expected sums are computed by hand,
//! not by the bank's code.

use pactolus_protocol::{
    AccessToken, Call, Caller, CancelPay, GetBalance, MidasKey, Pay, Present, SessionKey, signed_body,
};
use pactolus_server::{AppSettings, LoginMode};
use pactolus_types::{Amount, Environment};
use serde_json::Value;

use crate::bank::{APPID, MIDAS_KEY, SANDBOX_KEY, SECRET, TestBank, caller, sample_app};

/// A game's back end with one player in one environment.
struct FlowClient<'a> {
    bank: &'a TestBank,
    environment: Environment,
    midas_key: MidasKey,
    session_key: SessionKey,
    token: AccessToken,
    caller: Caller,
}

impl<'a> FlowClient<'a> {
    /// Gets a token and logs the player in, as the vendor's clients do.
    async fn start(bank: &'a TestBank, environment: Environment) -> Self {
        let app = format!("appid={APPID}&secret={SECRET}");
        let token = get(bank, &format!("/cgi-bin/token?grant_type=client_credential&{app}")).await;
        let login = format!("/sns/jscode2session?{app}&js_code=a-code&grant_type=authorization_code");
        let login = get(bank, &login).await;
        let midas_key = if environment == Environment::Live { MIDAS_KEY } else { SANDBOX_KEY };
        Self {
            bank,
            environment,
            midas_key: MidasKey::new(midas_key).unwrap(),
            session_key: SessionKey::new(login["session_key"].as_str().unwrap()).unwrap(),
            token: AccessToken::new(token["access_token"].as_str().unwrap()).unwrap(),
            caller: Caller { openid: login["openid"].as_str().unwrap().parse().unwrap(), ..caller() },
        }
    }

    async fn call<C: Call>(&self, call: &C) -> Value {
        let proof = Some((&self.session_key, &self.token));
        let body = signed_body(call, self.environment, &self.midas_key, proof);
        let path = C::path(self.environment);
        self.bank.post(&format!("{path}?access_token={}", self.token.expose()), body).await
    }

    async fn present(&self, bill_no: &str, coins: u64) -> Value {
        let (caller, bill_no) = (self.caller.clone(), bill_no.parse().unwrap());
        self.call(&Present { caller, present_counts: Amount::new(coins).unwrap(), bill_no }).await
    }

    async fn pay(&self, bill_no: &str, coins: u64) -> Value {
        let (caller, bill_no) = (self.caller.clone(), bill_no.parse().unwrap());
        let amt = Amount::new(coins).unwrap();
        self.call(&Pay { caller, amt, bill_no, pay_item: None, app_remark: None }).await
    }

    async fn cancel(&self, bill_no: &str) -> Value {
        let (caller, bill_no) = (self.caller.clone(), bill_no.parse().unwrap());
        self.call(&CancelPay { caller, bill_no, pay_item: None }).await
    }

    /// The operator records a sale of coins to the player.
    async fn save(&self, bill_no: &str, coins: u64) {
        let order = serde_json::json!({
            "kind": "save", "env": self.environment.as_str(), "openid": self.caller.openid.as_str(),
            "bill_no": bill_no, "coins": coins,
        });
        let path = format!("/api/v1/apps/{APPID}/orders");
        let (status, reply) = self.bank.operator_request(hyper::Method::POST, &path, order.to_string()).await;
        assert_eq!(status, hyper::StatusCode::CREATED, "{reply}");
    }

    /// Compares every field of getbalance with these sums.
    async fn assert_balance(&self, save_amt: u64, present_sum: u64, cost_sum: u64, gen_balance: u64) {
        let balance = self.call(&GetBalance { caller: self.caller.clone() }).await;
        let save_sum = save_amt + present_sum;
        let expected = serde_json::json!({
            "errcode": 0, "errmsg": "ok", "balance": save_sum - cost_sum, "gen_balance": gen_balance,
            "first_save": u8::from(save_amt == 0), "save_amt": save_amt, "save_sum": save_sum,
            "cost_sum": cost_sum, "present_sum": present_sum,
        });
        assert_eq!(balance, expected);
    }
}

async fn get(bank: &TestBank, path: &str) -> Value {
    let (status, _, body) = bank.send(hyper::Method::GET, path, &[], "").await;
    assert_eq!(status, hyper::StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn client_flow_from_login_to_balance() {
    let bank = TestBank::with_app(AppSettings { login: LoginMode::Open, ..sample_app() }).await;
    for environment in Environment::ALL {
        let client = FlowClient::start(&bank, environment).await;
        client.assert_balance(0, 0, 0, 0).await;

        assert_eq!(client.present("gift", 100).await["balance"], 100);
        client.assert_balance(0, 100, 0, 100).await;
        client.save("sale", 50).await;
        client.assert_balance(50, 100, 0, 100).await;

        // 120 of 150: all 100 gifted coins and 20 paid ones.
        let paid = client.pay("sword", 120).await;
        assert_eq!((&paid["balance"], &paid["used_gen_amt"]), (&30.into(), &100.into()));
        client.assert_balance(50, 100, 120, 0).await;
        assert_eq!(client.pay("castle", 31).await["errcode"], 90013);
        client.assert_balance(50, 100, 120, 0).await;

        // 10 more gifted coins, then a pay of all 40: the 10 gifted ones and 30 paid ones.
        assert_eq!(client.present("gift-2", 10).await["balance"], 40);
        assert_eq!(client.pay("shield", 40).await["used_gen_amt"], 10);
        client.assert_balance(50, 110, 160, 0).await;

        // The cancel returns the sword's own 100 gifted and 20 paid coins.
        assert_eq!(client.cancel("sword").await["errcode"], 0);
        client.assert_balance(50, 110, 40, 100).await;
        assert_eq!(client.cancel("sword").await["errcode"], 90015);
        assert_eq!(client.pay("sword", 120).await["errcode"], 90012);
        client.assert_balance(50, 110, 40, 100).await;
    }
}
