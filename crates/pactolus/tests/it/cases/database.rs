//! A bank on PostgreSQL from outside: the log of an outage, TLS, a pooler, and the export of orders.

use std::time::{Duration, Instant};

use pactolus_test_postgres::{Cluster, Database, PoolMode, Pooler, execute, query_scalar};
use pactolus_test_support::authority::Authority;
use pactolus_test_support::sample::operator_token;
use pactolus_types::Environment;

use crate::campaign;
use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

fn gift(player: usize, number: usize) -> Gift {
    let bill_no = format!("gift-{player}-{number}");
    Gift { environment: Environment::Live, player: Player(player), bill_no, coins: 5 }
}

/// A bank without players' signatures, on the database at `url`.
fn folder_on(url: &str) -> Folder {
    let folder = campaign::folder_without_mp_sig();
    let config = folder.read("pactolus.toml");
    folder.write("pactolus.toml", &format!("store = \"{url}\"\n{config}"));
    folder
}

fn serve(folder: &Folder) -> ServerProcess {
    ServerProcess::start(folder.command(&["serve", "--migrate"]))
}

async fn wait_ready(bank: &ServerProcess) {
    let begun = Instant::now();
    while !bank.http.get("/readyz").await.unwrap().status.is_success() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the bank does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The bug: a dead database logged twenty lines a second, a line for each failed call. The loss: a full disk, and no
/// other line was found in it. The fix: a line for each change of state, and one a minute.
#[tokio::test]
async fn dead_database_logs_its_change_of_state() {
    let cluster = Cluster::start("");
    let folder = folder_on(&cluster.url());
    let bank = serve(&folder);
    Player(1).log_in(&bank.http).await;
    gift(1, 0).send(&bank.http).await.unwrap();
    cluster.stop_immediately();
    let begun = Instant::now();
    let mut calls = 0;
    while begun.elapsed() < Duration::from_secs(5) || calls < 50 {
        calls += 1;
        gift(1, calls).send(&bank.http).await.unwrap();
        bank.http.get("/readyz").await.unwrap();
        let account = "/api/v1/apps/wx1234567/accounts?env=live&openid=player-1&zone_id=1";
        bank.http.get_as_operator(account, &operator_token()).await.unwrap();
        let totals = "/api/v1/apps/wx1234567/totals?env=live&from=2017-10-09&to=2017-10-10";
        bank.http.get_as_operator(totals, &operator_token()).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "a second line would be right");
    cluster.restart();
    wait_ready(&bank).await;
    let log = bank.stop().stderr;
    let find = |words: &str| {
        let found =
            log.lines().enumerate().filter(|(_, line)| line.contains(words)).map(|(number, _)| number);
        let found: Vec<_> = found.collect();
        assert_eq!(found.len(), 1, "{words}: {log}");
        found[0]
    };
    let (lost, restored) = (find("the database is unreachable"), find("the database is reachable again"));
    // Besides: the first call that is answered with -1, and a sweep that was running.
    assert!(restored - lost <= 3, "{log}");
    assert!(find("answered with -1; more than the log shows") > lost);
}

#[test]
fn exports_are_equal_on_both_engines() {
    let embedded = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&embedded);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for number in 0..20 {
        runtime.block_on(gift(number % 3, number).send(&bank.http)).unwrap();
    }
    bank.stop();
    let database = Database::create();
    let url = database.url();
    let migrated = embedded.run(&["migrate", "--store", &url]);
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let copied = embedded.run(&["copy", "--from", "embedded:data", "--to", &url]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);

    let export = |store: &str, arguments: &[&str]| {
        let ended = embedded.run(&[&["export"], arguments, &["--store", store]].concat());
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{arguments:?}");
        ended.stdout
    };
    let ever = ["--from", "2017-10-09", "--to", "9999-12-31"];
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for format in ["csv", "jsonl"] {
        let orders = [&["orders", "--format", format], &ever[..]].concat();
        let (left, right) = (export("embedded:data", &orders), export(&url, &orders));
        // Orders of one millisecond may be in another order.
        assert_eq!(sorted(&left), sorted(&right));
        assert_eq!(right.lines().count(), if format == "csv" { 21 } else { 20 });
        let accounts = [&["accounts", "--format", format], &ever[..]].concat();
        assert_eq!(export("embedded:data", &accounts), export(&url, &accounts));
    }
    let none = ["orders", "--from", "2017-10-09"];
    assert_eq!(export("embedded:data", &none), export(&url, &none), "the header alone");
    export(&url, &[&["orders", "--out", "orders.csv"], &ever[..]].concat());
    assert_eq!(embedded.read("orders.csv").lines().count(), 21);
}

/// A managed database: TLS or nothing. Plaintext is refused with the database's words, and every command speaks TLS.
#[test]
fn database_that_wants_tls_is_served() {
    let authority = Authority::new("test authority");
    let issued = authority.issue("localhost");
    let files = [
        ("server.crt", &*issued.certificate),
        ("server.key", &issued.key),
        ("pg_hba.conf", "host all postgres all trust\nhostssl all all all scram-sha-256\n"),
    ];
    let cluster = Cluster::start_with_files("ssl = on", &files);
    execute(&cluster.url(), "CREATE ROLE bank LOGIN PASSWORD 's3cret'");
    execute(&cluster.url(), "CREATE DATABASE coins OWNER bank");
    let url = format!("postgres://bank:s3cret@localhost:{}/coins", cluster.port());

    for options in ["?sslmode=require", "", "?sslmode=verify-full&sslrootcert=ca.pem"] {
        let folder = folder_on(&format!("{url}{options}"));
        folder.write("ca.pem", &authority.pem());
        let bank = serve(&folder);
        let ssl =
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'bank'";
        assert_eq!(query_scalar(&cluster.url(), ssl), "t", "{options}");
        assert_eq!(bank.stop().code, Some(0), "{options}");
        folder.audit(0);
    }
    let folder = folder_on(&format!("{url}?sslmode=disable"));
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("no encryption"), "{}", ended.stderr);
    let folder = folder_on(&format!("{url}?sslmode=yes"));
    let ended = folder.run(&["serve"]);
    assert!(ended.code == Some(3) && ended.stderr.contains("verify-full"), "{ended:?}");
}

/// The bug: behind a pooler in transaction mode most orders got -1. It is noticed by every command that opens a store.
#[test]
fn pooler_in_transaction_mode_is_noticed() {
    let cluster = Cluster::start("");
    let pooler = Pooler::start(&cluster, PoolMode::Transaction, 20, "");
    let folder = folder_on(&pooler.url());
    for command in [&["serve"][..], &["serve", "--migrate"], &["migrate"], &["audit"]] {
        let ended = folder.run(command);
        assert_eq!(ended.code, Some(4), "{command:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("a pooler in transaction mode"), "{command:?}: {}", ended.stderr);
    }
    let found = folder.run(&["doctor"]);
    assert_eq!(found.code, Some(1));
    assert!(found.stdout.contains("a pooler in transaction mode"), "{}", found.stdout);
}

#[test]
fn doctor_says_nothing_of_plaintext_within_the_machine() {
    let database = Database::create();
    let folder = folder_on(&database.url());
    assert_eq!(folder.run(&["migrate"]).code, Some(0));
    let local = folder.run(&["doctor"]).stdout;
    assert!(local.contains("responds") && !local.contains("sslmode"), "{local}");
}
