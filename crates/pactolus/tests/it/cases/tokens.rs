//! The access token in another place than the query, where alone it counts: in a header, as most APIs want it, or in
//! the body. "access_token missing" alone makes people look for the token that they sent.

use super::raw::{Bank, assert_refused, present};

#[test]
fn misplaced_token_is_named() {
    let bank = Bank::serve();
    let path = "/cgi-bin/midas/sandbox/present";
    let gift = present("one", "n", 5);
    let in_body = gift.replacen('{', r#"{"access_token":"ACCESSTOKEN","#, 1);
    let send_it = "send it in the query, as ?access_token=";
    let cases: [(&[&str], &str, &str); 6] = [
        (&["authorization: Bearer ACCESSTOKEN"], &gift, ": it is in the header Authorization; "),
        (&["access_token: ACCESSTOKEN"], &gift, ": it is in a header; "),
        (&["x-access-token: ACCESSTOKEN"], &gift, ": it is in a header; "),
        (&[], &in_body, ": it is in the body; "),
        (&[], "access_token=ACCESSTOKEN&openid=one", ": it is in the body; "),
        (&[], &gift, ""),
    ];
    for (headers, body, place) in cases {
        let hint = if place.is_empty() { String::new() } else { format!("{place}{send_it}") };
        assert_refused(
            &bank.send("POST", path, headers, body),
            41001,
            &format!("access_token missing{hint}"),
        );
    }
    for placeholder in ["ACCESS_TOKEN", "%24%7Btoken%7D", "undefined", "null", "None"] {
        let reply = bank.send("POST", &format!("{path}?access_token={placeholder}"), &[], &gift);
        assert_refused(&reply, 40001, "invalid credential, access_token is invalid or not latest");
    }
    bank.stop(0);
}
