//! Endpoints for the rejections of Midas calls and their diagnoses.

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

/// Longest list of rejections.
const LIMIT_MAX: usize = 100;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RejectionPath {
    /// The request id, from the `errmsg` of the rejected call.
    rid: TextParam<Rid>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Most rejections in the list.
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

/// A rejection in brief.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectionBrief {
    /// The request id.
    rid: AsText<Rid>,
    /// In milliseconds since 1970.
    at_ms: u64,
    /// The app of the access token; missing without a valid token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<AppId>")]
    appid: Option<AsText<AppId>>,
    /// Missing if the call names it in its body, and the body was not read or is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<Environment>")]
    env: Option<AsText<Environment>>,
    method: String,
    path: &'static str,
    errcode: i32,
    errmsg: String,
}

/// A rejection with its call and its diagnosis; it holds no secret.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectionDetails {
    #[serde(flatten)]
    brief: RejectionBrief,
    /// Parameters of the body by name; empty if the body was not read or is invalid.
    parameters: Vec<ParameterDetails>,
    /// Number of parameters that are left out.
    more_parameters: usize,
    /// The text that the bank signed, with `***` for secrets; only for a signature that does not verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    signed_text: Option<String>,
    /// Findings of the diagnosis.
    findings: Vec<FindingDetails>,
}

/// A parameter of the call.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ParameterDetails {
    name: String,
    /// JSON type, such as `a string`.
    form: String,
    /// Value; missing if it may be secret. For a signature, its first digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    value: Option<String>,
    /// Whether it is a documented parameter of the call.
    documented: bool,
}

/// A finding of the diagnosis.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FindingDetails {
    /// A name for programs.
    name: Cow<'static, str>,
    /// The mistake, or the state found.
    finding: String,
    /// The remedy.
    fix: String,
}

/// A list of rejections.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectionList {
    /// Newest first.
    rejections: Vec<RejectionBrief>,
}

impl From<&Rejection> for RejectionBrief {
    fn from(rejection: &Rejection) -> Self {
        Self {
            rid: AsText(rejection.rid),
            at_ms: rejection.at.get(),
            appid: rejection.appid.map(AsText),
            env: rejection.environment.map(AsText),
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
                .map(|diagnosis| FindingDetails {
                    name: diagnosis.name.clone(),
                    finding: diagnosis.explanation.clone(),
                    fix: diagnosis.fix.clone(),
                })
                .collect(),
        }
    }
}

/// A rejection with its call and its diagnosis.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
#[schemars(rename = "Shown")]
pub(crate) struct RejectionJson(RejectionDetails);

pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<RejectionPath>,
) -> Result<Json<RejectionJson>, Problem> {
    let rid = path.rid.parse("rid")?;
    let rejection = rejections::find(&bank, rid).await?.ok_or_else(|| {
        Problem::not_found(
            "no rejection with this rid is kept; the bank evicts the oldest, and a restart drops those in memory",
        )
    })?;
    Ok(Json(RejectionJson(RejectionDetails::from(&*rejection))))
}

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
