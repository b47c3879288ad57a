//! Journal entry: one receipt, and links to the orders that it follows.
//!
//! Entries of format 1 are saves, presents, pays and cancels. Format 2 adds debits, the sum of an account's debits in
//! every later order of it, and presents under a limit of local days; refunds; and numbers that are unique per
//! account. A program of format 1 cannot read those, so the appender begins a segment of format 2
//! before the first of them, and such a program refuses the store by name instead of taking it for damaged.

use std::time::Duration;

use pactolus_ledger::{
    Account, AccountKey, CoinPart, DailyGifts, DailyLimit, Debit, Gift, GiftLimits, GivenBack, LimitDays,
    Memo, Numbering, Order, OrderEffect, OrderKind, Receipt, Refund, Shortfall,
};
use pactolus_types::{Amount, Coins, Day, Environment, UnixMillis, UtcOffset};

use super::position::Position;
use crate::codec::{ByteReader, FIRST_FORMAT, FORMAT_VERSION, put_text, put_varint};

/// One order in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) receipt: Receipt,
    pub(crate) links: Links,
}

/// Positions of the orders that an order follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The account's order before it; an account's statement is this chain.
    pub(crate) previous: Option<Position>,
    /// For a cancel or a refund, the pay that it gives back.
    pub(crate) pay: Option<Position>,
    /// For a refund, the refund of the same pay before it.
    pub(crate) refund: Option<Position>,
}

// The first byte: the kind in three bits, then four flags. Bit 64 is free, and no kind is.
const SAVE: u8 = 0;
const PRESENT: u8 = 1;
const PAY: u8 = 2;
const CANCEL: u8 = 3;
/// A present whose daily limit is of local days; its limits end with the offset from UTC.
const LOCAL_PRESENT: u8 = 16;
const LIMITED_PRESENT: u8 = 17;
const DEBIT: u8 = 18;
const REFUND: u8 = 19;
const KIND_MASK: u8 = 0b0001_0011;
const SANDBOX: u8 = 0b0000_0100;
const WITH_MEMO: u8 = 0b0000_1000;
/// The account after the order has a sum of debits.
const DEBITED: u8 = 0b1000_0000;
/// The number is unique per account.
const OF_ACCOUNT: u8 = 0b0010_0000;
const VALID_BITS: u8 = KIND_MASK | SANDBOX | WITH_MEMO | DEBITED | OF_ACCOUNT;

// The byte of a debit's rules.
const TAKE_AVAILABLE: u8 = 1;
const PAID_FIRST: u8 = 2;

/// The format of the entry of an order. The sum of an account's debits follows a debit, so it needs no look.
pub(crate) const fn format(order: &Order) -> u32 {
    match (order.kind, order.numbering) {
        (OrderKind::Present(Gift { limits, .. }), _) if local_offset(limits).is_some() => FORMAT_VERSION,
        (
            OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) | OrderKind::Cancel { .. },
            Numbering::OfApp,
        ) => FIRST_FORMAT,
        (OrderKind::Debit(_) | OrderKind::Refund(_), _) | (_, Numbering::OfAccount) => FORMAT_VERSION,
    }
}

/// The offset of a limit's local days.
const fn local_offset(limits: GiftLimits) -> Option<UtcOffset> {
    match limits.per_day {
        Some(DailyLimit { days: LimitDays::Local(offset), .. }) => Some(offset),
        Some(DailyLimit { days: LimitDays::LegacyUtc, .. }) | None => None,
    }
}

impl Entry {
    /// The most bytes of an encoded entry: six names of at most 64 bytes and their lengths (390), two
    /// parts of a memo of at most 1,024 and their lengths (2,052), nineteen integers of at most 10 bytes (190), and
    /// a byte before and after them.
    pub(crate) const BYTES_MAX: usize = 2634;

    /// Decodes an entry that stands at `position`.
    pub(crate) fn decode(bytes: &[u8], position: Position) -> Option<Self> {
        let mut reader = ByteReader::new(bytes);
        let head = reader.byte()?;
        if head & !VALID_BITS != 0 {
            return None;
        }
        let back = |reader: &mut ByteReader<'_>| match reader.varint()? {
            0 => Some(None),
            back => Some(Some(Position(position.0.checked_sub(back)?))),
        };
        let previous = back(&mut reader)?;
        let kind_bits = head & KIND_MASK;
        let pay = if [CANCEL, REFUND].contains(&kind_bits) { back(&mut reader)? } else { None };
        let refund = if kind_bits == REFUND { back(&mut reader)? } else { None };
        let account = AccountKey {
            app: reader.text()?.parse().ok()?,
            environment: if head & SANDBOX == 0 { Environment::Live } else { Environment::Sandbox },
            offer: reader.text()?.parse().ok()?,
            player: reader.text()?.parse().ok()?,
            zone: reader.text()?.parse().ok()?,
        };
        let bill_no = reader.text()?.parse().ok()?;
        let at = UnixMillis::new(reader.varint()?);
        let coins = Coins::new(reader.varint()?)?;
        let gifted = Coins::new(reader.varint()?)?;
        let after = read_account(&mut reader, head & DEBITED != 0)?;
        let amount = || Amount::new(coins.get()).ok();
        let mut given_back = GivenBack::default();
        let kind = match kind_bits {
            SAVE => OrderKind::Save(amount()?),
            PRESENT => OrderKind::Present(amount()?.into()),
            LIMITED_PRESENT => {
                OrderKind::Present(Gift { amount: amount()?, limits: read_limits(&mut reader)? })
            }
            LOCAL_PRESENT => {
                OrderKind::Present(Gift { amount: amount()?, limits: read_local_limits(&mut reader)? })
            }
            PAY => OrderKind::Pay(amount()?),
            CANCEL => OrderKind::Cancel { window: Duration::from_millis(reader.varint()?) },
            DEBIT => OrderKind::Debit(read_debit(&mut reader)?),
            REFUND => {
                let (pay, window) = (reader.text()?.parse().ok()?, read_window(&mut reader)?);
                given_back = read_given_back(&mut reader)?;
                OrderKind::Refund(Refund { pay, amount: amount()?, window })
            }
            _ => return None,
        };
        let memo = if head & WITH_MEMO == 0 {
            Memo::default()
        } else {
            Memo::new(reader.text()?, reader.text()?).ok()?
        };
        let numbering = if head & OF_ACCOUNT == 0 { Numbering::OfApp } else { Numbering::OfAccount };
        let order = Order { account, bill_no, numbering, kind, memo };
        let receipt = Receipt { order, at, coins, gifted, after, given_back };
        reader.is_empty().then_some(Self { receipt, links: Links { previous, pay, refund } })
    }
}

/// Encodes an entry that will stand at `position`.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    order: &Order,
    change: &OrderEffect,
    links: Links,
    position: Position,
) {
    let Order { account, bill_no, numbering, kind, memo } = order;
    let has_memo = !(memo.item().is_empty() && memo.remark().is_empty());
    let kind_bits = match kind {
        OrderKind::Save(_) => SAVE,
        OrderKind::Present(gift) if gift.limits == GiftLimits::default() => PRESENT,
        OrderKind::Present(gift) if local_offset(gift.limits).is_some() => LOCAL_PRESENT,
        OrderKind::Present(_) => LIMITED_PRESENT,
        OrderKind::Pay(_) => PAY,
        OrderKind::Cancel { .. } => CANCEL,
        OrderKind::Debit(_) => DEBIT,
        OrderKind::Refund(_) => REFUND,
    };
    let numbering_bit = match numbering {
        Numbering::OfApp => 0,
        Numbering::OfAccount => OF_ACCOUNT,
    };
    let environment_bits = match account.environment {
        Environment::Live => 0,
        Environment::Sandbox => SANDBOX,
    };
    let memo_bit = if has_memo { WITH_MEMO } else { 0 };
    let debited_bit = if change.after.debited().is_zero() { 0 } else { DEBITED };
    out.push(kind_bits | environment_bits | memo_bit | debited_bit | numbering_bit);
    let back = |earlier: Option<Position>| earlier.map_or(0, |earlier| position.0 - earlier.0);
    put_varint(out, back(links.previous));
    if [CANCEL, REFUND].contains(&kind_bits) {
        put_varint(out, back(links.pay));
    }
    if kind_bits == REFUND {
        put_varint(out, back(links.refund));
    }
    put_text(out, account.app.as_bytes());
    put_text(out, account.offer.as_bytes());
    put_text(out, account.player.as_bytes());
    put_text(out, account.zone.as_bytes());
    put_text(out, bill_no.as_bytes());
    put_varint(out, change.at.get());
    put_varint(out, change.coins.get());
    put_varint(out, change.gifted.get());
    put_account(out, &change.after);
    match kind {
        OrderKind::Cancel { window } => {
            put_varint(out, u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
        }
        OrderKind::Present(gift) if gift.limits != GiftLimits::default() => {
            put_limits(out, gift.limits);
        }
        OrderKind::Debit(debit) => put_debit(out, *debit),
        OrderKind::Refund(refund) => {
            put_text(out, refund.pay.as_bytes());
            put_window(out, refund.window);
            put_varint(out, change.given_back.coins.get());
            put_varint(out, change.given_back.gifted.get());
        }
        OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) => {}
    }
    if has_memo {
        put_text(out, memo.item().as_bytes());
        put_text(out, memo.remark().as_bytes());
    }
}

/// Encodes the limits of a gift; 0, which no limit can be, stands for none.
fn put_limits(out: &mut Vec<u8>, limits: GiftLimits) {
    put_varint(out, limits.per_order.map_or(0, Amount::get));
    put_varint(out, limits.per_day.map_or(0, |limit| limit.max.get()));
    if let Some(offset) = local_offset(limits) {
        put_varint(out, zigzag(offset.minutes()));
    }
}

/// 0, -1, 1, -2 … as 0, 1, 2, 3 …
fn zigzag(minutes: i16) -> u64 {
    let twice = 2 * u64::from(minutes.unsigned_abs());
    if minutes < 0 { twice - 1 } else { twice }
}

fn unzigzag(number: u64) -> Option<i16> {
    let half = i16::try_from(number.div_ceil(2)).ok()?;
    Some(if number.is_multiple_of(2) { half } else { -half })
}

/// Limits with a daily one of local days.
fn read_local_limits(reader: &mut ByteReader<'_>) -> Option<GiftLimits> {
    let limits = read_limits(reader)?;
    let offset = UtcOffset::from_minutes(unzigzag(reader.varint()?)?)?;
    let per_day = Some(DailyLimit { max: limits.per_day?.max, days: LimitDays::Local(offset) });
    Some(GiftLimits { per_day, ..limits })
}

fn read_limits(reader: &mut ByteReader<'_>) -> Option<GiftLimits> {
    let [per_order, per_day] = [Coins::new(reader.varint()?)?, Coins::new(reader.varint()?)?];
    let limit = |coins: Coins| Amount::new(coins.get()).ok();
    let per_day = limit(per_day).map(|max| DailyLimit { max, days: LimitDays::LegacyUtc });
    Some(GiftLimits { per_order: limit(per_order), per_day })
}

/// Encodes the request of a debit. The coins that it took stand before, and may be fewer.
fn put_debit(out: &mut Vec<u8>, debit: Debit) {
    put_varint(out, debit.amount.get());
    let available = match debit.shortfall {
        Shortfall::Refuse => 0,
        Shortfall::TakeAvailable => TAKE_AVAILABLE,
    };
    let first = match debit.first {
        CoinPart::Gifted => 0,
        CoinPart::Paid => PAID_FIRST,
    };
    out.push(available | first);
}

fn read_debit(reader: &mut ByteReader<'_>) -> Option<Debit> {
    let amount = Amount::new(reader.varint()?).ok()?;
    let rules = reader.byte().filter(|rules| rules & !(TAKE_AVAILABLE | PAID_FIRST) == 0)?;
    let shortfall = if rules & TAKE_AVAILABLE == 0 { Shortfall::Refuse } else { Shortfall::TakeAvailable };
    let first = if rules & PAID_FIRST == 0 { CoinPart::Gifted } else { CoinPart::Paid };
    Some(Debit { amount, shortfall, first })
}

/// Encodes a window in milliseconds plus one; 0 stands for none.
fn put_window(out: &mut Vec<u8>, window: Option<Duration>) {
    let millis = |window: Duration| u64::try_from(window.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    put_varint(out, window.map_or(0, millis));
}

#[expect(clippy::option_option, reason = "whether it is valid, and whether it exists")]
fn read_window(reader: &mut ByteReader<'_>) -> Option<Option<Duration>> {
    Some(reader.varint()?.checked_sub(1).map(Duration::from_millis))
}

fn read_given_back(reader: &mut ByteReader<'_>) -> Option<GivenBack> {
    let sums = GivenBack { coins: Coins::new(reader.varint()?)?, gifted: Coins::new(reader.varint()?)? };
    (sums.gifted <= sums.coins).then_some(sums)
}

/// Encodes an account's sums.
fn put_account(out: &mut Vec<u8>, account: &Account) {
    put_varint(out, account.saved().get());
    put_varint(out, account.presented().get());
    put_varint(out, account.spent().get());
    put_varint(out, account.gifted().get());
    put_varint(out, account.orders());
    let counted = account.daily_gifts();
    put_varint(out, counted.coins.get());
    // Most accounts never get a gift under a day's limit, and need no day.
    if !counted.coins.is_zero() {
        put_varint(out, u64::from(counted.day.get()));
    }
    if !account.debited().is_zero() {
        put_varint(out, account.debited().get());
    }
}

/// Decodes an account's sums; `has_debits` says that a sum of debits, which is not zero, is among them.
fn read_account(reader: &mut ByteReader<'_>, has_debits: bool) -> Option<Account> {
    let saved = Coins::new(reader.varint()?)?;
    let presented = Coins::new(reader.varint()?)?;
    let spent = Coins::new(reader.varint()?)?;
    let gifted = Coins::new(reader.varint()?)?;
    let account = Account::new(saved, presented, spent, gifted, reader.varint()?)?;
    let account = match Coins::new(reader.varint()?)? {
        Coins::ZERO => account,
        coins => {
            let day = Day::new(u32::try_from(reader.varint()?).ok()?);
            account.with_daily_gifts(DailyGifts { day, coins })?
        }
    };
    if !has_debits {
        return Some(account);
    }
    account.with_debited(Coins::new(reader.varint()?).filter(|debited| !debited.is_zero())?)
}
