//! The OpenAPI document of everything that the bank answers, made from what answers it.
//!
//! - The operator API ([`operator`]): parameters, bodies and answers are those of the handlers' own types.
//! - The Midas calls ([`midas`]): parameters are those of the tables that drive reading and signing, answers those
//!   that the protocol writes.
//! - What is around them ([`platform`]): queries are listed by hand, answers are what the protocol writes.
//!
//! To add an operator's call: its line in [`operator`]. A test holds the document's paths against `router.rs`.

mod midas;
mod operation;
mod operator;
mod platform;
mod reply_schema;

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use self::operation::{Operation, Schemas};

/// Tells the document. It holds nothing of this bank's own, so it needs no token.
pub(crate) async fn get() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());
    let mut response = DOCUMENT.as_str().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    let operations = midas::operations(&mut schemas)
        .into_iter()
        .chain(platform::operations(&mut schemas))
        .chain(operator::operations(&mut schemas));
    for Operation { method, path, object } in operations {
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = object;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pactolus",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A bank of game coins: the Midas calls, the platform around them, and the operator API.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "midas", "description": "What the back end of a game calls. Always answers with status 200: `errcode` tells." },
            { "name": "platform", "description": "Tokens and logins around the Midas calls." },
            { "name": "operator", "description": "What support, live-ops and the studio's own services call." },
            { "name": "health", "description": "What watches over the bank calls." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": { "operator": { "type": "http", "scheme": "bearer" } },
        },
    })
}
