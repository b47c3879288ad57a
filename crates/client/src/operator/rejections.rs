//! Rejections of calls, with their diagnoses. They hold no secret.

use pactolus_protocol::Rid;
use pactolus_types::{AppId, Environment, UnixMillis};
use serde::{Deserialize, Serialize};

use super::json::{number, optional_text, text};

/// A list of rejections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionList {
    /// Newest first.
    pub rejections: Vec<RejectionBrief>,
}

/// A rejection in brief.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionBrief {
    /// The request id.
    #[serde(with = "text")]
    pub rid: Rid,
    /// When the bank refused the call.
    #[serde(with = "number")]
    pub at_ms: UnixMillis,
    /// The app of the access token; missing without a valid token.
    #[serde(default, with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub appid: Option<AppId>,
    /// The environment; missing if the call names it in its body, and the body was not read or is invalid.
    #[serde(default, with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub env: Option<Environment>,
    /// The HTTP method.
    pub method: String,
    /// The path of the call.
    pub path: String,
    /// The error code that was answered.
    pub errcode: i32,
    /// The message that was answered.
    pub errmsg: String,
}

/// A rejection with its call and its diagnosis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionDetails {
    /// The rejection in brief.
    #[serde(flatten)]
    pub brief: RejectionBrief,
    /// Parameters of the body by name; empty if the body was not read or is invalid.
    pub parameters: Vec<ReceivedParameter>,
    /// Number of parameters that are left out.
    pub more_parameters: usize,
    /// The text that the bank signed, with `***` for secrets; only for a signature that does not verify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_text: Option<String>,
    /// Findings of the diagnosis.
    pub findings: Vec<Finding>,
}

/// A parameter of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedParameter {
    /// Its name.
    pub name: String,
    /// JSON type, such as `a string`.
    pub form: String,
    /// Value; missing if it may be secret. For a signature, its first digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it is a documented parameter of the call.
    pub documented: bool,
}

/// A finding of the diagnosis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A name for programs.
    pub name: String,
    /// The mistake, or the state found.
    pub finding: String,
    /// The remedy.
    pub fix: String,
}
