//! Debian's Prometheus on served banks: its linter on the real output, the alert rules, and the dashboard's queries.
//!
//! Needs the programs `prometheus` and `promtool`: `cargo xtask test` installs Debian's package `prometheus`.
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pactolus_test_postgres::Cluster;
use pactolus_test_support::sample::{access_token, midas_key};
use pactolus_types::Environment;
use serde_json::Value;

use crate::gifts::{Gift, Player};
use crate::http::HttpClient;
use crate::process::{Folder, ServerProcess};

/// Far longer than anything takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

const INSTALL: &str = "needs Prometheus (on Debian: apt-get install prometheus)";

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

fn percent_encode(text: &str) -> String {
    let encoded: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    encoded.concat()
}

/// Runs `promtool` with `input`. Returns its output, and fails if it finds anything.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(deploy("prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect(INSTALL);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let output = [ended.stdout, ended.stderr].concat();
    let output = String::from_utf8(output).unwrap();
    assert!(ended.status.success(), "promtool {arguments:?}: {output}");
    output
}

/// A Prometheus that scrapes every second, killed on drop.
struct Prometheus {
    child: Child,
    http: HttpClient,
}

impl Prometheus {
    fn start(folder: &Folder, targets: &[SocketAddr]) -> Self {
        let targets: Vec<_> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s }}\nrule_files: [{}]\nscrape_configs:\n  - job_name: pactolus\n    static_configs: [{{ targets: [{}] }}]\n",
            deploy("prometheus/pactolus.rules.yml").display(),
            targets.join(", ")
        );
        folder.write("prometheus.yml", &config);
        let mut child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"])
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect(INSTALL);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let bound =
            |line: String| line.split_once("msg=\"Listening on\" address=").map(|(_, rest)| rest.to_owned());
        let address = lines.find_map(bound).expect("Prometheus ended before it listened").parse().unwrap();
        // Its log goes on; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, http: HttpClient::new(address) }
    }

    /// Polls until it answers queries; it listens earlier.
    async fn wait_until_ready(&self) {
        let start = Instant::now();
        while self.http.get("/-/ready").await.unwrap().status != 200 {
            assert!(start.elapsed() < TIMEOUT, "Prometheus is not ready");
        }
    }

    /// The samples of an instant query: labels and value.
    async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let path = format!("/api/v1/query?query={}", percent_encode(query));
        let response = self.http.get(&path).await.unwrap();
        let reply: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(reply["status"], "success", "{query}: {reply}");
        let samples = reply["data"]["result"].as_array().unwrap().iter();
        samples
            .map(|sample| (sample["metric"].clone(), sample["value"][1].as_str().unwrap().parse().unwrap()))
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gift, its replay, and a call with a wrong signature.
async fn call(bank: &ServerProcess, number: usize) {
    let gift = Gift {
        environment: Environment::Live,
        player: Player(0),
        bill_no: format!("scraped-{number}"),
        coins: 5,
    };
    for _ in 0..2 {
        gift.send(&bank.http).await.unwrap();
    }
    let (path, body) = gift.request_with(&midas_key(Environment::Sandbox), &access_token());
    bank.http.post(&path, &body).await.unwrap();
}

/// The queries of the dashboard's panels by their titles, with its variables set to everything.
fn panel_queries() -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(deploy("grafana/pactolus.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(
            panel["description"].as_str().is_some_and(|text| text.ends_with('.')),
            "{title} lacks a description"
        );
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} lacks a unit");
        for target in panel["targets"].as_array().unwrap() {
            let mut query = target["expr"].as_str().unwrap().replace("$__rate_interval", "10s");
            for variable in ["$job", "$instance", "$app", "$env"] {
                query = query.replace(variable, ".*");
            }
            assert!(!query.contains('$'), "{title}: {query}");
            queries.push((title.to_owned(), query));
        }
    }
    assert!(queries.len() > 40, "only {} queries", queries.len());
    queries
}

#[tokio::test]
async fn every_panel_answers_with_data() {
    let cluster = Cluster::start("");
    let folders = [Folder::with_config(), Folder::with_config()];
    let embedded = ServerProcess::serve_with_small_segments(&folders[0]);
    let database = folders[1].command(&["serve", "--migrate", "--store", &cluster.url()]);
    let banks = [embedded, ServerProcess::start(database)];
    for bank in &banks {
        Player(0).log_in(&bank.http).await;
    }
    let prometheus = Prometheus::start(&folders[0], &[banks[0].address, banks[1].address]);
    prometheus.wait_until_ready().await;
    let (start, mut number, mut missing) = (Instant::now(), 0, panel_queries());
    while !missing.is_empty() {
        assert!(start.elapsed() < TIMEOUT, "without data: {missing:#?}");
        for bank in &banks {
            call(bank, number).await;
        }
        number += 1;
        let mut still = Vec::new();
        for (title, query) in missing {
            let samples = prometheus.query(&query).await;
            if samples.is_empty() || samples.iter().any(|(_, value)| !value.is_finite()) {
                still.push((title, query));
            }
        }
        missing = still;
    }
    assert_eq!(prometheus.query("sum(up{job=\"pactolus\"})").await[0].1, 2.0);
    let engines = prometheus.query("pactolus_build_info").await;
    let engines: BTreeSet<_> = engines.iter().map(|(labels, _)| labels["engine"].as_str().unwrap()).collect();
    assert_eq!(engines, BTreeSet::from(["embedded", "postgres"]));
    // Healthy banks raise no alert, except that half of the live calls here are signed wrongly for less than ten
    // minutes.
    let alerts = prometheus.query("ALERTS{alertstate=\"firing\"}").await;
    assert_eq!(alerts.len(), 0, "{alerts:?}");
    drop(prometheus);
    for bank in banks {
        assert_eq!(bank.stop().code, Some(0));
    }
    folders[0].audit(number);
}

#[tokio::test]
async fn linter_finds_nothing_in_the_output() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    Player(0).log_in(&bank.http).await;
    call(&bank, 0).await;
    let text = bank.http.get("/metrics").await.unwrap().body;
    assert_eq!(promtool(&["check", "metrics"], &text), "");
    assert_eq!(bank.stop().code, Some(0));
}

#[test]
fn rules_fire_and_stay_silent() {
    promtool(&["check", "rules", "pactolus.rules.yml"], "");
    promtool(&["test", "rules", "pactolus.rules.test.yml"], "");
}

/// Each alert has a case of its own, and a heading on the page of alerts.
#[test]
fn every_alert_has_a_case_and_a_runbook() {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let rules = read(&deploy("prometheus/pactolus.rules.yml"));
    let cases = read(&deploy("prometheus/pactolus.rules.test.yml"));
    let page = read(&deploy("../docs/operating/alerts.md"));
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let mut anchors: BTreeSet<_> = headings
        .map(|title| {
            let kept = title.to_lowercase();
            let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
            kept.replace(' ', "-")
        })
        .collect();
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 15, "{} alerts", alerts.len());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(cases.contains(&format!("alertname: {name}\n")), "{name} has no case");
        let runbook =
            alert.split("runbook: docs/operating/alerts.md#").nth(1).unwrap().lines().next().unwrap();
        assert!(anchors.remove(runbook), "{name}: no heading {runbook}");
        assert!(alert.contains("severity: "), "{name}");
    }
    assert!(anchors.is_empty(), "headings without an alert: {anchors:?}");
}
