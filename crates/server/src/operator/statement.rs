//! Statement endpoint: the orders of an account, newest first, page by page.
//!
//! Pagination is by cursor, so that orders that arrive meanwhile neither repeat nor hide others.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pactolus_ledger::{AccountKey, Cursor};
use pactolus_types::{Environment, OpenId, ZoneId};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::accounts::{account_key, default_zone};
use super::extract::{Path, Query};
use super::field::{AsText, TextParam, TextValue};
use super::problem::Problem;
use super::receipt::ReceiptDetails;
use super::{AppPath, find_app};
use crate::state::AppState;

/// Longest page: at some 3 KiB an order with the longest memo, 300 KiB.
const LIMIT_MAX: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatementQuery {
    env: TextParam<Environment>,
    openid: TextParam<OpenId>,
    /// Defaults to `1`, the zone of games without zones.
    #[serde(default = "default_zone")]
    zone_id: TextParam<ZoneId>,
    /// Most orders on the page.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: usize,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TextParam<PageCursor>")]
    after: Option<TextParam<PageCursor>>,
}

fn default_limit() -> usize {
    20
}

/// A page of an account's orders.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Statement {
    /// Newest first.
    orders: Vec<ReceiptDetails>,
    /// Cursor of the next page, to pass as `after`; null if there are no older orders.
    next: Option<AsText<PageCursor>>,
}

pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<AppPath>,
    Query(query): Query<StatementQuery>,
) -> Result<Json<Statement>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let key = account_key(&app, &query.env, &query.openid, &query.zone_id)?;
    if !(1..=LIMIT_MAX).contains(&query.limit) {
        return Err(Problem::invalid("limit", format_args!("must be 1 to {LIMIT_MAX}")));
    }
    let after = match &query.after {
        None => None,
        Some(after) => Some(after.parse("after")?.cursor_for(&key)?),
    };
    let page = bank.ledger.statement(key, after, query.limit).await?;
    Ok(Json(Statement {
        orders: page.receipts.iter().map(ReceiptDetails::from).collect(),
        next: page.next.map(|cursor| AsText(PageCursor::new(cursor, &key))),
    }))
}

/// A cursor with a checksum of its account. Without it, a cursor of another statement or a truncated one would read
/// like the end of this one.
struct PageCursor {
    cursor: Cursor,
    checksum: u32,
}

impl PageCursor {
    fn new(cursor: Cursor, key: &AccountKey) -> Self {
        Self { cursor, checksum: checksum(cursor, key) }
    }

    /// 422 for a cursor of another account.
    fn cursor_for(&self, key: &AccountKey) -> Result<Cursor, Problem> {
        if self.checksum == checksum(self.cursor, key) {
            Ok(self.cursor)
        } else {
            Err(Problem::invalid("after", "is the `next` of another account's statement"))
        }
    }
}

fn checksum(cursor: Cursor, key: &AccountKey) -> u32 {
    let AccountKey { app, environment, offer, player, zone } = key;
    let text = format!("{} {app} {environment} {offer} {player} {zone}", cursor.get());
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(text));
    u32::from_be_bytes([a, b, c, d])
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:08x}", self.cursor.get(), self.checksum)
    }
}

impl FromStr for PageCursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = || {
            let (cursor, check) = text.split_at_checked(16)?;
            let cursor = Self {
                cursor: Cursor::new(u64::from_str_radix(cursor, 16).ok()?),
                checksum: u32::from_str_radix(check, 16).ok()?,
            };
            // A cursor has one spelling.
            (cursor.to_string() == text).then_some(cursor)
        };
        read().ok_or("is not the `next` of a page")
    }
}

impl TextValue for PageCursor {
    fn schema() -> Schema {
        json_schema!({ "type": "string", "description": "Opaque cursor." })
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzz target for page cursors.

    use pactolus_fuzz_support::Choices;
    use pactolus_ledger::{AccountKey, Cursor};
    use pactolus_types::Environment;

    use super::PageCursor;

    /// A cursor round-trips, has one spelling and belongs to one account.
    pub(in crate::operator) fn page_cursors(bytes: &[u8]) {
        if let Some(cursor) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<PageCursor>().ok())
        {
            assert_eq!(cursor.to_string().as_bytes(), bytes, "a cursor has two spellings");
        }
        let account = AccountKey {
            app: "wx1234567".parse().expect("it keeps the rule"),
            environment: Environment::Live,
            offer: "12345678".parse().expect("it keeps the rule"),
            player: "one".parse().expect("it keeps the rule"),
            zone: "1".parse().expect("it keeps the rule"),
        };
        let other = AccountKey { player: "two".parse().expect("it keeps the rule"), ..account };
        let mut choices = Choices::new(bytes);
        let cursor = Cursor::new(choices.number());
        let text = PageCursor::new(cursor, &account).to_string();
        let mark: PageCursor = text.parse().expect("it was written as one");
        assert_eq!(mark.cursor_for(&account).ok(), Some(cursor));
        // One account in 2^32 has the same checksum.
        assert!(
            mark.cursor_for(&other).is_err() || mark.checksum == PageCursor::new(cursor, &other).checksum
        );
        let at = choices.below(text.len());
        let changed = [&text[..at], &text[at + 1..]].concat();
        assert!(changed.parse::<PageCursor>().is_err(), "a truncated cursor is accepted");
    }
}
