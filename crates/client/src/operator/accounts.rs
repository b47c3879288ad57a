//! Accounts and their sums.

use pactolus_types::{AppId, Coins, Environment, OfferId, OpenId, ZoneId};
use serde::{Deserialize, Serialize};

use super::json::{number, text};

/// Names one player's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountId {
    /// The mini game.
    pub appid: AppId,
    /// Live or sandbox.
    pub environment: Environment,
    /// The player.
    pub openid: OpenId,
    /// The zone; `1` in games without zones.
    pub zone_id: ZoneId,
}

/// An account and its sums. A player without orders has an empty account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `AccountId`, and the offer of the app")]
pub struct AccountDetails {
    #[serde(with = "text")]
    pub appid: AppId,
    #[serde(with = "text")]
    pub env: Environment,
    #[serde(with = "text")]
    pub offer_id: OfferId,
    #[serde(with = "text")]
    pub openid: OpenId,
    #[serde(with = "text")]
    pub zone_id: ZoneId,
    #[serde(flatten)]
    pub sums: AccountSums,
}

/// The sums of an account, in coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSums {
    /// All coins: paid and gifted.
    #[serde(with = "number")]
    pub balance: Coins,
    /// Topped-up part of the balance.
    #[serde(with = "number")]
    pub paid: Coins,
    /// Gifted part of the balance.
    #[serde(with = "number")]
    pub gifted: Coins,
    /// Coins ever topped up.
    #[serde(with = "number")]
    pub saved: Coins,
    /// Coins ever given.
    #[serde(with = "number")]
    pub presented: Coins,
    /// Coins spent and not returned by a cancel.
    #[serde(with = "number")]
    pub spent: Coins,
    /// Coins taken by debits.
    #[serde(with = "number")]
    pub debited: Coins,
    /// Number of orders.
    pub orders: u64,
}
