//! One JSON object as it was sent: the body of a call on every wire.
//!
//! Its members are read in the order sent, with their raw values. Errors are those of the platform: 44002 for an empty
//! body, 47001 for one that is not one JSON object.
//! Read next: `object/scan.rs` for the JSON scanner, `object/wrapping.rs` for bodies that a client's library wrapped.

use std::borrow::Cow;

use crate::error::{ErrorCode, ErrorReply};

mod scan;
mod value;
mod wrapping;

use scan::{Member, Members, ScanError};
pub(crate) use value::{LoneSurrogate, Value, decode_string};
pub(crate) use wrapping::{compressed, is_form, name_wrapping};

/// Maximum body size in bytes, several times all documented parameters at their longest.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Checks that a body is neither empty (44002) nor too large (47001).
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), ErrorReply> {
    if bytes.is_empty() {
        return Err(ErrorReply::new(ErrorCode::EmptyPostData));
    }
    if bytes.len() > BODY_BYTES_MAX { Err(too_large()) } else { Ok(()) }
}

pub(crate) fn too_large() -> ErrorReply {
    malformed(format!("the body is larger than {BODY_BYTES_MAX} bytes"))
}

pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> ErrorReply {
    ErrorReply::with_detail(ErrorCode::DataFormat, detail)
}

/// Checks the whole body for UTF-8 once, so that every slice of it is text. A byte order mark is skipped.
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str, ErrorReply> {
    std::str::from_utf8(wrapping::without_byte_order_mark(bytes))
        .map_err(|_| malformed("the body is not UTF-8"))
}

pub(crate) fn members(text: &str) -> Result<Members<'_>, ErrorReply> {
    Members::new(text).map_err(|error| scan_error_reply(error, text))
}

#[inline]
pub(crate) fn next_member(members: &mut Members<'_>, text: &str) -> Result<Option<Member>, ErrorReply> {
    members.next().map_err(|error| scan_error_reply(error, text))
}

/// Reported as a JSON syntax error, because no field can have such a name.
#[cold]
pub(crate) fn lone_surrogate_in_key_error(text: &str, member: &Member) -> ErrorReply {
    scan_error_reply(ScanError::UnexpectedByte { offset: member.key.start }, text)
}

#[cold]
fn scan_error_reply(error: ScanError, text: &str) -> ErrorReply {
    match error {
        ScanError::NotAnObject => malformed("the body is not a JSON object"),
        ScanError::UnexpectedEnd => malformed("the body ends before its JSON does"),
        ScanError::UnexpectedByte { offset: at } => {
            let mut lines = text.as_bytes()[..at].split(|byte| *byte == b'\n');
            let column = 1 + lines.next_back().map_or(0, <[u8]>::len);
            let line = 1 + lines.count();
            malformed(format!("the body is not JSON at line {line}, column {column}"))
        }
        ScanError::TrailingData => malformed("something follows the JSON object in the body"),
    }
}

/// The key that comes first in byte order.
pub(crate) fn first_by_name<'a>(a: Option<&'a str>, b: Option<&'a str>) -> Option<&'a str> {
    [a, b].into_iter().flatten().min()
}

/// The members in the order sent, name and value as raw JSON.
pub(crate) fn raw_members(text: &str) -> Result<Vec<(&str, &str)>, ErrorReply> {
    let mut raw = Vec::new();
    let mut members = members(text)?;
    while let Some(Member { key, value }) = next_member(&mut members, text)? {
        raw.push((&text[key.start..key.end], &text[value.start..value.end]));
    }
    Ok(raw)
}

/// The members in the order sent that are no objects and no arrays, name and value decoded.
pub(crate) fn scalars(bytes: &[u8]) -> Result<Vec<(String, String)>, ErrorReply> {
    let text = as_text(bytes)?;
    let mut scalars = Vec::new();
    let mut members = members(text)?;
    while let Some(Member { key, value }) = next_member(&mut members, text)? {
        let (Ok(name), Ok(value)) = (decode_string(text, key), Value::decode(text, value)) else { continue };
        scalars.extend(value.scalar().map(|value| (name.into_owned(), value.to_owned())));
    }
    Ok(scalars)
}
