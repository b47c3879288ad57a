//! Master keys as an operator has them: from none to one, from one to the next, and when one is lost.

use std::path::Path;

use pactolus_protocol::ReplyOutcome;
use pactolus_test_postgres::{Database, query_scalar};
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::gifts::{Gift, Player, SESSION_KEY};
use crate::process::{Ended, Folder, Running};

/// 32 bytes that are this hex digit alone would be taken for a placeholder.
fn key(digit: char) -> String {
    format!("{digit}1").repeat(32)
}

/// The sample's configuration with these master keys.
fn folder_with(folder: &Folder, digits: &[char]) {
    let keys: Vec<_> = digits.iter().map(|digit| format!("{:?}", key(*digit))).collect();
    let config = folder.read("pactolus.toml");
    let config = config.split("\n[seal]\n").next().unwrap();
    folder.write("pactolus.toml", &format!("{config}\n[seal]\nmaster_keys = [{}]\n", keys.join(", ")));
}

fn gift(player: usize, bill_no: &str) -> Gift {
    Gift { environment: Environment::Live, player: Player(player), bill_no: bill_no.to_owned(), coins: 1 }
}

#[track_caller]
fn told(ended: &Ended) -> Value {
    // No key is ever shown.
    for digit in ['a', 'b', 'c'] {
        assert!(!format!("{ended:?}").contains(&key(digit)));
    }
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn reseal(folder: &Folder, more: &[&str]) -> Ended {
    folder.run(&[&["reseal", "--output", "json"], more].concat())
}

/// Whether some file under `folder` has this text in it.
fn holds(folder: &Path, text: &str) -> bool {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}

async fn given(bank: &Running, player: usize, bill_no: &str) -> bool {
    matches!(gift(player, bill_no).send(&bank.http).await, Ok(ReplyOutcome::Success(_)))
}

/// The id of the master key that a store is found to be sealed with.
fn id(told: &Value) -> String {
    told["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn from_no_key_to_one_to_the_next() {
    let folder = Folder::with_config();
    let bank = Running::serve(&folder);
    Player(0).log_in(&bank.http).await;
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stderr.matches("there is no master key").count(), 1, "{}", ended.stderr);
    let ended = reseal(&folder, &[]);
    assert_eq!((ended.code, &*ended.stdout), (Some(3), ""), "{ended:?}");

    // A first key: what lies open is sealed, and a second time there is nothing to do.
    folder_with(&folder, &['a']);
    let first = told(&reseal(&folder, &[]));
    let a = id(&first);
    let none = json!({});
    let sealed = |key: &str, resealed: u64| {
        json!({
            "store": "embedded:./data", "key": key, "resealed": resealed, "forgotten": 0, "current": 1,
            "older": none, "lost": none, "open": 0, "damaged": 0,
        })
    };
    assert_eq!(first, sealed(&a, 1));
    assert_eq!(told(&reseal(&folder, &[])), sealed(&a, 0));
    // Files are appended to, so that the old bytes are still there; a copy has never had them.
    assert!(holds(&folder.path().join("data"), SESSION_KEY));
    let copied = folder.run(&["copy", "--from", "embedded:data", "--to", "embedded:fresh"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert!(
        holds(&folder.path().join("fresh"), "player-0") && !holds(&folder.path().join("fresh"), SESSION_KEY)
    );
    let bank = Running::serve(&folder);
    assert!(given(&bank, 0, "a").await, "a login made before the key is still good");
    let ended = bank.stop();
    assert!(!ended.stderr.contains("there is no master key"), "{}", ended.stderr);

    // The next key alone is refused, with the id of the one that is missing.
    folder_with(&folder, &['b']);
    for command in [&["serve"][..], &["reseal"]] {
        let ended = folder.run(command);
        assert_eq!(ended.code, Some(3));
        assert!(ended.stderr.contains(&format!("(id {a})")), "{}", ended.stderr);
        assert!(ended.stderr.contains("--forget-lost"), "{}", ended.stderr);
    }

    // Both; then the old one is taken out.
    folder_with(&folder, &['b', 'a']);
    let bank = Running::serve(&folder);
    assert!(given(&bank, 0, "b").await);
    // An embedded store has one user at a time.
    assert_eq!(reseal(&folder, &[]).code, Some(4));
    assert_eq!(bank.stop().code, Some(0));
    let next = told(&reseal(&folder, &[]));
    let b = id(&next);
    assert_ne!(a, b);
    assert_eq!(next, sealed(&b, 1));
    folder_with(&folder, &['b']);
    let bank = Running::serve(&folder);
    assert!(given(&bank, 0, "c").await, "a login made under the first key is still good");
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(3);

    let ended = folder.run(&["reseal", "--lang", "en"]);
    let words = format!(
        "embedded:./data: resealed: 0; sealed with the first key ({b}): 1\n\
         every other key can be taken out of the configuration\n"
    );
    assert_eq!((ended.code, ended.stdout), (Some(0), words));
}

#[tokio::test]
async fn when_a_key_is_lost_what_it_sealed_is_forgotten() {
    let folder = Folder::with_config();
    folder_with(&folder, &['a']);
    let bank = Running::serve(&folder);
    Player(0).log_in(&bank.http).await;
    assert!(given(&bank, 0, "a").await);
    assert_eq!(bank.stop().code, Some(0));

    folder_with(&folder, &['c']);
    let ended = reseal(&folder, &["--forget-lost"]);
    let outcome = told(&ended);
    assert_eq!((ended.code, &outcome["forgotten"], &outcome["current"]), (Some(0), &json!(1), &json!(0)));
    assert_eq!(outcome["lost"], json!({}));
    let bank = Running::serve(&folder);
    assert!(!given(&bank, 0, "b").await);
    Player(0).log_in(&bank.http).await;
    assert!(given(&bank, 0, "b").await, "who logs in again plays on");
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(2);

    // To go back to no key at all is to lose the key.
    folder_with(&folder, &[]);
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains(&id(&outcome)), "{}", ended.stderr);
}

/// Two nodes of old and new configuration on one database, resealed while they serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_resealed_while_it_is_served() {
    let (folder, database) = (Folder::with_config(), Database::create());
    let url = database.url();
    let serve = ["serve", "--migrate", "--store", &url];
    folder_with(&folder, &['a']);
    let bank = Running::start(folder.pactolus(&serve));
    for player in 0..20 {
        Player(player).log_in(&bank.http).await;
    }
    assert_eq!(bank.stop().code, Some(0));

    folder_with(&folder, &['b', 'a']);
    let bank = Running::start(folder.pactolus(&serve));
    let logging_in = {
        let http = bank.http.clone();
        tokio::spawn(async move {
            for player in (0..40).chain(0..40) {
                Player(player).log_in(&http).await;
            }
        })
    };
    let ended = tokio::task::spawn_blocking({
        let reseal = folder.pactolus(&["reseal", "--output", "json", "--store", &url]);
        move || crate::process::Process::start(reseal).ended()
    });
    let ended = ended.await.unwrap();
    logging_in.await.unwrap();
    let outcome = told(&ended);
    assert_eq!((ended.code, &outcome["older"]), (Some(0), &json!({})), "{outcome}");
    for player in 0..40 {
        assert!(given(&bank, player, &format!("p{player}")).await, "{player}");
    }
    assert_eq!(bank.stop().code, Some(0));

    // Not one record of a dump has the old key's id, and all can do without it.
    let by_key = "SELECT count(*) || ' ' || count(DISTINCT substr(value, 1, 5)) FROM pactolus.records \
                  WHERE name LIKE 'session/%'";
    assert_eq!(query_scalar(&url, by_key), "40 1");
    folder_with(&folder, &['b']);
    let bank = Running::start(folder.pactolus(&serve));
    assert!(given(&bank, 0, "last").await);
    assert_eq!(bank.stop().code, Some(0));

    // A copy is sealed as the original is.
    let copied = folder.run(&["copy", "--from", &url, "--to", "embedded:copied"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    folder_with(&folder, &['c']);
    let ended = folder.run(&["serve", "--store", "embedded:copied"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    folder_with(&folder, &['b']);
    let bank = Running::start(folder.pactolus(&["serve", "--store", "embedded:copied"]));
    assert!(given(&bank, 1, "in_the_copy").await);
    assert_eq!(bank.stop().code, Some(0));
}

#[test]
fn a_wrong_master_key_is_refused_by_its_line() {
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
        (Some(3), format!("error: the configuration is refused\n{words}"))
    );

    folder_with(&folder, &['a', 'b', 'a']);
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("`master_keys` holds the key with the id "), "{}", ended.stderr);
    assert!(!ended.stderr.contains(&key('a')));
}

#[test]
fn a_master_key_is_read_from_where_it_is_kept() {
    let folder = Folder::with_config();
    let config = folder.read("pactolus.toml");
    folder.write("master-key", &format!("{}\n", key('a')));
    folder
        .write("pactolus.toml", &format!("{config}\n[seal]\nmaster_keys = [{{ file = \"master-key\" }}]\n"));
    assert_eq!(Running::serve(&folder).stop().code, Some(0));
    let from_file = told(&reseal(&folder, &[]));
    folder.write("pactolus.toml", &config);
    let mut from_variable = folder.pactolus(&["reseal", "--output", "json"]);
    from_variable.env("PACTOLUS_SEAL_MASTER_KEYS", format!("{},{}", key('a'), key('b')));
    let from_variable = told(&crate::process::Process::start(from_variable).ended());
    assert_eq!(from_variable, from_file);
}
