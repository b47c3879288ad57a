//! Ledger orders of the sample app's players.

use pactolus_ledger::{AccountKey, Memo, Numbering, Order, OrderKind, Refund};
use pactolus_types::{Amount, Environment};

use crate::VALID;
use crate::sample::{APPID, OFFER_ID, ZONE_ID};

/// Live account of a player in the documented zone.
pub fn account(player: &str) -> AccountKey {
    AccountKey {
        app: APPID.parse().expect(VALID),
        environment: Environment::Live,
        offer: OFFER_ID.parse().expect(VALID),
        player: player.parse().expect(VALID),
        zone: ZONE_ID.parse().expect(VALID),
    }
}

/// An amount of at least one coin.
pub fn amount(coins: u64) -> Amount {
    Amount::new(coins).expect(VALID)
}

/// A top-up.
pub fn save(coins: u64) -> OrderKind {
    OrderKind::Save(amount(coins))
}

/// A gift without limits.
pub fn present(coins: u64) -> OrderKind {
    OrderKind::Present(amount(coins).into())
}

/// A pay.
pub fn pay(coins: u64) -> OrderKind {
    OrderKind::Pay(amount(coins))
}

/// A debit that refuses a shortfall and takes gifted coins first.
pub fn debit(coins: u64) -> OrderKind {
    OrderKind::Debit(amount(coins).into())
}

/// A refund without a window.
pub fn refund(pay: &str, coins: u64) -> OrderKind {
    OrderKind::Refund(Refund { pay: pay.parse().expect(VALID), amount: amount(coins), window: None })
}

/// An order of [`account`] without a memo, under a number of the app.
pub fn order(player: &str, bill_no: &str, kind: OrderKind) -> Order {
    Order {
        account: account(player),
        bill_no: bill_no.parse().expect(VALID),
        numbering: Numbering::OfApp,
        kind,
        memo: Memo::default(),
    }
}

/// An order of [`account`] without a memo, under a number of the account.
pub fn order_of_account(player: &str, bill_no: &str, kind: OrderKind) -> Order {
    Order { numbering: Numbering::OfAccount, ..order(player, bill_no, kind) }
}

/// Present `bill-{bill}` to `player-{bill % players}`.
pub fn numbered_present(bill: usize, players: usize, coins: u64) -> Order {
    order(&format!("player-{}", bill % players), &format!("bill-{bill}"), present(coins))
}
