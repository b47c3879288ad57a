//! A rejection, and the trace that it is made from.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use pactolus_protocol::explain::RedactedParameters;
use pactolus_protocol::{AccessToken, CallPath, Rid};
use pactolus_types::{AppId, UnixMillis};

use crate::apps::ServedApp;

/// A rejected Midas call, without secrets.
pub(crate) struct Rejection {
    pub(crate) rid: Rid,
    pub(crate) at: UnixMillis,
    pub(crate) method: Method,
    pub(crate) path: CallPath,
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
}
