//! OpenAPI document of all endpoints, generated from the code that answers them.
//!
//! - Operator API ([`operator`]): parameters, bodies and replies come from the handlers' own types.
//! - Midas calls ([`midas`]): parameters come from the tables that drive parsing and signing, replies from the
//!   protocol's encoder.
//! - Calls of the raw wires ([`raw`]): members and replies come from the protocol, needs are listed by hand.
//! - Platform ([`platform`]): queries are listed by hand, replies come from the protocol's encoder.
//!
//! To add an operator endpoint: its line in [`operator`]. A test compares the document's paths with `router.rs`.

mod midas;
mod operation;
mod operator;
mod platform;
mod raw;
mod reply_schema;

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use self::operation::{Operation, Schemas};

/// The document. It holds no data of this bank, so it needs no token.
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
        .chain(raw::operations(&mut schemas))
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
            "description": "A bank of game coins: the calls of three wires, the platform around them, and the operator API.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "midas", "description": "Calls of a game's back end. The status is always 200; `errcode` holds the result." },
            { "name": "game", "description": "Calls of a mini game's back end in the newer form. The status is always 200; `errcode` holds the result." },
            { "name": "xpay", "description": "Calls of a mini program's back end. The status is always 200; `errcode` holds the result." },
            { "name": "platform", "description": "Tokens and logins around the Midas calls." },
            { "name": "operator", "description": "Endpoints for support, live-ops and the studio's own services." },
            { "name": "health", "description": "Liveness and readiness probes." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": { "operator": { "type": "http", "scheme": "bearer" } },
        },
    })
}
