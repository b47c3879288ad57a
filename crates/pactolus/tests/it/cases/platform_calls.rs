//! Calls of the platform beside the Midas ones. A game's task fetches its token by POST, with the parameters in the
//! query or as a form: the vendor's host takes it. An SDK has one base URL, so changing it sends every other platform
//! call to the bank too, and an answer in another shape crashes its typed client.

use super::raw::{Bank, FORM, assert_refused, send};

const CREDENTIALS: &str = "grant_type=client_credential&appid=wx1234567&secret=APPSECRET";

#[test]
fn token_is_given_by_post_with_query_or_form() {
    let bank = Bank::serve();
    let ask = |method: &str, path: &str, headers: &[&str], body: &str| {
        let reply = bank.send(method, path, headers, body);
        assert!(
            reply["access_token"].is_string() && reply["expires_in"].is_u64(),
            "{method} {path}: {reply}"
        );
    };
    let path = "/cgi-bin/token";
    let in_query = format!("{path}?{CREDENTIALS}");
    ask("GET", &in_query, &[], "");
    ask("POST", &in_query, &[], "");
    ask("POST", &in_query, &["content-type: application/json"], "{}");
    ask("POST", path, &[FORM], CREDENTIALS);
    ask("POST", path, &[&format!("{FORM}; charset=utf-8")], CREDENTIALS);
    ask("POST", "/cgi-bin/stable_token", &[FORM], CREDENTIALS);
    let in_both = CREDENTIALS.replace("&secret=APPSECRET", "");
    ask("POST", &format!("{path}?{in_both}"), &[FORM], "secret=APPSECRET");

    let wrong = CREDENTIALS.replace("APPSECRET", "guess");
    assert_refused(&bank.send("POST", path, &[FORM], &wrong), 40125, "invalid appsecret");
    assert_refused(&bank.send("POST", path, &[], ""), 41002, "appid missing");
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_refused(
            &bank.send(method, &in_query, &[], ""),
            40066,
            "invalid url: send /cgi-bin/token by GET or POST",
        );
    }
    bank.stop(0);
}

#[test]
fn unknown_platform_call_is_answered_in_the_vendors_shape() {
    let bank = Bank::serve();
    for (method, path) in [
        ("POST", "/wxa/msg_sec_check?access_token=T"),
        ("GET", "/wxa/resetusersessionkey?access_token=T"),
        ("GET", "/cgi-bin/getcallbackip"),
        ("POST", "/cgi-bin/message/custom/send"),
        ("POST", "/sns/userinfo"),
        ("POST", "/cgi-bin/midas/sandbox/refund"),
        ("POST", "/cgi-bin/"),
    ] {
        let reply = bank.send(method, path, &[], "{}");
        assert_refused(
            &reply,
            40066,
            "invalid url: this bank does not have this call; the nearest path is /",
        );
    }
    // Paths that the platform does not have stay problem documents.
    for path in ["/", "/favicon.ico", "/api/v1/unknown"] {
        let (status, reply) = send(bank.address(), "GET", path, &[], b"");
        assert!(status >= 400 && !reply.contains("errcode"), "{path}: {status} {reply}");
    }
    // Calls of the newer wires that are about goods and cash.
    for path in ["/xpay/query_order", "/xpay/refund_order", "/wxa/game/startgoods"] {
        let reply = bank.send("POST", path, &[], "{}");
        assert_refused(&reply, 40066, "invalid url: ");
    }
    bank.stop(0);
}
