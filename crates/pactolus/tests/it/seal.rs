//! Master keys as an operator rotates them: from none to the first, from one to the next, and after a loss.

use pactolus_protocol::ReplyOutcome;
use pactolus_test_postgres::{Database, query_scalar};
use pactolus_test_support::files::any_file_contains;
use pactolus_test_support::sample::SESSION_KEY;
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ProcessOutput, ServerProcess};

/// 32 bytes in hex. One repeated digit would be refused as a placeholder, so `1`s alternate with it.
fn master_key(digit: char) -> String {
    format!("{digit}1").repeat(32)
}

/// Writes these master keys into the sample's configuration.
fn write_master_keys(folder: &Folder, digits: &[char]) {
    let keys: Vec<_> = digits.iter().map(|digit| format!("{:?}", master_key(*digit))).collect();
    let config = folder.read("pactolus.toml");
    let config = config.split("\n[seal]\n").next().unwrap();
    folder.write("pactolus.toml", &format!("{config}\n[seal]\nmaster_keys = [{}]\n", keys.join(", ")));
}

fn gift(player: usize, bill_no: &str) -> Gift {
    Gift { environment: Environment::Live, player: Player(player), bill_no: bill_no.to_owned(), coins: 1 }
}

#[track_caller]
fn parse_report(ended: &ProcessOutput) -> Value {
    // No output may show a key.
    for digit in ['a', 'b', 'c'] {
        assert!(!format!("{ended:?}").contains(&master_key(digit)));
    }
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn rotate_keys(folder: &Folder, more: &[&str]) -> ProcessOutput {
    folder.run(&[&["rotate-keys", "--output", "json"], more].concat())
}

async fn present_succeeds(bank: &ServerProcess, player: usize, bill_no: &str) -> bool {
    matches!(gift(player, bill_no).send(&bank.http).await, Ok(ReplyOutcome::Success(_)))
}

/// The id of the current master key in a report of `rotate-keys`.
fn key_id(report: &Value) -> String {
    report["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn keys_rotate_from_none_to_first_to_next() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    Player(0).log_in(&bank.http).await;
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stderr.matches("there is no master key").count(), 1, "{}", ended.stderr);
    let ended = rotate_keys(&folder, &[]);
    assert_eq!((ended.code, &*ended.stdout), (Some(3), ""), "{ended:?}");

    // With a first key, `rotate-keys` seals the plaintext records. A second run changes nothing.
    write_master_keys(&folder, &['a']);
    let first = parse_report(&rotate_keys(&folder, &[]));
    let a = key_id(&first);
    let none = json!({});
    let sealed = |key: &str, resealed: u64| {
        json!({
            "store": "embedded:./data", "key": key, "resealed": resealed, "forgotten": 0, "current": 1,
            "older": none, "lost": none, "open": 0, "damaged": 0,
        })
    };
    assert_eq!(first, sealed(&a, 1));
    assert_eq!(parse_report(&rotate_keys(&folder, &[])), sealed(&a, 0));
    // The store's files are append-only, so the plaintext is still in them. A copy never had it.
    assert!(any_file_contains(&folder.path().join("data"), SESSION_KEY));
    let copied = folder.run(&["copy", "--from", "embedded:data", "--to", "embedded:fresh"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert!(
        any_file_contains(&folder.path().join("fresh"), "player-0")
            && !any_file_contains(&folder.path().join("fresh"), SESSION_KEY)
    );
    let bank = ServerProcess::serve(&folder);
    assert!(present_succeeds(&bank, 0, "a").await, "a login older than the key is still valid");
    let ended = bank.stop();
    assert!(!ended.stderr.contains("there is no master key"), "{}", ended.stderr);

    // The next key alone is refused; the error has the id of the missing key.
    write_master_keys(&folder, &['b']);
    for command in [&["serve"][..], &["rotate-keys"]] {
        let ended = folder.run(command);
        assert_eq!(ended.code, Some(3));
        assert!(ended.stderr.contains(&format!("(id {a})")), "{}", ended.stderr);
        assert!(ended.stderr.contains("--drop-unreadable"), "{}", ended.stderr);
    }

    // With both keys, and then without the old one.
    write_master_keys(&folder, &['b', 'a']);
    let bank = ServerProcess::serve(&folder);
    assert!(present_succeeds(&bank, 0, "b").await);
    // An embedded store is locked by one process.
    assert_eq!(rotate_keys(&folder, &[]).code, Some(4));
    assert_eq!(bank.stop().code, Some(0));
    let next = parse_report(&rotate_keys(&folder, &[]));
    let b = key_id(&next);
    assert_ne!(a, b);
    assert_eq!(next, sealed(&b, 1));
    write_master_keys(&folder, &['b']);
    let bank = ServerProcess::serve(&folder);
    assert!(present_succeeds(&bank, 0, "c").await, "a login sealed with the first key is still valid");
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(3);

    let ended = folder.run(&["rotate-keys", "--lang", "en"]);
    let words = format!(
        "embedded:./data: re-encrypted: 0; encrypted with the first key ({b}): 1\n\
         every other key can be removed from the configuration\n"
    );
    assert_eq!((ended.code, ended.stdout), (Some(0), words));
}

#[tokio::test]
async fn lost_key_drops_its_records() {
    let folder = Folder::with_config();
    write_master_keys(&folder, &['a']);
    let bank = ServerProcess::serve(&folder);
    Player(0).log_in(&bank.http).await;
    assert!(present_succeeds(&bank, 0, "a").await);
    assert_eq!(bank.stop().code, Some(0));

    write_master_keys(&folder, &['c']);
    let ended = rotate_keys(&folder, &["--drop-unreadable"]);
    let outcome = parse_report(&ended);
    assert_eq!((ended.code, &outcome["forgotten"], &outcome["current"]), (Some(0), &json!(1), &json!(0)));
    assert_eq!(outcome["lost"], json!({}));
    let bank = ServerProcess::serve(&folder);
    assert!(!present_succeeds(&bank, 0, "b").await);
    Player(0).log_in(&bank.http).await;
    assert!(present_succeeds(&bank, 0, "b").await, "a new login is valid");
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(2);

    // Removing every key is the same as losing the key.
    write_master_keys(&folder, &[]);
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains(&key_id(&outcome)), "{}", ended.stderr);
}

/// Keys rotate on a database while a node serves it and players log in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_while_the_database_is_served() {
    let (folder, database) = (Folder::with_config(), Database::create());
    let url = database.url();
    let serve = ["serve", "--migrate", "--store", &url];
    write_master_keys(&folder, &['a']);
    let bank = ServerProcess::start(folder.command(&serve));
    for player in 0..20 {
        Player(player).log_in(&bank.http).await;
    }
    assert_eq!(bank.stop().code, Some(0));

    write_master_keys(&folder, &['b', 'a']);
    let bank = ServerProcess::start(folder.command(&serve));
    let logging_in = {
        let http = bank.http.clone();
        tokio::spawn(async move {
            for player in (0..40).chain(0..40) {
                Player(player).log_in(&http).await;
            }
        })
    };
    let ended = tokio::task::spawn_blocking({
        let command = folder.command(&["rotate-keys", "--output", "json", "--store", &url]);
        move || crate::process::Process::start(command).wait()
    });
    let ended = ended.await.unwrap();
    logging_in.await.unwrap();
    let outcome = parse_report(&ended);
    assert_eq!((ended.code, &outcome["older"]), (Some(0), &json!({})), "{outcome}");
    for player in 0..40 {
        assert!(present_succeeds(&bank, player, &format!("p{player}")).await, "{player}");
    }
    assert_eq!(bank.stop().code, Some(0));

    // All sealed records have the same key id, so the node works without the old key.
    let by_key = "SELECT count(*) || ' ' || count(DISTINCT substr(value, 1, 5)) FROM pactolus.records \
                  WHERE name LIKE 'session/%'";
    assert_eq!(query_scalar(&url, by_key), "40 1");
    write_master_keys(&folder, &['b']);
    let bank = ServerProcess::start(folder.command(&serve));
    assert!(present_succeeds(&bank, 0, "last").await);
    assert_eq!(bank.stop().code, Some(0));

    // A copy is sealed with the same key as the original.
    let copied = folder.run(&["copy", "--from", &url, "--to", "embedded:copied"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    write_master_keys(&folder, &['c']);
    let ended = folder.run(&["serve", "--store", "embedded:copied"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    write_master_keys(&folder, &['b']);
    let bank = ServerProcess::start(folder.command(&["serve", "--store", "embedded:copied"]));
    assert!(present_succeeds(&bank, 1, "in_the_copy").await);
    assert_eq!(bank.stop().code, Some(0));
}

#[test]
fn invalid_master_key_names_its_line() {
    let folder = Folder::with_config();
    let short = "hunter2-hunter2-hunter2";
    folder.write(
        "pactolus.toml",
        &format!("{}\n[seal]\nmaster_keys = [{short:?}]\n", folder.read("pactolus.toml")),
    );
    let ended = folder.run(&["serve"]);
    let words = "pactolus.toml:15: `master_keys` item 1 is not 32 bytes in hex (64 digits) or base64 (44 characters, \
                 the last =); `openssl rand -hex 32` makes one\n";
    assert_eq!(
        (ended.code, ended.stderr),
        (Some(3), format!("error: the configuration is invalid\n{words}"))
    );

    write_master_keys(&folder, &['a', 'b', 'a']);
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("`master_keys` holds the key with the id "), "{}", ended.stderr);
    assert!(!ended.stderr.contains(&master_key('a')));
}

#[test]
fn master_key_comes_from_file_or_environment() {
    let folder = Folder::with_config();
    let config = folder.read("pactolus.toml");
    folder.write("master-key", &format!("{}\n", master_key('a')));
    folder
        .write("pactolus.toml", &format!("{config}\n[seal]\nmaster_keys = [{{ file = \"master-key\" }}]\n"));
    assert_eq!(ServerProcess::serve(&folder).stop().code, Some(0));
    let from_file = parse_report(&rotate_keys(&folder, &[]));
    folder.write("pactolus.toml", &config);
    let mut from_variable = folder.command(&["rotate-keys", "--output", "json"]);
    from_variable.env("PACTOLUS_SEAL_MASTER_KEYS", format!("{},{}", master_key('a'), master_key('b')));
    let from_variable = parse_report(&crate::process::Process::start(from_variable).wait());
    assert_eq!(from_variable, from_file);
}
