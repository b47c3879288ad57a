//! Ten thousand malformed requests: each gets a specific error, none panics, none changes a balance.
//!
//! A seeded generator damages the documented request in ways for which the contract gives the errcode. Everything
//! else in the request is valid, so that no other check can refuse it first.

use pactolus_protocol::Present;
use pactolus_types::Environment;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::bank::{TestBank, gift, sign};

const LIVE: Environment = Environment::Live;
const CASES: usize = 10_000;

/// A request's bytes, the expected errcode, and a word of the expected errmsg.
type MalformedCase = (Vec<u8>, i64, String);

fn valid_body() -> Value {
    serde_json::from_str(&sign(&gift("BillNo_123", 233), LIVE)).unwrap()
}

const REQUIRED: [&str; 10] =
    ["openid", "appid", "offer_id", "ts", "zone_id", "pf", "present_counts", "bill_no", "sig", "mp_sig"];
const TEXTS: [&str; 7] = ["openid", "appid", "offer_id", "pf", "bill_no", "sig", "mp_sig"];
const INTEGERS: [&str; 2] = ["ts", "present_counts"];

/// JSON values that no parameter accepts: neither string nor integer.
fn invalid_value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("{}".to_owned()),
        Just("[1]".to_owned()),
    ];
    let deep = (1..4000_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    prop_oneof![3 => scalar, 1 => deep]
}

/// JSON numbers and strings that are neither an amount nor a time.
fn invalid_count() -> impl Strategy<Value = String> {
    prop_oneof![
        (-1_000_000_i64..1).prop_map(|count| count.to_string()),
        (9_007_199_254_740_992_u64..).prop_map(|count| count.to_string()),
        "[1-9][0-9]{20,400}",
        "[1-9][0-9]{0,3}\\.[0-9]{1,3}",
        "[1-9]e[0-9]{1,3}",
        "\"[1-9]{0,5}[a-z +.-][0-9]{0,5}\"",
        "\"0[0-9]{1,4}\"",
        Just("-0".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"１２\"".to_owned()),
    ]
}

/// The valid request with the value of `name` replaced by raw JSON.
fn body_with(name: &str, value: &str) -> Vec<u8> {
    let mut body = valid_body();
    body[name] = json!("\u{1}");
    body.to_string().replace("\"\\u0001\"", value).into_bytes()
}

fn malformed() -> impl Strategy<Value = MalformedCase> {
    let names = |names: &'static [&'static str]| (0..names.len()).prop_map(|index| names[index]);
    let parameter = |bytes, name: &str| (bytes, 90018, name.to_owned());
    let data = |bytes| (bytes, 47001, "data format error".to_owned());
    let valid = valid_body().to_string();
    let length = valid.len();
    let (truncated, corrupted, duplicated) = (valid.clone(), valid.clone(), valid);
    prop_oneof![
        names(&REQUIRED).prop_map(move |name| {
            let mut body = valid_body();
            body.as_object_mut().unwrap().remove(name);
            parameter(body.to_string().into_bytes(), &format!("{name} is missing"))
        }),
        (names(&REQUIRED), invalid_value())
            .prop_map(move |(name, value)| parameter(body_with(name, &value), name)),
        (names(&INTEGERS), invalid_count())
            .prop_map(move |(name, value)| parameter(body_with(name, &value), name)),
        (names(&TEXTS), 0..u64::MAX)
            .prop_map(move |(name, value)| parameter(body_with(name, &value.to_string()), name)),
        "[A-Za-z]{0,10}[ &=%/?#\\.宝]{1,3}[A-Za-z]{0,10}"
            .prop_map(move |text| parameter(body_with("bill_no", &json!(text).to_string()), "bill_no")),
        "[A-Za-z0-9]{64,300}"
            .prop_map(move |text| parameter(body_with("bill_no", &json!(text).to_string()), "bill_no")),
        (names(&REQUIRED), any::<bool>()).prop_map(move |(name, first)| {
            let twice = if first {
                duplicated.replacen('{', &format!("{{\"{name}\":1,"), 1)
            } else {
                duplicated.replace('}', &format!(",\"{name}\":1}}"))
            };
            parameter(twice.into_bytes(), &format!("{name} is sent twice"))
        }),
        (1..length).prop_map(move |at| data(truncated.as_bytes()[..at].to_vec())),
        (1..length).prop_map(move |at| {
            let mut bytes = corrupted.as_bytes().to_vec();
            bytes.insert(at, 0xff);
            data(bytes)
        }),
        invalid_value().prop_filter_map("an object", move |value| {
            (!value.starts_with('{')).then(|| data(value.into_bytes()))
        }),
        proptest::collection::vec(any::<u8>(), 1..200)
            .prop_filter("valid JSON", |bytes| serde_json::from_slice::<Value>(bytes).is_err())
            .prop_map(data),
        (16_384_usize..40_000).prop_map(move |size| {
            let mut body = valid_body();
            body["padding"] = json!("x".repeat(size));
            data(body.to_string().into_bytes())
        }),
        Just((Vec::new(), 44002, "empty post data".to_owned())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_specific_errors() {
    let bank = TestBank::start().await;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"pactolus malformed requests seed");
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = malformed();
    for number in 0..CASES {
        let (bytes, errcode, word) = strategy.new_tree(&mut runner).unwrap().current();
        let shown = String::from_utf8_lossy(&bytes).chars().take(400).collect::<String>();
        let reply = bank.call::<Present>(LIVE, bytes).await;
        let errmsg = reply["errmsg"].as_str().unwrap();
        assert_eq!(reply["errcode"], errcode, "case {number}: {errmsg}\n{shown}");
        assert!(errmsg.contains(&word), "case {number}: {errmsg} does not say {word}\n{shown}");
        if number % 1000 == 0 {
            assert_eq!(bank.account(LIVE).await["orders"], 0);
        }
    }
    assert_eq!(bank.account(LIVE).await["orders"], 0);
    // The valid request still succeeds.
    assert_eq!(bank.call::<Present>(LIVE, valid_body().to_string()).await["balance"], 233);
}
