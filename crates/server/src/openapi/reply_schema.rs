//! Reply schemas, inferred from encoded sample replies.

use pactolus_protocol::reply::error_to_json;
use pactolus_protocol::{ErrorCode, ErrorReply, ExistingOrder, Rid};
use pactolus_types::Coins;
use serde_json::{Map, Value, json};

/// A valid bill number.
pub(super) const BILL_NO: &str = "BillNo_123";

/// The schema of a sample reply: the same fields, with values of the same types.
pub(super) fn infer(reply: &[u8]) -> Value {
    let fields = field_schemas(reply);
    let needed: Vec<_> = fields.keys().cloned().collect();
    object_schema(&fields, &needed)
}

/// An error reply: any errcode, with or without an existing order.
pub(super) fn error() -> Value {
    let existing = ExistingOrder {
        bill_no: BILL_NO.parse().expect("it keeps the rule of bill numbers"),
        balance: Coins::MAX,
        used_gen_amt: Some(Coins::MAX),
    };
    let rid: Rid = "59db17f1-01234567-89abcdef".parse().expect("it is written like a request's id");
    error_of(&ErrorCode::of_midas().collect::<Vec<_>>(), &error_to_json(&ErrorReply::replayed(existing), rid))
}

/// An error reply with one of `codes`; `repeated` is one that answers a repeat.
pub(super) fn error_of(codes: &[ErrorCode], repeated: &[u8]) -> Value {
    let mut fields = field_schemas(repeated);
    let needed = ["errcode", "errmsg"].map(str::to_owned);
    let words: Vec<_> = codes.iter().map(|code| format!("`{}` {}", code.code(), code.errmsg())).collect();
    let codes: Vec<_> = codes.iter().map(|code| code.code()).collect();
    fields["errcode"] = json!({ "type": "integer", "enum": codes, "description": words.join("; ") });
    fields["errmsg"] = json!({
        "type": "string",
        "pattern": " rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$",
        "description": "The words of the code, a detail, and the request id.",
    });
    object_schema(&fields, &needed)
}

/// A wire path always answers with status 200. The body is `done` or an error reply.
pub(super) fn responses(done: &Value, error: &Value) -> Value {
    json!({ "200": {
        "description": "Success, or an error with an `errcode` other than 0.",
        "content": { "application/json": { "schema": { "oneOf": [done, error] } } },
    } })
}

fn field_schemas(reply: &[u8]) -> Map<String, Value> {
    let reply: Map<String, Value> = serde_json::from_slice(reply).expect("a reply is a JSON object");
    let schema = |(name, value): (String, Value)| {
        let schema = match (&*name, &value) {
            ("errcode" | "errmsg", _) => json!({ "const": value }),
            (_, Value::Number(_)) => json!({ "type": "integer", "minimum": 0, "maximum": Coins::MAX.get() }),
            (_, Value::Bool(_)) => json!({ "type": "boolean" }),
            (_, _) => json!({ "type": "string" }),
        };
        (name, schema)
    };
    reply.into_iter().map(schema).collect()
}

fn object_schema(fields: &Map<String, Value>, needed: &[String]) -> Value {
    json!({ "type": "object", "properties": fields, "required": needed, "additionalProperties": false })
}
