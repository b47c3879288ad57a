//! OpenAPI document: it lists exactly the routes, and its schemas match the responses.

use std::collections::BTreeSet;

use hyper::{Method, StatusCode};
use pactolus_protocol::parameter::Presence;
use pactolus_protocol::{CallKind, CallPath, ErrorCode, WirePath};
use serde_json::{Value, json};

use crate::bank::{APPID, PLAYER, TestBank, gift};

const ROUTER: &str = include_str!("../../src/router.rs");
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

async fn document(bank: &TestBank) -> Value {
    let (status, kind, body) = bank.send(Method::GET, "/api/v1/openapi.json", &[], "").await;
    assert_eq!((status, &*kind), (StatusCode::OK, "application/json"));
    serde_json::from_slice(&body).unwrap()
}

/// Every method and path in the source of the router. `any` stands for calls made with POST.
fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    for route in ROUTER.split(".route(").skip(1) {
        let (path, handlers) = route.split_once('"').unwrap().1.split_once('"').unwrap();
        let handlers = handlers.split(';').next().unwrap();
        let words: Vec<_> =
            handlers.split('(').filter_map(|before| before.rsplit([' ', ',', '.', '\n']).next()).collect();
        for word in words {
            let method = if word == "any" { "post" } else { word };
            if METHODS.contains(&method) {
                routes.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    routes
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods.iter().map(move |(method, operation)| (&**method, &**path, operation))
        })
        .collect()
}

#[tokio::test]
async fn document_lists_exactly_the_routes() {
    let bank = TestBank::start().await;
    let document = document(&bank).await;
    let documented: BTreeSet<_> = operations(&document)
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let mut routes = routes();
    // Not routes: the server handles these paths before the router.
    routes.extend(WirePath::all().map(|path| ("post".to_owned(), path.as_str().to_owned())));
    assert!(routes.len() >= 18, "{routes:?}");
    let missing: Vec<_> = routes.difference(&documented).collect();
    assert!(
        missing.is_empty(),
        "document these routes in src/openapi/operator.rs or platform.rs: {missing:?}"
    );
    assert_eq!(documented.difference(&routes).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

#[tokio::test]
async fn documented_security_matches_the_server() {
    let bank = TestBank::start().await;
    let document = document(&bank).await;
    for (method, path, operation) in operations(&document) {
        let method: Method = method.to_uppercase().parse().unwrap();
        let path = path.replace("{appid}", APPID).replace(['{', '}'], "");
        let (status, ..) = bank.send(method, &path, &[], "").await;
        assert_eq!(status == StatusCode::UNAUTHORIZED, operation.get("security").is_some(), "{path}");
        let documented = operation["responses"].as_object().unwrap();
        assert!(documented.contains_key(status.as_str()), "{path} answers {status}");
    }
}

#[tokio::test]
async fn document_lists_every_problem_status() {
    let bank = TestBank::start().await;
    let document = document(&bank).await;
    let problems = |path: &str, method: &str| -> Vec<String> {
        let responses = document["paths"][path][method]["responses"].as_object().unwrap();
        let is_problem = |response: &Value| response["content"].get("application/problem+json").is_some();
        responses
            .iter()
            .filter(|(_, response)| is_problem(response))
            .map(|(status, _)| status.clone())
            .collect()
    };
    let orders = "/api/v1/apps/{appid}/orders";
    assert_eq!(problems(orders, "post"), ["400", "401", "404", "409", "422", "503"]);
    assert_eq!(problems(&format!("{orders}/{{bill_no}}"), "get"), ["400", "401", "404", "422", "503"]);
}

#[tokio::test]
async fn calls_are_documented_with_parameters() {
    let bank = TestBank::start().await;
    let document = document(&bank).await;
    for path in CallPath::all() {
        let operation = &document["paths"][path.as_str()]["post"];
        let body = resolve_ref(&document, &operation["requestBody"]["content"]["application/json"]["schema"]);
        for (parameter, need) in path.kind.parameters() {
            assert!(body["properties"][parameter.name()]["description"].is_string(), "{path}: {parameter}");
            let needed = body["required"].as_array().unwrap().contains(&parameter.name().into());
            assert_eq!(needed, need == Presence::Required, "{path}: {parameter}");
        }
        let documented = body["properties"].as_object().unwrap().len();
        assert_eq!(documented, path.kind.parameters().count() + 2, "the parameters, sig and mp_sig");
    }
    let codes =
        document["components"]["schemas"]["Refusal"]["properties"]["errcode"]["enum"].as_array().unwrap();
    assert_eq!(codes.len(), ErrorCode::of_midas().count());
    let reply = &document["components"]["schemas"][format!("{:?}Reply", CallKind::Present)];
    assert_eq!(reply["required"], json!(["balance", "bill_no", "errcode", "errmsg"]));
}

#[tokio::test]
async fn responses_match_documented_fields() {
    let bank = TestBank::start().await;
    bank.present(&gift("b", 233)).await;
    let document = document(&bank).await;
    let app = "/api/v1/apps/{appid}";
    let calls = [
        ("get", format!("{app}/accounts"), format!("?env=live&openid={PLAYER}")),
        ("get", format!("{app}/statement"), format!("?env=live&openid={PLAYER}")),
        ("get", format!("{app}/totals"), "?env=live&from=2017-10-09&to=2017-10-09".to_owned()),
        ("get", format!("{app}/orders/{{bill_no}}"), "?env=live".to_owned()),
        ("post", format!("{app}/orders"), String::new()),
    ];
    let order = json!({ "kind": "present", "env": "live", "openid": PLAYER, "bill_no": "b", "coins": 233 });
    for (method, template, query) in calls {
        let path = template.replace("{appid}", APPID).replace("{bill_no}", "b") + &query;
        let method_sent = method.to_uppercase().parse().unwrap();
        let body = if method == "post" { order.to_string() } else { String::new() };
        let (status, answer) = bank.operator_request(method_sent, &path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let documented = &document["paths"][&template][method]["responses"]["200"];
        assert_matches_schema(
            &document,
            &documented["content"]["application/json"]["schema"],
            &answer,
            &template,
        );
    }
}

fn resolve_ref<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolve_ref(document, document.pointer(&reference[1..]).unwrap()),
        None => schema,
    }
}

/// Asserts that objects have exactly the fields of their schemas.
fn assert_matches_schema(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve_ref(document, schema);
    match value {
        Value::Object(fields) => {
            // A nullable schema is an `anyOf` of two.
            let schema = match schema["anyOf"].as_array() {
                Some(forms) => resolve_ref(document, &forms[0]),
                None => schema,
            };
            let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{at}: {schema}"));
            let names: Vec<_> = fields.keys().collect();
            assert_eq!(names, properties.keys().collect::<Vec<_>>(), "{at}");
            for (name, value) in fields {
                assert_matches_schema(document, &properties[name], value, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                assert_matches_schema(document, &schema["items"], item, &format!("{at}[]"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
