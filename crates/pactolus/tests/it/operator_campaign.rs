//! Campaigns through the operator API, and set-up errors that are met before the first row.
//!
//! The bug: the README's campaign on the bank that `init` makes was refused row by row, because that bank requires
//! `mp_sig`, and a list of players has no session keys. The fix: with the operator token a campaign makes orders of the
//! operator, and a query before the first row meets what would fail every row.

use std::fs;

use crate::campaign::folder_without_mp_sig;
use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

/// The commands of the first block for a shell in a section of the README.
fn readme_commands(heading: &str) -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// A folder with the configuration that `init` writes, and its bank.
fn bank_of_init() -> (Folder, ServerProcess) {
    let folder = Folder::empty();
    assert_eq!(folder.run(&["init"]).code, Some(0));
    let server = ServerProcess::start(folder.command(&["serve", "--listen", "127.0.0.1:0"]));
    (folder, server)
}

/// Runs a command of the README against `server`.
fn run_line(folder: &Folder, server: &ServerProcess, line: &str, more: &[&str]) -> ProcessOutput {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("pactolus"), "{line}");
    let arguments: Vec<_> = words.chain(more.iter().copied()).collect();
    let mut command = folder.command(&arguments);
    command.env("PACTOLUS_LISTEN", server.address.to_string());
    Process::start(command).wait()
}

#[test]
fn readme_campaign_works_on_the_bank_of_init() {
    let (folder, server) = bank_of_init();
    folder.write("players.csv", "openid,present_counts\none,5\ntwo,7\n");
    let commands = readme_commands("Campaigns");
    assert!(!commands.is_empty());
    for line in &commands {
        let ended = run_line(&folder, &server, line, &["--yes"]);
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.stderr);
        assert_eq!(ended.stdout, "rows 2: given 2\nresults: spring.results.csv\n");
        assert!(ended.stderr.contains("sent as orders of the operator"), "{}", ended.stderr);
    }
    server.stop();
    folder.audit(2);
}

#[test]
fn readme_support_commands_work_on_the_bank_of_init() {
    let (folder, server) = bank_of_init();
    let openid = "odkx20ENSNa2w5y3g_qOkOvBNM1g";
    let give = format!("pactolus gift --env live --openid {openid} --coins 5 --bill-no BillNo_123");
    assert_eq!(run_line(&folder, &server, &give, &[]).code, Some(0));
    for line in readme_commands("Support") {
        let ended = run_line(&folder, &server, &line, &[]);
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.stderr);
    }
    server.stop();
}

/// `present` of `players.csv` in the sandbox.
fn present(folder: &Folder, url: &str, more: &[&str]) -> ProcessOutput {
    let usual =
        ["present", "--env", "sandbox", "--url", url, "--input", "players.csv", "--campaign", "spring"];
    folder.run(&[&usual[..], &["--yes"], more].concat())
}

#[test]
fn both_apis_give_a_file_once() {
    let folder = folder_without_mp_sig();
    folder.write("players.csv", "openid,present_counts\none,5\ntwo,7\n");
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let apis = ["operator", "midas", "operator"];
    for (run, api) in apis.into_iter().enumerate() {
        let ended = present(&folder, &url, &["--api", api]);
        assert_eq!(ended.code, Some(0), "{api}: {}", ended.stderr);
        let given = if run == 0 { "given 2" } else { "given 0, given before 2" };
        assert!(ended.stdout.starts_with(&format!("rows 2: {given}\n")), "{api}: {}", ended.stdout);
        // The bill numbers do not depend on the results file.
        fs::remove_file(folder.path().join("spring.results.csv")).unwrap();
    }
    // One results file carries both.
    folder.write("players.csv", "openid,present_counts\none,5\ntwo,7\nthree,9\n");
    assert_eq!(present(&folder, &url, &["--api", "midas"]).code, Some(0));
    let ended = present(&folder, &url, &["--api", "operator"]);
    assert!(ended.stdout.starts_with("rows 3: given 0, given before 3\n"), "{}", ended.stdout);
    bank.stop();
    folder.audit(3);
}

/// A set-up error sends nothing, asks nothing and leaves no header of a results file.
#[test]
fn setup_error_is_met_before_the_first_row() {
    let folder = Folder::with_config();
    let rows: Vec<_> = (0..300).map(|number| format!("player-{number},1\n")).collect();
    folder.write("players.csv", &format!("openid,present_counts\n{}", rows.concat()));
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let config = folder.read("pactolus.toml");
    let cases: [(&str, &str, &[&str], &str); 5] = [
        ("OPERATORTOKEN", "ANOTHER-TOKEN", &[], "the bearer token is not the operator's"),
        ("wx1234567", "wx7654321", &[], "this bank has no app \"wx7654321\""),
        ("", "", &["--api", "midas"], "this bank requires the players' session keys"),
        ("APPSECRET", "ANOTHER-SECRET", &["--api", "midas"], "cannot obtain an access token"),
        ("wx1234567", "wx7654321", &["--api", "midas"], "cannot obtain an access token"),
    ];
    for (right, wrong, api, words) in cases {
        folder.write("pactolus.toml", &config.replace(right, if right.is_empty() { "" } else { wrong }));
        let ended = present(&folder, &url, api);
        assert_eq!(ended.code, Some(8), "{words}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("this run sent nothing, because every row would fail"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        assert_eq!((&*ended.stdout, &*folder.read("spring.results.csv")), ("", ""), "{words}");
    }
    folder.write("pactolus.toml", &config);
    bank.stop();
    let ended = present(&folder, &url, &["--timeout", "1"]);
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    assert!(ended.stderr.contains("the bank cannot be reached"), "{}", ended.stderr);
    folder.audit(0);
}

/// Session keys go with signed calls only, so a file with them is sent by those; asked otherwise, it is refused.
#[test]
fn session_keys_select_the_signed_call() {
    let folder = Folder::with_config();
    let key = pactolus_test_support::sample::SESSION_KEY;
    folder.write("players.csv", &format!("openid,present_counts,session_key\none,5,{key}\n"));
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let refused = present(&folder, &url, &["--api", "operator"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("have no effect on orders of the operator API"), "{}", refused.stderr);
    // The player is not logged in, which concerns this player only.
    let ended = present(&folder, &url, &[]);
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    assert!(!ended.stderr.contains("sent as orders of the operator"), "{}", ended.stderr);
    assert!(folder.read("spring.results.csv").contains(",refused,,\"the player is not logged in"));
    let session = ["session", "--openid", "one", "--login", "--url", &url];
    let mut log_in = folder.command(&session);
    log_in.env("PACTOLUS_SESSION_KEY", key);
    assert_eq!(Process::start(log_in).wait().code, Some(0));
    let ended = present(&folder, &url, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    bank.stop();
    folder.audit(1);
}
