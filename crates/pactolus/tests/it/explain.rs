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
    let cases: [(&[&str], i32, &str); 10] = [
        (
            &["explain", "--request", "body.json", "--path", present],
            2,
            "--request needs the access token: --token-file, PACTOLUS_ACCESS_TOKEN or --token",
        ),
        (&["explain"], 2, "the following required arguments were not provided"),
        (&["explain", "59DB17F1"], 2, "this text has neither a rid nor an errcode"),
        (&["explain", "40001", "--url", "http://127.0.0.1:1"], 2, "--url has no effect without a rid"),
        (&["explain", "12345"], 1, "the errcode 12345 is not known here"),
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

/// The bug: `explain` wanted the bare rid, and people paste what they have: the errmsg, the reply, a line of a log. And
/// it knew no refusal but those of Midas calls. The fix: the rid is found in the text, and every errcode has words.
#[tokio::test]
async fn pasted_refusal_is_explained() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let refused = bank.http.post(&format!("{PATH}?access_token=ACCESSTOKEN"), PRESENT_BODY).await.unwrap();
    let reply: Value = serde_json::from_str(&refused.body).unwrap();
    let errmsg = reply["errmsg"].as_str().unwrap();
    let quoted = format!("'{errmsg}'");
    let logged = format!("WARN present answered {} in 3 ms", refused.body);
    for pasted in [errmsg, &quoted, &refused.body, &logged] {
        let ended = folder.run(&["explain", pasted, "--url", &url]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{pasted}");
        assert!(ended.stdout.contains(&format!("\n{FINDING}\n")), "{pasted}: {}", ended.stdout);
    }
    // Without quotes around it, the shell splits it into words.
    let words: Vec<_> = errmsg.split(' ').collect();
    let ended = folder.run(&[&["explain"], &words[..], &["--url", &url]].concat());
    assert!(ended.stdout.contains(FINDING), "{}", ended.stdout);

    // Tokens and logins: the bank keeps no diagnosis of them.
    let app = "appid=wx1234567";
    for (path, errcode, words) in [
        (
            format!("/cgi-bin/token?grant_type=client_credential&{app}&secret=wrong"),
            40125,
            "app_secret of the app",
        ),
        (
            "/cgi-bin/token?grant_type=client_credential&appid=wx0&secret=APPSECRET".to_owned(),
            40013,
            "appid of an app",
        ),
        (
            format!("/sns/jscode2session?{app}&secret=wrong&js_code=c&grant_type=authorization_code"),
            40125,
            "app_secret of the app",
        ),
        (
            format!("/sns/jscode2session?{app}&secret=APPSECRET&js_code=c&grant_type=authorization_code"),
            40029,
            "five minutes",
        ),
    ] {
        let reply = bank.http.get(&path).await.unwrap().body;
        let ended = folder.run(&["explain", &reply, "--url", &url]);
        assert_eq!(ended.code, Some(0), "{reply}: {}", ended.stderr);
        assert!(
            ended.stdout.starts_with(&format!("{errcode} ")) && ended.stdout.contains(words),
            "{}",
            ended.stdout
        );
        assert!(ended.stderr.starts_with("note: no diagnosis by the bank: "), "{}", ended.stderr);
    }
    bank.stop();
}

#[test]
fn errcode_is_explained_without_a_bank() {
    let folder = Folder::empty();
    for (pasted, errmsg) in [
        ("40001", "invalid credential, access_token is invalid or not latest"),
        ("errcode=40163", "code been used"),
        ("access_token missing", "access_token missing"),
        (r#"{"errcode":42001,"errmsg":"access_token expired"}"#, "access_token expired"),
        ("45009", "reach max api daily quota limit"),
        ("-1", "system error"),
        ("40164", "invalid ip, not in whitelist"),
    ] {
        for lang in ["en", "zh"] {
            let ended = folder.run(&["explain", "--lang", lang, "--", pasted]);
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{pasted}");
            let lines: Vec<_> = ended.stdout.lines().collect();
            assert!(lines.len() == 3 && lines[0].ends_with(errmsg), "{pasted}: {lines:?}");
            assert!(lines[2].starts_with(if lang == "en" { "  fix: " } else { "  处理方法：" }), "{lines:?}");
        }
        let ended = folder.run(&["explain", "--output", "json", "--", pasted]);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["errmsg"], errmsg);
    }
}

/// The bug: offline, `explain` looked at the signatures alone, and called a request right that the bank refuses. The
/// fix: it makes the bank's checks against the settings of the app.
#[test]
fn offline_request_is_checked_against_the_settings() {
    let folder = Folder::with_config();
    let more = "pf = [\"android\", \"ios\"]\nzones = [\"1\", \"2_7\"]\nts_window_s = 300\n";
    let config = folder.read("pactolus.toml");
    folder.write("pactolus.toml", &format!("{config}{more}"));
    let explain = |body: &str, lang: &str, output: &str| {
        folder.write("body.json", body);
        let path = ["--path", "/cgi-bin/midas/present", "--token-file", "token.txt"];
        folder.write("token.txt", "ACCESSTOKEN");
        let ended = folder.run(
            &[&["explain", "--request", "body.json", "--lang", lang, "--output", output][..], &path].concat(),
        );
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{body}");
        ended.stdout
    };
    let names = |body: &str| {
        let report: Value = serde_json::from_str(&explain(body, "en", "json")).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let changed = |from: &str, to: &str| {
        assert!(PRESENT_BODY.contains(from), "{from}");
        PRESENT_BODY.replace(from, to)
    };
    let stale = "ts-outside-window";
    assert_eq!(names(PRESENT_BODY), [stale], "the sample is of 2017");
    for (ts, name) in [("1507530737000", "ts-in-milliseconds"), ("9999999999", stale), ("1", stale)] {
        assert_eq!(names(&changed("1507530737", ts)), [name]);
    }
    for pf in ["web", "Android", "wx"] {
        assert_eq!(names(&changed("\"android\"", &format!("\"{pf}\""))), ["pf-not-allowed", stale]);
    }
    for zone in ["1.0", "01", "zone-one"] {
        assert_eq!(
            names(&changed("\"zone_id\":\"1\"", &format!("\"zone_id\":\"{zone}\""))),
            ["zone-not-listed", stale]
        );
    }
    assert_eq!(names(&changed("\"offer_id\":\"12345678\"", "\"offer_id\":\"1\"")), ["other-offer", stale]);

    let web = changed("\"android\"", "\"web\"");
    let text = explain(&web, "en", "table");
    let expected = "pf is web, which is not a platform of this app\n  fix: send one of android, ios, or add the platform to `pf` of the app\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("this app takes a difference of 300 s\n"), "{text}");
    let text = explain(&web, "zh", "table");
    assert!(text.starts_with("pf 为 web，不是此应用的平台\n  处理方法：请发送"), "{text}");
    let missing = PRESENT_BODY.split(",\"mp_sig\"").next().unwrap().to_owned() + "}";
    let text = explain(&missing, "en", "table");
    assert!(text.contains("parameters: 90018 invalid parameter: mp_sig is missing"), "{text}");
}
