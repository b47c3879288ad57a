//! What is kept of a refusal, and what it is made from.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use pactolus_protocol::explain::RedactedParameters;
use pactolus_protocol::{AccessToken, CallPath, Rid};
use pactolus_types::{AppId, UnixMillis};

use crate::settings::AppSettings;

/// A refusal of a Midas call, without anything secret.
pub(crate) struct Rejection {
    pub(crate) rid: Rid,
    pub(crate) at: UnixMillis,
    pub(crate) method: Method,
    pub(crate) path: CallPath,
    /// The app that the token spoke for.
    pub(crate) appid: Option<AppId>,
    pub(crate) errcode: i32,
    /// As it was answered.
    pub(crate) errmsg: String,
    /// What the body held, if it was read and is one.
    pub(crate) parameters: Option<RedactedParameters>,
    /// The text of the signature that does not verify.
    pub(crate) signed_text: Option<String>,
    pub(crate) diagnoses: Vec<Diagnosis>,
}

/// Something found out about a refusal.
pub(crate) struct Diagnosis {
    /// A name for programs.
    pub(crate) name: Cow<'static, str>,
    /// What was done, or is so.
    pub(crate) explanation: String,
    /// What would be right.
    pub(crate) fix: String,
}

/// What a request has shown so far; whoever checks it writes it down, and whoever refuses it reads it.
#[derive(Default)]
pub(crate) struct RequestTrace {
    pub(crate) token: Option<AccessToken>,
    pub(crate) app: Option<Arc<AppSettings>>,
    pub(crate) body: Option<Bytes>,
}
