//! Account endpoint.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pactolus_ledger::{Account, AccountKey};
use pactolus_types::{AppId, Environment, OfferId, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{Path, Query};
use super::field::{AsText, TextParam};
use super::problem::Problem;
use super::{AppPath, find_app};
use crate::settings::AppSettings;
use crate::state::AppState;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountQuery {
    env: TextParam<Environment>,
    openid: TextParam<OpenId>,
    /// Defaults to `1`, the zone of games without zones.
    #[serde(default = "default_zone")]
    zone_id: TextParam<ZoneId>,
}

pub(super) fn default_zone() -> TextParam<ZoneId> {
    "1".into()
}

pub(super) fn account_key(
    app: &AppSettings,
    env: &TextParam<Environment>,
    openid: &TextParam<OpenId>,
    zone_id: &TextParam<ZoneId>,
) -> Result<AccountKey, Problem> {
    Ok(AccountKey {
        app: app.appid,
        environment: env.parse("env")?,
        offer: app.offer_id,
        player: openid.parse("openid")?,
        zone: zone_id.parse("zone_id")?,
    })
}

/// An account and its sums.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccountDetails {
    appid: AsText<AppId>,
    env: AsText<Environment>,
    offer_id: AsText<OfferId>,
    openid: AsText<OpenId>,
    zone_id: AsText<ZoneId>,
    #[serde(flatten)]
    sums: AccountSums,
}

/// The sums of an account, in coins.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Sums")]
pub(crate) struct AccountSums {
    /// All coins: paid and gifted.
    balance: u64,
    /// Topped-up part of the balance.
    paid: u64,
    /// Gifted part of the balance.
    gifted: u64,
    /// Coins ever topped up.
    saved: u64,
    /// Coins ever given.
    presented: u64,
    /// Coins spent and not returned by a cancel.
    spent: u64,
    /// Coins taken by debits.
    debited: u64,
    /// Number of orders.
    orders: u64,
}

impl From<&Account> for AccountSums {
    fn from(account: &Account) -> Self {
        Self {
            balance: account.balance().get(),
            paid: account.paid().get(),
            gifted: account.gifted().get(),
            saved: account.saved().get(),
            presented: account.presented().get(),
            spent: account.spent().get(),
            debited: account.debited().get(),
            orders: account.orders(),
        }
    }
}

/// A player without orders has an empty account.
pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<AppPath>,
    Query(query): Query<AccountQuery>,
) -> Result<Json<AccountDetails>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let key = account_key(&app, &query.env, &query.openid, &query.zone_id)?;
    let account = bank.ledger.account(key).await?;
    Ok(Json(AccountDetails {
        appid: AsText(key.app),
        env: AsText(key.environment),
        offer_id: AsText(key.offer),
        openid: AsText(key.player),
        zone_id: AsText(key.zone),
        sums: AccountSums::from(&account),
    }))
}
