//! A configured base URL that ends with `/`, or joins that double a slash: the vendor's host serves them, and the
//! client signs the clean path.

use pactolus_test_support::sample::ACCESS_TOKEN;

use super::raw::{Bank, assert_refused, present};

#[test]
fn slashes_too_many_are_merged() {
    let bank = Bank::serve();
    let paths = [
        "//cgi-bin/midas/sandbox/present",
        "/cgi-bin//midas/sandbox/present",
        "/cgi-bin/midas//sandbox//present",
        "/cgi-bin/midas/sandbox/present/",
        "///cgi-bin/midas/sandbox/present//",
    ];
    for (number, path) in paths.into_iter().enumerate() {
        let body = present("one", &format!("n{number}"), 5);
        let reply = bank.send("POST", &format!("{path}?access_token={ACCESS_TOKEN}"), &[], body);
        assert_eq!(
            (&reply["errcode"], &reply["balance"]),
            (&0.into(), &(5 * (number + 1)).into()),
            "{path}: {reply}"
        );
    }
    for path in ["//cgi-bin/token", "/cgi-bin/token/", "/cgi-bin//stable_token"] {
        let query = "grant_type=client_credential&appid=wx1234567&secret=APPSECRET";
        let reply = bank.send("POST", &format!("{path}?{query}"), &[], "");
        assert!(reply["access_token"].is_string(), "{path}: {reply}");
    }
    let gift = present("one", "n0", 5);
    for (path, words) in [
        (
            "/cgi-bin/Midas/sandbox/present",
            "invalid url: letter case counts; the call is /cgi-bin/midas/sandbox/present",
        ),
        ("/bank/cgi-bin/midas/sandbox/present", "invalid url: the path begins with a prefix"),
    ] {
        assert_refused(
            &bank.send("POST", &format!("{path}?access_token={ACCESS_TOKEN}"), &[], &gift),
            40066,
            words,
        );
    }
    bank.stop(paths.len());
}
