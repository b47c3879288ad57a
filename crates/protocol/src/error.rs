//! The error codes of the wire, and refusals that carry one.
//!
//! A refusal may name a parameter and say what would be right; it must never hold a secret, nor the text of a
//! signature. The codes in prose: `docs/protocol.md`, "Error codes".

use std::borrow::Cow;
use std::fmt;

use pactolus_types::{BillNo, Coins};

use crate::parameter::Parameter;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $errmsg:literal;)*) => {
        /// An error code of the wire. Success, 0 `ok`, is none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The `errcode`.
            pub const fn code(self) -> i32 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The words that every `errmsg` of this code starts with.
            pub const fn errmsg(self) -> &'static str {
                match self {
                    $(Self::$name => $errmsg,)*
                }
            }
        }
    };
}

error_codes! {
    /// Busy or out of order: what became of the order is unknown, so repeat it with the same bill number.
    SystemError = -1, "system error";
    /// The token is unknown, replaced, or of another secret of the app.
    InvalidCredential = 40001, "invalid credential, access_token is invalid or not latest";
    /// Asked for a token with a `grant_type` that the call does not know.
    InvalidGrantType = 40002, "invalid grant_type";
    /// No such app.
    InvalidAppId = 40013, "invalid appid";
    /// A login code that was never given out, or is over.
    InvalidCode = 40029, "invalid code";
    /// Not the app's secret.
    InvalidAppSecret = 40125, "invalid appsecret";
    /// A login code that has been used.
    CodeUsed = 40163, "code been used";
    /// The query has no `access_token`.
    AccessTokenMissing = 41001, "access_token missing";
    /// The query has no `appid`.
    AppIdMissing = 41002, "appid missing";
    /// The query has no `secret`.
    AppSecretMissing = 41004, "appsecret missing";
    /// The token was good once.
    AccessTokenExpired = 42001, "access_token expired";
    /// Called with another method than POST.
    RequirePost = 43002, "require POST method";
    /// The body is empty.
    EmptyPostData = 44002, "empty post data";
    /// Over the app's rate limit.
    QuotaReached = 45009, "reach max api daily quota limit";
    /// The body is not one JSON object.
    DataFormat = 47001, "data format error";
    /// The signature of a session check is wrong.
    InvalidSignature = 87009, "invalid signature";
    /// There is no such order to cancel.
    OrderNotExist = 90000, "order not exist";
    /// `mp_sig` verifies under no accepted dialect.
    MpSigError = 90009, "mp_sig error";
    /// The player is not logged in, or the login is over.
    NoSession = 90010, "no session";
    /// `sig` verifies under no accepted dialect.
    SigError = 90011, "sig error";
    /// The bill number has made an order before.
    OrderExist = 90012, "order exist";
    /// The player has fewer coins than the pay takes.
    BalanceNotEnough = 90013, "balance not enough";
    /// The pay is too old to be cancelled.
    OrderConfirmed = 90014, "order has been confirmed";
    /// The pay was cancelled before.
    OrderCanceled = 90015, "order has been canceled";
    /// The order is still under way.
    OrderProcessing = 90016, "order is being processed";
    /// `appid` is not the token's app, or `offer_id` is not that app's.
    NoPrivilege = 90017, "no privilege";
    /// A parameter is missing or wrong; the detail names it.
    InvalidParameter = 90018, "invalid parameter";
}

impl ErrorCode {
    /// The code with this number.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|candidate| candidate.code() == code)
    }

    /// Whether the very same request may succeed a while later.
    pub const fn retryable(self) -> bool {
        match self {
            Self::SystemError | Self::QuotaReached | Self::OrderProcessing => true,
            Self::InvalidCredential
            | Self::InvalidGrantType
            | Self::InvalidAppId
            | Self::InvalidCode
            | Self::InvalidAppSecret
            | Self::CodeUsed
            | Self::AccessTokenMissing
            | Self::AppIdMissing
            | Self::AppSecretMissing
            | Self::AccessTokenExpired
            | Self::RequirePost
            | Self::EmptyPostData
            | Self::DataFormat
            | Self::InvalidSignature
            | Self::OrderNotExist
            | Self::MpSigError
            | Self::NoSession
            | Self::SigError
            | Self::OrderExist
            | Self::BalanceNotEnough
            | Self::OrderConfirmed
            | Self::OrderCanceled
            | Self::NoPrivilege
            | Self::InvalidParameter => false,
        }
    }
}

/// Why a call is not done: a code, and what the caller may read about it.
///
/// [`error_to_json`](crate::reply::error_to_json) makes it a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    code: ErrorCode,
    detail: Option<Cow<'static, str>>,
    existing: Option<ExistingOrder>,
}

/// What the answer to an order sent again tells beside its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExistingOrder {
    /// The number of the order, which exists.
    pub bill_no: BillNo,
    /// The player's coins now.
    pub balance: Coins,
}

/// What follows the name of a parameter that is another than in the order that exists.
pub(crate) const MISMATCH_SUFFIX: &str = " differs from that of the order with this bill_no";

impl ErrorReply {
    /// A refusal that needs no more words than its code's.
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, detail: None, existing: None }
    }

    /// A refusal with a detail: a lowercase fragment without a secret in it.
    pub fn with_detail(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: Some(detail.into()), existing: None }
    }

    /// 90018: `parameter` has this `problem`, which reads on from its name ("is missing").
    pub fn invalid_parameter(parameter: Parameter, problem: impl fmt::Display) -> Self {
        Self::with_detail(ErrorCode::InvalidParameter, format!("{parameter} {problem}"))
    }

    /// 90012: the same order was sent before, and is done.
    pub const fn replayed(existing: ExistingOrder) -> Self {
        Self { code: ErrorCode::OrderExist, detail: None, existing: Some(existing) }
    }

    /// 90012: the bill number belongs to an order in which `parameter` is another.
    pub fn order_mismatch(parameter: Parameter) -> Self {
        Self::with_detail(ErrorCode::OrderExist, format!("{parameter}{MISMATCH_SUFFIX}"))
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is said beside the code's own words.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The order that exists, if this answers an order sent again.
    pub const fn existing(&self) -> Option<&ExistingOrder> {
        self.existing.as_ref()
    }
}

impl From<ErrorCode> for ErrorReply {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.errmsg())?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ErrorReply {}
