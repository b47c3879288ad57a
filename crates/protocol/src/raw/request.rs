//! Requests of the raw wires: one type for all, read under each wire's names and rules.
//!
//! Members are read in the order of the wire's page; the first wrong one is reported.

use std::fmt;

use pactolus_types::{Amount, BillNo, InvalidAmount, OfferId, OpenId, ZoneId};

use super::member::Member;
use super::object::RawObject;
use super::path::{RawCallKind, RawPath, RawWire};
use crate::error::ErrorReply;
use crate::values::{InvalidValue, UnixSeconds, WithoutInput};

/// A request with valid members, whichever its wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest {
    /// The player.
    pub openid: OpenId,
    /// The coin; `None` on a wire that does not name it.
    pub offer_id: Option<OfferId>,
    /// The zone; `None` if the call does not name it.
    pub zone_id: Option<ZoneId>,
    /// What is asked for.
    pub order: RawOrder,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawOrder {
    /// The player's balance.
    Balance,
    /// Coins to take.
    Pay {
        /// The amount.
        amount: Amount,
        /// The order's number and idempotency key.
        number: BillNo,
        /// The item bought.
        item: PayNote,
        /// A note.
        remark: PayNote,
    },
    /// Coins of a pay to give back.
    Refund {
        /// The coins that this refund gives back.
        amount: Amount,
        /// The refund's own number and idempotency key.
        number: BillNo,
        /// The number of the pay.
        pay: BillNo,
    },
    /// Coins to give.
    Present {
        /// The amount.
        amount: Amount,
        /// The order's number and idempotency key.
        number: BillNo,
    },
    /// The state of a top-up.
    TopUp {
        /// The number of the top-up; `None` if no top-up of this bank can have it.
        number: Option<BillNo>,
        /// What was bought.
        kind: TopUpKind,
    },
}

/// What a top-up bought: `biz_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpKind {
    /// 1: coins.
    Coins,
    /// 2: goods.
    Goods,
}

/// The caller's note on a pay, `payitem` or `remark`: at most 1,024 bytes, without U+0000.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayNote(Box<str>);

impl PayNote {
    /// Maximum length in bytes of UTF-8.
    pub const BYTES_MAX: usize = 1024;

    /// Checks the length of `text`.
    pub fn new(text: &str) -> Result<Self, InvalidNote> {
        if text.len() > Self::BYTES_MAX || text.contains('\0') {
            Err(InvalidNote)
        } else {
            Ok(Self(text.into()))
        }
    }

    /// The note as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no [`PayNote`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidNote;

impl fmt::Display for InvalidNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is longer than {} bytes, or holds U+0000", PayNote::BYTES_MAX)
    }
}

impl RawRequest {
    /// Reads the request of a call. Error: the wire's error of a parameter, naming the first member that is missing
    /// or wrong.
    pub fn read(path: RawPath, object: &RawObject<'_>) -> Result<Self, ErrorReply> {
        let reader = RequestReader { wire: path.wire(), object };
        let openid = object.required(Member::OpenId, |text| OpenId::new(text).map_err(WithoutInput))?;
        let (offer_id, zone_id) = match path.wire() {
            RawWire::Game => (Some(reader.offer()?), reader.zone(path.kind())?),
            RawWire::Xpay => (None, None),
        };
        Ok(Self { openid, offer_id, zone_id, order: reader.order(path.kind())? })
    }
}

struct RequestReader<'r, 'a> {
    wire: RawWire,
    object: &'r RawObject<'a>,
}

impl RequestReader<'_, '_> {
    /// The offer, and with it `ts`, which is read and not judged.
    fn offer(&self) -> Result<OfferId, ErrorReply> {
        let offer = self.object.required(Member::OfferId, |text| OfferId::new(text).map_err(WithoutInput))?;
        self.object.required(Member::Ts, unix_seconds)?;
        Ok(offer)
    }

    /// The zone. The vendor's sample of `queryorderinfo` leaves it out.
    fn zone(&self, kind: RawCallKind) -> Result<Option<ZoneId>, ErrorReply> {
        let rule = |text: &str| ZoneId::new(text).map_err(WithoutInput);
        match kind {
            RawCallKind::TopUp => self.object.optional(Member::ZoneId, rule),
            RawCallKind::Balance | RawCallKind::Pay | RawCallKind::Refund | RawCallKind::Present => {
                self.object.required(Member::ZoneId, rule).map(Some)
            }
        }
    }

    fn order(&self, kind: RawCallKind) -> Result<RawOrder, ErrorReply> {
        Ok(match kind {
            RawCallKind::Balance => {
                self.check_coin_type()?;
                RawOrder::Balance
            }
            RawCallKind::Pay => RawOrder::Pay {
                amount: self.amount()?,
                number: self.number(Member::number(self.wire))?,
                item: self.note(Member::PayItem)?,
                remark: self.note(Member::Remark)?,
            },
            RawCallKind::Refund => RawOrder::Refund {
                amount: self.amount()?,
                number: self.number(Member::number(self.wire))?,
                pay: self.number(Member::pay_number(self.wire))?,
            },
            RawCallKind::Present => {
                RawOrder::Present { amount: self.amount()?, number: self.number(Member::number(self.wire))? }
            }
            RawCallKind::TopUp => RawOrder::TopUp {
                number: self
                    .object
                    .required(Member::OutTradeNo, |text| Ok::<_, InvalidAmount>(BillNo::new(text).ok()))?,
                kind: self.object.required(Member::BizId, top_up_kind)?,
            },
        })
    }

    /// 1 is the balance of the recharge centre, which this bank does not keep.
    fn check_coin_type(&self) -> Result<(), ErrorReply> {
        let rule = |digits: &str| match (self.wire, digits) {
            (RawWire::Xpay, _) | (RawWire::Game, "0") => Ok(()),
            (RawWire::Game, _) => Err("is not 0; this bank keeps game coins only"),
        };
        self.object.optional(Member::CoinType, rule).map(|_| ())
    }

    fn amount(&self) -> Result<Amount, ErrorReply> {
        self.object.required(Member::Amount, |digits| {
            digits.parse().map_err(|_| InvalidAmount::TooLarge).and_then(Amount::new)
        })
    }

    fn number(&self, member: Member) -> Result<BillNo, ErrorReply> {
        self.object.required(member, |text| match self.wire {
            RawWire::Game => game_number(text),
            RawWire::Xpay => BillNo::new(text).map_err(|error| WithoutInput(error).to_string()),
        })
    }

    fn note(&self, member: Member) -> Result<PayNote, ErrorReply> {
        self.object.optional(member, PayNote::new).map(Option::unwrap_or_default)
    }
}

/// A number of mini games: narrower than [`BillNo`], because a leading `_` is the platform's own.
fn game_number(text: &str) -> Result<BillNo, String> {
    const RULE: &str = "1 to 63 digits, letters or any of _- are allowed, the first not _";
    if text.starts_with('_') {
        return Err(format!("begins with _; {RULE}"));
    }
    if text.contains(['|', '*', '@']) {
        return Err(format!("holds a character that is not allowed; {RULE}"));
    }
    BillNo::new(text).map_err(|error| WithoutInput(error).to_string())
}

fn unix_seconds(digits: &str) -> Result<UnixSeconds, InvalidValue> {
    digits.parse().map_err(|_| InvalidValue::UnixSeconds).and_then(UnixSeconds::new)
}

fn top_up_kind(digits: &str) -> Result<TopUpKind, &'static str> {
    match digits {
        "1" => Ok(TopUpKind::Coins),
        "2" => Ok(TopUpKind::Goods),
        _ => Err("is neither 1 (coins) nor 2 (goods)"),
    }
}
