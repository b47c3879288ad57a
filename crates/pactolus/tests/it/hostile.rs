//! Text of a caller, a file or a host in the output of every command: no control character reaches the terminal, and
//! no line is forged.
//!
//! The bug: `explain` printed an openid with ESC sequences, which a terminal of the support runs: it can hide text, or
//! answer as if the operator had typed. The fix: one escape at the boundary, `cli/escape.rs`. A new command needs a
//! case here.

mod host;

use std::process::Command;

use serde_json::{Value, json};

use self::host::{HostileHost, TokenReply};
use crate::campaign;
use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

/// ESC sequences in C0 and C1 form, bidirectional overrides, DEL, line ends, and a line that looks like the program's.
pub(crate) const HOSTILE: &str =
    "\x1b]0;title\x07\x1b[2J\u{9b}31m\u{85}\u{202e}\u{2066}\u{200f}\u{2028}\u{feff}\x7f\r\nforged: line";

#[track_caller]
pub(crate) fn assert_harmless(text: &str, what: &str) {
    let is_unsafe = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200f}' | '\u{2028}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!text.contains(is_unsafe), "{what}: {text:?}");
    assert!(text.lines().all(|line| !line.starts_with("forged")), "{what}: {text}");
}

/// A folder, a bank with one hostile order, and hosts that answer in hostile words.
struct Scene {
    folder: Folder,
    bank: ServerProcess,
    host: HostileHost,
    refusing_host: HostileHost,
}

impl Scene {
    fn new() -> Self {
        let folder = campaign::folder_without_mp_sig();
        let bank = ServerProcess::serve(&folder);
        let scene = Self {
            folder,
            bank,
            host: HostileHost::start(200, TokenReply::Token),
            refusing_host: HostileHost::start(403, TokenReply::Hostile),
        };
        let gift = ["present", "--openid", "one", "--coins", "5", "--bill-no", "gift"];
        let pay = [
            "pay",
            "--openid",
            "one",
            "--coins",
            "1",
            "--bill-no",
            "pay",
            "--item",
            HOSTILE,
            "--remark",
            HOSTILE,
        ];
        for order in [&gift[..], &pay] {
            let ended = scene.run_at(&scene.bank.address.to_string(), order);
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
        scene
    }

    fn run_at(&self, address: &str, arguments: &[&str]) -> ProcessOutput {
        let url = format!("http://{address}");
        self.folder.run(&[arguments, &["--env", "sandbox", "--url", &url, "--timeout", "2"]].concat())
    }

    /// Against a bank that has the hostile order, a host that answers 200, and one that refuses: as text and as JSON.
    fn call(&self, arguments: &[&str]) -> Vec<ProcessOutput> {
        let addresses = [self.bank.address, self.host.address, self.refusing_host.address];
        let run = |address: &std::net::SocketAddr| {
            ["table", "json"]
                .map(|output| self.run_at(&address.to_string(), &[arguments, &["--output", output]].concat()))
        };
        addresses.iter().flat_map(run).collect()
    }

    /// The same for a command about an app or a bank, which takes no environment or lists that of each row.
    fn call_bank(&self, arguments: &[&str]) -> Vec<ProcessOutput> {
        let addresses = [self.bank.address, self.host.address, self.refusing_host.address];
        let run = |address: &std::net::SocketAddr| {
            let url = format!("http://{address}");
            ["table", "json"].map(|output| {
                self.run(&[arguments, &["--url", &url, "--timeout", "2", "--output", output]].concat())
            })
        };
        addresses.iter().flat_map(run).collect()
    }

    fn run(&self, arguments: &[&str]) -> ProcessOutput {
        self.folder.run(arguments)
    }
}

/// Runs one command in each of its ways to show foreign text.
type Case = fn(&Scene) -> Vec<ProcessOutput>;

const CASES: &[(&str, Case)] = &[
    ("demo", |scene| {
        let folder = scene.folder.path().join(HOSTILE);
        let _ = std::fs::create_dir(&folder);
        let mut command = scene.folder.command(&["demo", "--exit", "--keep", "--listen", "127.0.0.1:0"]);
        command.env("TMPDIR", folder);
        vec![wait(command)]
    }),
    ("init", |scene| {
        let file = format!("{HOSTILE}.toml");
        vec![scene.run(&["init", "--config", &file]), scene.run(&["init", "--config", &file])]
    }),
    ("serve", |scene| {
        scene.folder.write("keys.toml", &format!("{} = 1\n[[apps]]\nappid = {}\n", quoted(), quoted()));
        let mut variable = scene.folder.command(&["serve"]);
        variable.env("PACTOLUS_APPS_0_PF", HOSTILE).env(format!("PACTOLUS_{HOSTILE}"), "1");
        vec![scene.run(&["serve", "--config", "keys.toml"]), wait(variable), serve_hostile_requests()]
    }),
    ("present", |scene| {
        let mut outputs = scene.call(&["present", "--openid", "one", "--coins", "5", "--bill-no", "other"]);
        scene
            .folder
            .write("cells.csv", &csv(&["openid", "zone_id", "present_counts"], &["one", HOSTILE, HOSTILE]));
        scene.folder.write("header.csv", &csv(&["openid", HOSTILE, "present_counts"], &["one", "1", "5"]));
        scene.folder.write(&format!("{HOSTILE}.csv"), "openid,present_counts\none,5\n");
        scene.folder.write("results.csv", HOSTILE);
        for more in [
            &["--input", "cells.csv"][..],
            &["--input", "header.csv"],
            &["--input", "header.csv", "--ignore-unknown-columns", "--dry-run"],
            &["--input", &format!("{HOSTILE}.csv"), "--dry-run"],
            &["--input", &format!("{HOSTILE}.csv"), "--results", "results.csv"],
        ] {
            outputs.extend(scene.call(&[&["present", "--campaign", "c"], more].concat()));
        }
        scene.folder.write("one.csv", "openid,present_counts\none,5\n");
        let campaign = ["present", "--input", "one.csv", "--campaign", "h", "--results", HOSTILE, "--yes"];
        outputs.extend(scene.call(&campaign));
        outputs
    }),
    ("pay", |scene| {
        scene.call(&["pay", "--openid", "one", "--coins", "999", "--bill-no", "b", "--item", HOSTILE])
    }),
    ("cancelpay", |scene| scene.call(&["cancelpay", "--openid", "one", "--bill-no", "absent"])),
    ("balance", |scene| scene.call(&["balance", "--openid", "one"])),
    ("order", |scene| scene.call(&["order", "pay"])),
    ("statement", |scene| scene.call(&["statement", "--openid", "one"])),
    ("topup", |scene| scene.call(&[&["topup", "--bill-no", "topup"], &ORDER[..]].concat())),
    ("gift", |scene| scene.call(&[&["gift", "--bill-no", "other-gift"], &ORDER[..]].concat())),
    ("debit", |scene| {
        let mut outputs = scene.call(&[&["debit", "--bill-no", "debit"], &ORDER[..]].concat());
        let header = ["openid", "zone_id", "present_counts"];
        scene.folder.write("debits.csv", &csv(&header, &["one", HOSTILE, HOSTILE]));
        scene.folder.write("one-debit.csv", "openid,present_counts\none,5\n");
        outputs.extend(scene.call(&["debit", "debits.csv", "--campaign", "d"]));
        let results = format!("debits {HOSTILE}");
        let debit = ["debit", "one-debit.csv", "--campaign", "d", "--results", &results, "--yes"];
        outputs.extend(scene.call(&debit));
        outputs
    }),
    ("totals", |scene| scene.call(&["totals", "--from", "2017-10-09"])),
    ("session", |scene| {
        let mut outputs = scene.call_bank(&["session", "--openid", "one", "--login"]);
        outputs.extend(scene.call_bank(&["session", "--openid", "one", "--code"]));
        outputs
    }),
    ("faults", |scene| {
        scene.folder.write("faults.json", HOSTILE);
        scene.folder.write("fields.json", &json!([{ HOSTILE: 1 }]).to_string());
        scene.folder.write("values.json", &json!([{ "call": HOSTILE, "fault": HOSTILE }]).to_string());
        let mut outputs = scene.call_bank(&["faults"]);
        for file in ["faults.json", "fields.json", "values.json", HOSTILE] {
            outputs.push(scene.run(&["faults", "--set", file]));
        }
        outputs
    }),
    ("clock", |scene| {
        let mut outputs = scene.call_bank(&["clock"]);
        outputs.extend(scene.call_bank(&["clock", "--advance", "1"]));
        outputs
    }),
    ("rejections", |scene| {
        host::send(scene.bank.address, "/cgi-bin/midas/present?access_token=%1b%0aforged", HOSTILE);
        let outputs = scene.call_bank(&["rejections"]);
        // The bank has one, and the host's are shown too.
        assert!(outputs.iter().any(|ended| ended.stdout.contains("\\u001b")), "{outputs:?}");
        outputs
    }),
    ("token", |scene| scene.call(&["token"])),
    ("sign", |scene| {
        scene.folder.write("signed.json", &json!({ "openid": HOSTILE, HOSTILE: 1 }).to_string());
        scene.folder.write("broken.json", HOSTILE);
        let sign = |body: &str, output: &str| {
            scene.run(&["sign", "--env", "live", "--call", "pay", "--body", body, "--output", output])
        };
        vec![
            sign("signed.json", "table"),
            sign("signed.json", "json"),
            sign("broken.json", "table"),
            sign(HOSTILE, "table"),
        ]
    }),
    ("explain", |scene| {
        let fields = json!({ "appid": "wx1234567", "openid": HOSTILE, "pf": HOSTILE, "zone_id": HOSTILE, "sig": HOSTILE });
        scene.folder.write("body.json", &fields.to_string());
        scene.folder.write("other.json", &json!({ "appid": HOSTILE }).to_string());
        let offline = |body: &str, output: &str| {
            let request = ["explain", "--request", body, "--path", "/cgi-bin/midas/present", "--token", "T"];
            scene.run(&[&request[..], &["--output", output]].concat())
        };
        let online = |host: &HostileHost, output: &str| {
            let url = format!("http://{}", host.address);
            scene.run(&["explain", "59db17f1-01234567-89abcdef", "--url", &url, "--output", output])
        };
        vec![
            offline("body.json", "table"),
            offline("body.json", "json"),
            offline("other.json", "table"),
            offline(HOSTILE, "table"),
            online(&scene.host, "table"),
            online(&scene.host, "json"),
            online(&scene.refusing_host, "table"),
            scene.run(&["explain", HOSTILE]),
            scene.run(&["explain", &format!("40001 {HOSTILE}")]),
        ]
    }),
    ("export", |scene| {
        let orders = ["export", "orders", "--from", "2017-10-09", "--to", "9999-12-31"];
        let file = scene.folder.path().join("export.csv");
        let out = ["--out", file.to_str().unwrap()];
        let jsonl = scene.run(&[&orders[..], &["--format", "jsonl"]].concat());
        assert!(jsonl.stdout.contains("\\u001b"), "{}", jsonl.stdout);
        vec![
            jsonl,
            scene.run(&[&orders[..], &out].concat()),
            scene.run(&[&orders[..], &out].concat()),
            scene.run(&[&orders[..], &["--store", &store()]].concat()),
        ]
    }),
    ("audit", |scene| vec![scene.run(&["audit", "--store", &store()])]),
    ("digest", |scene| vec![scene.run(&["digest", "--store", &store()])]),
    ("backup", |scene| {
        let new = format!("backup {HOSTILE}");
        ["table", "json", "table"]
            .map(|output| scene.run(&["backup", "--to", &new, "--output", output]))
            .into()
    }),
    ("restore", |scene| {
        scene.run(&["backup", "--to", "whole"]);
        ["table", "json", "table"]
            .map(|output| scene.run(&["restore", "--from", "whole", "--store", &store(), "--output", output]))
            .into_iter()
            .chain([scene.run(&["restore", "--from", HOSTILE, "--store", "embedded:new"])])
            .collect()
    }),
    ("migrate", |scene| vec![scene.run(&["migrate", "--store", &store()])]),
    ("copy", |scene| {
        scene.run(&["backup", "--to", "source"]);
        scene.run(&["restore", "--from", "source", "--store", "embedded:source-store"]);
        let to = format!("embedded:copy {HOSTILE}");
        vec![
            scene.run(&[
                "copy",
                "--from",
                &format!("embedded:absent {HOSTILE}"),
                "--to",
                "embedded:new-store",
            ]),
            scene.run(&["copy", "--from", "embedded:source-store", "--to", &to]),
        ]
    }),
    ("rotate-keys", |scene| {
        let mut command =
            scene.folder.command(&["rotate-keys", "--store", &format!("embedded:absent {HOSTILE}")]);
        command.env("PACTOLUS_SEAL_MASTER_KEYS", "ab".repeat(32));
        vec![wait(command), scene.run(&["rotate-keys", "--config", HOSTILE])]
    }),
    ("doctor", |scene| {
        scene.folder.write("keys.toml", &format!("{} = 1\n", quoted()));
        let mut command = scene.folder.command(&["doctor"]);
        command.env("PACTOLUS_STORE", store()).env("PACTOLUS_LISTEN", scene.host.address.to_string());
        vec![
            scene.run(&["doctor", "--config", HOSTILE]),
            scene.run(&["doctor", "--config", "keys.toml"]),
            scene.run(&["doctor", "--config", "keys.toml", "--output", "json"]),
            wait(command),
        ]
    }),
    ("metrics", |scene| vec![scene.run(&["metrics", HOSTILE])]),
    ("completions", |scene| vec![scene.run(&["completions", HOSTILE])]),
    ("man", |scene| {
        scene.folder.write(&format!("file {HOSTILE}"), "");
        vec![scene.run(&["man", "--to", &format!("file {HOSTILE}")])]
    }),
];

/// Arguments of an order of the operator.
const ORDER: [&str; 8] = ["--openid", "one", "--coins", "1", "--item", HOSTILE, "--remark", HOSTILE];

fn wait(command: Command) -> ProcessOutput {
    Process::start(command).wait()
}

/// A store in a folder with a hostile name.
fn store() -> String {
    format!("embedded:store {HOSTILE}")
}

/// The hostile text as a TOML string.
fn quoted() -> String {
    Value::from(HOSTILE).to_string().replace('\x7f', "\\u007f")
}

fn csv(header: &[&str], row: &[&str]) -> String {
    let line = |cells: &[&str]| cells.iter().map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",");
    format!("{}\n{}\n", line(header), line(row))
}

/// The log of a bank that got hostile paths, headers and bodies.
fn serve_hostile_requests() -> ProcessOutput {
    let folder = Folder::with_config();
    let bank = ServerProcess::start(folder.command(&["serve", "--log", "debug"]));
    for path in
        ["/cgi-bin/%1b%5b2J%0aforged", "/%e2%80%ae", "/cgi-bin/midas/present?access_token=%1b%0aforged"]
    {
        host::send(bank.address, path, HOSTILE);
    }
    bank.stop()
}

pub(crate) fn commands(folder: &Folder) -> Vec<String> {
    let help = folder.run(&["--help"]).stdout;
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

/// The long flags of a command's help.
pub(crate) fn flags(folder: &Folder, command: &str) -> Vec<String> {
    let help = folder.run(&[command, "--help"]).stdout;
    let words = help.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("--").or_else(|| line.split_once(", --").map(|(_, flag)| flag))
    });
    let name =
        |flag: &str| flag.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap().to_owned();
    words.map(name).filter(|flag| flag != "help" && flag != "version").collect()
}

#[test]
fn every_command_has_a_hostile_case() {
    let scene = Scene::new();
    let mut names = commands(&scene.folder);
    names.sort_unstable();
    let mut listed: Vec<_> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    listed.sort_unstable();
    assert_eq!(names, listed, "each command needs its case in CASES");
    for (name, run) in CASES {
        for (number, ended) in run(&scene).iter().enumerate() {
            assert!(ended.code.is_some() && ended.code != Some(101), "{name} {number}: {ended:?}");
            assert_harmless(&ended.stdout, &format!("{name} {number}"));
            assert_harmless(&ended.stderr, &format!("{name} {number}"));
        }
    }
}

#[test]
fn every_flag_takes_a_hostile_value() {
    for command in commands(&Folder::empty()) {
        // Of its own: `init` writes a configuration of this name, and `serve` would serve it.
        let folder = Folder::empty();
        for flag in flags(&folder, &command) {
            for lang in ["en", "zh"] {
                // Without the other arguments most of these are usage errors. A flag that takes no value leaves the
                // text as a positional argument.
                let flag = format!("--{flag}");
                let ended = folder.run(&[&command, "--lang", lang, &flag, HOSTILE]);
                assert!(ended.code.is_some_and(|code| code != 101), "{command} {flag}: {ended:?}");
                assert_harmless(&ended.stdout, &format!("{command} {flag}"));
                assert_harmless(&ended.stderr, &format!("{command} {flag}"));
            }
        }
    }
}
