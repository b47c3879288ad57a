//! The Midas calls, from the tables of the protocol.

use pactolus_protocol::call::CallKind;
use pactolus_protocol::parameter::{JsonForm, Presence};
use pactolus_protocol::{
    BalanceReply, CallPath, CancelPayReply, FreeText, Parameter, PayReply, Pf, PresentReply, reply,
};
use pactolus_types::{AppId, BillNo, Coins, OfferId, OpenId, ZoneId};
use serde_json::{Map, Value, json};

use super::operation::{Operation, Schemas};
use super::reply_schema;
use crate::operator::field::TextValue;

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let error = schemas.register("Refusal".to_owned(), reply_schema::error());
    CallPath::all()
        .map(|path| {
            let CallPath { kind, environment } = path;
            let body = schemas.register(format!("{kind:?}"), body_schema(kind));
            let reply = schemas.register(format!("{kind:?}Reply"), reply_schema::infer(&sample_reply(kind)));
            let object = json!({
                "tags": ["midas"],
                "summary": format!("{}: {environment}", summary(kind)),
                "parameters": [{
                    "name": Parameter::AccessToken.name(),
                    "in": "query",
                    "required": true,
                    "description": parameter_description(Parameter::AccessToken),
                    "schema": value_schema(Parameter::AccessToken),
                }],
                "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
                "responses": reply_schema::responses(&reply, &error),
            });
            Operation { method: "post", path: path.as_str(), object }
        })
        .collect()
}

/// A body: the call's parameters and its signatures. Unknown fields are ignored.
fn body_schema(kind: CallKind) -> Value {
    let proofs = [(Parameter::Sig, Presence::Required), (Parameter::MpSig, Presence::Optional)];
    let parameters: Vec<_> = kind.parameters().chain(proofs).collect();
    let fields: Map<_, _> = parameters
        .iter()
        .map(|(parameter, _)| {
            let mut schema = parameter_schema(*parameter);
            schema["description"] = parameter_description(*parameter).into();
            (parameter.name().to_owned(), schema)
        })
        .collect();
    let needed: Vec<_> = parameters
        .iter()
        .filter(|(_, need)| *need == Presence::Required)
        .map(|(parameter, _)| parameter.name())
        .collect();
    json!({ "type": "object", "properties": fields, "required": needed })
}

/// The JSON forms that a parameter accepts.
fn parameter_schema(parameter: Parameter) -> Value {
    let digits = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match parameter.form() {
        JsonForm::Text => value_schema(parameter),
        JsonForm::Integer => json!({ "anyOf": [value_schema(parameter), digits("^[1-9][0-9]{0,15}$")] }),
        JsonForm::TextOrDigits => {
            json!({ "anyOf": [value_schema(parameter), { "type": "integer", "minimum": 0 }] })
        }
    }
}

fn value_schema(parameter: Parameter) -> Value {
    let text = |schema: schemars::Schema| schema.to_value();
    match parameter {
        Parameter::AccessToken => json!({ "type": "string", "minLength": 1 }),
        Parameter::Amt | Parameter::PresentCounts | Parameter::Ts => {
            json!({ "type": "integer", "minimum": 1, "maximum": Coins::MAX.get() })
        }
        Parameter::AppRemark | Parameter::PayItem => free_text_schema(),
        Parameter::AppId => text(AppId::schema()),
        Parameter::BillNo => text(BillNo::schema()),
        Parameter::MpSig | Parameter::Sig => json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" }),
        Parameter::OfferId => text(OfferId::schema()),
        Parameter::OpenId => text(OpenId::schema()),
        Parameter::Pf => json!({ "type": "string", "pattern": format!("^[0-9A-Za-z_-]{{1,{}}}$", Pf::MAX) }),
        Parameter::UserIp => {
            json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }, { "const": "" }] })
        }
        Parameter::ZoneId => text(ZoneId::schema()),
    }
}

/// Text without U+0000 and without another parameter's pair.
fn free_text_schema() -> Value {
    let names: Vec<_> = Parameter::ALL.iter().map(|parameter| parameter.name()).collect();
    let refused = format!("\\x00|&({})=", names.join("|"));
    json!({ "type": "string", "maxLength": FreeText::MAX, "not": { "pattern": refused } })
}

fn parameter_description(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::AccessToken => "The app's access token.",
        Parameter::Amt => "The coins to take.",
        Parameter::AppId => "The mini game.",
        Parameter::AppRemark => "A note of the caller on the order.",
        Parameter::BillNo => "The idempotency key: one number, one order, for ever, per app and environment.",
        Parameter::MpSig => {
            "The signature by the player's session key; the app's settings say whether it is required."
        }
        Parameter::OfferId => "The app's coin, as the platform assigned it.",
        Parameter::OpenId => "The player.",
        Parameter::PayItem => "The item bought, as the caller notes it.",
        Parameter::Pf => "The platform: `android`, or another that the app allows.",
        Parameter::PresentCounts => "The coins to give.",
        Parameter::Sig => "The signature by the app's Midas key.",
        Parameter::Ts => "Seconds since 1970 by the caller's clock.",
        Parameter::UserIp => "The player's address, or empty.",
        Parameter::ZoneId => "The game server, and the role where there are roles; `1` where there are none.",
    }
}

fn summary(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Present => "Give coins to a player",
        CallKind::GetBalance => "Show a player's balance",
        CallKind::Pay => "Take coins from a player",
        CallKind::CancelPay => "Cancel a pay and return its coins",
    }
}

/// A successful reply.
fn sample_reply(kind: CallKind) -> Vec<u8> {
    let bill_no = reply_schema::BILL_NO.parse().expect("it keeps the rule of bill numbers");
    let coins = Coins::ZERO;
    match kind {
        CallKind::Present => reply::to_json(&PresentReply { balance: coins, bill_no }),
        CallKind::GetBalance => reply::to_json(&BalanceReply {
            balance: coins,
            gen_balance: coins,
            save_amt: coins,
            save_sum: coins,
            cost_sum: coins,
            present_sum: coins,
        }),
        CallKind::Pay => reply::to_json(&PayReply { bill_no, balance: coins, used_gen_amt: coins }),
        CallKind::CancelPay => reply::to_json(&CancelPayReply { bill_no }),
    }
}
