//! Players' accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use pactolus_ledger::{Account, AccountKey};
use pactolus_nouns::{Environment, OpenId, ZoneId};
use serde::{Deserialize, Serialize};

use super::{Problem, app};
use crate::bank::Bank;

/// Which account of an app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    env: String,
    openid: String,
    /// Where it is not given, the zone of games without zones.
    #[serde(default = "zone_of_games_without_zones")]
    zone_id: String,
}

fn zone_of_games_without_zones() -> String {
    "1".to_owned()
}

/// An account with all its sums, in coins.
#[derive(Serialize)]
pub(crate) struct AccountDetails {
    appid: String,
    env: &'static str,
    offer_id: String,
    openid: String,
    zone_id: String,
    /// All coins: the paid and the gifted part.
    balance: u64,
    paid: u64,
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

impl AccountDetails {
    fn new(key: &AccountKey, account: &Account) -> Self {
        Self {
            appid: key.app.to_string(),
            env: key.environment.as_str(),
            offer_id: key.offer.to_string(),
            openid: key.player.to_string(),
            zone_id: key.zone.to_string(),
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
    Path(appid): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<AccountDetails>, Problem> {
    let app = app(&bank, &appid)?;
    let Query(which) = which.map_err(|error| Problem::bad_request(error.body_text()))?;
    let key = AccountKey {
        app: app.appid,
        environment: which.env.parse::<Environment>().map_err(|error| Problem::invalid("env", error))?,
        offer: app.offer_id,
        player: OpenId::new(&which.openid).map_err(|error| Problem::invalid("openid", error))?,
        zone: ZoneId::new(&which.zone_id).map_err(|error| Problem::invalid("zone_id", error))?,
    };
    let account = bank.ledger.account(key).await?;
    Ok(Json(AccountDetails::new(&key, &account)))
}
