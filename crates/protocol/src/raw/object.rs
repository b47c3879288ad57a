//! The body of a call on a raw wire: the members of one JSON object, by name.
//!
//! Unknown members are ignored; they are signed because the body is. A member that occurs twice is refused, because two
//! readers of the body could differ.
//! A body must never be logged; its `Debug` shows only the number of members.

use std::borrow::Cow;
use std::fmt;

use pactolus_types::Environment;

use super::member::{Member, MemberForm};
use super::path::RawWire;
use super::reason::Reason;
use crate::error::ErrorReply;
use crate::object::{
    self, Value, as_text, decode_string, lone_surrogate_in_key_error, malformed, members, next_member,
};

/// The members of a body. Names are unique.
pub struct RawObject<'a> {
    wire: RawWire,
    /// The value of each member, in name order.
    values: [Option<Value<'a>>; Member::ALL.len()],
    /// The names of the unknown members.
    others: Vec<Cow<'a, str>>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> RawObject<'a> {
    /// Parses a body. Errors: 44002 if it is empty, 47001 if it is not one JSON object, and the wire's error of a
    /// parameter if it begins with a byte order mark or a member occurs twice.
    pub fn parse(wire: RawWire, bytes: &'a [u8]) -> Result<Self, ErrorReply> {
        object::check_size(bytes)?;
        if bytes.starts_with(BYTE_ORDER_MARK) {
            let detail = "the body begins with a byte order mark, which is signed and is no JSON";
            return Err(Reason::Query.refuse(wire, detail));
        }
        Self::parse_object(wire, bytes).map_err(|error| object::name_wrapping(bytes, error))
    }

    fn parse_object(wire: RawWire, bytes: &'a [u8]) -> Result<Self, ErrorReply> {
        let text = as_text(bytes)?;
        let mut object = Self { wire, values: [const { None }; Member::ALL.len()], others: Vec::new() };
        // Reported at the end, because a JSON syntax error anywhere takes precedence over both.
        let (mut has_lone_surrogate, mut twice) = (false, None);
        let mut members = members(text)?;
        while let Some(member) = next_member(&mut members, text)? {
            let Ok(name) = decode_string(text, member.key) else {
                return Err(lone_surrogate_in_key_error(text, &member));
            };
            let Ok(value) = Value::decode(text, member.value) else {
                has_lone_surrogate = true;
                continue;
            };
            match Member::from_name(&name) {
                None => object.others.push(name),
                Some(known) => {
                    if object.values[known as usize].replace(value).is_some() {
                        twice = twice.or(Some(known));
                    }
                }
            }
        }
        if has_lone_surrogate {
            return Err(malformed("a string of the body has a lone surrogate"));
        }
        object.check_unique(twice)?;
        Ok(object)
    }

    /// Only a known member is named: any other name is the caller's text, and errors are logged.
    fn check_unique(&mut self, twice: Option<Member>) -> Result<(), ErrorReply> {
        if let Some(member) = twice {
            return Err(self.wire.invalid(member, "is sent twice"));
        }
        self.others.sort_unstable();
        if self.others.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Reason::Query.refuse(self.wire, "an unknown member is sent twice"));
        }
        Ok(())
    }

    /// Its wire.
    pub const fn wire(&self) -> RawWire {
        self.wire
    }

    /// The environment that the body names: `env` 0 is live, 1 the sandbox.
    pub fn environment(&self) -> Result<Environment, ErrorReply> {
        match self.text(Member::Env)? {
            Some("0") => Ok(Environment::Live),
            Some("1") => Ok(Environment::Sandbox),
            None | Some("") => Err(self.missing(Member::Env)),
            Some(_) => Err(self.wire.invalid(Member::Env, "is neither 0 (live) nor 1 (sandbox)")),
        }
    }

    /// A member that must be present and not empty.
    pub(super) fn required<T, E: fmt::Display>(
        &self,
        member: Member,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ErrorReply> {
        self.optional(member, rule)?.ok_or_else(|| self.missing(member))
    }

    /// A member that may be absent or empty.
    pub(super) fn optional<T, E: fmt::Display>(
        &self,
        member: Member,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ErrorReply> {
        match self.text(member)? {
            None | Some("") => Ok(None),
            Some(text) => rule(text).map(Some).map_err(|error| self.wire.invalid(member, error)),
        }
    }

    /// The text of a member, after the check of its JSON form.
    fn text(&self, member: Member) -> Result<Option<&str>, ErrorReply> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let text = match member.form() {
            MemberForm::Text => value.text(),
            MemberForm::Integer => value.integer(),
            MemberForm::TextOrDigits => value.text_or_digits(),
            MemberForm::Ignored => return Ok(None),
        };
        text.map(Some).map_err(|problem| self.wire.invalid(member, problem))
    }

    /// The error of a missing member. It names a member of the first wire in its place.
    fn missing(&self, member: Member) -> ErrorReply {
        let is_same_name = |name: &&Cow<'_, str>| {
            let letters = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
            letters(name) == letters(member.name())
        };
        if self.others.iter().any(|name| is_same_name(&name)) {
            return self.wire.invalid(
                member,
                format_args!(
                    "is missing; a member has this name in another spelling, and only {member} is read"
                ),
            );
        }
        match self.other_wires_member(member) {
            Some(other) => self.wire.invalid(
                member,
                format_args!("is missing; the body has {other}, which is of another family of calls"),
            ),
            None => self.wire.invalid(member, "is missing"),
        }
    }

    /// The member that stands for `member` on another wire, if the body has it.
    fn other_wires_member(&self, member: Member) -> Option<&'static str> {
        let names: &[&'static str] = match member {
            Member::Amount => &["amt", "present_counts"],
            Member::BillNo => &["order_id"],
            Member::OrderId => &["bill_no"],
            Member::PayBillNo => &["pay_order_id"],
            Member::PayOrderId => &["pay_bill_no"],
            Member::Env => &["pf", "appid", "sig"],
            Member::BizId
            | Member::CoinType
            | Member::DeviceType
            | Member::OfferId
            | Member::OpenId
            | Member::OutTradeNo
            | Member::PayItem
            | Member::Remark
            | Member::Ts
            | Member::UserIp
            | Member::ZoneId => &[],
        };
        names.iter().copied().find(|name| self.has(name))
    }

    fn has(&self, name: &str) -> bool {
        match Member::from_name(name) {
            Some(member) => self.value(member).is_some(),
            None => self.others.iter().any(|other| other == name),
        }
    }

    pub(crate) fn value(&self, member: Member) -> Option<&Value<'a>> {
        self.values[member as usize].as_ref()
    }

    /// The names of the unknown members, sorted.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(AsRef::as_ref)
    }
}

impl fmt::Debug for RawObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.values.iter().flatten().count();
        write!(f, "RawObject({} members)", known + self.others.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_body_is_refused_with_its_code() {
        let cases: [(&[u8], i32, i32); 9] = [
            (b"", 44002, 44002),
            (b"[]", 47001, 47001),
            (b"{\"a\":1", 47001, 47001),
            (b"openid=a", 47001, 47001),
            (b"{\"a\":\"\xff\"}", 47001, 47001),
            (br#"{"a":"\ud83d"}"#, 47001, 47001),
            (b"\xef\xbb\xbf{}", 90018, 268_490_002),
            (br#"{"amount":1,"amount":1}"#, 90018, 268_490_002),
            (br#"{"x":1,"x":1}"#, 90018, 268_490_002),
        ];
        for (bytes, game, xpay) in cases {
            let code = |wire| RawObject::parse(wire, bytes).unwrap_err().code().code();
            assert_eq!((code(RawWire::Game), code(RawWire::Xpay)), (game, xpay), "{bytes:?}");
        }
        let twice = RawObject::parse(RawWire::Xpay, br#"{"openid":"a","openid":"a"}"#).unwrap_err();
        assert_eq!(twice.code().code(), 268_490_001);
    }

    #[test]
    fn environment_is_read_in_every_form() {
        let read = |env: &str| {
            let json = format!(r#"{{"env":{env}}}"#);
            RawObject::parse(RawWire::Game, json.as_bytes()).unwrap().environment().map_err(|e| e.to_string())
        };
        assert_eq!(read("0"), Ok(Environment::Live));
        assert_eq!(read(r#""0""#), Ok(Environment::Live));
        assert_eq!(read("1"), Ok(Environment::Sandbox));
        assert_eq!(read(r#""1""#), Ok(Environment::Sandbox));
        for bad in ["2", "-1", "1.0", "true", "null", "[]", r#""""#, r#""live""#, r#""01""#] {
            assert!(read(bad).unwrap_err().starts_with("invalid parameter: env "), "{bad}");
        }
    }

    #[test]
    fn missing_member_names_its_like() {
        let missing = |wire, json: &str, member| {
            RawObject::parse(wire, json.as_bytes()).unwrap().missing(member).detail().unwrap().to_owned()
        };
        assert_eq!(missing(RawWire::Game, "{}", Member::Env), "env is missing");
        assert!(missing(RawWire::Game, r#"{"amt":1}"#, Member::Amount).contains("has amt"));
        assert!(missing(RawWire::Game, r#"{"pf":"a"}"#, Member::Env).contains("has pf"));
        assert!(missing(RawWire::Xpay, r#"{"bill_no":"a"}"#, Member::OrderId).contains("has bill_no"));
        assert!(missing(RawWire::Game, r#"{"billNo":"a"}"#, Member::BillNo).contains("another spelling"));
    }
}
