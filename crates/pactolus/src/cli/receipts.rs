//! Table of orders from the operator API.

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::table::Table;

/// A table with one row per order.
pub(crate) fn receipt_table<'a>(orders: impl IntoIterator<Item = &'a Value>) -> Table<9> {
    let mut table =
        Table::new(["at", "kind", "bill_no", "openid", "zone_id", "coins", "gifted", "balance", "item"]);
    for order in orders {
        let at = order["at_ms"].as_i64().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let at = at.map(|at| format!("{at:.0}")).unwrap_or_default();
        let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.push_row([
            at,
            cell(&order["kind"]),
            cell(&order["bill_no"]),
            cell(&order["openid"]),
            cell(&order["zone_id"]),
            cell(&order["coins"]),
            cell(&order["gifted"]),
            cell(&order["after"]["balance"]),
            // The text is the caller's. Control characters must not reach the terminal.
            cell(&order["item"]).replace(char::is_control, " "),
        ]);
    }
    table
}
