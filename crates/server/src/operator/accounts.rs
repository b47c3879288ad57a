//! Players' accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pactolus_ledger::{Account, AccountKey};
use pactolus_types::{AppId, Environment, OfferId, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{Path, Query};
use super::field::{Asked, Told};
use super::problem::Problem;
use super::{OfApp, app};
use crate::settings::AppSettings;
use crate::state::Bank;

/// Which account of an app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    env: Asked<Environment>,
    openid: Asked<OpenId>,
    /// Where it is not given, the zone of games without zones.
    #[serde(default = "zone_of_games_without_zones")]
    zone_id: Asked<ZoneId>,
}

pub(super) fn zone_of_games_without_zones() -> Asked<ZoneId> {
    "1".into()
}

/// The account of an app that a request names.
pub(super) fn account_key(
    app: &AppSettings,
    env: &Asked<Environment>,
    openid: &Asked<OpenId>,
    zone_id: &Asked<ZoneId>,
) -> Result<AccountKey, Problem> {
    Ok(AccountKey {
        app: app.appid,
        environment: env.read("env")?,
        offer: app.offer_id,
        player: openid.read("openid")?,
        zone: zone_id.read("zone_id")?,
    })
}

/// An account with all its sums.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccountDetails {
    appid: Told<AppId>,
    env: Told<Environment>,
    offer_id: Told<OfferId>,
    openid: Told<OpenId>,
    zone_id: Told<ZoneId>,
    #[serde(flatten)]
    sums: Sums,
}

/// The sums of an account, in coins.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sums {
    /// All coins: the paid and the gifted part.
    balance: u64,
    /// The part of the balance that was topped up.
    paid: u64,
    /// The part of the balance that was given.
    gifted: u64,
    /// Coins ever topped up.
    saved: u64,
    /// Coins ever given.
    presented: u64,
    /// Coins spent and not given back.
    spent: u64,
    /// How many orders it has.
    orders: u64,
}

impl From<&Account> for Sums {
    fn from(account: &Account) -> Self {
        Self {
            balance: account.balance().get(),
            paid: account.paid().get(),
            gifted: account.gifted().get(),
            saved: account.saved().get(),
            presented: account.presented().get(),
            spent: account.spent().get(),
            orders: account.orders(),
        }
    }
}

/// Tells what a player has; a player without orders has an empty account.
pub(crate) async fn get(
    State(bank): State<Arc<Bank>>,
    Path(of): Path<OfApp>,
    Query(which): Query<Which>,
) -> Result<Json<AccountDetails>, Problem> {
    let app = app(&bank, of.appid.as_str())?;
    let key = account_key(&app, &which.env, &which.openid, &which.zone_id)?;
    let account = bank.ledger.account(key).await?;
    Ok(Json(AccountDetails {
        appid: Told(key.app),
        env: Told(key.environment),
        offer_id: Told(key.offer),
        openid: Told(key.player),
        zone_id: Told(key.zone),
        sums: Sums::from(&account),
    }))
}
