//! Refusals of Midas calls, and why each came about.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pactolus_protocol::Rid;
use pactolus_types::{AppId, Environment};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::extract::{Path, Query};
use super::field::{AsText, TextParam, TextValue};
use super::problem::Problem;
use crate::rejections;
use crate::rejections::rejection::Rejection;
use crate::state::AppState;

/// The most rejections of a list.
const LIMIT_MAX: usize = 100;

/// A rejection.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RejectionPath {
    /// The request's id, as its refusal told it.
    rid: TextParam<Rid>,
}

/// How many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// How many rejections the list holds at most.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: usize,
}

fn default_limit() -> usize {
    20
}

impl TextValue for Rid {
    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$" })
    }
}

/// A refusal in brief.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectionBrief {
    /// The request's id.
    rid: AsText<Rid>,
    /// In milliseconds since 1970.
    at_ms: u64,
    /// The app that the token spoke for; missing if it spoke for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<AppId>")]
    appid: Option<AsText<AppId>>,
    env: AsText<Environment>,
    method: String,
    path: &'static str,
    errcode: i32,
    errmsg: String,
}

/// A refusal with what it refused and why; nothing of it is secret.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectionDetails {
    #[serde(flatten)]
    brief: RejectionBrief,
    /// What the body held, by name; empty if it was not read or is none.
    parameters: Vec<ParameterDetails>,
    /// How many more it held.
    more_parameters: usize,
    /// The text that the bank signed, `***` in the place of what is secret; told of a signature that does not verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    signed_text: Option<String>,
    /// What was found out about it.
    findings: Vec<FindingDetails>,
}

/// A parameter that was received.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ParameterDetails {
    name: String,
    /// What it was sent as, such as `a string`.
    form: String,
    /// What it was sent with; missing if it may be secret. Of a signature, its first digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    value: Option<String>,
    /// Whether the call documents it.
    documented: bool,
}

/// Something that was found out.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FindingDetails {
    /// A name for programs.
    name: Cow<'static, str>,
    /// What was done, or is so.
    finding: String,
    /// What would be right.
    fix: String,
}

/// Some rejections.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectionList {
    /// The newest first.
    rejections: Vec<RejectionBrief>,
}

impl From<&Rejection> for RejectionBrief {
    fn from(rejection: &Rejection) -> Self {
        Self {
            rid: AsText(rejection.rid),
            at_ms: rejection.at.get(),
            appid: rejection.appid.map(AsText),
            env: AsText(rejection.path.environment),
            method: rejection.method.to_string(),
            path: rejection.path.as_str(),
            errcode: rejection.errcode,
            errmsg: rejection.errmsg.clone(),
        }
    }
}

impl From<&Rejection> for RejectionDetails {
    fn from(rejection: &Rejection) -> Self {
        let parameters = rejection.parameters.as_ref();
        let shown = parameters.into_iter().flat_map(|parameters| &parameters.parameters);
        Self {
            brief: RejectionBrief::from(rejection),
            parameters: shown
                .map(|shown| ParameterDetails {
                    name: shown.name.clone(),
                    form: shown.form.clone(),
                    value: shown.value.clone(),
                    documented: shown.is_documented,
                })
                .collect(),
            more_parameters: parameters.map_or(0, |parameters| parameters.omitted),
            signed_text: rejection.signed_text.clone(),
            findings: rejection
                .diagnoses
                .iter()
                .map(|told| FindingDetails {
                    name: told.name.clone(),
                    finding: told.explanation.clone(),
                    fix: told.fix.clone(),
                })
                .collect(),
        }
    }
}

/// The details of a rejection, as the node that made them wrote them down.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub(crate) struct RejectionJson(RejectionDetails);

/// Tells why a request was refused.
pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<RejectionPath>,
) -> Result<Json<RejectionJson>, Problem> {
    let rid = path.rid.parse("rid")?;
    let rejection = rejections::find(&bank, rid).await?.ok_or_else(|| {
        Problem::not_found(
            "no refusal with this rid is kept; the bank forgets older ones, and all when it restarts",
        )
    })?;
    Ok(Json(RejectionJson(RejectionDetails::from(&*rejection))))
}

/// Lists the newest refusals.
pub(crate) async fn list(
    State(bank): State<Arc<AppState>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<RejectionList>, Problem> {
    if !(1..=LIMIT_MAX).contains(&query.limit) {
        return Err(Problem::invalid("limit", format_args!("must be 1 to {LIMIT_MAX}")));
    }
    let newest = bank.rejections.newest(query.limit);
    Ok(Json(RejectionList { rejections: newest.iter().map(|rejection| (&**rejection).into()).collect() }))
}
