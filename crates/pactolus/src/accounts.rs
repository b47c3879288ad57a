//! Where else a player has orders: the other environment, and the zones that the configuration lists.
//!
//! Support looks a player up by what the player says, so the environment or the zone is often another one. The bank
//! finds accounts by their full name only, so these are point look-ups of the names that are known.

use std::collections::BTreeSet;

use pactolus_client::operator::{AccountId, OperatorClient};
use pactolus_types::{Environment, ZoneId};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::connect::Connection;

/// Most accounts that are looked up, with some 0.2 ms each.
const LOOKUPS_MAX: usize = 200;

/// An account with orders, and their number.
type AccountOrders = (AccountId, u64);

/// The error of an account without orders. It names the accounts of the player that have some.
pub(crate) async fn not_found_error(
    operator: &OperatorClient,
    connection: &Connection,
    account: &AccountId,
) -> CliError {
    CliError::message(ExitCode::Refused, not_found(operator, connection, account).await)
}

/// The message about an account without orders.
pub(crate) async fn not_found(
    operator: &OperatorClient,
    connection: &Connection,
    account: &AccountId,
) -> String {
    let lang = connection.lang;
    let AccountId { environment, openid, zone_id, .. } = account;
    let none = tr!(
        lang,
        "{openid} has no orders in zone {zone_id}, {environment}",
        "{openid} 在 {environment} 环境区 {zone_id} 没有订单"
    );
    let found = find_elsewhere(operator, connection, account).await;
    if found.is_empty() {
        let looked = zones(connection, account).len();
        return tr!(
            lang,
            "{none}; nor in the other environment (zones looked up: {looked}); --zone names another zone",
            "{none}；另一环境也没有（已查区服数：{looked}）；可用 --zone 指定其他区服"
        );
    }
    let places: Vec<_> = found.iter().map(|found| place(found, lang)).collect();
    let places = places.join(tr!(lang, ", ", "、").as_str());
    tr!(lang, "{none}, but has in {places}", "{none}，但在以下位置有：{places}")
}

fn place((account, orders): &AccountOrders, lang: Lang) -> String {
    let AccountId { environment, zone_id, .. } = account;
    tr!(
        lang,
        "zone {zone_id}, {environment} (orders: {orders})",
        "{environment} 环境区 {zone_id}（订单数：{orders}）"
    )
}

/// The zones that are looked up: the asked one, that of games without zones, and the configured ones.
fn zones(connection: &Connection, account: &AccountId) -> BTreeSet<ZoneId> {
    let usual = [account.zone_id, ZoneId::new("1").expect("a valid zone")];
    usual.into_iter().chain(connection.zones.iter().copied()).collect()
}

/// Accounts of the same player that have orders. A look-up that fails finds nothing.
async fn find_elsewhere(
    operator: &OperatorClient,
    connection: &Connection,
    account: &AccountId,
) -> Vec<AccountOrders> {
    let others = [account.environment].into_iter().chain(Environment::ALL).flat_map(|environment| {
        let zones = zones(connection, account).into_iter();
        zones.map(move |zone_id| AccountId { environment, zone_id, ..*account })
    });
    let mut seen = vec![*account];
    let mut found = Vec::new();
    for other in others.take(LOOKUPS_MAX) {
        if seen.contains(&other) {
            continue;
        }
        seen.push(other);
        match operator.account(&other).await {
            Ok(details) if details.sums.orders > 0 => found.push((other, details.sums.orders)),
            Ok(_) | Err(_) => {}
        }
    }
    found
}
