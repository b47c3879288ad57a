//! Diagnosis of a rejection on a raw wire. It shows the path signed, and length and SHA-256 of the body, never the body.

use axum::http::request::Parts;
use pactolus_protocol::raw::explain::{RawEvidence, RawFinding, RawKey, RawMistake, RawProof};
use pactolus_protocol::raw::{RawPath, Reason};
use pactolus_protocol::{ErrorCode, ErrorReply, Query};

use super::diagnose::{
    DiagnosisReport, candidate_keys, diagnose_session, diagnose_token, may_search, name_replaced_login,
    session_history,
};
use super::rejection::RequestTrace;
use crate::settings::AppSettings;
use crate::state::AppState;

/// Diagnoses a rejected call on `path` of `host` from its `trace`.
pub(super) async fn diagnose(
    bank: &AppState,
    path: RawPath,
    head: &Parts,
    host: Option<&str>,
    trace: &RequestTrace,
    error: &ErrorReply,
) -> DiagnosisReport {
    let mut report = DiagnosisReport::default();
    let Some(token) = &trace.token else { return report };
    if let ErrorCode::InvalidCredential | ErrorCode::AccessTokenExpired = error.code() {
        diagnose_token(bank, token, &mut report).await;
    }
    let (Some(app), Some(body), Some(environment)) = (&trace.app, &trace.body, trace.environment) else {
        return report;
    };
    let query = Query::new(head.uri.query().unwrap_or_default());
    let evidence = RawEvidence { path, environment, token, query, host, body };
    report.parameters = evidence.parameters();
    if let Some(proof) = trace.proof {
        report.signed_text = Some(evidence.signed_text(proof));
        diagnose_signature(bank, app, trace, &evidence, proof, &mut report).await;
    } else if error.code() == Reason::NoSession.code(path.wire()) {
        diagnose_session(&session_history(bank, app.appid, trace.player).await, bank.now(), &mut report);
    }
    report
}

async fn diagnose_signature(
    bank: &AppState,
    app: &AppSettings,
    trace: &RequestTrace,
    evidence: &RawEvidence<'_>,
    proof: RawProof,
    report: &mut DiagnosisReport,
) {
    if !may_search(bank, evidence.environment, report) {
        return;
    }
    let history = session_history(bank, app.appid, trace.player).await;
    let keys = candidate_keys(app, &history);
    let finding = evidence.explain(proof, &keys, app.dialects);
    // Without a finding, the reply keeps its own detail.
    if finding != RawFinding::Unknown {
        report.signature_hint = Some(finding.to_string());
    }
    report.add(finding.name(), finding.to_string(), &finding.fix());
    if finding == RawFinding::Mistake(RawMistake::Key(RawKey::PreviousSession)) {
        name_replaced_login(&history, report);
    }
}
