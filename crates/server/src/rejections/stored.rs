//! Stored form of a rejection in a shared store: JSON that nodes of earlier and later versions can read.

use pactolus_protocol::WirePath;
use pactolus_protocol::explain::{RedactedParameter, RedactedParameters};
use pactolus_types::{AppId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::rejection::{Diagnosis, Rejection};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRejection {
    rid: String,
    at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    method: String,
    path: String,
    errcode: i32,
    errmsg: String,
    parameters: Vec<StoredParameter>,
    more_parameters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_text: Option<String>,
    findings: Vec<StoredFinding>,
}

#[derive(Serialize, Deserialize)]
struct StoredParameter {
    name: String,
    form: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    documented: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredFinding {
    name: String,
    finding: String,
    fix: String,
}

impl StoredRejection {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers have a form in JSON")
    }

    /// `None` for JSON of another form.
    pub(super) fn read(json: &[u8]) -> Option<Rejection> {
        let stored: Self = serde_json::from_slice(json).ok()?;
        Some(Rejection {
            rid: stored.rid.parse().ok()?,
            at: UnixMillis::new(stored.at_ms),
            method: stored.method.parse().ok()?,
            path: WirePath::parse(&stored.path)?,
            environment: stored.env.map(|environment| environment.parse()).transpose().ok()?,
            appid: stored.appid.map(|appid| AppId::new(&appid)).transpose().ok()?,
            errcode: stored.errcode,
            errmsg: stored.errmsg,
            parameters: Some(RedactedParameters {
                parameters: stored.parameters.into_iter().map(RedactedParameter::from).collect(),
                omitted: stored.more_parameters,
            }),
            signed_text: stored.signed_text,
            diagnoses: stored.findings.into_iter().map(Diagnosis::from).collect(),
        })
    }
}

impl From<&Rejection> for StoredRejection {
    fn from(rejection: &Rejection) -> Self {
        let parameters = rejection.parameters.as_ref();
        let shown = parameters.into_iter().flat_map(|parameters| &parameters.parameters);
        Self {
            rid: rejection.rid.to_string(),
            at_ms: rejection.at.get(),
            appid: rejection.appid.map(|appid| appid.to_string()),
            env: rejection.environment.map(|environment| environment.to_string()),
            method: rejection.method.to_string(),
            path: rejection.path.as_str().to_owned(),
            errcode: rejection.errcode,
            errmsg: rejection.errmsg.clone(),
            parameters: shown.map(StoredParameter::from).collect(),
            more_parameters: parameters.map_or(0, |parameters| parameters.omitted),
            signed_text: rejection.signed_text.clone(),
            findings: rejection.diagnoses.iter().map(StoredFinding::from).collect(),
        }
    }
}

impl From<&RedactedParameter> for StoredParameter {
    fn from(shown: &RedactedParameter) -> Self {
        Self {
            name: shown.name.clone(),
            form: shown.form.clone(),
            value: shown.value.clone(),
            documented: shown.is_documented,
        }
    }
}

impl From<StoredParameter> for RedactedParameter {
    fn from(stored: StoredParameter) -> Self {
        let StoredParameter { name, form, value, documented } = stored;
        Self { name, form, value, is_documented: documented }
    }
}

impl From<&Diagnosis> for StoredFinding {
    fn from(diagnosis: &Diagnosis) -> Self {
        Self {
            name: diagnosis.name.to_string(),
            finding: diagnosis.explanation.clone(),
            fix: diagnosis.fix.clone(),
        }
    }
}

impl From<StoredFinding> for Diagnosis {
    fn from(stored: StoredFinding) -> Self {
        Self { name: stored.name.into(), explanation: stored.finding, fix: stored.fix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes of an earlier version write and read this form.
    #[test]
    fn stored_form_round_trips() {
        let whole = r#"{"rid":"59db17f1-01234567-89abcdef","at_ms":1507530737000,"appid":"wx1234567","env":"sandbox","method":"POST","path":"/cgi-bin/midas/sandbox/present","errcode":90010,"errmsg":"signature invalid rid: 59db17f1-01234567-89abcdef","parameters":[{"name":"openid","form":"a string","value":"player","documented":true},{"name":"x","form":"a number","documented":false}],"more_parameters":2,"signed_text":"a=1&b=***","findings":[{"name":"sorted","finding":"w","fix":"f"}]}"#;
        let least = r#"{"rid":"59db17f1-01234567-89abcdef","at_ms":1507530737000,"env":"sandbox","method":"POST","path":"/cgi-bin/midas/sandbox/present","errcode":90010,"errmsg":"signature invalid rid: 59db17f1-01234567-89abcdef","parameters":[],"more_parameters":0,"findings":[]}"#;
        for kept in [whole, least] {
            let rejection = StoredRejection::read(kept.as_bytes()).unwrap();
            assert_eq!(StoredRejection::from(&rejection).to_json(), kept.as_bytes());
        }
        assert!(StoredRejection::read(b"{}").is_none());
    }
}
