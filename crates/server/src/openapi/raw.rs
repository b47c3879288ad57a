//! The calls of the raw wires, from the members that each reads.

use pactolus_protocol::raw::{Member, PayNote, RawBalance, RawCallKind, RawPath, RawReply, RawWire};
use pactolus_protocol::reply::error_to_json;
use pactolus_protocol::{ErrorCode, ErrorReply, GameCode, PlatformCode, Rid, XpayCode};
use pactolus_types::{BillNo, Coins, OfferId, OpenId, UnixMillis, ZoneId};
use serde_json::{Map, Value, json};

use super::operation::{Operation, Schemas};
use super::reply_schema;
use crate::operator::field::TextValue;

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let errors = RawWire::ALL.map(|wire| schemas.register(format!("{wire:?}Refusal"), error_schema(wire)));
    let operation = |path: &RawPath| {
        let [game, xpay] = &errors;
        let error = match path.wire() {
            RawWire::Game => game,
            RawWire::Xpay => xpay,
        };
        let body = schemas.register(format!("{path:?}"), body_schema(*path));
        let reply = schemas.register(format!("{path:?}Reply"), reply_schema::infer(&sample_reply(*path)));
        let object = json!({
            "tags": [path.wire().name()],
            "summary": summary(path.kind()),
            "parameters": parameters(*path),
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
            "responses": reply_schema::responses(&reply, error),
        });
        Operation { method: "post", path: path.as_str(), object }
    };
    RawPath::ALL.iter().map(operation).collect()
}

fn parameters(path: RawPath) -> Vec<Value> {
    let query = |name: &str, is_required: bool, description: &str, schema: Value| json!({ "name": name, "in": "query", "required": is_required, "description": description, "schema": schema });
    let hex = || json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" });
    let token = json!({ "type": "string", "minLength": 1 });
    let mut parameters = vec![query("access_token", true, "The app's access token.", token)];
    let is_present = path.kind() == RawCallKind::Present;
    let is_pay_sig_needed = !(is_present && path.wire() == RawWire::Xpay);
    let pay_sig = "The app's signature over the path, `&` and the body as sent.";
    parameters.push(query("pay_sig", is_pay_sig_needed, pay_sig, hex()));
    if is_pay_sig_needed {
        let signature = "The player's signature over the body as sent.";
        parameters.push(query("signature", !is_present, signature, hex()));
    }
    if path.wire() == RawWire::Game {
        let method = json!({ "const": "hmac_sha256" });
        parameters.push(query("sig_method", true, "The method of both signatures.", method));
    }
    parameters
}

/// The members that a call reads, and whether it needs each. Unknown members are ignored.
pub(super) fn members(path: RawPath) -> Vec<(Member, bool)> {
    let wire = path.wire();
    let mut members = vec![(Member::OpenId, true)];
    if wire == RawWire::Game {
        let needs_zone = path.kind() != RawCallKind::TopUp;
        members.extend([(Member::OfferId, true), (Member::Ts, true), (Member::ZoneId, needs_zone)]);
    }
    members.extend([(Member::Env, true), (Member::UserIp, false)]);
    let (number, pay_number) = (Member::number(wire), Member::pay_number(wire));
    match path.kind() {
        RawCallKind::Balance if wire == RawWire::Game => members.push((Member::CoinType, false)),
        RawCallKind::Balance => {}
        RawCallKind::Pay => members.extend([
            (Member::Amount, true),
            (number, true),
            (Member::PayItem, false),
            (Member::Remark, false),
        ]),
        RawCallKind::Refund => members.extend([(Member::Amount, true), (number, true), (pay_number, true)]),
        RawCallKind::Present => members.extend([(Member::Amount, true), (number, true)]),
        RawCallKind::TopUp => members.extend([(Member::OutTradeNo, true), (Member::BizId, true)]),
    }
    members
}

fn body_schema(path: RawPath) -> Value {
    let members = members(path);
    let properties: Map<_, _> = members
        .iter()
        .map(|(member, _)| {
            let mut schema = member_schema(*member);
            schema["description"] = description(*member).into();
            (member.name().to_owned(), schema)
        })
        .collect();
    let needed: Vec<_> =
        members.iter().filter(|(_, is_needed)| *is_needed).map(|(member, _)| member.name()).collect();
    json!({ "type": "object", "properties": properties, "required": needed })
}

fn member_schema(member: Member) -> Value {
    let text = |schema: schemars::Schema| schema.to_value();
    let number = || text(BillNo::schema());
    match member {
        Member::Amount | Member::Ts => {
            let integer = json!({ "type": "integer", "minimum": 1, "maximum": Coins::MAX.get() });
            json!({ "anyOf": [integer, { "type": "string", "pattern": "^[1-9][0-9]{0,15}$" }] })
        }
        // Narrower than other numbers: a leading `_` is the platform's own.
        Member::BillNo | Member::PayBillNo => {
            json!({ "type": "string", "pattern": "^[0-9A-Za-z-][0-9A-Za-z_-]{0,62}$" })
        }
        Member::OrderId | Member::PayOrderId => number(),
        Member::OutTradeNo => json!({ "type": "string", "minLength": 1 }),
        Member::BizId => json!({ "enum": [1, 2] }),
        Member::CoinType => json!({ "const": 0 }),
        Member::Env => json!({ "enum": [0, 1] }),
        Member::DeviceType | Member::UserIp => json!({}),
        Member::OfferId => text(OfferId::schema()),
        Member::OpenId => text(OpenId::schema()),
        Member::PayItem | Member::Remark => json!({ "type": "string", "maxLength": PayNote::BYTES_MAX }),
        Member::ZoneId => json!({ "anyOf": [text(ZoneId::schema()), { "type": "integer", "minimum": 0 }] }),
    }
}

fn description(member: Member) -> &'static str {
    match member {
        Member::Amount => "The coins to take, to give or to give back.",
        Member::BillNo | Member::OrderId => {
            "The idempotency key: one number, one order, for ever, per player and zone. A refund has its own."
        }
        Member::BizId => "1 for coins, 2 for goods.",
        Member::CoinType => "0 for game coins.",
        Member::DeviceType | Member::UserIp => "Ignored.",
        Member::Env => "0 for live, 1 for the sandbox. It chooses key and books.",
        Member::OfferId => "The app's coin, as the platform assigned it.",
        Member::OpenId => "The player.",
        Member::OutTradeNo => "The number of the top-up.",
        Member::PayBillNo | Member::PayOrderId => "The number of the pay to give back.",
        Member::PayItem => "The item bought, as the caller notes it.",
        Member::Remark => "A note of the caller on the order.",
        Member::Ts => "Seconds since 1970 by the caller's clock; read and not judged.",
        Member::ZoneId => "The game server, and the role where there are roles; `1` where there are none.",
    }
}

fn summary(kind: RawCallKind) -> &'static str {
    match kind {
        RawCallKind::Balance => "Show a player's balance",
        RawCallKind::Pay => "Take coins from a player",
        RawCallKind::Refund => "Give back coins of a pay",
        RawCallKind::Present => "Give coins to a player",
        RawCallKind::TopUp => "Show a top-up",
    }
}

/// A successful reply.
fn sample_reply(path: RawPath) -> Vec<u8> {
    let number = reply_schema::BILL_NO.parse().expect("it keeps the rule of bill numbers");
    let zero = Coins::ZERO;
    let reply = match path.kind() {
        RawCallKind::Balance => RawReply::Balance(RawBalance {
            balance: zero,
            present_balance: zero,
            sum_save: zero,
            sum_present: zero,
            sum_balance: zero,
            sum_cost: zero,
        }),
        RawCallKind::Pay => RawReply::Pay { number, balance: zero, used_present_amount: zero },
        RawCallKind::Refund => RawReply::Refund { number },
        RawCallKind::Present => RawReply::Present { number, balance: zero, present_balance: zero },
        RawCallKind::TopUp => RawReply::TopUp { number, at: UnixMillis::new(0) },
    };
    reply.to_json(path.wire())
}

/// An error reply: any code of the wire, with or without an existing order.
fn error_schema(wire: RawWire) -> Value {
    let own: Vec<ErrorCode> = match wire {
        RawWire::Game => GameCode::ALL.iter().map(|code| ErrorCode::Game(*code)).collect(),
        RawWire::Xpay => XpayCode::ALL.iter().map(|code| ErrorCode::Xpay(*code)).collect(),
    };
    let platform = PlatformCode::ALL.iter().map(|code| ErrorCode::Platform(*code));
    let codes: Vec<ErrorCode> = platform.chain(own.iter().copied()).collect();
    let repeated = ErrorReply::replayed_as(
        own[0],
        reply_schema::BILL_NO.parse().expect("it keeps the rule of bill numbers"),
        Coins::MAX,
    );
    let rid: Rid = "59db17f1-01234567-89abcdef".parse().expect("it is written like a request's id");
    reply_schema::error_of(&codes, &error_to_json(&repeated, rid))
}
