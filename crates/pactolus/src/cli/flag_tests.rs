//! Every flag in every mode of every command: it has an effect, or it is refused.
//!
//! The bug: clap drops `requires = "input"` when `input` conflicts with an argument that is given. So `present --openid
//! … --dry-run` gave the coins, `--campaign` was ignored, and the same "campaign" twice gave twice. The fix: each flag
//! of one mode conflicts with the other mode. A new flag has to be listed here.

use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::*;

/// A mode of a command: the arguments that select it, the flags that it takes, and the flags that it refuses.
struct Mode {
    base: &'static [&'static str],
    taken: &'static [&'static [&'static str]],
    refused: &'static [&'static [&'static str]],
}

const ONE_GIFT: &[&[&str]] = &[
    &["--bill-no", "n1"],
    &["--session-key", "K"],
    &["--session-key-file", "k.txt"],
    &["--bill-no", "n1", "--resume"],
];
const MANY_GIFTS: &[&[&str]] = &[
    &["--campaign", "spring"],
    &["--allow-duplicates"],
    &["--ignore-unknown-columns"],
    &["--results", "r.csv"],
    &["--spreadsheet"],
    &["--concurrency", "4"],
    &["--rate", "10"],
    &["--dry-run"],
    &["--yes"],
];
const ONE_DEBIT: &[&[&str]] = &[&["--bill-no", "n1"], &["--item", "i"], &["--remark", "r"]];
const OFFLINE: &[&[&str]] = &[
    &["--path", "/cgi-bin/midas/present"],
    &["--token", "T"],
    &["--token-file", "t.txt"],
    &["--session-key", "K"],
    &["--session-key-file", "k.txt"],
];

/// Flags of a call to the bank, which the offline diagnosis does not make.
const ONLINE: &[&[&str]] = &[&["--url", "http://127.0.0.1:1"], &["--timeout", "5"], &["--profile", "p"]];
const LOGIN: &[&[&str]] =
    &[&["--session-key", "K"], &["--session-key-file", "k.txt"], &["--expires-in", "60"]];

const MODES: &[Mode] = &[
    Mode { base: &["present", "--openid", "one", "--coins", "5"], taken: ONE_GIFT, refused: MANY_GIFTS },
    Mode { base: &["present", "--input", "players.csv"], taken: MANY_GIFTS, refused: ONE_GIFT },
    Mode { base: &["debit", "--openid", "one", "--coins", "5"], taken: ONE_DEBIT, refused: MANY_GIFTS },
    Mode { base: &["debit", "players.csv"], taken: MANY_GIFTS, refused: ONE_DEBIT },
    Mode { base: &["explain", "59db17f1-01234567-89abcdef"], taken: ONLINE, refused: OFFLINE },
    Mode {
        base: &["explain", "--request", "b.json", "--path", "/cgi-bin/midas/present"],
        taken: &[
            &["--token", "T"],
            &["--token-file", "t.txt"],
            &["--session-key", "K"],
            &["--session-key-file", "k.txt"],
        ],
        refused: ONLINE,
    },
    Mode {
        base: &["session", "--openid", "one", "--login"],
        taken: LOGIN,
        refused: &[&["--code"], &["--end"]],
    },
    Mode {
        base: &["session", "--openid", "one", "--code"],
        taken: &[],
        refused: &[&["--login"], &["--end"], LOGIN[0], LOGIN[1], LOGIN[2]],
    },
    Mode {
        base: &["session", "--openid", "one", "--end"],
        taken: &[],
        refused: &[&["--login"], &["--code"], LOGIN[0], LOGIN[1], LOGIN[2]],
    },
    Mode { base: &["faults"], taken: &[&["--set", "rules.json"], &["--clear"]], refused: &[] },
    Mode { base: &["faults", "--set", "rules.json"], taken: &[], refused: &[&["--clear"]] },
    Mode { base: &["faults", "--clear"], taken: &[], refused: &[&["--set", "rules.json"]] },
    Mode {
        base: &["clock"],
        taken: &[&["--set", "2017-10-09T06:32:17Z"], &["--advance", "-5"], &["--system-time"]],
        refused: &[],
    },
    Mode {
        base: &["clock", "--set", "2017-10-09T06:32:17Z"],
        taken: &[],
        refused: &[&["--advance", "5"], &["--system-time"]],
    },
    Mode {
        base: &["clock", "--advance", "5"],
        taken: &[],
        refused: &[&["--set", "2017-10-09T06:32:17Z"], &["--system-time"]],
    },
    Mode {
        base: &["clock", "--system-time"],
        taken: &[],
        refused: &[&["--set", "2017-10-09T06:32:17Z"], &["--advance", "5"]],
    },
];

/// Flags of commands with modes that select a mode, or have an effect in every mode.
const COMMON: [&str; 14] = [
    "coins",
    "zone",
    "openid",
    "input",
    "request",
    "output",
    "env",
    "profile",
    "app",
    "timeout",
    "config",
    "api",
    "take-available",
    "paid-first",
];

/// Commands whose flags need no mode. A flag that depends on the store is refused when the command runs.
const WITHOUT_MODES: &[&str] = &[
    "demo",
    "init",
    "serve",
    "pay",
    "cancelpay",
    "balance",
    "order",
    "statement",
    "topup",
    "gift",
    "totals",
    "rejections",
    "token",
    "sign",
    "migrate",
    "copy",
    "rotate-keys",
    "audit",
    "digest",
    "backup",
    "restore",
    "export",
    "doctor",
    "metrics",
    "completions",
    "man",
];

fn is_taken(arguments: &[&str]) -> bool {
    let matches = Cli::localized_command(Lang::En).try_get_matches_from([&["pactolus"], arguments].concat());
    matches.is_ok()
}

#[test]
fn flag_of_another_mode_is_refused() {
    for Mode { base, taken, refused } in MODES {
        assert!(is_taken(base), "{base:?}");
        for flag in *taken {
            assert!(is_taken(&[base, *flag].concat()), "{base:?} {flag:?}");
        }
        for flag in *refused {
            assert!(!is_taken(&[base, *flag].concat()), "{base:?} {flag:?}");
        }
    }
    assert!(!is_taken(&["present", "--openid", "one", "--coins", "5", "--input", "players.csv"]));
    assert!(
        !is_taken(&["sign", "--call", "present", "--body", "b.json", "--timeout", "5"]),
        "it sends nothing"
    );
    assert!(!is_taken(&["balance", "--openid", "one", "--profile", "p", "--config", "c.toml"]));
    assert!(!is_taken(&["balance", "--openid", "one", "--profile", "p", "--app", "wx1234567"]));
}

#[test]
fn every_flag_of_a_command_with_modes_is_listed() {
    let program = Cli::command();
    for command in program.get_subcommands() {
        let name = command.get_name();
        let modes = || MODES.iter().filter(|mode| mode.base[0] == name);
        assert!(WITHOUT_MODES.contains(&name) != (modes().count() > 0), "{name} has no modes here");
        for mode in modes() {
            let lists = [mode.taken, mode.refused].concat();
            let words = lists.iter().copied().flatten().chain(mode.base);
            let listed: BTreeSet<_> = words.filter_map(|word| word.strip_prefix("--")).collect();
            for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
                let known = COMMON.contains(&argument) || listed.contains(argument) || argument == "url";
                assert!(known, "{name} --{argument} in the mode {:?}", mode.base);
            }
        }
    }
}
