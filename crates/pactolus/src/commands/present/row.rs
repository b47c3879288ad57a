//! A row of a gift file: columns found by the header's names, values parsed into valid types.
//!
//! All problems of a row are reported at once, localized, with the refused value. A session key is never shown.

mod columns;
mod rewrite;

use std::net::IpAddr;

use csv::StringRecord;
use pactolus_client::{Player, PresentRequest};
use pactolus_protocol::{Pf, SessionKey};
use pactolus_types::{Amount, BillNo, InvalidAmount, InvalidText, OpenId, TextProblem, ZoneId};

use super::bill_no::CampaignName;
use crate::cli::i18n::{Lang, tr};
use columns::shown;
pub(crate) use columns::{Column, ColumnMap, is_blank};
use rewrite::Rewrite;

/// Whether a file may have columns that no gift has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownColumns {
    Refuse,
    Ignore,
}

/// Values for missing columns and empty cells, and the treatment of unknown columns.
#[derive(Clone, Debug)]
pub(crate) struct RowDefaults {
    pub(crate) zone_id: ZoneId,
    pub(crate) coins: Option<Amount>,
    pub(crate) campaign: Option<CampaignName>,
    pub(crate) pf: Pf,
    pub(crate) unknown_columns: UnknownColumns,
}

/// A parsed row, before a bill number is derived.
#[derive(Debug)]
pub(crate) struct GiftRow {
    pub(crate) player: Player,
    pub(crate) coins: Amount,
    pub(crate) bill_no: Option<BillNo>,
}

impl GiftRow {
    /// Parses a record, or returns all problems.
    pub(crate) fn parse(
        record: &StringRecord,
        columns: &ColumnMap,
        defaults: &RowDefaults,
        lang: Lang,
    ) -> Result<Self, Vec<String>> {
        if let Some(problem) = columns.shape_error(record, lang) {
            return Err(vec![problem]);
        }
        let mut cells = RawRow { record, columns, lang, errors: Vec::new() };
        let openid = cells.parse(Column::OpenId, |text| OpenId::new(text).map_err(CellError::Text));
        let zone_id = cells.parse(Column::ZoneId, parse_zone);
        let coins = cells.parse(Column::PresentCounts, parse_amount);
        let bill_no = cells.parse(Column::BillNo, |text| BillNo::new(text).map_err(CellError::Text));
        let session_key =
            cells.parse(Column::SessionKey, |text| SessionKey::new(text).map_err(|_| CellError::SessionKey));
        let user_ip =
            cells.parse(Column::UserIp, |text| text.parse::<IpAddr>().map_err(|_| CellError::Address));

        let openid = cells.require(Column::OpenId, openid);
        let coins = cells.require(Column::PresentCounts, coins.or(defaults.coins));
        let has_number = bill_no.is_some() || defaults.campaign.is_some();
        let bill_no = if has_number { bill_no } else { cells.require(Column::BillNo, bill_no) };
        match (openid, coins) {
            (Some(openid), Some(coins)) if cells.errors.is_empty() => {
                let zone_id = zone_id.unwrap_or(defaults.zone_id);
                let player = Player { openid, zone_id, session_key, pf: defaults.pf, user_ip };
                Ok(Self { player, coins, bill_no })
            }
            _ => Err(cells.errors),
        }
    }

    /// The gift, with the bill number of the row, else one derived from the campaign.
    pub(crate) fn into_present(self, campaign: Option<&CampaignName>, nth: u32) -> PresentRequest {
        let Self { player, coins, bill_no } = self;
        let derived = || campaign.map(|campaign| campaign.bill_no(&player.openid, &player.zone_id, nth));
        let bill_no = bill_no.or_else(derived).expect("a row without a number and a campaign is refused");
        PresentRequest { player, coins, bill_no }
    }
}

/// A record being parsed, with the problems so far.
struct RawRow<'a> {
    record: &'a StringRecord,
    columns: &'a ColumnMap,
    lang: Lang,
    errors: Vec<String>,
}

impl RawRow<'_> {
    /// Parses a cell; `None` if it is empty, or invalid, which is recorded.
    fn parse<T>(&mut self, column: Column, rule: impl FnOnce(&str) -> Result<T, CellError>) -> Option<T> {
        let text = self.columns.index(column).and_then(|index| self.record.get(index));
        // Other spaces are no padding: a program put them there, and maybe more than them.
        let text = text.map(|text| text.trim_matches([' ', '\t'])).filter(|text| !text.is_empty())?;
        match rule(text) {
            Ok(value) => Some(value),
            Err(bad) => {
                let problem = bad.localized(self.lang);
                self.errors.push(match bad {
                    CellError::SessionKey | CellError::Amount(InvalidAmount::Zero) => {
                        format!("{column} {problem}")
                    }
                    _ => {
                        let looks = Rewrite::of(text).map(|rewrite| rewrite.localized(self.lang));
                        let looks = looks.map(|looks| tr!(self.lang, "; {looks}", "；{looks}"));
                        format!("{column} {} {problem}{}", shown(text), looks.unwrap_or_default())
                    }
                });
                None
            }
        }
    }

    /// Records an empty required cell, unless the column already has a problem.
    fn require<T>(&mut self, column: Column, value: Option<T>) -> Option<T> {
        let name = column.name();
        if value.is_none() && !self.errors.iter().any(|wrong| wrong.starts_with(name)) {
            self.errors.push(tr!(self.lang, "{name} is empty", "{name} 为空"));
        }
        value
    }
}

/// Why a cell is invalid.
enum CellError {
    Text(InvalidText),
    NotANumber,
    /// A zone such as `1.0`.
    DecimalZone,
    Amount(InvalidAmount),
    SessionKey,
    Address,
}

/// A zone that no game server reads would take the coins silently.
fn parse_zone(text: &str) -> Result<ZoneId, CellError> {
    if Rewrite::is_whole_decimal(text) {
        return Err(CellError::DecimalZone);
    }
    ZoneId::new(text).map_err(CellError::Text)
}

fn parse_amount(text: &str) -> Result<Amount, CellError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(CellError::NotANumber);
    }
    // Digits beyond u64 are too many coins, not an invalid number.
    Amount::new(text.parse().unwrap_or(u64::MAX)).map_err(CellError::Amount)
}

impl CellError {
    fn localized(&self, lang: Lang) -> String {
        match self {
            Self::Text(error) => invalid_text(error, lang),
            Self::NotANumber => {
                tr!(lang, "is not a whole number of coins", "不是整数")
            }
            Self::DecimalZone => tr!(
                lang,
                "is refused as a zone; if it is one, give its file alone, with --zone",
                "不能用作区服；如确为区服，请将其单独成文件，并用 --zone 指定"
            ),
            Self::Amount(InvalidAmount::Zero) => {
                tr!(lang, "is 0; it must be at least 1", "为 0；至少为 1")
            }
            Self::Amount(error @ InvalidAmount::TooLarge) => tr!(lang, "{error}", "太大：{error}"),
            Self::SessionKey => tr!(
                lang,
                "is not 16 bytes in base64 (24 characters, the last two ==)",
                "不是 16 字节的 base64（24 个字符，以 == 结尾）"
            ),
            Self::Address => tr!(lang, "is neither an IPv4 nor an IPv6 address", "不是 IPv4 或 IPv6 地址"),
        }
    }
}

fn invalid_text(error: &InvalidText, lang: Lang) -> String {
    let InvalidText { max, allowed, problem } = error;
    match (lang, problem) {
        (Lang::En, _) => error.to_string(),
        (Lang::Zh, TextProblem::Empty) => "为空".to_owned(),
        (Lang::Zh, TextProblem::TooLong(length)) => format!("长 {length} 字节；最多 {max} 个字符"),
        (Lang::Zh, TextProblem::Character(c)) => {
            format!("含有 {c:?}；只允许 1 到 {max} 个数字、字母或 {allowed}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> RowDefaults {
        RowDefaults {
            zone_id: "1".parse().unwrap(),
            coins: None,
            campaign: Some("spring".parse().unwrap()),
            pf: Pf::new("android").unwrap(),
            unknown_columns: UnknownColumns::Refuse,
        }
    }

    fn columns(header: &[&str], defaults: &RowDefaults) -> Result<ColumnMap, Vec<String>> {
        ColumnMap::from_header(&StringRecord::from(header.to_vec()), defaults, Lang::En)
    }

    fn parse_row(header: &[&str], row: &[&str]) -> Result<GiftRow, Vec<String>> {
        let (record, defaults) = (StringRecord::from(row.to_vec()), defaults());
        GiftRow::parse(&record, &columns(header, &defaults).unwrap(), &defaults, Lang::En)
    }

    #[test]
    fn columns_match_by_name_and_missing_have_defaults() {
        let row = parse_row(&["present_counts", "openid"], &["5", "one"]).unwrap();
        assert_eq!((row.coins.get(), row.player.openid.as_str()), (5, "one"));
        assert_eq!((row.player.zone_id.as_str(), row.bill_no), ("1", None));
        let all = ["openid", "zone_id", "present_counts", "bill_no", "session_key", "user_ip"];
        let wish = parse_row(&all, &["one", "2_7", "5", "n|1", "V7Q38/i2KXaqrQyl2Yx9Hg==", "::1"]).unwrap();
        assert_eq!(wish.player.zone_id.as_str(), "2_7");
        assert_eq!(wish.player.user_ip, Some("::1".parse().unwrap()));
        assert!(wish.player.session_key.is_some());
        assert_eq!(wish.into_present(None, 1).bill_no.as_str(), "n|1");
        let empty = parse_row(&all, &["one", "", "5", "", "", ""]).unwrap();
        assert_eq!((empty.player.zone_id.as_str(), empty.bill_no), ("1", None));
    }

    #[test]
    fn every_row_error_is_reported() {
        let all = ["openid", "zone_id", "present_counts", "bill_no", "session_key", "user_ip"];
        let wrong = parse_row(&all, &["a b", "宝", "1.5", "x y", "secret", "here"]).unwrap_err();
        let expected = [
            "openid \"a b\" holds ' '; 1 to 64 digits, letters or any of _- are allowed",
            "zone_id \"宝\" holds '宝'; 1 to 64 digits, letters or any of _-.:|*@ are allowed",
            "present_counts \"1.5\" is not a whole number of coins; it looks like a number that a program wrote as a decimal",
            "bill_no \"x y\" holds ' '; 1 to 63 digits, letters or any of _-|*@ are allowed",
            "session_key is not 16 bytes in base64 (24 characters, the last two ==)",
            "user_ip \"here\" is neither an IPv4 nor an IPv6 address",
        ];
        assert_eq!(wrong, expected);
        for (count, words) in [
            ("", "present_counts is empty"),
            ("0", "present_counts is 0; it must be at least 1"),
            ("-1", "present_counts \"-1\" is not a whole number of coins"),
            (
                "99999999999999999999",
                "present_counts \"99999999999999999999\" is too large; the most is 9007199254740991",
            ),
        ] {
            assert_eq!(parse_row(&["openid", "present_counts"], &["one", count]).unwrap_err(), [words]);
        }
        assert_eq!(parse_row(&["openid", "present_counts"], &["", "1"]).unwrap_err(), ["openid is empty"]);
    }

    #[test]
    fn every_header_error_is_reported() {
        let without = RowDefaults { campaign: None, ..defaults() };
        let wrong = columns(&["open_id", "zone_id", "zone_id", "name"], &without).unwrap_err();
        let expected = [
            "unknown column \"open_id\"; did you mean openid?",
            "the column zone_id appears twice",
            "unknown column \"name\"; known columns are openid, zone_id, present_counts, bill_no, session_key, user_ip; --ignore-unknown-columns ignores others",
            "the column openid is missing; the first line must name the columns",
            "the column present_counts is missing; add it, or set --coins for all rows",
            "the column bill_no is missing; add it, or derive the numbers with --campaign NAME",
        ];
        assert_eq!(wrong, expected);
    }
}
