//! `pactolus init`: fresh keys, readable by their owner only, and ready to serve.

use pactolus_protocol::reply::parse_reply;
use pactolus_protocol::{MidasKey, OperatorToken, Present, ReplyOutcome, TokenReply};
use pactolus_types::Environment;
use serde_json::Value;

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

/// The value of `key` in the file.
fn setting<'a>(config: &'a str, key: &str) -> &'a str {
    let start = format!("\n{key} = \"");
    let (_, rest) = config.split_once(&start).unwrap();
    rest.split('"').next().unwrap()
}

#[tokio::test]
async fn init_config_serves_a_present() {
    let folder = Folder::empty();
    let ended = folder.run(&["init"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert!(ended.stdout.contains("\n  2. pactolus serve\n"), "{}", ended.stdout);
    let config = folder.read("pactolus.toml");
    let bank = ServerProcess::start(folder.command(&["serve", "--listen", "127.0.0.1:0"]));

    // The steps of a game's back end: get a token, set the player's session, sign a present.
    let operator_token = OperatorToken::new(setting(&config, "token")).unwrap();
    let secret = setting(&config, "app_secret");
    let query = format!("grant_type=client_credential&appid=wx1234567&secret={secret}");
    let token = bank.http.get_as_operator(&format!("/cgi-bin/token?{query}"), &operator_token).await.unwrap();
    let Ok(ReplyOutcome::Success(token)) = TokenReply::parse(token.body.as_bytes()) else {
        panic!("{}", token.body)
    };
    let path = "/api/v1/apps/wx1234567/players/player-0/session";
    let session = r#"{"session_key":"V7Q38/i2KXaqrQyl2Yx9Hg==","expires_in":60}"#;
    let put = bank.http.put_as_operator(path, &operator_token, session).await.unwrap();
    assert_eq!(put.status, 200, "{}", put.body);
    for (environment, key) in [(Environment::Live, "midas_key"), (Environment::Sandbox, "sandbox_midas_key")]
    {
        let gift = Gift { environment, player: Player(0), bill_no: "first".to_owned(), coins: 233 };
        let key = MidasKey::new(setting(&config, key)).unwrap();
        let (path, body) = gift.request_with(&key, &token.access_token);
        let reply = bank.http.post(&path, &body).await.unwrap().body;
        assert!(matches!(parse_reply::<Present>(reply.as_bytes()), Ok(ReplyOutcome::Success(_))), "{reply}");
    }
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(2);
}

#[test]
fn init_overwrites_only_with_force() {
    let folder = Folder::empty();
    assert_eq!(folder.run(&["init"]).code, Some(0));
    let first = folder.read("pactolus.toml");
    let ended = folder.run(&["init"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stderr,
        "error: pactolus.toml already exists; name another file with --config, or overwrite it with --force\n"
    );
    assert_eq!(folder.read("pactolus.toml"), first);

    assert_eq!(folder.run(&["init", "--force"]).code, Some(0));
    let second = folder.read("pactolus.toml");
    let keys = ["token", "app_secret", "midas_key", "sandbox_midas_key"];
    let mut texts: Vec<_> =
        keys.iter().flat_map(|key| [setting(&first, key), setting(&second, key)]).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 8, "every key differs");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[cfg(unix)]
#[test]
fn config_is_readable_by_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::empty();
    for arguments in [&["init"][..], &["init", "--force"]] {
        assert_eq!(folder.run(arguments).code, Some(0));
        let file = std::fs::metadata(folder.path().join("pactolus.toml")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn init_writes_to_the_given_path() {
    let folder = Folder::empty();
    std::fs::create_dir(folder.path().join("bank")).unwrap();
    let ended = folder.run(&["init", "--config", "bank/of-gold.toml"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("pactolus serve --config bank/of-gold.toml\n"), "{}", ended.stdout);
    let bank = ServerProcess::start(folder.command(&[
        "serve",
        "--config",
        "bank/of-gold.toml",
        "--listen",
        "127.0.0.1:0",
    ]));
    assert_eq!(bank.stop().code, Some(0));
    assert!(folder.path().join("bank/data").is_dir());
    let ended = folder.run(&["init", "--config", "nowhere/pactolus.toml"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: nowhere/pactolus.toml cannot be written: "), "{}", ended.stderr);
}

#[test]
fn init_token_opens_the_operator_api() {
    let folder = Folder::empty();
    assert_eq!(folder.run(&["init"]).code, Some(0));
    let token = OperatorToken::new(setting(&folder.read("pactolus.toml"), "token")).unwrap();
    let bank = ServerProcess::start(folder.command(&["serve", "--listen", "127.0.0.1:0"]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = "/api/v1/apps/wx1234567/accounts?env=live&openid=stranger";
    let account = runtime.block_on(bank.http.get_as_operator(path, &token)).unwrap();
    let account: Value = serde_json::from_str(&account.body).unwrap();
    assert_eq!((&account["balance"], &account["orders"]), (&0.into(), &0.into()));
    let wrong = OperatorToken::new("wrong-operator-token").unwrap();
    assert_eq!(runtime.block_on(bank.http.get_as_operator(path, &wrong)).unwrap().status, 401);
}
