//! `pactolus explain`: a refused request looked up by its rid, and a request diagnosed offline.

use pactolus_test_support::sample::{
    ACCESS_TOKEN, APP_SECRET, MIDAS_KEY, OPERATOR_TOKEN, PRESENT_BODY, SANDBOX_MIDAS_KEY, SESSION_KEY,
};
use serde_json::Value;

use crate::process::{Folder, ServerProcess};

const PATH: &str = "/cgi-bin/midas/sandbox/present";

/// Finding about [`PRESENT_BODY`], which is signed for the live path, with the live key.
const FINDING: &str = "signed for the live environment, with its key and its path";

const SIGNED_TEXT: &str = "appid=wx1234567&bill_no=BillNo_123&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pf=android&present_counts=233&ts=1507530737&zone_id=1&org_loc=/cgi-bin/midas/sandbox/present&method=POST&secret=***";

const SECRETS: [&str; 6] =
    [OPERATOR_TOKEN, APP_SECRET, ACCESS_TOKEN, MIDAS_KEY, SANDBOX_MIDAS_KEY, SESSION_KEY];

#[track_caller]
fn assert_no_secret(printed: &str) {
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[tokio::test]
async fn explain_by_rid_asks_the_bank() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    let refused = bank.http.post(&format!("{PATH}?access_token=ACCESSTOKEN"), PRESENT_BODY).await.unwrap();
    let reply: Value = serde_json::from_str(&refused.body).unwrap();
    let errmsg = reply["errmsg"].as_str().unwrap();
    let (before, rid) = errmsg.split_once(" rid: ").unwrap();
    assert_eq!(before, format!("sig error: {FINDING}"));

    let url = format!("http://{}", bank.address);
    let ended = folder.run(&["explain", rid, "--url", &url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let expected = format!(
        "POST {PATH}\nanswered: 90011 {errmsg}\n{FINDING}\n  fix: call the path of the live environment, \
         or sign for the one you call\nthe bank signs: {SIGNED_TEXT}\n"
    );
    assert!(ended.stdout.starts_with(&expected), "{}", ended.stdout);
    assert!(ended.stdout.contains("received: present_counts = 233 (a number)\n"), "{}", ended.stdout);
    assert_no_secret(&ended.stdout);

    let ended = folder.run(&["explain", rid, "--url", &url, "--output", "json"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&report["rid"], &report["findings"][0]["finding"]), (&rid.into(), &FINDING.into()));

    let ended = folder.run(&["explain", "00000000-00000000-00000000", "--url", &url]);
    assert_eq!((ended.code, &*ended.stdout), (Some(10), ""));
    assert!(
        ended.stderr.starts_with("error: the bank refused the request: no rejection with this rid is kept")
    );
}

#[test]
fn offline_request_is_diagnosed() {
    let folder = Folder::with_config();
    folder.write("body.json", PRESENT_BODY);
    folder.write("token.txt", "ACCESSTOKEN\n");
    let alone = ["explain", "--request", "body.json", "--token-file", "token.txt", "--path"];
    let explain = |more: &[&str]| folder.run(&[&alone[..], more].concat());

    let ended = explain(&[PATH]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(
        ended.stdout,
        format!(
            "sig: {FINDING}\n  fix: call the path of the live environment, or sign for the one you call\n  \
             the bank signs: {SIGNED_TEXT}\nmp_sig: not checked; this needs an mp_sig in the body and --session-key\n"
        )
    );

    let session = ["--session-key", "V7Q38/i2KXaqrQyl2Yx9Hg=="];
    let ended = explain(&[&["/cgi-bin/midas/present"][..], &session].concat());
    let right = "it verifies in the dialect documented";
    assert_eq!(ended.stdout, format!("sig: {right}\nmp_sig: {right}\n"));

    let ended = explain(&[&[PATH, "--output", "json"][..], &session].concat());
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["sig"]["name"], "other-environment");
    assert_eq!((&report["mp_sig"]["name"], &report["parameters"]), (&"other-path".into(), &Value::Null));
    assert_no_secret(&ended.stdout);

    folder.write("body.json", &PRESENT_BODY.replace("233", "0"));
    let ended = explain(&["/cgi-bin/midas/present"]);
    let parameters = "parameters: 90018 invalid parameter: present_counts is 0; it must be at least 1\n";
    assert!(ended.stdout.starts_with(parameters), "{}", ended.stdout);
    assert!(ended.stdout.contains("sig: no known mistake makes this signature\n"), "{}", ended.stdout);
}

#[test]
fn unexplainable_request_gets_an_error() {
    let folder = Folder::with_config();
    folder.write("body.json", PRESENT_BODY);
    folder.write("other.json", &PRESENT_BODY.replace("wx1234567", "wx7654321"));
    folder.write("none.json", "[]");
    let present = "/cgi-bin/midas/present";
    let cases: [(&[&str], i32, &str); 8] = [
        (
            &["explain", "--request", "body.json", "--path", present],
            2,
            "--request needs the access token: --token-file, PACTOLUS_ACCESS_TOKEN or --token",
        ),
        (&["explain"], 2, "the following required arguments were not provided"),
        (&["explain", "59DB17F1"], 2, "is not three groups of eight lowercase hex digits"),
        (&["explain", "--request", "body.json"], 2, "--path"),
        (
            &["explain", "--request", "body.json", "--token", "T", "--path", "/pay"],
            2,
            "it must be one of /cgi-bin",
        ),
        (
            &["explain", "--request", "other.json", "--token", "T", "--path", present],
            9,
            "has no app \"wx7654321\"",
        ),
        (
            &["explain", "--request", "none.json", "--token", "T", "--path", present],
            9,
            "47001 data format error",
        ),
        (
            &["explain", "--request", "absent.json", "--token", "T", "--path", present],
            9,
            "absent.json cannot be read",
        ),
    ];
    for (arguments, code, words) in cases {
        let ended = folder.run(arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(code), ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    let ended = folder.run(&["explain", "--request", "body.json", "--token", "hunter 2", "--path", present]);
    assert_eq!(ended.code, Some(2));
    let (warning, error) = ended.stderr.split_once('\n').unwrap();
    assert!(warning.starts_with("warning: ps shows the secret in --token"), "{warning}");
    assert_eq!(error, "error: --token holds a character that is not visible ASCII\n");
}
