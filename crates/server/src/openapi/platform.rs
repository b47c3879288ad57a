//! The endpoints around the Midas calls: tokens and logins, health, and the document itself.
//!
//! Queries are listed by hand, because handlers read them parameter by parameter. Replies come from the protocol's
//! encoder.

use pactolus_protocol::login::{CHECK_SESSION_PATH, LOGIN_PATH};
use pactolus_protocol::reply::ok_json;
use pactolus_protocol::token::{STABLE_TOKEN_PATH, TOKEN_LIFETIME, TOKEN_PATH};
use pactolus_protocol::{AccessToken, GrantType, LoginReply, SessionKey, TokenReply};
use pactolus_types::{AppId, OpenId};
use serde_json::{Map, Value, json};

use super::operation::{Operation, Schemas};
use super::reply_schema;
use crate::operator::field::TextValue as _;

/// A required parameter: name, description, schema.
type RequiredParam = (&'static str, &'static str, Value);

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let error = schemas.register("Refusal".to_owned(), reply_schema::error());
    let token = schemas.register("TokenReply".to_owned(), reply_schema::infer(&token_reply()));
    let login = schemas.register("LoginReply".to_owned(), reply_schema::infer(&login_reply()));
    let checked = schemas.register("SessionCheckReply".to_owned(), reply_schema::infer(&ok_json()));
    let [token, login, checked] = [token, login, checked].map(|done| reply_schema::responses(&done, &error));

    let mut code = credentials(GrantType::AuthorizationCode);
    code.push(("js_code", "The login code of the player.", text()));
    let check = vec![
        ("access_token", "The app's access token.", text()),
        ("openid", "The player.", OpenId::schema().to_value()),
        ("signature", "HMAC-SHA256 of the empty text by the player's session key, in hex.", text()),
        ("sig_method", "The signature method.", json!({ "const": "hmac_sha256" })),
    ];
    let issue = "Issue an access token; the one before stays valid for a while";
    let queries = [
        query_operations(TOKEN_PATH, issue, credentials(GrantType::ClientCredential), &token),
        query_operations(LOGIN_PATH, "Log a player in by a code", code, &login),
        query_operations(CHECK_SESSION_PATH, "Check a player's session key", check, &checked),
    ];
    let others = [
        stable_token(&token),
        health("/healthz", "Whether the process answers", &["200"]),
        health("/readyz", "Whether the bank takes orders; if not, the reason", &["200", "503"]),
        metrics(),
        document(),
    ];
    queries.into_iter().flatten().chain(others).collect()
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn credentials(wanted: GrantType) -> Vec<RequiredParam> {
    vec![
        ("grant_type", "The grant type.", json!({ "const": wanted.to_string() })),
        ("appid", "The mini game.", AppId::schema().to_value()),
        ("secret", "The app secret.", text()),
    ]
}

/// A call by GET, and the same by POST. A POST may send the parameters as a form in place of the query.
fn query_operations(
    path: &'static str,
    summary: &str,
    parameters: Vec<RequiredParam>,
    responses: &Value,
) -> [Operation; 2] {
    let parameter = |(name, about, schema)| json!({ "name": name, "in": "query", "required": true, "description": about, "schema": schema });
    let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
    let object =
        json!({ "tags": ["platform"], "summary": summary, "parameters": parameters, "responses": responses });
    ["get", "post"].map(|method| Operation { method, path, object: object.clone() })
}

fn stable_token(responses: &Value) -> Operation {
    let needed = credentials(GrantType::ClientCredential);
    let names: Vec<_> = needed.iter().map(|(name, ..)| *name).collect();
    let mut fields = Map::new();
    for (name, about, mut schema) in needed {
        schema["description"] = about.into();
        fields.insert(name.to_owned(), schema);
    }
    let refresh = json!({
        "type": ["boolean", "null"],
        "description": "Whether to replace the token at once, before it expires.",
    });
    fields.insert("force_refresh".to_owned(), refresh);
    let body = json!({ "type": "object", "properties": fields, "required": names });
    let object = json!({
        "tags": ["platform"],
        "summary": "The stable access token: the same until it expires",
        "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
        "responses": responses,
    });
    Operation { method: "post", path: STABLE_TOKEN_PATH, object }
}

fn health(path: &'static str, summary: &str, statuses: &[&str]) -> Operation {
    let answer = |status: &&str| {
        let about = if *status == "200" { "Yes." } else { "No." };
        let content = json!({ "text/plain": { "schema": { "type": "string" } } });
        ((*status).to_owned(), json!({ "description": about, "content": content }))
    };
    let responses: Map<_, _> = statuses.iter().map(answer).collect();
    let object = json!({ "tags": ["health"], "summary": summary, "responses": responses });
    Operation { method: "get", path, object }
}

/// A caller on the machine itself needs no token, so none is documented.
fn metrics() -> Operation {
    let text = json!({ "schema": { "type": "string" } });
    let content = json!({ "text/plain": text, "application/openmetrics-text": text });
    let problem = json!({ "application/problem+json": { "schema": { "type": "object" } } });
    let responses = json!({
        "200": { "description": "The metrics.", "content": content },
        "401": { "description": "A caller elsewhere sent no operator token.", "content": problem },
        "404": { "description": "The bank counts nothing.", "content": problem },
    });
    let object = json!({ "tags": ["health"], "summary": "What the bank counts, for Prometheus", "responses": responses });
    Operation { method: "get", path: "/metrics", object }
}

fn document() -> Operation {
    let content = json!({ "application/json": { "schema": { "type": "object" } } });
    let responses = json!({ "200": { "description": "The document.", "content": content } });
    let object = json!({ "tags": ["operator"], "summary": "This document", "responses": responses });
    Operation { method: "get", path: "/api/v1/openapi.json", object }
}

fn token_reply() -> Vec<u8> {
    let access_token = AccessToken::new("ACCESSTOKEN").expect("it keeps the rule of tokens");
    TokenReply { access_token, expires_in: TOKEN_LIFETIME }.to_json()
}

fn login_reply() -> Vec<u8> {
    let openid = OpenId::new("odkx20ENSNa2w5y3g_qOkOvBNM1g").expect("it keeps the rule of players");
    let session_key = SessionKey::new("AAAAAAAAAAAAAAAAAAAAAA==").expect("it is 16 bytes in base64");
    LoginReply { openid, session_key }.to_json()
}
