//! Conversion between receipts or accounts and columns. Values that no node can have written are corruption.

use std::time::Duration;

use pactolus_ledger::{
    Account, AccountKey, CoinPart, DailyGifts, DailyLimit, Debit, Gift, GiftLimits, GivenBack, LimitDays,
    Memo, Numbering, Order, OrderKind, Receipt, Refund, Shortfall,
};
use pactolus_types::{Amount, Coins, Day, Environment, UnixMillis, UtcOffset};
use tokio_postgres::Row;

use crate::error::DatabaseError;
use crate::id::AccountId;

/// Columns of an account's key, in the order that [`key`] reads; the table alias is `a`.
pub(crate) const NAME_COLUMNS: &str = "a.app, a.environment, a.offer, a.player, a.zone";

/// Columns of an account's sums, in the order that [`account`] reads; the table alias is `a`.
pub(crate) const BALANCE_COLUMNS: &str =
    "a.saved, a.presented, a.spent, a.gifted, a.orders, a.counted_day, a.counted_coins, a.debited";

/// Columns of a receipt, in the order that [`receipt`] reads; the table alias is `o`.
pub(crate) const RECEIPT_COLUMNS: &str = "o.saved_after, o.presented_after, o.spent_after, o.gifted_after, o.number, \
    o.counted_day_after, o.counted_coins_after, o.debited_after, o.kind, o.at_ms, o.coins, o.gifted, o.per_order_max, o.per_day_max, \
    o.utc_offset_min, o.window_ms, o.amount, o.take_available, o.paid_first, o.pay_no, o.back_coins, o.back_gifted, \
    o.of_account, o.bill_no, o.item, o.remark";

/// Converts to `bigint`. Coins and days are below 2^53, and 2^63 orders are out of reach.
pub(crate) fn to_bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn coins(number: i64) -> Option<Coins> {
    u64::try_from(number).ok().and_then(Coins::new)
}

fn amount(number: i64) -> Option<Amount> {
    u64::try_from(number).ok().and_then(|number| Amount::new(number).ok())
}

pub(crate) fn environment_code(environment: Environment) -> i16 {
    match environment {
        Environment::Live => 0,
        Environment::Sandbox => 1,
    }
}

pub(crate) fn environment_from_code(number: i16) -> Option<Environment> {
    match number {
        0 => Some(Environment::Live),
        1 => Some(Environment::Sandbox),
        _ => None,
    }
}

const UNREADABLE: DatabaseError = DatabaseError::Corrupt("a column has no value, or another type");

/// Reads the columns of a row in sequence.
pub(crate) struct RowReader<'a> {
    row: &'a Row,
    index: usize,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(row: &'a Row) -> Self {
        Self { row, index: 0 }
    }

    pub(crate) fn read<T: tokio_postgres::types::FromSql<'a>>(&mut self) -> Result<T, DatabaseError> {
        let value = self.row.try_get(self.index).map_err(|_| UNREADABLE)?;
        self.index += 1;
        Ok(value)
    }
}

/// Reads [`NAME_COLUMNS`].
pub(crate) fn key(columns: &mut RowReader<'_>) -> Result<AccountKey, DatabaseError> {
    let (app, environment): (&str, i16) = (columns.read()?, columns.read()?);
    let (offer, player, zone): (&str, &str, &str) = (columns.read()?, columns.read()?, columns.read()?);
    let key = || {
        Some(AccountKey {
            app: app.parse().ok()?,
            environment: environment_from_code(environment)?,
            offer: offer.parse().ok()?,
            player: player.parse().ok()?,
            zone: zone.parse().ok()?,
        })
    };
    key().ok_or(DatabaseError::Corrupt("an account has an invalid key"))
}

/// Reads [`BALANCE_COLUMNS`].
pub(crate) fn account(columns: &mut RowReader<'_>) -> Result<Account, DatabaseError> {
    let [saved, presented, spent, gifted, orders]: [i64; 5] =
        [columns.read()?, columns.read()?, columns.read()?, columns.read()?, columns.read()?];
    let (day, gift_coins, debited): (Option<i64>, Option<i64>, Option<i64>) =
        (columns.read()?, columns.read()?, columns.read()?);
    let account = || {
        let orders = u64::try_from(orders).ok()?;
        let account = Account::new(coins(saved)?, coins(presented)?, coins(spent)?, coins(gifted)?, orders)?
            .with_debited(coins(debited.unwrap_or_default())?)?;
        match (day, gift_coins) {
            (None, None) => Some(account),
            (Some(day), Some(counted)) => {
                let day = Day::new(u32::try_from(day).ok()?);
                account.with_daily_gifts(DailyGifts { day, coins: coins(counted)? })
            }
            _ => None,
        }
    };
    account().ok_or(DatabaseError::Corrupt("an account has sums that no orders can make"))
}

/// Reads [`RECEIPT_COLUMNS`]: an order of the account `key`.
pub(crate) fn receipt(columns: &mut RowReader<'_>, key: &AccountKey) -> Result<Receipt, DatabaseError> {
    let after = account(columns)?;
    let (kind, at, coins_moved, gifted): (i16, i64, i64, i64) =
        (columns.read()?, columns.read()?, columns.read()?, columns.read()?);
    let (per_order, per_day): (Option<i64>, Option<i64>) = (columns.read()?, columns.read()?);
    let (offset, window): (Option<i16>, Option<i64>) = (columns.read()?, columns.read()?);
    let (requested, available, first): (Option<i64>, Option<i16>, Option<i16>) =
        (columns.read()?, columns.read()?, columns.read()?);
    let (pay_no, back): (Option<&str>, [Option<i64>; 2]) =
        (columns.read()?, [columns.read()?, columns.read()?]);
    let of_account: Option<bool> = columns.read()?;
    let bill_no: &str = columns.read()?;
    let (item, remark): (Option<&str>, Option<&str>) = (columns.read()?, columns.read()?);
    let receipt = || {
        let kind = match kind {
            0 => OrderKind::Save(amount(coins_moved)?),
            1 => {
                let (per_order, days) = (read_limit(per_order)?, read_limit_days(offset)?);
                let per_day = read_limit(per_day)?.map(|max| DailyLimit { max, days });
                let limits = GiftLimits { per_order, per_day };
                OrderKind::Present(Gift { amount: amount(coins_moved)?, limits })
            }
            2 => OrderKind::Pay(amount(coins_moved)?),
            3 => OrderKind::Cancel { window: Duration::from_millis(u64::try_from(window?).ok()?) },
            4 => OrderKind::Debit(Debit {
                amount: amount(requested?)?,
                shortfall: read_shortfall(available?)?,
                first: read_coin_part(first?)?,
            }),
            5 => OrderKind::Refund(Refund {
                pay: pay_no?.parse().ok()?,
                amount: amount(coins_moved)?,
                window: match window {
                    None => None,
                    Some(window) => Some(Duration::from_millis(u64::try_from(window).ok()?)),
                },
            }),
            _ => return None,
        };
        let memo = Memo::new(item.unwrap_or_default(), remark.unwrap_or_default()).ok()?;
        let numbering = if of_account == Some(true) { Numbering::OfAccount } else { Numbering::OfApp };
        let order = Order { account: *key, bill_no: bill_no.parse().ok()?, numbering, kind, memo };
        let given_back = match back {
            [Some(given), Some(gifted)] => GivenBack { coins: coins(given)?, gifted: coins(gifted)? },
            _ => GivenBack::default(),
        };
        let at = UnixMillis::new(u64::try_from(at).ok()?);
        Some(Receipt { order, at, coins: coins(coins_moved)?, gifted: coins(gifted)?, after, given_back })
    };
    receipt().ok_or(DatabaseError::Corrupt("an order has invalid columns"))
}

fn shortfall_code(shortfall: Shortfall) -> i16 {
    match shortfall {
        Shortfall::Refuse => 0,
        Shortfall::TakeAvailable => 1,
    }
}

fn read_shortfall(code: i16) -> Option<Shortfall> {
    [Shortfall::Refuse, Shortfall::TakeAvailable].into_iter().find(|rule| shortfall_code(*rule) == code)
}

fn coin_part_code(part: CoinPart) -> i16 {
    match part {
        CoinPart::Gifted => 0,
        CoinPart::Paid => 1,
    }
}

fn read_coin_part(code: i16) -> Option<CoinPart> {
    [CoinPart::Gifted, CoinPart::Paid].into_iter().find(|part| coin_part_code(*part) == code)
}

/// Reads an optional limit; `None` if the stored value is invalid.
#[expect(clippy::option_option, reason = "whether it is valid, and whether it exists")]
fn read_limit(number: Option<i64>) -> Option<Option<Amount>> {
    number.map_or(Some(None), |number| amount(number).map(Some))
}

/// Reads the days of a daily limit; `None` if the stored offset is invalid.
fn read_limit_days(offset: Option<i16>) -> Option<LimitDays> {
    offset
        .map_or(Some(LimitDays::LegacyUtc), |minutes| UtcOffset::from_minutes(minutes).map(LimitDays::Local))
}

/// The column of [`read_limit_days`].
fn offset_column(limit: DailyLimit) -> Option<i16> {
    match limit.days {
        LimitDays::Local(offset) => Some(offset.minutes()),
        LimitDays::LegacyUtc => None,
    }
}

/// Declares parallel arrays, one for each column of the rows that a statement writes.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? { $($column:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $name $(<$life>)? {
            $($column: Vec<$type>,)*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// The arrays as statement parameters, one for each column.
            pub(crate) fn parameters(&self) -> Vec<&(dyn tokio_postgres::types::ToSql + Sync)> {
                vec![$(&self.$column),*]
            }

            fn push(&mut self, row: ($($type,)*)) {
                let ($($column,)*) = row;
                $(self.$column.push($column);)*
            }
        }
    };
}
pub(crate) use columns;

columns! {
    OrderColumns<'a> {
        part: i16,
        kind: i16,
        account: AccountId,
        number: i64,
        at: i64,
        coins: i64,
        gifted: i64,
        saved: i64,
        presented: i64,
        spent: i64,
        gifted_after: i64,
        day: Option<i64>,
        counted: Option<i64>,
        debited: Option<i64>,
        per_order: Option<i64>,
        per_day: Option<i64>,
        utc_offset: Option<i16>,
        window: Option<i64>,
        amount: Option<i64>,
        take_available: Option<i16>,
        paid_first: Option<i16>,
        pay_no: Option<&'a str>,
        back_coins: Option<i64>,
        back_gifted: Option<i64>,
        of_account: Option<bool>,
        bill_no: &'a str,
        item: Option<&'a str>,
        remark: Option<&'a str>,
    }
}

/// Inserts the rows of [`OrderColumns`].
pub(crate) const INSERT_ORDERS: &str = "\
    INSERT INTO pactolus.orders (part, kind, account, number, at_ms, coins, gifted, saved_after, presented_after, \
        spent_after, gifted_after, counted_day_after, counted_coins_after, debited_after, per_order_max, per_day_max, \
        utc_offset_min, window_ms, amount, take_available, paid_first, pay_no, back_coins, back_gifted, of_account, \
        bill_no, item, remark) \
    SELECT * FROM unnest($1::smallint[], $2::smallint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], \
        $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
        $14::bigint[], $15::bigint[], $16::bigint[], $17::smallint[], $18::bigint[], $19::bigint[], $20::smallint[], \
        $21::smallint[], $22::text[], $23::bigint[], $24::bigint[], $25::boolean[], $26::text[], $27::text[], \
        $28::text[])";

impl<'a> OrderColumns<'a> {
    /// Adds an order of the account with this id.
    pub(crate) fn add(&mut self, account: AccountId, receipt: &'a Receipt) {
        let Receipt { order, at, coins, gifted, after, given_back } = receipt;
        let (mut limits, mut window, mut debit, mut pay_no) = (GiftLimits::default(), None, None, None);
        let millis = |window: Duration| i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let kind = match order.kind {
            OrderKind::Save(_) => 0,
            OrderKind::Present(gift) => {
                limits = gift.limits;
                1
            }
            OrderKind::Pay(_) => 2,
            OrderKind::Cancel { window: age } => {
                window = Some(millis(age));
                3
            }
            OrderKind::Debit(requested) => {
                debit = Some(requested);
                4
            }
            OrderKind::Refund(ref refund) => {
                window = refund.window.map(millis);
                pay_no = Some(refund.pay.as_str());
                5
            }
        };
        let limit = |limit: Option<Amount>| limit.map(|amount| to_bigint(amount.get()));
        let (day, gift_coins) = daily_gifts_columns(after);
        self.push((
            account.part(),
            kind,
            account,
            to_bigint(after.orders()),
            to_bigint(at.get()),
            to_bigint(coins.get()),
            to_bigint(gifted.get()),
            to_bigint(after.saved().get()),
            to_bigint(after.presented().get()),
            to_bigint(after.spent().get()),
            to_bigint(after.gifted().get()),
            day,
            gift_coins,
            debited_column(after),
            limit(limits.per_order),
            limit(limits.per_day.map(|limit| limit.max)),
            limits.per_day.and_then(offset_column),
            window,
            debit.map(|debit| to_bigint(debit.amount.get())),
            debit.map(|debit| shortfall_code(debit.shortfall)),
            debit.map(|debit| coin_part_code(debit.first)),
            pay_no,
            pay_no.map(|_| to_bigint(given_back.coins.get())),
            pay_no.map(|_| to_bigint(given_back.gifted.get())),
            (order.numbering == Numbering::OfAccount).then_some(true),
            order.bill_no.as_str(),
            non_empty(order.memo.item()),
            non_empty(order.memo.remark()),
        ));
    }
}

/// The account's daily gifts as columns; NULL for the majority of accounts, which never got a gift under a limit.
pub(crate) fn daily_gifts_columns(account: &Account) -> (Option<i64>, Option<i64>) {
    match account.daily_gifts() {
        DailyGifts { coins: Coins::ZERO, .. } => (None, None),
        DailyGifts { day, coins } => (Some(i64::from(day.get())), Some(to_bigint(coins.get()))),
    }
}

/// The account's sum of debits as a column; NULL for the majority of accounts, which never had one.
pub(crate) fn debited_column(account: &Account) -> Option<i64> {
    Some(account.debited()).filter(|debited| !debited.is_zero()).map(|debited| to_bigint(debited.get()))
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
