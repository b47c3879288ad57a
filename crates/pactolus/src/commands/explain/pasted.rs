//! A pasted refusal: a rid, an errcode, an errmsg, or a reply's whole JSON, with what a chat or a log put around it.

use pactolus_protocol::{ErrorCode, Rid};
use serde_json::Value;

use super::codes::known_codes;

/// What a pasted text tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PastedError {
    pub(super) rid: Option<Rid>,
    /// The `errcode`, also one that no Pactolus answers with.
    pub(super) errcode: Option<i32>,
}

impl PastedError {
    /// Reads a text. `None` if it tells nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let json = json_object(text);
        let errmsg = json.as_ref().and_then(|json| json["errmsg"].as_str()).unwrap_or(text);
        let errcode = json.as_ref().and_then(|json| number(&json["errcode"])).or_else(|| errcode(text));
        let found = Self {
            // The reply may have a rid beside its errmsg.
            rid: last_rid(errmsg).or_else(|| last_rid(text)),
            errcode: errcode.or_else(|| code_by_words(errmsg).map(ErrorCode::code)),
        };
        (found != Self::default()).then_some(found)
    }
}

/// The JSON object in the text, which may be quoted and escaped as in a log line.
fn json_object(text: &str) -> Option<Value> {
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    let object = text.get(start..=end)?;
    let parse = |text: &str| serde_json::from_str(text).ok().filter(Value::is_object);
    parse(object).or_else(|| parse(&object.replace("\\\"", "\"").replace("\\\\", "\\")))
}

fn number(value: &Value) -> Option<i32> {
    match value {
        Value::Number(number) => number.as_i64().and_then(|code| code.try_into().ok()),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The number after the word `errcode`, or at the start of the text.
fn errcode(text: &str) -> Option<i32> {
    let lower = text.to_ascii_lowercase();
    let named = ["errcode", "err_code", "error code"].iter().find_map(|name| {
        let after = lower.find(name).and_then(|at| text.get(at + name.len()..))?;
        leading_number(after.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '-' && c != '{'))
    });
    named.or_else(|| leading_number(text.trim_start_matches(is_quote)))
}

/// The number with which the text begins, unless it is a part of a word, such as a rid.
fn leading_number(text: &str) -> Option<i32> {
    let text = text.trim_start();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let is_word = digits[length..].starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
    let number = &text[..text.len() - digits.len() + length];
    number.parse().ok().filter(|_| !is_word)
}

fn is_quote(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '「' | '」' | '《' | '[' | '(')
}

/// The last rid of the text. A reply ends with its own.
fn last_rid(text: &str) -> Option<Rid> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.rev().find_map(|word| word.to_ascii_lowercase().parse().ok())
}

/// The code whose words the text has. The longest decides: "invalid code" is a part of no other.
fn code_by_words(text: &str) -> Option<ErrorCode> {
    let text = text.to_ascii_lowercase();
    let said = known_codes().filter(|code| text.contains(&code.errmsg().to_ascii_lowercase()));
    said.max_by_key(|code| code.errmsg().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RID: &str = "59db17f1-01234567-89abcdef";

    #[track_caller]
    fn check(text: &str, rid: Option<&str>, errcode: Option<i32>) {
        let rid = rid.map(|rid| rid.parse().unwrap());
        assert_eq!(PastedError::parse(text), Some(PastedError { rid, errcode }), "{text}");
    }

    #[test]
    fn rid_is_found_in_every_wrapping() {
        for text in [
            RID,
            &format!(" {RID}\n"),
            &format!("\"{RID}\""),
            &format!("rid: {RID}"),
            &format!("rid:{RID}."),
            &format!("“{RID}”"),
            &RID.to_uppercase(),
            &format!("00000000-00000000-00000000 and then {RID}"),
        ] {
            check(text, Some(RID), None);
        }
    }

    #[test]
    fn errmsg_names_its_code() {
        check(&format!("sig error rid: {RID}"), Some(RID), Some(90011));
        check(&format!("'sig error: signed without the path rid: {RID}'"), Some(RID), Some(90011));
        check("mp_sig error", None, Some(90009));
        check("invalid credential, access_token is invalid or not latest", None, Some(40001));
        check("Invalid appid", None, Some(40013));
        check("errmsg=invalid code", None, Some(40029));
        check("appid missing", None, Some(41002));
    }

    #[test]
    fn code_is_found_as_a_number() {
        for text in ["40001", " 40001 ", "\"40001\"", "errcode 40001", "errcode=40001", "errCode: 40001,"] {
            check(text, None, Some(40001));
        }
        check("-1", None, Some(-1));
        check("errcode: -1, errmsg: whatever", None, Some(-1));
        check("40163 code been used", None, Some(40163));
        check("40164: invalid ip", None, Some(40164));
    }

    #[test]
    fn reply_is_read_as_json() {
        let reply = format!(r#"{{"errcode": 40125, "errmsg": "invalid appsecret rid: {RID}"}}"#);
        for text in [
            reply.clone(),
            format!("POST /x answered {reply} in 3 ms"),
            format!("\"{}\"", reply.replace('"', "\\\"")),
            format!("'{reply}'"),
            reply.replace("40125", "\"40125\""),
        ] {
            check(&text, Some(RID), Some(40125));
        }
        check(r#"{"errcode":42001,"errmsg":"access_token expired"}"#, None, Some(42001));
        check(&format!(r#"{{"rid":"{RID}","errcode":-1}}"#), Some(RID), Some(-1));
    }

    #[test]
    fn text_without_a_refusal_tells_nothing() {
        for text in ["", "{}", "hello", "59db17f1", "59db17f1-0123", "12ab", "{\"errcode\":{}}"] {
            assert_eq!(PastedError::parse(text), None, "{text}");
        }
    }
}
