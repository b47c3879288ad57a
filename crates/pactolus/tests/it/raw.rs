//! The raw wires with the built binary: `pactolus sign`, and the signer of the docs made of `openssl` and `curl`.

use std::process::Command;

use pactolus_test_support::sample::{ACCESS_TOKEN, MIDAS_KEY, OPERATOR_TOKEN, SESSION_KEY};
use serde_json::Value;

use crate::process::{Folder, ServerProcess};

/// The shell script of the page, as printed.
fn script_of_the_docs() -> String {
    let page = include_str!("../../../../docs/protocol/README.md");
    let section = page.split_once("## Sign with openssl").unwrap().1;
    let script = section.split_once("```sh\n").unwrap().1;
    script.split_once("```").unwrap().0.to_owned()
}

fn run_shell(script: &str, address: &str) -> Value {
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("BANK", format!("http://{address}"))
        .env("MIDAS_KEY", MIDAS_KEY)
        .env("SESSION_KEY", SESSION_KEY)
        .env("ACCESS_TOKEN", ACCESS_TOKEN)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn openssl_signer_of_the_docs_works_as_printed() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    let script = script_of_the_docs();
    let reply = run_shell(&script, &bank.address.to_string());
    assert_eq!(reply["errcode"], 90016, "the player is not logged in: {reply}");
    let log_in = format!(
        "curl -sS -X PUT \"$BANK/api/v1/apps/wx1234567/players/player/session\" -H 'Content-Type: application/json' \
         -H 'Authorization: Bearer {OPERATOR_TOKEN}' -d '{{\"session_key\":\"{SESSION_KEY}\",\"expires_in\":600}}'"
    );
    run_shell(&log_in, &bank.address.to_string());
    let reply = run_shell(&script, &bank.address.to_string());
    assert_eq!((&reply["errcode"], &reply["first_save"]), (&0.into(), &true.into()), "{reply}");
    // Another key signs otherwise.
    let other = script.replace("$MIDAS_KEY", "another-key");
    assert_eq!(run_shell(&other, &bank.address.to_string())["errcode"], 90011);
}

#[test]
fn sign_signs_the_bytes_of_the_file() {
    let folder = Folder::with_config();
    folder.write("body.json", "{\"openid\": \"player\", \"env\": 0}\n");
    folder.write("key.txt", SESSION_KEY);
    let usual = ["sign", "--env", "live", "--call", "/xpay/query_user_balance", "--body", "body.json"];
    let ended = folder.run(&[&usual[..], &["--session-key-file", "key.txt", "--output", "json"]].concat());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
    let hmac = |text: &str, key: &str| {
        let script = format!("printf '%s' \"$TEXT\" | openssl dgst -sha256 -hmac '{key}' | sed 's/^.* //'");
        let output = Command::new("sh").args(["-c", &script]).env("TEXT", text).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let body = "{\"openid\": \"player\", \"env\": 0}\n";
    assert_eq!(shown["pay_sig"], hmac(&format!("/xpay/query_user_balance&{body}"), MIDAS_KEY));
    assert_eq!(shown["signature"], hmac(body, SESSION_KEY));
    assert_eq!((&shown["path"], &shown["body_bytes"]), (&"/xpay/query_user_balance".into(), &"31".into()));
    assert!(!ended.stdout.contains(MIDAS_KEY) && !ended.stdout.contains(SESSION_KEY));

    let ended = folder.run(&usual);
    assert!(ended.stdout.contains("pay_sig: ") && !ended.stdout.contains("signature: "), "{}", ended.stdout);
    // The key is that of the environment that the body names.
    folder.write("body.json", "{\"openid\": \"player\", \"env\": 1}");
    let ended = folder.run(&usual);
    assert_eq!(ended.stderr, "error: the env of body.json is sandbox; sign it with --env sandbox\n");
    let ended = folder.run(&["sign", "--env", "live", "--call", "/xpay/query_order", "--body", "body.json"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("/wxa/game/pay"), "{}", ended.stderr);
}
