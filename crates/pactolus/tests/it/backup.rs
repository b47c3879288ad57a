//! Online backup, restore, export, `doctor`, completions and man pages.

use crate::campaign;
use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

fn present_five(folder: &Folder, bank: &ServerProcess, openid: &str, bill_no: &str) {
    let url = format!("http://{}", bank.address);
    let ended = folder.run(&[
        "present",
        "--env",
        "sandbox",
        "--url",
        &url,
        "--openid",
        openid,
        "--coins",
        "5",
        "--bill-no",
        bill_no,
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[track_caller]
fn successful_stdout(ended: ProcessOutput) -> String {
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
    ended.stdout
}

#[test]
fn online_backup_restores_to_any_order() {
    let folder = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    for number in 0..3 {
        present_five(&folder, &bank, "one", &format!("n{number}"));
    }
    let stdout = successful_stdout(folder.run(&["backup", "--to", "backup"]));
    assert!(stdout.starts_with("backup: backed up; orders: 3, bytes: "), "{stdout}");
    assert!(stdout.contains("\ndigest: 3-"), "{stdout}");
    present_five(&folder, &bank, "two", "n3");

    let restored =
        successful_stdout(folder.run(&["restore", "--from", "backup", "--store", "embedded:restored"]));
    assert_eq!(restored, "embedded:restored: restored, audit passed; orders: 3, accounts: 1\n");
    successful_stdout(folder.run(&["audit", "--store", "embedded:restored"]));
    let two = ["restore", "--from", "backup", "--store", "embedded:two", "--until", "2", "--output", "json"];
    assert_eq!(
        successful_stdout(folder.run(&two)),
        "{\"accounts\":1,\"orders\":2,\"store\":\"embedded:two\"}\n"
    );

    let again = folder.run(&["restore", "--from", "backup", "--store", "embedded:restored"]);
    assert_eq!(again.code, Some(4));
    assert_eq!(again.stderr, "error: the folder restored is not empty; name another\n");
    let again = folder.run(&["backup", "--to", "backup", "--lang", "zh"]);
    assert_eq!(again.stderr, "错误：目录 backup 不为空；请另取一个目录\n");
    let more = folder.run(&["restore", "--from", "backup", "--store", "embedded:more", "--until", "4"]);
    assert_eq!(more.stderr, "error: the backup has 3 orders, fewer than the 4 requested\n");
    let none = folder.run(&["restore", "--from", "data", "--store", "embedded:none"]);
    assert_eq!(none.stderr, "error: data is not a complete backup; an interrupted one cannot be restored\n");
    bank.stop();

    // The restored bank continues from the backup: the order that followed the backup is not in it.
    let mut command = folder.command(&["serve", "--store", "embedded:restored", "--listen", "127.0.0.1:0"]);
    command.env("PACTOLUS_LOG", "error");
    let bank = ServerProcess::start(command);
    present_five(&folder, &bank, "two", "n3");
    bank.stop();
    let audited = successful_stdout(folder.run(&["audit", "--store", "embedded:restored"]));
    assert!(audited.contains("orders: 4, accounts: 2\ndigest: 4-"), "{audited}");
}

#[test]
fn orders_and_accounts_are_exported_by_day() {
    let folder = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    for (openid, bill_no) in [("one", "n1"), ("two", "n2"), ("one", "n3")] {
        present_five(&folder, &bank, openid, bill_no);
    }
    let export = |arguments: &[&str]| successful_stdout(folder.run(&[&["export"], arguments].concat()));
    let ever = ["--from", "2017-10-09", "--to", "9999-12-31"];
    let head = "at,kind,bill_no,appid,env,offer_id,openid,zone_id,coins,gifted,item,remark,balance,numbering,pay_bill_no\n";
    let all = export(&[&["orders"], &ever[..]].concat());
    let (first, rest) = all.strip_prefix(head).unwrap().split_once('\n').unwrap();
    let (at, order) = first.split_once(',').unwrap();
    assert_eq!(order, "present,n1,wx1234567,sandbox,12345678,one,1,5,5,,,5,app,");
    assert_eq!(rest.lines().count(), 2, "{all}");
    assert_eq!(export(&["orders", "--from", "2017-10-09"]), head, "nothing happened on that day");
    let (day, _) = at.split_once('T').unwrap();
    assert!(export(&["orders", "--from", day]).contains(first));
    let accounts = export(&[&["accounts", "--format", "jsonl"], &ever[..]].concat());
    let expected = "\
{\"appid\":\"wx1234567\",\"balance\":10,\"debited\":0,\"env\":\"sandbox\",\"gifted\":10,\"offer_id\":\"12345678\",\"openid\":\"one\",\"orders\":2,\"presented\":10,\"saved\":0,\"spent\":0,\"zone_id\":\"1\"}
{\"appid\":\"wx1234567\",\"balance\":5,\"debited\":0,\"env\":\"sandbox\",\"gifted\":5,\"offer_id\":\"12345678\",\"openid\":\"two\",\"orders\":1,\"presented\":5,\"saved\":0,\"spent\":0,\"zone_id\":\"1\"}
";
    assert_eq!(accounts, expected);
    export(&[&["orders", "--out", "orders.csv"], &ever[..]].concat());
    assert_eq!(folder.read("orders.csv"), all);
    let again = folder.run(&["export", "orders", "--from", "2017-10-09", "--out", "orders.csv"]);
    assert_eq!(again.code, Some(1));
}

#[test]
fn doctor_reports_problems() {
    let folder = Folder::with_config();
    let found = folder.run(&["doctor"]);
    assert_eq!(found.code, Some(1));
    for words in [
        "good  clock: the system clock is plausible\n",
        "bad   configuration: pactolus.toml holds keys and is accessible to other users\n",
        "      fix: chmod 600 pactolus.toml\n",
        "note  store: no store at embedded:data yet\n",
        "note  seal: players' session keys are plaintext in the store: ",
        "      fix: set `master_keys` in [seal] to the output of `openssl rand -hex 32`, restart, ",
        "note  app: wx1234567 has access tokens that never expire\n",
        "bad   operator: the operator token has fewer than 16 characters\n",
    ] {
        assert!(found.stdout.replace("./", "").contains(words), "{words}{}", found.stdout);
    }
    assert_eq!(found.stderr, "error: problems to fix: 2\n");

    let folder = Folder::empty();
    folder.run(&["init"]);
    let mut command = folder.command(&["doctor", "--output", "json"]);
    command.env("PACTOLUS_LISTEN", "127.0.0.1:0").env("PACTOLUS_APPS_0_PRESENT_MAX", "1000");
    let sound = Process::start(command).wait();
    assert_eq!(sound.code, Some(0), "{}", sound.stdout);
    let findings: serde_json::Value = serde_json::from_str(&sound.stdout).unwrap();
    assert!(findings.as_array().unwrap().iter().all(|finding| finding["level"] != "bad"), "{findings}");

    let seal = findings.as_array().unwrap().iter().find(|finding| finding["about"] == "seal").unwrap();
    assert_eq!(seal["level"], "good", "what init writes has a master key");

    folder.write("pactolus.toml", "listen = 5\n");
    let broken = folder.run(&["doctor", "--lang", "zh"]);
    // No address, no operator token, no app: a finding for each.
    assert_eq!((broken.code, &*broken.stderr), (Some(1), "错误：需要修正的问题数：3\n"));
    assert!(
        broken.stdout.contains("问题  配置：pactolus.toml:1: `listen` 为整数；应为"),
        "{}",
        broken.stdout
    );
}

#[test]
fn completions_and_man_cover_every_command() {
    let folder = Folder::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = successful_stdout(folder.run(&["completions", shell]));
        assert!(script.contains("cancelpay") && script.contains("allow-duplicates"), "{shell}");
    }
    successful_stdout(folder.run(&["man", "--to", "man"]));
    let page = folder.read("man/pactolus-present.1");
    assert!(page.contains("campaign"), "{page}");
    assert!(folder.path().join("man/pactolus.1").exists());
}
