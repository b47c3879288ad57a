//! `pactolus demo`: its output matches the bank's replies, and the call that it proposes works.

use std::net::TcpListener;
use std::path::PathBuf;

use crate::process::{Folder, Process, ServerProcess};

#[test]
fn demo_shows_calls_and_balances() {
    let ended = Folder::empty().run(&["demo", "--exit", "--listen", "127.0.0.1:0"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
    let shown = ended.stdout;
    let done = r#"=> {"errcode":0,"errmsg":"ok","balance":233,"bill_no":"BillNo_123"}"#;
    assert_eq!(shown.matches(done).count(), 2, "{shown}");
    let in_order = [
        "POST /cgi-bin/midas/present?access_token=ACCESSTOKEN\n",
        done,
        "POST /cgi-bin/midas/sandbox/present?access_token=ACCESSTOKEN\n",
        done,
        r#"=> {"errcode":90012,"errmsg":"order exist rid: "#,
        r#""bill_no":"BillNo_123","balance":233}"#,
        r#"=> {"errcode":90011,"errmsg":"sig error rid: "#,
        "live     233 coins\n",
        "sandbox  233 coins\n",
    ];
    let mut rest = &*shown;
    for words in in_order {
        let Some((_, after)) = rest.split_once(words) else {
            panic!("{words} is missing or out of order: {shown}")
        };
        rest = after;
    }
    let longest = shown.lines().max_by_key(|line| line.chars().count()).unwrap();
    assert!(longest.len() <= 80, "{longest}");
    assert!(!shown.contains('\u{1b}'), "no colour without a terminal");
    assert!(!store_path(&shown).exists(), "the folder is removed");
}

#[test]
fn demo_output_in_chinese() {
    let ended = Folder::empty().run(&["demo", "--exit", "--listen", "127.0.0.1:0", "--lang", "zh"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
    for words in
        ["2. 游戏给玩家赠送 233 个游戏币。\n", "live     233 个游戏币\n", "建立您自己的服务：pactolus init\n"]
    {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
}

/// The path of the demo's store in its output.
fn store_path(shown: &str) -> PathBuf {
    let (_, rest) = shown.split_once("\norders in ").unwrap();
    PathBuf::from(rest.split(',').next().unwrap())
}

#[tokio::test]
async fn proposed_curl_call_succeeds() {
    let mut demo = ServerProcess::start(Folder::empty().command(&["demo", "--listen", "127.0.0.1:0"]));
    demo.process.wait_for_line("The bank is running until Ctrl-C.");
    let shown = demo.process.stdout().to_owned();
    let (_, call) = shown.split_once("   curl -d '").unwrap();
    let (body, rest) = call.split_once('\'').unwrap();
    let path = rest.trim_start().strip_prefix(&format!("'http://{}", demo.address)).unwrap();
    let path = path.split('\'').next().unwrap();
    let reply = demo.http.post(path, body).await.unwrap().body;
    assert_eq!(reply, r#"{"errcode":0,"errmsg":"ok","balance":333,"bill_no":"BillNo_124"}"#);
    assert!(store_path(&shown).is_dir());
    assert_eq!(demo.stop().code, Some(0));
    assert!(!store_path(&shown).exists());
}

#[test]
fn demo_store_passes_audit() {
    let folder = Folder::empty();
    let mut demo = folder.command(&["demo", "--exit", "--keep", "--listen", "127.0.0.1:0"]);
    demo.env("TMPDIR", folder.path());
    let ended = Process::start(demo).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (_, proposed) = ended.stdout.split_once("pactolus audit --store ").unwrap();
    let url = proposed.lines().next().unwrap();
    let ended = folder.run(&["audit", "--store", url]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("audit passed; orders: 2, accounts: 2\ndigest: 2-"), "{}", ended.stdout);
}

#[test]
fn demo_picks_another_port_when_taken() {
    // On an error another process holds the port, which is as good.
    let _taken = TcpListener::bind("127.0.0.1:8790");
    let ended = Folder::empty().run(&["demo", "--exit"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("note: 127.0.0.1:8790 is taken, so "), "{}", ended.stdout);
    let ended = Folder::empty().run(&["demo", "--exit", "--listen", "127.0.0.1:8790"]);
    assert_eq!(ended.code, Some(5), "{}", ended.stdout);
}
