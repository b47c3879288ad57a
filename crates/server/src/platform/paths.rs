//! Paths of the vendor's host: slashes merged, and all that the bank does not serve answered in the vendor's shape.
//!
//! An SDK has one base URL for all of its calls, so a bank receives calls that it does not have. Clients with typed
//! replies read a body without an `errcode` as a success, so each such call is answered with 40066.

use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, Uri};
use axum::response::Response;
use pactolus_protocol::login::{CHECK_SESSION_PATH, LOGIN_PATH};
use pactolus_protocol::token::{STABLE_TOKEN_PATH, TOKEN_PATH};
use pactolus_protocol::{ErrorCode, ErrorReply, WirePath};

use crate::response::{Caller, reject};
use crate::state::AppState;

/// First segments of the vendor's paths.
const ROOTS: [&str; 4] = ["cgi-bin", "wxa", "sns", "xpay"];

/// The platform's calls beside the Midas calls.
const PLATFORM_PATHS: [&str; 4] = [TOKEN_PATH, STABLE_TOKEN_PATH, LOGIN_PATH, CHECK_SESSION_PATH];

/// Calls of the vendor's coin families that are about other things, with the thing.
const OTHER_CALLS: [(&[&str], &str); 4] = [
    (
        &[
            "query_order",
            "refund_order",
            "notify_provide_goods",
            "download_bill",
            "start_upload_goods",
            "query_upload_goods",
            "start_publish_goods",
            "query_publish_goods",
            "present_goods",
        ],
        "goods and cash orders",
    ),
    (
        &[
            "create_withdraw_order",
            "query_withdraw_order",
            "query_biz_balance",
            "query_transfer_account",
            "query_adver_funds",
            "create_funds_bill",
            "bind_transfer_accout",
            "query_funds_bill",
            "query_recover_bill",
            "download_adverfunds_order",
            "start_download_order",
            "query_download_order",
        ],
        "settlement and ad funds",
    ),
    (
        &[
            "get_complaint_list",
            "get_complaint_detail",
            "get_negotiation_history",
            "response_complaint",
            "complete_complaint",
            "upload_vp_file",
            "get_upload_file_sign",
        ],
        "complaints",
    ),
    (&["query_contract", "create_contract", "cancel_contract"], "subscriptions"),
];

/// The thing that a path of `/xpay/*` is about, if it is no coin call.
fn other_thing(path: &str) -> Option<&'static str> {
    let call = path.strip_prefix("/xpay/")?;
    OTHER_CALLS.iter().find(|(calls, _)| calls.contains(&call)).map(|(_, thing)| *thing)
}

/// Characters of a path that are compared with the served ones and logged; the served ones have at most 36.
const PATH_CHARS_MAX: usize = 128;

/// Merges doubled and trailing slashes of a path of the vendor's. The signed path is the merged one.
pub(crate) fn merge_slashes<B>(request: &mut Request<B>) {
    let path = request.uri().path();
    let first = path.split('/').find(|segment| !segment.is_empty());
    let merged = first.filter(|first| ROOTS.contains(first)).and_then(|_| merged(path));
    if let Some(merged) = merged {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(merged + &query).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The path with single slashes; `None` if it has no others.
fn merged(path: &str) -> Option<String> {
    if !path.contains("//") && !path.ends_with('/') {
        return None;
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    Some(segments.fold(String::with_capacity(path.len()), |merged, segment| merged + "/" + segment))
}

/// Whether a path belongs to the vendor's host, in any case of its letters and behind any prefix.
pub(crate) fn is_vendors(path: &str) -> bool {
    !path.starts_with("/api/v1/") && root_offset(path).is_some()
}

/// Where the first segment of the vendor's begins, with the slash before it.
fn root_offset(path: &str) -> Option<usize> {
    let mut offset = 0;
    for segment in path.split('/') {
        if ROOTS.iter().any(|root| root.eq_ignore_ascii_case(segment)) {
            return Some(offset.max(1) - 1);
        }
        offset += segment.len() + 1;
    }
    None
}

/// Answers a call that no route takes.
pub(crate) fn refuse(bank: &AppState, method: &Method, path: &str) -> Response {
    let rid = bank.next_rid(bank.now());
    let shown: String = path.chars().take(PATH_CHARS_MAX).collect();
    reject(bank, Caller::Stranger, rid, method, &shown, &refusal(path))
}

fn refusal(path: &str) -> ErrorReply {
    let start = root_offset(path).unwrap_or_default();
    let (prefix, rest) = path.split_at(start);
    let rest = merged(rest).unwrap_or_else(|| rest.to_owned());
    let served = served_paths().find(|served| served.eq_ignore_ascii_case(&rest));
    let detail = match served {
        Some(served) if rest == served && prefix.is_empty() => {
            let methods = if served == STABLE_TOKEN_PATH { "POST" } else { "GET or POST" };
            format!("send {served} by {methods}")
        }
        Some(served) if rest == served => {
            format!(
                "the path begins with a prefix; the call is {served}, and a proxy in front has to strip the prefix"
            )
        }
        Some(served) => format!("letter case counts; the call is {served}"),
        None => match other_thing(&rest) {
            Some(thing) => format!("a coin bank does not have this call, which is about {thing}"),
            None => format!("this bank does not have this call; the nearest path is {}", nearest(&rest)),
        },
    };
    ErrorReply::with_detail(ErrorCode::InvalidUrl, detail)
}

fn served_paths() -> impl Iterator<Item = &'static str> {
    WirePath::all().map(WirePath::as_str).chain(PLATFORM_PATHS)
}

/// The served path with the fewest edits, of the same first segment if there is one.
fn nearest(path: &str) -> &'static str {
    let path: String = path.chars().take(PATH_CHARS_MAX).collect::<String>().to_ascii_lowercase();
    let root = |path: &str| path.split('/').nth(1).map(str::to_owned);
    let distance = |served: &&str| (root(served) != root(&path), strsim::damerau_levenshtein(&path, served));
    served_paths().min_by_key(distance).expect("there are served paths")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged_path(sent: &str) -> String {
        let mut request = Request::builder().uri(sent).body(()).unwrap();
        merge_slashes(&mut request);
        request.uri().to_string()
    }

    #[test]
    fn slashes_of_vendor_paths_are_merged() {
        for (sent, path) in [
            ("//cgi-bin/midas/pay?a=//b/", "/cgi-bin/midas/pay?a=//b/"),
            ("/cgi-bin//midas///pay/", "/cgi-bin/midas/pay"),
            ("/wxa/checksession//?", "/wxa/checksession?"),
            ("/cgi-bin/midas/pay", "/cgi-bin/midas/pay"),
            ("//healthz", "//healthz"),
            ("/api/v1//clock", "/api/v1//clock"),
            ("/", "/"),
        ] {
            assert_eq!(merged_path(sent), path, "{sent}");
        }
    }

    #[test]
    fn vendor_paths_are_known_behind_any_prefix() {
        for path in ["/cgi-bin/x", "/wxa", "/SNS/x", "/game/api/xpay/x", "//cgi-bin/", "/api/cgi-bin/token"] {
            assert!(is_vendors(path), "{path}");
        }
        for path in ["/", "", "/healthz", "/cgi-binary/x", "/api/v1/apps/wxa/orders", "/api/v2/x"] {
            assert!(!is_vendors(path), "{path}");
        }
    }

    #[test]
    fn refusal_names_the_nearest_path() {
        for (path, words) in [
            (
                "/cgi-bin/midas/presents",
                "this bank does not have this call; the nearest path is /cgi-bin/midas/present",
            ),
            ("/cgi-bin/getcallbackip", "this bank does not have this call; the nearest path is /cgi-bin/"),
            ("/wxa/msg_sec_check", "this bank does not have this call; the nearest path is /wxa/"),
            (
                "/sns/jscode2sesion",
                "this bank does not have this call; the nearest path is /sns/jscode2session",
            ),
            ("/wxa/game/Pay", "letter case counts; the call is /wxa/game/pay"),
            ("/wxa/game/pays", "this bank does not have this call; the nearest path is /wxa/game/pay"),
            (
                "/xpay/currency_pai",
                "this bank does not have this call; the nearest path is /xpay/currency_pay",
            ),
            (
                "/xpay/query_order",
                "a coin bank does not have this call, which is about goods and cash orders",
            ),
            ("/xpay/get_complaint_list", "a coin bank does not have this call, which is about complaints"),
            ("/CGI-BIN/Midas/pay/", "letter case counts; the call is /cgi-bin/midas/pay"),
            ("/p/cgi-bin//token", "the path begins with a prefix; the call is /cgi-bin/token"),
            ("/cgi-bin/token", "send /cgi-bin/token by GET or POST"),
            ("/宝/wxa/宝", "this bank does not have this call; the nearest path is "),
        ] {
            let refusal = refusal(path).to_string();
            assert!(refusal.starts_with(&format!("invalid url: {words}")), "{path}: {refusal}");
        }
        assert!(refusal(&format!("/cgi-bin/{}", "x".repeat(8000))).to_string().len() < 200);
    }
}
