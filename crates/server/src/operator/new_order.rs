//! Body of a new order, and its conversion to an order of the ledger.
//!
//! Every kind has its fields. A field that would have no effect is refused, because a caller that sends it expects
//! another order.

use pactolus_ledger::{CoinPart, Debit, Memo, Numbering, Order, OrderKind, Shortfall};
use pactolus_types::{Amount, BillNo, Coins, Environment, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::accounts::{account_key, default_zone};
use super::field::TextParam;
use super::problem::Problem;
use crate::settings::AppSettings;

/// Coins to top up, to give, to take back, or to return from a pay.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    kind: NewOrderKind,
    env: TextParam<Environment>,
    openid: TextParam<OpenId>,
    /// Defaults to `1`, the zone of games without zones.
    #[serde(default = "default_zone")]
    zone_id: TextParam<ZoneId>,
    /// Idempotency key: the same number again is the same order and changes nothing. For a cancel, the number of its
    /// pay.
    pub(super) bill_no: TextParam<BillNo>,
    /// Required, except of a cancel, which returns the coins of its pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = Coins::MAX.get()))]
    coins: Option<u64>,
    /// Of a debit: the rule for a balance below `coins`. Defaults to `refuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ShortfallRule")]
    shortfall: Option<ShortfallRule>,
    /// Of a debit: the coins to take first; the rest comes from the others. Defaults to `gifted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FirstCoins")]
    take_first: Option<FirstCoins>,
    /// The item bought, for the record: at most 1,024 bytes, without U+0000.
    #[serde(default)]
    #[schemars(length(max = Memo::BYTES_MAX), regex(pattern = r"^[^\x00]*$"))]
    item: String,
    /// A note for the record: at most 1,024 bytes, without U+0000.
    #[serde(default)]
    #[schemars(length(max = Memo::BYTES_MAX), regex(pattern = r"^[^\x00]*$"))]
    remark: String,
}

/// The kinds of orders that the operator may post.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NewOrderKind {
    /// Top up paid coins.
    Save,
    /// Give coins.
    Present,
    /// Take coins back, never below a balance of zero.
    Debit,
    /// Return the coins of a pay, within the app's cancel window.
    Cancel,
}

/// Rule of a debit for a balance below its coins.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ShortfallRule {
    /// Refuse the debit.
    Refuse,
    /// Take the whole balance; refused if it is zero.
    TakeAvailable,
}

/// The coins that a debit takes first.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FirstCoins {
    /// Gifted coins, as a pay does.
    Gifted,
    /// Topped-up coins, for a top-up that was refunded.
    Paid,
}

impl NewOrder {
    pub(super) fn to_order(&self, app: &AppSettings) -> Result<Order, Problem> {
        let account = account_key(app, &self.env, &self.openid, &self.zone_id)?;
        let bill_no = self.bill_no.parse("bill_no")?;
        self.refuse_fields_without_effect()?;
        let kind = match self.kind {
            NewOrderKind::Save => OrderKind::Save(self.amount()?),
            NewOrderKind::Present => OrderKind::Present(self.amount()?.into()),
            NewOrderKind::Debit => OrderKind::Debit(self.debit()?),
            NewOrderKind::Cancel => OrderKind::Cancel { window: app.cancel_window },
        };
        Ok(Order { account, bill_no, numbering: Numbering::OfApp, kind, memo: self.memo()? })
    }

    fn memo(&self) -> Result<Memo, Problem> {
        // PostgreSQL cannot store it, and every engine takes the same orders.
        for (field, text) in [("item", &self.item), ("remark", &self.remark)] {
            if text.contains('\0') {
                return Err(Problem::invalid(field, "holds U+0000, which no text may hold"));
            }
        }
        Memo::new(&self.item, &self.remark).map_err(|error| {
            let too_long = if self.item.len() > Memo::BYTES_MAX { "item" } else { "remark" };
            Problem::invalid(too_long, error)
        })
    }

    fn amount(&self) -> Result<Amount, Problem> {
        let coins = self.coins.ok_or_else(|| Problem::invalid("coins", "is missing"))?;
        Amount::new(coins).map_err(|error| Problem::invalid("coins", error))
    }

    fn debit(&self) -> Result<Debit, Problem> {
        let shortfall = match self.shortfall {
            None | Some(ShortfallRule::Refuse) => Shortfall::Refuse,
            Some(ShortfallRule::TakeAvailable) => Shortfall::TakeAvailable,
        };
        let first = match self.take_first {
            None | Some(FirstCoins::Gifted) => CoinPart::Gifted,
            Some(FirstCoins::Paid) => CoinPart::Paid,
        };
        Ok(Debit { amount: self.amount()?, shortfall, first })
    }

    fn refuse_fields_without_effect(&self) -> Result<(), Problem> {
        let (is_cancel, is_debit) = (self.kind == NewOrderKind::Cancel, self.kind == NewOrderKind::Debit);
        let checks = [
            (
                "coins",
                is_cancel && self.coins.is_some(),
                "has no effect on a cancel; it returns all coins of its pay",
            ),
            ("shortfall", !is_debit && self.shortfall.is_some(), "has an effect on a debit only"),
            ("take_first", !is_debit && self.take_first.is_some(), "has an effect on a debit only"),
        ];
        match checks.into_iter().find(|(_, is_useless, _)| *is_useless) {
            Some((field, _, why)) => Err(Problem::invalid(field, why)),
            None => Ok(()),
        }
    }
}
