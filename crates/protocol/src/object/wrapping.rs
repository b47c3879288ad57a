//! Bodies that are not one JSON object but something that a client's library made of it.

use std::borrow::Cow;

use crate::error::{ErrorCode, ErrorReply};

/// The mark that some text encoders write first. RFC 8259 lets a parser ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The first bytes of compressed data: gzip, zlib at its four levels, and zstd.
const COMPRESSED: [&[u8]; 6] =
    [b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x28\xb5\x2f\xfd"];

/// 47001 that names the wrapping of `bytes`, if it is a known one; otherwise `error` itself.
#[cold]
pub(crate) fn name_wrapping(bytes: &[u8], error: ErrorReply) -> ErrorReply {
    let starts_with = |magic: &&[u8]| bytes.starts_with(magic);
    let what = match error.code() {
        ErrorCode::DataFormat if COMPRESSED.iter().any(starts_with) => return compressed(),
        ErrorCode::DataFormat if is_multipart(bytes) => "the body is a multipart form; send one JSON object",
        ErrorCode::DataFormat if is_form(bytes) => "the body is a form; send one JSON object",
        _ => return error,
    };
    ErrorReply::with_detail(ErrorCode::DataFormat, Cow::Borrowed(what))
}

/// 47001 for a compressed body.
pub(crate) fn compressed() -> ErrorReply {
    ErrorReply::with_detail(
        ErrorCode::DataFormat,
        "the body is compressed; send one JSON object as plain text",
    )
}

/// Whether `bytes` begin like an HTML form: a name and `=`.
pub(crate) fn is_form(bytes: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.+%[]".contains(byte);
    let name = bytes.iter().take_while(|byte| is_name(byte)).count();
    name > 0 && bytes.get(name) == Some(&b'=') && !bytes.starts_with(b"[")
}

fn is_multipart(bytes: &[u8]) -> bool {
    const HEADER: &[u8] = b"content-disposition:";
    let mut windows = bytes.windows(HEADER.len()).take(512);
    bytes.starts_with(b"--") && windows.any(|window| window.eq_ignore_ascii_case(HEADER))
}
