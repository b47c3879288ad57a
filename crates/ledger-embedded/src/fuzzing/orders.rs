//! Input of the targets: orders that a bank could have decided, and their frames.

use std::time::Duration;

use pactolus_fuzz_support::Choices;
use pactolus_ledger::{
    Account, AccountKey, CoinPart, DailyGifts, DailyLimit, Debit, Gift, GiftLimits, GivenBack, LimitDays,
    Memo, Numbering, Order, OrderEffect, OrderKind, Receipt, Refund, Shortfall,
};
use pactolus_types::{Amount, Coins, Day, Environment, UnixMillis, UtcOffset};

use crate::journal::entry::{self, Entry, Links};
use crate::journal::frame::{Frame, FrameBuilder};
use crate::journal::{Checkpoint, Position};

const VALID: &str = "it keeps the rule";
const WORD_CHARS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-";

/// A frame and its entries.
pub(super) struct FrameCase {
    pub(super) entries: Vec<(Position, Entry)>,
    /// None where there are no entries.
    pub(super) frame: Option<Frame>,
}

/// A frame of a few orders that stands at `before`.
pub(super) fn frame_case(choices: &mut Choices<'_>, before: Checkpoint) -> FrameCase {
    let mut frame = FrameBuilder::new(before, Vec::new());
    let mut entries = Vec::new();
    for _ in 0..=choices.below(4) {
        if choices.is_exhausted() {
            break;
        }
        let receipt = receipt(choices);
        let mut earlier = || choices.flag().then(|| Position(choices.number() % (before.position.0 + 1)));
        let previous = earlier();
        let is_cancel = matches!(receipt.order.kind, OrderKind::Cancel { .. });
        let is_refund = matches!(receipt.order.kind, OrderKind::Refund(_));
        let pay = if is_cancel || is_refund { earlier() } else { None };
        let follows = Links { previous, pay, refund: if is_refund { earlier() } else { None } };
        let position = frame.add(&receipt.order, &receipt.effect(), follows);
        let entry = Entry { receipt, links: follows };
        assert_eq!(
            frame.entry(position).as_ref(),
            Some(&entry),
            "an entry can be read before its frame is done"
        );
        entries.push((position, entry));
    }
    FrameCase { entries, frame: frame.finish() }
}

/// Panics if an entry does not round-trip.
pub(super) fn assert_round_trip(position: Position, entry: &Entry) {
    let mut bytes = Vec::new();
    entry::encode(&mut bytes, &entry.receipt.order, &entry.receipt.effect(), entry.links, position);
    assert_eq!(Entry::decode(&bytes, position).as_ref(), Some(entry));
}

fn receipt(choices: &mut Choices<'_>) -> Receipt {
    let order = order(choices);
    let (coins, gifted) = (coins(choices), coins(choices));
    let at = UnixMillis::new(choices.number());
    let given_back = match order.kind {
        OrderKind::Refund(_) => GivenBack { coins, gifted: gifted.min(coins) },
        OrderKind::Save(_)
        | OrderKind::Present(_)
        | OrderKind::Pay(_)
        | OrderKind::Cancel { .. }
        | OrderKind::Debit(_) => GivenBack::default(),
    };
    let change = OrderEffect { at, coins, gifted, after: account(choices), given_back };
    // An order that names its coins moves as many; a debit may take fewer.
    let coins = match order.kind {
        OrderKind::Cancel { .. } | OrderKind::Debit(_) => coins,
        OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) | OrderKind::Refund(_) => {
            order.kind.amount().map_or(coins, Amount::coins)
        }
    };
    Receipt::new(order, OrderEffect { coins, ..change })
}

fn order(choices: &mut Choices<'_>) -> Order {
    let account = AccountKey {
        app: choices.word(64, WORD_CHARS).parse().expect(VALID),
        environment: choices.one_of(&Environment::ALL),
        offer: choices.word(64, WORD_CHARS).parse().expect(VALID),
        player: choices.word(64, WORD_CHARS).parse().expect(VALID),
        zone: choices.word(64, WORD_CHARS).parse().expect(VALID),
    };
    let bill_no = choices.word(63, WORD_CHARS).parse().expect(VALID);
    let kind = match choices.below(7) {
        0 => OrderKind::Save(amount(choices)),
        1 => OrderKind::Present(amount(choices).into()),
        2 => {
            let limit = |choices: &mut Choices<'_>| choices.flag().then(|| amount(choices));
            let (per_order, per_day) = (limit(choices), limit(choices));
            let minutes = i16::try_from(choices.number() % 3121).expect(VALID) - UtcOffset::MINUTES_MAX;
            let local = LimitDays::Local(UtcOffset::from_minutes(minutes).expect(VALID));
            let days = choices.one_of(&[local, LimitDays::LegacyUtc]);
            let limits = GiftLimits { per_order, per_day: per_day.map(|max| DailyLimit { max, days }) };
            OrderKind::Present(Gift { amount: amount(choices), limits })
        }
        3 => OrderKind::Pay(amount(choices)),
        4 => OrderKind::Debit(Debit {
            amount: amount(choices),
            shortfall: choices.one_of(&[Shortfall::Refuse, Shortfall::TakeAvailable]),
            first: choices.one_of(&[CoinPart::Gifted, CoinPart::Paid]),
        }),
        5 => OrderKind::Cancel { window: Duration::from_millis(choices.number()) },
        _ => OrderKind::Refund(Refund {
            pay: choices.word(63, WORD_CHARS).parse().expect(VALID),
            amount: amount(choices),
            window: choices.flag().then(|| Duration::from_millis(choices.number() >> 1)),
        }),
    };
    let text = |choices: &mut Choices<'_>| {
        let mut text = choices.text(1024);
        // Invalid UTF-8 grows when it is replaced.
        while text.len() > Memo::BYTES_MAX {
            text.pop();
        }
        text
    };
    let memo = Memo::new(&text(choices), &text(choices)).expect(VALID);
    Order { account, bill_no, numbering: choices.one_of(&Numbering::ALL), kind, memo }
}

fn account(choices: &mut Choices<'_>) -> Account {
    let [saved, presented, spent, gifted] = [0; 4].map(|_| coins(choices));
    let account = Account::new(saved, presented, spent, gifted, choices.number()).unwrap_or_default();
    let account = account.with_debited(coins(choices)).unwrap_or(account);
    let counted = DailyGifts {
        day: Day::new(u32::try_from(choices.number() >> 32).expect(VALID)),
        coins: coins(choices),
    };
    // A day without gifts is not kept.
    let counted = if counted.coins.is_zero() { DailyGifts::default() } else { counted };
    account.with_daily_gifts(counted).unwrap_or(account)
}

fn coins(choices: &mut Choices<'_>) -> Coins {
    Coins::new(choices.number() % (Coins::MAX.get() + 1)).expect(VALID)
}

fn amount(choices: &mut Choices<'_>) -> Amount {
    Amount::new(choices.number() % Coins::MAX.get() + 1).expect(VALID)
}
