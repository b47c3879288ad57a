//! Columns of a gift file, found by the names of its header, and the shape of its rows.

use std::fmt;

use csv::StringRecord;

use super::{RowDefaults, UnknownColumns};
use crate::cli::i18n::{Lang, tr};
use crate::config::closest_match;

/// A column of a gift file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    OpenId,
    ZoneId,
    PresentCounts,
    BillNo,
    SessionKey,
    UserIp,
}

impl Column {
    const ALL: [Self; 6] =
        [Self::OpenId, Self::ZoneId, Self::PresentCounts, Self::BillNo, Self::SessionKey, Self::UserIp];

    /// The column that a name in a header means, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name().eq_ignore_ascii_case(name))
    }

    /// The name in the header, equal to the parameter on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::ZoneId => "zone_id",
            Self::PresentCounts => "present_counts",
            Self::BillNo => "bill_no",
            Self::SessionKey => "session_key",
            Self::UserIp => "user_ip",
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Position of each column in a file.
#[derive(Debug)]
pub(crate) struct ColumnMap {
    known: [Option<usize>; Column::ALL.len()],
    /// Names of the ignored columns.
    ignored: Vec<String>,
    /// Positions of columns without a name, which may not have a value.
    unnamed: Vec<usize>,
    /// Number of cells of the header.
    width: usize,
}

impl ColumnMap {
    /// Maps the header's columns, or returns all problems.
    pub(crate) fn from_header(
        header: &StringRecord,
        defaults: &RowDefaults,
        lang: Lang,
    ) -> Result<Self, Vec<String>> {
        let mut columns = Self {
            known: [None; Column::ALL.len()],
            ignored: Vec::new(),
            unnamed: Vec::new(),
            width: header.len(),
        };
        let mut wrong = Vec::new();
        for (index, name) in header.iter().map(str::trim).enumerate() {
            match Column::from_name(name) {
                Some(known) if columns.index(known).is_none() => columns.known[known as usize] = Some(index),
                Some(known) => wrong.push(duplicate_column(known.name(), lang)),
                None if name.is_empty() => columns.unnamed.push(index),
                None if defaults.unknown_columns == UnknownColumns::Ignore
                    && !is_misspelled(name, header) =>
                {
                    columns.ignored.push(shown(name));
                }
                None => wrong.push(unknown_column(name, lang)),
            }
        }
        if columns.index(Column::OpenId).is_none() {
            wrong.push(tr!(
                lang,
                "the column openid is missing; the first line must name the columns",
                "缺少 openid 列；第一行必须是列名"
            ));
        }
        if columns.index(Column::PresentCounts).is_none() && defaults.coins.is_none() {
            wrong.push(tr!(
                lang,
                "the column present_counts is missing; add it, or set --coins for all rows",
                "缺少 present_counts 列；请添加该列，或用 --coins 统一指定"
            ));
        }
        if columns.index(Column::BillNo).is_none() && defaults.campaign.is_none() {
            wrong.push(tr!(
                lang,
                "the column bill_no is missing; add it, or derive the numbers with --campaign NAME",
                "缺少 bill_no 列；请添加该列，或用 --campaign 名称 生成订单号"
            ));
        }
        if wrong.is_empty() { Ok(columns) } else { Err(wrong) }
    }

    pub(super) fn index(&self, column: Column) -> Option<usize> {
        self.known[column as usize]
    }

    /// The ignored columns, quoted.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// A row that is too short for the columns, or has a value outside of them.
    pub(super) fn shape_error(&self, record: &StringRecord, lang: Lang) -> Option<String> {
        let (len, expected) = (record.len(), self.width);
        let needed = self.known.iter().flatten().max().map_or(0, |last| last + 1);
        if len < needed || record.iter().skip(expected).any(|cell| !cell.trim().is_empty()) {
            return Some(tr!(
                lang,
                "has {len} cells where the header has {expected}",
                "有 {len} 个单元格，而表头有 {expected} 个"
            ));
        }
        let filled = |index: &usize| record.get(*index).is_some_and(|cell| !cell.trim().is_empty());
        let column = self.unnamed.iter().copied().find(filled)? + 1;
        Some(tr!(
            lang,
            "has a value in column {column}, which has no name in the header",
            "第 {column} 列有值，但表头中没有列名"
        ))
    }
}

/// Whether every cell is blank.
pub(crate) fn is_blank(record: &StringRecord) -> bool {
    record.iter().all(|cell| cell.trim().is_empty())
}

/// Whether a name looks like that of a column that the header lacks: ignored, it would change the gifts.
fn is_misspelled(name: &str, header: &StringRecord) -> bool {
    let has = |column: &str| header.iter().any(|cell| cell.trim().eq_ignore_ascii_case(column));
    closest_match(&name.to_lowercase(), Column::ALL.map(Column::name)).is_some_and(|meant| !has(meant))
}

/// Longest text of a refused value in a message, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// A value of the file for a message: quoted, without control characters, and never a session key.
pub(super) fn shown(value: &str) -> String {
    // A session key in the wrong column has the form of base64.
    if value.len() >= 16 && value.ends_with('=') {
        return "(…)".to_owned();
    }
    match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}

fn duplicate_column(name: &str, lang: Lang) -> String {
    tr!(lang, "the column {name} appears twice", "{name} 列出现了两次")
}

fn unknown_column(name: &str, lang: Lang) -> String {
    let known = Column::ALL.map(Column::name);
    let shown = shown(name);
    match closest_match(&name.to_lowercase(), known) {
        Some(meant) => {
            tr!(lang, "unknown column {shown}; did you mean {meant}?", "未知的列 {shown}；是否指 {meant}？")
        }
        None => tr!(
            lang,
            "unknown column {shown}; known columns are {}; --ignore-unknown-columns ignores others",
            "未知的列 {shown}；可用的列有 {}；如需忽略其他列，请加 --ignore-unknown-columns",
            known.join(", ")
        ),
    }
}
