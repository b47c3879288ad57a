//! A back end of a raw wire: serialises a body once, signs those bytes and sends them.

use hyper::Method;
use pactolus_protocol::raw::sign;
use pactolus_protocol::{MidasKey, RawPath, RawWire, SessionKey, Wire};
use pactolus_server::AppSettings;
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{MIDAS_KEY, OFFER, PLAYER, SANDBOX_KEY, SESSION_KEY, TOKEN, TestBank, sample_app};

pub(crate) const LIVE: Environment = Environment::Live;
pub(crate) const SANDBOX: Environment = Environment::Sandbox;

/// The sample's app on every wire.
pub(crate) fn app_of_all_wires() -> AppSettings {
    AppSettings { wires: Wire::ALL.to_vec(), ..sample_app() }
}

pub(crate) async fn start() -> TestBank {
    TestBank::with_app(app_of_all_wires()).await
}

/// A request. A test may change each part before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct RawCall {
    pub(crate) path: RawPath,
    pub(crate) environment: Environment,
    pub(crate) body: Value,
    pub(crate) token: Option<String>,
    pub(crate) session_key: String,
    /// Sent in place of the right ones.
    pub(crate) pay_sig: Option<String>,
    pub(crate) signature: Option<String>,
    pub(crate) sig_method: Option<&'static str>,
}

impl RawCall {
    /// A call of the sample player with these members beside the common ones.
    pub(crate) fn new(path: RawPath, more: Value) -> Self {
        let mut body = match path.wire() {
            RawWire::Game => json!({
                "openid": PLAYER, "offer_id": OFFER, "ts": 1_668_136_271, "zone_id": "1", "env": 0,
            }),
            RawWire::Xpay => json!({ "openid": PLAYER, "env": 0, "user_ip": "127.0.0.1" }),
        };
        let Value::Object(more) = more else { panic!("members are an object") };
        body.as_object_mut().unwrap().extend(more);
        Self {
            path,
            environment: LIVE,
            body,
            token: Some(TOKEN.to_owned()),
            session_key: SESSION_KEY.to_owned(),
            pay_sig: None,
            signature: None,
            sig_method: (path.wire() == RawWire::Game).then_some("hmac_sha256"),
        }
    }

    pub(crate) fn of(mut self, openid: &str) -> Self {
        self.body["openid"] = openid.into();
        self
    }

    pub(crate) fn in_zone(mut self, zone: &str) -> Self {
        self.body["zone_id"] = zone.into();
        self
    }

    pub(crate) fn sandbox(mut self) -> Self {
        self.environment = SANDBOX;
        self.body["env"] = 1.into();
        self
    }

    /// The body as sent.
    pub(crate) fn bytes(&self) -> String {
        self.body.to_string()
    }

    pub(crate) fn query_of(&self, body: &[u8]) -> String {
        let key = if self.environment == LIVE { MIDAS_KEY } else { SANDBOX_KEY };
        let pay_sig = self.pay_sig.clone().unwrap_or_else(|| {
            sign::pay_sig(self.path.as_str(), body, &MidasKey::new(key).unwrap()).to_string()
        });
        let signature = self.signature.clone().unwrap_or_else(|| {
            sign::signature(body, &SessionKey::new(&self.session_key).unwrap()).to_string()
        });
        let parameters = [
            self.token.as_ref().map(|token| ("access_token", token.clone())),
            Some(("pay_sig", pay_sig)).filter(|(_, value)| !value.is_empty()),
            Some(("signature", signature)).filter(|(_, value)| !value.is_empty()),
            self.sig_method.map(|method| ("sig_method", method.to_owned())),
        ];
        let pairs =
            parameters.into_iter().flatten().map(|(name, value)| format!("{name}={}", escape(&value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    pub(crate) async fn send(&self, bank: &TestBank) -> Value {
        self.send_bytes(bank, self.bytes().into_bytes()).await
    }

    /// Signs and sends these bytes in place of the body.
    pub(crate) async fn send_bytes(&self, bank: &TestBank, bytes: Vec<u8>) -> Value {
        let path = format!("{}?{}", self.path, self.query_of(&bytes));
        let (status, kind, reply) = bank.send(Method::POST, &path, &[], bytes).await;
        assert_eq!((status.as_u16(), &*kind), (200, "application/json; encoding=utf-8"));
        serde_json::from_slice(&reply).unwrap()
    }
}

fn escape(value: &str) -> String {
    value.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// The wire's names and codes, so that one test serves both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary {
    pub(crate) wire: RawWire,
    pub(crate) number: &'static str,
    pub(crate) pay_number: &'static str,
    pub(crate) balance: RawPath,
    pub(crate) pay: RawPath,
    pub(crate) refund: RawPath,
    pub(crate) present: RawPath,
    pub(crate) invalid: i64,
    pub(crate) taken: i64,
    pub(crate) not_enough: i64,
    pub(crate) no_pay: i64,
    pub(crate) nothing_left: i64,
    pub(crate) more_than_left: i64,
    pub(crate) no_session: i64,
    pub(crate) bad_pay_sig: i64,
    pub(crate) bad_signature: i64,
    pub(crate) too_often: i64,
}

pub(crate) const GAME: Vocabulary = Vocabulary {
    wire: RawWire::Game,
    number: "bill_no",
    pay_number: "pay_bill_no",
    balance: RawPath::GameGetBalance,
    pay: RawPath::GamePay,
    refund: RawPath::GameCancelPay,
    present: RawPath::GamePresent,
    invalid: 90018,
    taken: 90012,
    not_enough: 90013,
    no_pay: 90000,
    nothing_left: 90015,
    more_than_left: 90018,
    no_session: 90016,
    bad_pay_sig: 90011,
    bad_signature: 90010,
    too_often: 45009,
};

pub(crate) const XPAY: Vocabulary = Vocabulary {
    wire: RawWire::Xpay,
    number: "order_id",
    pay_number: "pay_order_id",
    balance: RawPath::XpayQueryUserBalance,
    pay: RawPath::XpayCurrencyPay,
    refund: RawPath::XpayCancelCurrencyPay,
    present: RawPath::XpayPresentCurrency,
    invalid: 268_490_002,
    taken: 268_490_004,
    not_enough: 268_490_006,
    no_pay: 268_490_002,
    nothing_left: 268_490_005,
    more_than_left: 268_490_006,
    no_session: 268_490_009,
    bad_pay_sig: 268_490_003,
    bad_signature: 268_490_003,
    too_often: 268_490_015,
};

pub(crate) const BOTH: [Vocabulary; 2] = [GAME, XPAY];

impl Vocabulary {
    pub(crate) fn present(self, number: &str, amount: u64) -> RawCall {
        RawCall::new(self.present, json!({ "amount": amount, self.number: number }))
    }

    pub(crate) fn pay(self, number: &str, amount: u64) -> RawCall {
        RawCall::new(self.pay, json!({ "amount": amount, self.number: number }))
    }

    pub(crate) fn refund(self, number: &str, pay: &str, amount: u64) -> RawCall {
        let members = json!({ "amount": amount, self.number: number, self.pay_number: pay });
        RawCall::new(self.refund, members)
    }

    pub(crate) fn balance(self) -> RawCall {
        RawCall::new(self.balance, json!({}))
    }
}

/// Tops up the sample player.
pub(crate) async fn save(bank: &TestBank, number: &str, coins: u64) {
    let path = format!("/api/v1/apps/{}/orders", crate::bank::APPID);
    let order = json!({ "kind": "save", "env": "live", "openid": PLAYER, "bill_no": number, "coins": coins });
    let (status, reply) = bank.operator_request(Method::POST, &path, order.to_string()).await;
    assert_eq!(status.as_u16(), 201, "{reply}");
}
