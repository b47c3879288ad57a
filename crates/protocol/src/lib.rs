//! Wire format of the bank's calls: parameters, signatures, error codes and replies.
//!
//! Three families of calls over one ledger: [`midas`], and on [`raw`] bodies [`game`] and [`xpay`].
//! The contract is `docs/protocol/midas.md`.
//! This crate does no I/O, reads no clock and no random source, and knows no accounts. Invariant: it verifies a
//! signature over the raw values that were sent, never over parsed ones.
//!
//! A client signs a present, and a server reads and verifies it:
//!
//! ```
//! use pactolus_types::{Amount, AppId, BillNo, Environment, OfferId, OpenId, ZoneId};
//! use pactolus_protocol::{
//!     AccessToken, Body, Call, Caller, DialectPolicy, MidasKey, MpSig, Pf, Present, PresentReply, SessionKey,
//!     UnixSeconds, UnverifiedCall, reply, signed_body,
//! };
//!
//! let midas_key = MidasKey::new("zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u")?;
//! let session_key = SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==")?;
//! let token = AccessToken::new("ACCESSTOKEN")?;
//!
//! // Client: 233 coins for a player.
//! let gift = Present {
//!     caller: Caller {
//!         openid: OpenId::new("odkx20ENSNa2w5y3g_qOkOvBNM1g")?,
//!         appid: AppId::new("wx1234567")?,
//!         offer_id: OfferId::new("12345678")?,
//!         ts: UnixSeconds::new(1_507_530_737)?,
//!         zone_id: ZoneId::new("1")?,
//!         pf: Pf::new("android")?,
//!         user_ip: None,
//!     },
//!     present_counts: Amount::new(233)?,
//!     bill_no: BillNo::new("BillNo_123")?,
//! };
//! let sent = signed_body(&gift, Environment::Live, &midas_key, Some((&session_key, &token)));
//! assert_eq!(Present::path(Environment::Live).as_str(), "/cgi-bin/midas/present");
//!
//! // Server: the checks, in the order of `docs/protocol/midas.md`.
//! let body = Body::parse(sent.as_bytes())?;
//! let received = UnverifiedCall::<Present>::read(Environment::Live, &body, MpSig::Required)?;
//! received.verify_sig(&midas_key, DialectPolicy::Strict)?;
//! received.verify_mp_sig(&session_key, &token, DialectPolicy::Strict)?;
//! assert_eq!(received.call(), &gift);
//!
//! // Server: the reply.
//! let reply = PresentReply { balance: gift.present_counts.coins(), bill_no: gift.bill_no };
//! assert_eq!(
//!     String::from_utf8(reply::to_json(&reply))?,
//!     r#"{"errcode":0,"errmsg":"ok","balance":233,"bill_no":"BillNo_123"}"#,
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To add a call:
//! 1. its [`CallKind`], its name in the path and its own parameters, in `midas/call.rs`;
//! 2. each new parameter, in name order, with its JSON form, in `midas/parameter.rs`;
//! 3. its request type and [`Call`] implementation, in `midas/call/requests.rs`;
//! 4. its reply type and [`Reply`] implementation, in `midas/reply.rs`;
//! 5. its rows in `docs/protocol/midas.md`, which a test compares with the tables.
//!
//! Signing, verification and the checks of missing parameters follow from the tables.

mod code_table;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod game;
mod hash;
mod json;
pub mod midas;
mod object;
pub mod platform;
pub mod query;
pub mod raw;
pub mod rid;
pub mod secret;
pub mod signature;
pub mod values;
pub mod wire;
pub mod xpay;

pub use error::{ErrorCode, ErrorReply, ExistingOrder};
pub use game::code::GameCode;
pub use midas::body::{BODY_BYTES_MAX, Body};
pub use midas::call::{Call, CallKind, CallPath, Caller, CancelPay, GetBalance, Pay, Present};
pub use midas::code::MidasCode;
pub use midas::explain::{Evidence, Mistake, SignatureFinding};
pub use midas::parameter::Parameter;
pub use midas::reply::{BalanceReply, CancelPayReply, PayReply, PresentReply, Reply, ReplyOutcome};
pub use midas::request::signed_body;
pub use midas::sign::{Dialect, DialectPolicy, MpSig, UnverifiedCall};
pub use midas::{body, call, explain, parameter, reply, request, sign};
pub use platform::code::PlatformCode;
pub use platform::credentials::{Credentials, GrantType};
pub use platform::login::{LoginReply, SessionCheck};
pub use platform::token::{RefreshMode, StableTokenRequest, TokenReply};
pub use platform::{credentials, login, token};
pub use query::Query;
pub use raw::{RawCallKind, RawPath, RawWire};
pub use rid::Rid;
pub use secret::{AccessToken, AppSecret, InvalidSecret, LoginCode, MidasKey, OperatorToken, SessionKey};
pub use signature::Signature;
pub use values::{FreeText, InvalidValue, Pf, UnixSeconds};
pub use wire::{Wire, WirePath};
pub use xpay::code::XpayCode;
