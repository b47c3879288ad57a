//! Dialect of a gift file, from its first bytes: the separator of the cells, or the format of a file that is no CSV.

use crate::cli::i18n::{Lang, tr};
use crate::commands::present::row::Column;

/// How the cells of a file are separated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) separator: u8,
    /// Bytes before the header: a byte order mark, and a line `sep=`.
    pub(crate) header_at: usize,
    /// Lines before the header.
    pub(crate) lines_before: u64,
}

/// Separators that spreadsheets write. Of two that fit, the first is taken.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Dialect {
    /// Detects the dialect from the first bytes of a file, or returns the problem.
    pub(crate) fn detect(head: &[u8], lang: Lang) -> Result<Self, String> {
        if let Some(format) = foreign_format(head, lang) {
            return Err(format);
        }
        let mark = if head.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
        let text = String::from_utf8_lossy(&head[mark..]);
        let first = text.split(['\r', '\n']).next().unwrap_or_default();
        let Some(named) = named_separator(first) else {
            let header = text.split(['\r', '\n']).find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Ok(Self { separator: separator_of(header), header_at: mark, lines_before: 0 });
        };
        let [separator] = *named.as_bytes() else {
            return Err(tr!(
                lang,
                "sep= names {named:?} as the separator; it must be one character, such as , or ;",
                "sep= 指定的分隔符 {named:?} 有误；应为一个字符，如 , 或 ;"
            ));
        };
        let end = &head[mark + first.len()..];
        let end_bytes = if end.starts_with(b"\r\n") { 2 } else { end.len().min(1) };
        Ok(Self { separator, header_at: mark + first.len() + end_bytes, lines_before: 1 })
    }
}

/// The separator that a first line `sep=;` names, as spreadsheets write it.
fn named_separator(line: &str) -> Option<&str> {
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let (name, separator) = line.split_at_checked(4)?;
    name.eq_ignore_ascii_case("sep=").then_some(separator)
}

/// The separator that makes the most known columns of the header; of equals, the most cells.
fn separator_of(header: &str) -> u8 {
    let score = |separator: u8| {
        let cells = header.split(char::from(separator));
        let known = cells.clone().filter(|cell| Column::from_name(cell.trim_matches(['"', ' '])).is_some());
        (known.count(), cells.count())
    };
    let [first, others @ ..] = SEPARATORS;
    others.into_iter().fold(first, |best, other| if score(other) > score(best) { other } else { best })
}

/// A file that is no CSV text, with what to do about it.
fn foreign_format(head: &[u8], lang: Lang) -> Option<String> {
    let begins = |magic: &[u8]| head.starts_with(magic);
    let save = tr!(lang, "save it as CSV UTF-8", "请另存为“CSV UTF-8”");
    if begins(b"PK\x03\x04") {
        return Some(tr!(
            lang,
            "is an Excel workbook (.xlsx) or another zip file; {save}",
            "是 Excel 工作簿（.xlsx）或其他 zip 文件；{save}"
        ));
    }
    if begins(b"\xD0\xCF\x11\xE0") {
        return Some(tr!(lang, "is an Excel workbook (.xls); {save}", "是 Excel 工作簿（.xls）；{save}"));
    }
    if begins(b"\xFF\xFE") || begins(b"\xFE\xFF") {
        return Some(tr!(lang, "is UTF-16 text; {save}", "是 UTF-16 文本；{save}"));
    }
    if begins(b"\x1F\x8B") {
        return Some(tr!(lang, "is a gzip file; unpack it first", "是 gzip 文件；请先解压"));
    }
    if head.contains(&0) {
        return Some(tr!(
            lang,
            "holds zero bytes, so it is UTF-16 text or no text; {save}",
            "含有零字节，是 UTF-16 文本或并非文本；{save}"
        ));
    }
    let text = head.strip_prefix(UTF8_MARK).unwrap_or(head).trim_ascii_start();
    match text.first() {
        Some(b'<') => {
            Some(tr!(lang, "is an HTML or XML page, not CSV; {save}", "是 HTML 或 XML，不是 CSV；{save}"))
        }
        Some(b'{' | b'[') => Some(tr!(lang, "is JSON, not CSV", "是 JSON，不是 CSV")),
        _ if text.starts_with(b"%PDF") => Some(tr!(lang, "is a PDF file, not CSV", "是 PDF，不是 CSV")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_comes_from_header_or_sep_line() {
        for (head, separator, header_at, lines_before) in [
            ("openid,present_counts\n", b',', 0, 0),
            ("openid;present_counts\n", b';', 0, 0),
            ("openid\tpresent_counts\r\n", b'\t', 0, 0),
            ("\n\nOpenID ; nickname, level\n", b';', 0, 0),
            ("\u{feff}\"openid\";\"zone_id\"\n", b';', 3, 0),
            ("sep=;\r\nopenid;zone_id\n", b';', 7, 1),
            ("\u{feff}SEP=|\nopenid|zone_id\n", b'|', 9, 1),
            ("\"sep=\t\"\ropenid\tzone_id\n", b'\t', 8, 1),
            ("sep=;", b';', 5, 1),
            ("openid", b',', 0, 0),
            ("", b',', 0, 0),
        ] {
            let expected = Dialect { separator, header_at, lines_before };
            assert_eq!(Dialect::detect(head.as_bytes(), Lang::En), Ok(expected), "{head:?}");
        }
        assert!(Dialect::detect("sep=；\n".as_bytes(), Lang::En).is_err());
    }

    #[test]
    fn other_formats_are_named() {
        let utf16: Vec<u8> = "openid".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (head, name) in [
            (&b"PK\x03\x04\x14"[..], ".xlsx"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", ".xls"),
            (b"\xFF\xFEo\0", "UTF-16"),
            (b"\xFE\xFF\0o", "UTF-16"),
            (&utf16, "UTF-16"),
            (b"\x1F\x8B\x08", "gzip"),
            (b"\xEF\xBB\xBF [{\"openid\"", "JSON"),
            (b"\r\n<html>", "HTML"),
            (b"%PDF-1.7", "PDF"),
        ] {
            let problem = Dialect::detect(head, Lang::En).unwrap_err();
            assert!(problem.contains(name), "{problem}");
        }
    }
}
