//! Table of orders from the operator API.

use jiff::Timestamp;
use pactolus_client::UnixMillis;
use pactolus_client::operator::ReceiptDetails;

use crate::cli::table::Table;

/// A table with one row per order.
pub(crate) fn receipt_table<'a>(orders: impl IntoIterator<Item = &'a ReceiptDetails>) -> Table<9> {
    let mut table =
        Table::new(["at", "kind", "bill_no", "openid", "zone_id", "coins", "gifted", "balance", "item"]);
    for order in orders {
        table.push_row([
            time(order.at_ms),
            order.kind.name().to_owned(),
            order.bill_no.to_string(),
            order.openid.to_string(),
            order.zone_id.to_string(),
            order.coins.to_string(),
            order.gifted.to_string(),
            order.after.balance.to_string(),
            order.item.clone(),
        ]);
    }
    table
}

/// A time as a table shows it, in seconds.
pub(crate) fn time(at: UnixMillis) -> String {
    let at = i64::try_from(at.get()).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    at.map(|at| format!("{at:.0}")).unwrap_or_default()
}
