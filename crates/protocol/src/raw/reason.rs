//! Reasons of a refusal, with the code that each wire has for it.

use std::fmt;

use super::member::Member;
use super::path::RawWire;
use crate::error::{ErrorCode, ErrorReply};
use crate::game::code::GameCode;
use crate::platform::code::PlatformCode;
use crate::xpay::code::XpayCode;

/// Why a call of a raw wire is refused, in the bank's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A member of the body is missing or wrong.
    Member(Member),
    /// A parameter of the query is missing or wrong.
    Query,
    /// The app's signature does not verify.
    PaySig,
    /// The player's signature does not verify.
    Signature,
    /// The player has no session, or it has expired.
    NoSession,
    /// The number was used before.
    NumberTaken,
    /// The balance is below the amount.
    BalanceNotEnough,
    /// No pay to give back has this number.
    PayNotFound,
    /// The pay is too old to be given back.
    PastCancelWindow,
    /// The pay is given back entirely.
    NothingLeft,
    /// Less of the pay is left than is to be given back.
    MoreThanLeft,
    /// No top-up has this number.
    TopUpNotFound,
    /// A rate limit is exceeded.
    TooManyRequests,
}

impl Reason {
    /// The code of this reason on `wire`.
    pub const fn code(self, wire: RawWire) -> ErrorCode {
        match wire {
            RawWire::Game => self.game_code(),
            RawWire::Xpay => ErrorCode::Xpay(self.xpay_code()),
        }
    }

    const fn game_code(self) -> ErrorCode {
        ErrorCode::Game(match self {
            Self::Member(_) | Self::Query | Self::MoreThanLeft => GameCode::InvalidParameter,
            Self::PaySig => GameCode::PaySigError,
            Self::Signature => GameCode::SignatureError,
            Self::NoSession => GameCode::NoSession,
            Self::NumberTaken => GameCode::OrderExist,
            Self::BalanceNotEnough => GameCode::BalanceNotEnough,
            Self::PayNotFound => GameCode::OrderNotExist,
            Self::PastCancelWindow => GameCode::OrderConfirmed,
            Self::NothingLeft => GameCode::OrderCanceled,
            Self::TopUpNotFound => GameCode::TopUpNotExist,
            Self::TooManyRequests => return ErrorCode::Platform(PlatformCode::QuotaReached),
        })
    }

    const fn xpay_code(self) -> XpayCode {
        match self {
            Self::Member(Member::OpenId) => XpayCode::InvalidOpenId,
            Self::Member(_)
            | Self::Query
            | Self::PayNotFound
            | Self::TopUpNotFound
            | Self::PastCancelWindow => XpayCode::InvalidParameter,
            Self::PaySig | Self::Signature => XpayCode::SignatureError,
            Self::NoSession => XpayCode::NoSession,
            Self::NumberTaken => XpayCode::OrderExist,
            Self::BalanceNotEnough | Self::MoreThanLeft => XpayCode::BalanceNotEnough,
            Self::NothingLeft => XpayCode::OrderCanceled,
            Self::TooManyRequests => XpayCode::TooManyRequests,
        }
    }

    /// The refusal on `wire`, with a detail: a lowercase fragment without secrets.
    pub fn refuse(self, wire: RawWire, detail: impl fmt::Display) -> ErrorReply {
        ErrorReply::with_detail(self.code(wire), detail.to_string())
    }
}

impl RawWire {
    /// A refusal that names a member; `problem` continues its name, for example "is missing".
    pub fn invalid(self, member: Member, problem: impl fmt::Display) -> ErrorReply {
        Reason::Member(member).refuse(self, format_args!("{member} {problem}"))
    }
}
