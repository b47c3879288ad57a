//! Files of a campaign: what is confirmed is what is sent, and no file of the user is lost.

use pactolus_test_support::sample::operator_token;

use crate::campaign::{FixedAddressServer, folder_without_mp_sig, present_command, run, wait_for_results};
use crate::process::{Process, ServerProcess};

/// The bug: a file given as `--results` that is no results file was truncated, or had rows appended, before the
/// prompt: a list of players was lost. The fix: the header is checked first, and nothing is written before the first
/// gift.
#[test]
fn other_file_as_results_is_untouched() {
    let folder = folder_without_mp_sig();
    folder.write("players.csv", "openid,present_counts\none,5\n");
    let bank = ServerProcess::serve(&folder);
    let header = "line,bill_no,openid,zone_id,present_counts,outcome,balance,detail,at,of ";
    let others = [
        "something,else\n",
        "one line",
        "line,bill_no,x",
        "x",
        "\n",
        &format!("{header}live:wx1@http://h\n1,torn"),
    ];
    for other in others {
        folder.write("spring.results.csv", other);
        for flags in [&["--yes"][..], &[], &["--dry-run"]] {
            let ended = run(&folder, &bank, flags);
            assert_eq!(ended.code, Some(9), "{other:?}: {}", ended.stderr);
            assert!(
                ended.stderr.contains("the results file spring.results.csv cannot be used"),
                "{}",
                ended.stderr
            );
            assert_eq!(folder.read("spring.results.csv"), other);
        }
    }
    let as_input = run(&folder, &bank, &["--yes", "--results", "players.csv"]);
    assert_eq!(as_input.code, Some(9), "{}", as_input.stderr);
    assert_eq!(folder.read("players.csv"), "openid,present_counts\none,5\n");
    // A header that a crash tore is one of ours.
    for torn in ["", "line,bil", header] {
        folder.write("spring.results.csv", torn);
        assert_eq!(run(&folder, &bank, &["--dry-run"]).code, Some(0), "{torn:?}");
        let unconfirmed = run(&folder, &bank, &[]);
        assert_eq!((unconfirmed.code, folder.read("spring.results.csv")), (Some(8), torn.to_owned()));
        assert_eq!(run(&folder, &bank, &["--yes"]).code, Some(0), "{torn:?}");
    }
    bank.stop();
    folder.audit(1);
}

/// The bug: rows appended to the file while the campaign ran, or at the prompt, were sent although no user had seen
/// them, and the summary counted below zero. The fix: the copy that was checked is what is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_appended_during_a_run_are_not_sent() {
    let folder = folder_without_mp_sig();
    let rows = |from: usize, to: usize| {
        let rows: Vec<_> = (from..to).map(|number| format!("player-{number},1\n")).collect();
        rows.concat()
    };
    let file = format!("openid,present_counts\n{}", rows(0, 200));
    folder.write("players.csv", &file);
    let bank = FixedAddressServer::start(&folder, "127.0.0.1:0");
    let arguments = ["--yes", "--rate", "200", "--output", "json"];
    let campaign = Process::start(present_command(&folder, bank.address(), &arguments));
    wait_for_results(&folder, 500, &bank).await;
    folder.write("players.csv", &format!("{file}{}", rows(200, 300)));
    let ended = campaign.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&summary["given"], &summary["not_sent"]), (&200.into(), &0.into()), "{summary}");
    assert_eq!(bank.server.stop().code, Some(0));
    folder.audit(200);
}

/// The bug: a run that was declined ended with "no gift is given" although earlier runs had given some; a run whose
/// gifts all had an unknown outcome said the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_gift_given_is_said_only_if_true() {
    let folder = folder_without_mp_sig();
    let bank = FixedAddressServer::start(&folder, "127.0.0.1:0");
    folder.write("players.csv", "openid,present_counts\none,5\n");
    let path = "/api/v1/apps/wx1234567/faults";
    let (token, lost) = (operator_token(), r#"[{"call": "present", "fault": "close_before"}]"#);
    let put = bank.server.http.put_as_operator(path, &token, lost).await.unwrap();
    assert_eq!(put.status, 200, "{}", put.body);
    let unknown = run(&folder, &bank.server, &["--yes", "--timeout", "1"]);
    assert_eq!(unknown.code, Some(11), "{}", unknown.stderr);
    assert!(unknown.stderr.ends_with("run the same command again for the rest\n"), "{}", unknown.stderr);
    bank.server.http.put_as_operator(path, &token, "[]").await.unwrap();
    assert_eq!(run(&folder, &bank.server, &["--yes"]).code, Some(0));
    folder.write("players.csv", "openid,present_counts\none,5\ntwo,5\n");
    assert_eq!(run(&folder, &bank.server, &[]).code, Some(7));
}
