//! A rejection, and the trace that it is made from.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use pactolus_protocol::explain::RedactedParameters;
use pactolus_protocol::raw::explain::RawProof;
use pactolus_protocol::{AccessToken, Rid, WirePath};
use pactolus_types::{AppId, Environment, OpenId, UnixMillis};

use crate::apps::ServedApp;

/// A rejected call, without secrets.
pub(crate) struct Rejection {
    pub(crate) rid: Rid,
    pub(crate) at: UnixMillis,
    pub(crate) method: Method,
    pub(crate) path: WirePath,
    /// `None` if the call names it in its body, and the body was not read or is invalid.
    pub(crate) environment: Option<Environment>,
    /// The app of the access token.
    pub(crate) appid: Option<AppId>,
    pub(crate) errcode: i32,
    /// As answered, but redacted.
    pub(crate) errmsg: String,
    /// Parameters of the body, if it was read and is valid.
    pub(crate) parameters: Option<RedactedParameters>,
    /// The text of the signature that does not verify.
    pub(crate) signed_text: Option<String>,
    pub(crate) diagnoses: Vec<Diagnosis>,
}

pub(crate) struct Diagnosis {
    /// A name for programs.
    pub(crate) name: Cow<'static, str>,
    /// The mistake, or the state found.
    pub(crate) explanation: String,
    /// The remedy.
    pub(crate) fix: String,
}

/// The parts of a request that were read so far. Verification fills it, and a rejection reads it.
#[derive(Default)]
pub(crate) struct RequestTrace {
    pub(crate) token: Option<AccessToken>,
    pub(crate) app: Option<Arc<ServedApp>>,
    pub(crate) body: Option<Bytes>,
    /// Of a call that names it in its body.
    pub(crate) environment: Option<Environment>,
    /// The player, if the call is of a raw wire.
    pub(crate) player: Option<OpenId>,
    /// The signature being verified, if the call is of a raw wire.
    pub(crate) proof: Option<RawProof>,
}
