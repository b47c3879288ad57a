//! SIGHUP reloads the configuration: all of it or nothing, without losing a call.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pactolus_protocol::{MidasKey, OperatorToken, ReplyOutcome};
use pactolus_test_support::sample::{CONFIG, MIDAS_KEY, access_token, operator_token};
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A bank whose log is in a file.
struct LoggedBank {
    folder: Folder,
    bank: ServerProcess,
    reloads: usize,
}

const RELOADED: &str = "the configuration was reloaded";
const REFUSED: &str = "the configuration is refused; nothing was changed";

impl LoggedBank {
    fn start() -> Self {
        let folder = Folder::with_config();
        // A shell writes the log to a file, so that the test can read it while the bank runs.
        let mut serve = folder.command(&["serve"]);
        let program = serve.get_program().to_owned();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "exec \"$0\" serve 2>log"]).arg(program).current_dir(folder.path());
        shell.env_clear();
        for (name, value) in serve.env("PATH", std::env::var_os("PATH").unwrap()).get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        let bank = ServerProcess::start(shell);
        Self { folder, bank, reloads: 0 }
    }

    fn count(&self, text: &str) -> usize {
        self.folder.read("log").matches(text).count()
    }

    /// Writes a configuration and sends SIGHUP. Returns once the log has `outcome` once more.
    async fn reload(&mut self, config: &str, outcome: &str) {
        let before = self.count(outcome);
        let path = self.folder.path().join("pactolus.toml");
        // Renamed into place, so that no reload reads half of it.
        let new = self.folder.path().join("new.toml");
        fs::write(&new, config).unwrap();
        fs::rename(new, path).unwrap();
        self.bank.process.signal("-HUP");
        let start = Instant::now();
        while self.count(outcome) == before {
            assert!(start.elapsed() < TIMEOUT, "no {outcome:?}: {}", self.folder.read("log"));
            // Each request gives the bank time, and must be answered.
            assert_eq!(self.bank.http.get("/healthz").await.unwrap().status, 200);
        }
        self.reloads += 1;
    }

    async fn errcode(&self, bill_no: &str, key: &str) -> i32 {
        let gift =
            Gift { environment: Environment::Live, player: Player(0), bill_no: bill_no.to_owned(), coins: 1 };
        let (path, body) = gift.request_with(&MidasKey::new(key).unwrap(), &access_token());
        let reply = self.bank.http.post(&path, &body).await.unwrap().body;
        let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
        i32::try_from(reply["errcode"].as_i64().unwrap()).unwrap()
    }
}

const NEW_KEY: &str = "the-key-after-the-rotation";

#[tokio::test]
async fn midas_key_rotates_with_an_overlap() {
    let mut bank = LoggedBank::start();
    Player(0).log_in(&bank.bank.http).await;
    assert_eq!(bank.errcode("a", MIDAS_KEY).await, 0);
    assert_eq!(bank.errcode("b", NEW_KEY).await, 90011);

    let key = format!("midas_key = \"{MIDAS_KEY}\"");
    let rotated = CONFIG.replace(&key, &format!("midas_key = \"{NEW_KEY}\""));
    let both = format!("{rotated}midas_key_previous = \"{MIDAS_KEY}\"\n");
    bank.reload(&both, RELOADED).await;
    assert_eq!([bank.errcode("c", NEW_KEY).await, bank.errcode("d", MIDAS_KEY).await], [0, 0]);
    assert_eq!(bank.errcode("e", "a-key-of-neither").await, 90011);
    let metrics = bank.bank.http.get("/metrics").await.unwrap().body;
    let counted = "pactolus_previous_key_calls_total{app=\"wx1234567\",env=\"live\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");

    bank.reload(&rotated, RELOADED).await;
    assert_eq!([bank.errcode("f", NEW_KEY).await, bank.errcode("g", MIDAS_KEY).await], [0, 90011]);
    let log = bank.folder.read("log");
    assert!(!log.contains(NEW_KEY) && !log.contains(MIDAS_KEY), "{log}");
    let LoggedBank { folder, bank, .. } = bank;
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(4);
}

#[tokio::test]
async fn wrong_file_changes_nothing() {
    let mut bank = LoggedBank::start();
    Player(0).log_in(&bank.bank.http).await;
    let with = |line: &str, other: &str| {
        assert!(CONFIG.contains(line), "{line}");
        CONFIG.replace(line, other)
    };
    let token = "token = \"OPERATORTOKEN\"";
    // Each also has another operator token, which must not take effect.
    let cases = [
        ("[operator\n".to_owned(), "pactolus.toml:1: is not TOML here"),
        (
            with("offer_id = \"12345678\"", "offer_id = \"1 2\"\nzones = [\"5\"]"),
            "pactolus.toml:9: `offer_id`",
        ),
        (format!("{CONFIG}colour = 1\n"), "unknown key `colour`"),
        (with("127.0.0.1:0", "127.0.0.1:1"), "`listen` cannot change without a restart"),
        (format!("store = \"embedded:other\"\n{CONFIG}"), "`store` cannot change without a restart"),
        (format!("metrics = \"off\"\n{CONFIG}"), "`metrics` cannot change without a restart"),
        (
            format!("{CONFIG}[limits]\nsessions_cached = 7\n"),
            "`sessions_cached` cannot change without a restart",
        ),
        (
            format!("{CONFIG}[embedded]\nqueue_orders_max = 7\n"),
            "`[embedded]` cannot change without a restart",
        ),
        (format!("{CONFIG}[seal]\nmaster_keys = [\"{}\"]\n", "07".repeat(32)), "`master_keys` cannot change"),
    ];
    for (number, (config, problem)) in cases.iter().enumerate() {
        let config = config.replace(token, "token = \"another-operators-token\"");
        bank.reload(&config, REFUSED).await;
        let log = bank.folder.read("log");
        assert!(log.lines().any(|line| line.contains(REFUSED) && line.contains(problem)), "{problem}: {log}");
        assert_eq!(bank.errcode(&format!("after-{number}"), MIDAS_KEY).await, 0, "{problem}");
        let path = "/api/v1/clock";
        let status = bank.bank.http.get_as_operator(path, &operator_token()).await.unwrap().status;
        assert_eq!(status, 200, "{problem}");
    }
    // The file is removed altogether.
    fs::remove_file(bank.folder.path().join("pactolus.toml")).unwrap();
    bank.bank.process.signal("-HUP");
    let start = Instant::now();
    while bank.count("cannot be read") == 0 {
        assert!(start.elapsed() < TIMEOUT);
        assert_eq!(bank.bank.http.get("/healthz").await.unwrap().status, 200);
    }
    let LoggedBank { folder, bank, .. } = bank;
    assert_eq!(bank.stop().code, Some(0));
    folder.write("pactolus.toml", CONFIG);
    folder.audit(cases.len());
}

#[tokio::test]
async fn reload_applies_token_zones_limits_apps_and_log() {
    let mut bank = LoggedBank::start();
    Player(0).log_in(&bank.bank.http).await;
    let changed = CONFIG.replace("OPERATORTOKEN", "another-operators-token")
        + "zones = [\"9\"]\n[[apps]]\nappid = \"wx7\"\napp_secret = \"another-secret\"\noffer_id = \"7\"\n"
        + "midas_key = \"one-more-key\"\nsandbox_midas_key = \"and-another\"\n";
    bank.reload(&format!("log = \"debug\"\n{changed}"), RELOADED).await;
    assert_eq!(bank.errcode("a", MIDAS_KEY).await, 90018, "the player's zone is not among the zones");
    let path = "/api/v1/apps/wx7/totals?env=live&from=2026-01-01&to=2026-01-01";
    let new_token = OperatorToken::new("another-operators-token").unwrap();
    let status = async |token| bank.bank.http.get_as_operator(path, token).await.unwrap().status.as_u16();
    assert_eq!([status(&operator_token()).await, status(&new_token).await], [401, 200]);
    let issue = "/cgi-bin/token?grant_type=client_credential&appid=wx7&secret=another-secret";
    assert!(bank.bank.http.get(issue).await.unwrap().body.contains("access_token"));
    assert_eq!(bank.count("DEBUG"), 1, "{}", bank.folder.read("log"));
    bank.reload(&format!("{CONFIG}rate_limit_per_second = 1\n"), RELOADED).await;
    assert!(bank.bank.http.get(issue).await.unwrap().body.contains("40013"), "the app is gone");
    let codes = [bank.errcode("b", "wrong-key").await, bank.errcode("c", "wrong-key").await];
    assert_eq!(codes, [90011, 45009]);
    assert!(bank.bank.http.get("/cgi-bin/token?appid=wx7").await.is_ok());
    assert_eq!(bank.count("DEBUG"), 1, "{}", bank.folder.read("log"));
    let LoggedBank { folder, bank, .. } = bank;
    let token = bank.http.get_as_operator(path, &operator_token()).await.unwrap();
    assert_eq!(token.status, 404, "the app is gone");
    assert_eq!(bank.stop().code, Some(0));
    folder.audit(0);
}

/// Calls of many clients go on through many reloads, and each of them is answered with success.
#[tokio::test(flavor = "multi_thread")]
async fn reload_under_load_loses_no_call() {
    const CLIENTS: usize = 16;
    const RELOADS: usize = 20;
    let mut bank = LoggedBank::start();
    Player(0).log_in(&bank.bank.http).await;
    let (done, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (http, done, sent) = (bank.bank.http.clone(), Arc::clone(&done), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut number = 0;
                while done.load(Ordering::Relaxed) == 0 {
                    let gift = Gift {
                        environment: Environment::Live,
                        player: Player(0),
                        bill_no: format!("{client}-{number}"),
                        coins: 1,
                    };
                    let reply = gift.send(&http).await.unwrap();
                    assert!(matches!(reply, ReplyOutcome::Success(_)), "{reply:?}");
                    number += 1;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for number in 0..RELOADS {
        let calls = sent.load(Ordering::Relaxed);
        match number % 3 {
            0 => bank.reload(&format!("{CONFIG}present_max = {}\n", 10 + number), RELOADED).await,
            1 => bank.reload(&format!("{CONFIG}[[apps]]\nappid = \"wx{number}\"\n"), REFUSED).await,
            _ => bank.reload(&CONFIG.replace("APPSECRET", "ANOTHERSECRET"), RELOADED).await,
        }
        let start = Instant::now();
        while sent.load(Ordering::Relaxed) < calls + 100 {
            assert!(start.elapsed() < TIMEOUT, "the clients stopped");
            tokio::task::yield_now().await;
        }
    }
    done.store(1, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(bank.reloads, RELOADS);
    let LoggedBank { folder, bank, .. } = bank;
    assert_eq!(bank.stop().code, Some(0));
    folder.write("pactolus.toml", CONFIG);
    folder.audit(sent.load(Ordering::Relaxed));
}
