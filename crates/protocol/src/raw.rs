//! The wires whose signatures cover the raw bytes of the body: `/wxa/game/*` of mini games, `/xpay/*` of mini programs.
//!
//! They ask for the same things of an account under other names, and answer with other codes. So one request type, one
//! reply type and one table of reasons serve both, and each wire chooses names and codes.
//! Invariant: a signature is verified over the bytes received, and those same bytes are then read.
//!
//! A server reads a pay:
//!
//! ```
//! use pactolus_protocol::raw::{PresentSignature, RawObject, RawOrder, RawPath, RawProofs, RawRequest};
//! use pactolus_protocol::{DialectPolicy, MidasKey, Query, SessionKey, raw};
//!
//! let body = br#"{"openid":"player","offer_id":"1","ts":1668136271,"zone_id":"1","env":0,"amount":1,"bill_no":"a"}"#;
//! let (app_key, session_key) = (MidasKey::new("12345")?, SessionKey::new("9hAb/NEYUlkaMBEsmFgzig==")?);
//! let path = RawPath::parse("/wxa/game/pay").ok_or("a path")?;
//! // The client signs the bytes that it sends.
//! let pay_sig = raw::sign::pay_sig(path.as_str(), body, &app_key);
//! let signature = raw::sign::signature(body, &session_key);
//! let query = format!("access_token=T&signature={signature}&sig_method=hmac_sha256&pay_sig={pay_sig}");
//! // The server verifies the bytes that it received.
//! let object = RawObject::parse(path.wire(), body)?;
//! let environment = object.environment()?;
//! let proofs = RawProofs::from_query(path, Query::new(&query), PresentSignature::Required)?;
//! let request = RawRequest::read(path, &object)?;
//! proofs.verify_pay_sig(body, &app_key, DialectPolicy::Strict)?;
//! proofs.verify_signature(body, &session_key, DialectPolicy::Strict)?;
//! assert!(matches!(request.order, RawOrder::Pay { amount, .. } if amount.get() == 1));
//! assert_eq!(environment, pactolus_types::Environment::Live);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To add a call: its path in `raw/path.rs`, each new member in `raw/member.rs`, its arm in `raw/request.rs` and
//! `raw/reply.rs`, and its rows in the wire's page under `docs/protocol`.
//! Read next: `raw/path.rs`, `raw/request.rs`, `raw/reason.rs`.

pub mod explain;
pub mod member;
pub mod object;
pub mod path;
pub mod reason;
pub mod reply;
pub mod request;
pub mod sign;

pub use member::Member;
pub use object::RawObject;
pub use path::{RawCallKind, RawPath, RawWire};
pub use reason::Reason;
pub use reply::{RawBalance, RawReply};
pub use request::{PayNote, RawOrder, RawRequest, TopUpKind};
pub use sign::{PresentSignature, RawProofs};
