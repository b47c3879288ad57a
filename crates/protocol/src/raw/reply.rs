//! Replies of the raw wires: exactly the documented members, in the order of the wire's page.
//!
//! One public client rejects a reply with any other member.

use pactolus_types::{BillNo, Coins, UnixMillis};

use super::member::Member;
use super::path::RawWire;
use crate::json::ObjectWriter;

/// The reply to a successful call, whichever its wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawReply {
    /// The balance and the sums of an account.
    Balance(RawBalance),
    /// A pay.
    Pay {
        /// The order's number.
        number: BillNo,
        /// The player's coins after it.
        balance: Coins,
        /// Gifted coins among those taken.
        used_present_amount: Coins,
    },
    /// A refund.
    Refund {
        /// The refund's own number.
        number: BillNo,
    },
    /// A gift.
    Present {
        /// The order's number.
        number: BillNo,
        /// The player's coins after it.
        balance: Coins,
        /// The gifted part of them.
        present_balance: Coins,
    },
    /// A top-up: it is paid, and its coins are in the balance.
    TopUp {
        /// Its number.
        number: BillNo,
        /// Its time.
        at: UnixMillis,
    },
}

/// The balance and the sums of an account.
///
/// `first_save` is not stored, because it only says whether `sum_save` is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawBalance {
    /// The player's coins: `sum_balance − sum_cost`.
    pub balance: Coins,
    /// The gifted part of them.
    pub present_balance: Coins,
    /// Coins ever topped up.
    pub sum_save: Coins,
    /// Coins ever gifted.
    pub sum_present: Coins,
    /// Coins ever received: `sum_save + sum_present`.
    pub sum_balance: Coins,
    /// Coins ever spent.
    pub sum_cost: Coins,
}

/// Paid, and delivered: the states of a top-up whose coins are in the balance.
const PAID_AND_DELIVERED: u8 = 2;

impl RawReply {
    /// The body of the reply on `wire`.
    pub fn to_json(&self, wire: RawWire) -> Vec<u8> {
        let object = ObjectWriter::new().number("errcode", 0).text("errmsg", "ok");
        self.write(wire, object).finish()
    }

    fn write(&self, wire: RawWire, object: ObjectWriter) -> ObjectWriter {
        let number_name = Member::number(wire).name();
        match self {
            Self::Balance(balance) => balance.write(wire, object),
            Self::Pay { number, balance, used_present_amount } => object
                .text(number_name, number.as_str())
                .number("balance", balance)
                .number("used_present_amount", used_present_amount),
            Self::Refund { number } => object.text(number_name, number.as_str()),
            Self::Present { number, balance, present_balance } => match wire {
                RawWire::Game => object.text(number_name, number.as_str()).number("balance", balance),
                RawWire::Xpay => object
                    .number("balance", balance)
                    .text(number_name, number.as_str())
                    .number("present_balance", present_balance),
            },
            Self::TopUp { number, at } => object
                .text("product_id", "")
                .number("pay_state", PAID_AND_DELIVERED)
                .number("deliver_state", PAID_AND_DELIVERED)
                .number("pay_finish_time", at.seconds())
                .text("out_trade_no", number.as_str()),
        }
    }
}

impl RawBalance {
    fn write(self, wire: RawWire, object: ObjectWriter) -> ObjectWriter {
        let first_save = match wire {
            RawWire::Game => "first_save",
            RawWire::Xpay => "first_save_flag",
        };
        object
            .number("balance", self.balance)
            .number("present_balance", self.present_balance)
            .number("sum_save", self.sum_save)
            .number("sum_present", self.sum_present)
            .number("sum_balance", self.sum_balance)
            .number("sum_cost", self.sum_cost)
            .boolean(first_save, self.sum_save.is_zero())
    }
}
