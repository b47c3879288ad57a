//! Error codes of the wire, and the error reply that carries one.
//!
//! An error reply may name a parameter and its rule. It must never hold a secret or a signed text.
//! The table of codes: `docs/protocol.md`, "Error codes".

use std::borrow::Cow;
use std::fmt;

use pactolus_types::{BillNo, Coins};

use crate::midas::parameter::Parameter;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $errmsg:literal;)*) => {
        /// An error code of the wire. Success (0, `ok`) is not one.
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

            /// The vendor's words, with which every `errmsg` of this code starts.
            pub const fn errmsg(self) -> &'static str {
                match self {
                    $(Self::$name => $errmsg,)*
                }
            }
        }
    };
}

error_codes! {
    /// Busy or failing. The outcome of the order is unknown: repeat it with the same bill number.
    SystemError = -1, "system error";
    /// The token is unknown, replaced, or issued for another secret of the app.
    InvalidCredential = 40001, "invalid credential, access_token is invalid or not latest";
    /// The call does not accept this `grant_type`.
    InvalidGrantType = 40002, "invalid grant_type";
    /// No such app.
    InvalidAppId = 40013, "invalid appid";
    /// The login code was never issued, or has expired.
    InvalidCode = 40029, "invalid code";
    /// No call has this path and method.
    InvalidUrl = 40066, "invalid url";
    /// Not the app's secret.
    InvalidAppSecret = 40125, "invalid appsecret";
    /// The login code has been used.
    CodeUsed = 40163, "code been used";
    /// The query has no `access_token`.
    AccessTokenMissing = 41001, "access_token missing";
    /// The query has no `appid`.
    AppIdMissing = 41002, "appid missing";
    /// The query has no `secret`.
    AppSecretMissing = 41004, "appsecret missing";
    /// The token was valid once.
    AccessTokenExpired = 42001, "access_token expired";
    /// The method is not POST.
    RequirePost = 43002, "require POST method";
    /// The body is empty.
    EmptyPostData = 44002, "empty post data";
    /// The app's rate limit is exceeded.
    QuotaReached = 45009, "reach max api daily quota limit";
    /// The body is not one JSON object.
    DataFormat = 47001, "data format error";
    /// The signature of a session check is wrong.
    InvalidSignature = 87009, "invalid signature";
    /// There is no such order to cancel.
    OrderNotExist = 90000, "order not exist";
    /// `mp_sig` verifies under no accepted dialect.
    MpSigError = 90009, "mp_sig error";
    /// The player has no session, or it has expired.
    NoSession = 90010, "no session";
    /// `sig` verifies under no accepted dialect.
    SigError = 90011, "sig error";
    /// The bill number was used before.
    OrderExist = 90012, "order exist";
    /// The player has fewer coins than the pay takes.
    BalanceNotEnough = 90013, "balance not enough";
    /// The pay is too old to be cancelled.
    OrderConfirmed = 90014, "order has been confirmed";
    /// The pay was cancelled before.
    OrderCanceled = 90015, "order has been canceled";
    /// The order is still in flight.
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

    /// Whether the same request, unchanged, may succeed later.
    pub const fn retryable(self) -> bool {
        match self {
            Self::SystemError | Self::QuotaReached | Self::OrderProcessing => true,
            Self::InvalidCredential
            | Self::InvalidGrantType
            | Self::InvalidAppId
            | Self::InvalidCode
            | Self::InvalidUrl
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

/// An error reply: a code and a detail for the caller.
///
/// [`error_to_json`](crate::midas::reply::error_to_json) serialises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    code: ErrorCode,
    detail: Option<Cow<'static, str>>,
    existing: Option<ExistingOrder>,
}

/// What the reply to an idempotent replay carries beside its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExistingOrder {
    /// The bill number of the existing order.
    pub bill_no: BillNo,
    /// The player's coins now.
    pub balance: Coins,
    /// Gifted coins among those that the order took, if it is a pay.
    pub used_gen_amt: Option<Coins>,
}

/// Follows the name of the parameter that differs from the existing order; clients parse it.
pub(crate) const MISMATCH_SUFFIX: &str = " differs from that of the order with this bill_no";

impl ErrorReply {
    /// An error reply with the code's words alone.
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, detail: None, existing: None }
    }

    /// An error reply with a detail: a lowercase fragment without secrets.
    pub fn with_detail(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: Some(detail.into()), existing: None }
    }

    /// 90018. `problem` continues the parameter's name, for example "is missing".
    pub fn invalid_parameter(parameter: Parameter, problem: impl fmt::Display) -> Self {
        Self::with_detail(ErrorCode::InvalidParameter, format!("{parameter} {problem}"))
    }

    /// 90012: an idempotent replay of this order.
    pub const fn replayed(existing: ExistingOrder) -> Self {
        Self { code: ErrorCode::OrderExist, detail: None, existing: Some(existing) }
    }

    /// 90012: the bill number belongs to another order, which differs in `parameter`.
    pub fn order_mismatch(parameter: Parameter) -> Self {
        Self::with_detail(ErrorCode::OrderExist, format!("{parameter}{MISMATCH_SUFFIX}"))
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The detail that follows the code's words.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The existing order, if this answers an idempotent replay.
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
