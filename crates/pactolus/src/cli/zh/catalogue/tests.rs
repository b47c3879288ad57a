//! Every message of the sources that reaches a person has a Chinese twin.
//!
//! The bug: `--lang zh` printed English wherever a message came from clap, the configuration, another crate or a bank.
//! The fix is the catalogue, and this test reads the sources: a literal of three English words or more has to be in
//! `tr!`, in the catalogue, or in a place that no person reads.

mod literals;

use std::collections::BTreeSet;
use std::path::Path;

use pactolus_test_support::files::files_in;

use super::*;
use literals::{Literal, literals};

/// Crates whose messages the command line prints.
const CRATES: [&str; 8] =
    ["client", "ledger", "ledger-embedded", "ledger-postgres", "pactolus", "protocol", "server", "types"];

/// Sources without a message for users of the command line.
const OTHER_SOURCES: &[&str] = &[
    // Tests, fuzzing, and the suite of engines.
    "fuzzing",
    "tests",
    "conformance.rs",
    // Help and explanations with both languages beside each other, checked by their own tests.
    "pactolus/src/cli/zh",
    "pactolus/src/commands/explain/codes",
    "pactolus/src/commands/demo/script.rs",
    // `CliError`, whose Chinese `zh_text` lists every variant.
    "pactolus/src/cli/exit.rs",
    "pactolus/src/commands/demo/sample.rs",
    // Help of metrics, which monitoring shows in English, and the page made from it.
    "server/src/metrics",
    // The OpenAPI document, and the model that only tests run.
    "server/src/openapi",
    "ledger/src/model.rs",
    // SQL.
    "ledger-postgres/src/queries.rs",
    "ledger-postgres/src/export.rs",
    "ledger-postgres/src/rows.rs",
    "ledger-postgres/src/write",
    "ledger-postgres/src/records.rs",
    "ledger-postgres/src/portable.rs",
    "ledger-postgres/src/session.rs",
    "ledger-postgres/src/migrate",
    // Errmsgs of the wire: they are quoted, and the same in every language.
    "protocol/src/object",
    "protocol/src/platform",
    "protocol/src/midas/body",
    "protocol/src/midas/call",
    "protocol/src/midas/code.rs",
    "protocol/src/midas/parameter.rs",
    "protocol/src/raw/object.rs",
    "protocol/src/raw/request.rs",
    "protocol/src/raw/sign.rs",
    "protocol/src/game",
    "protocol/src/xpay",
    "protocol/src/error.rs",
    "server/src/midas",
    "server/src/raw",
    "server/src/platform",
    "server/src/auth",
    "server/src/body.rs",
    "server/src/response.rs",
    "server/src/router.rs",
    "server/src/rate_limit.rs",
    "server/src/connection",
];

/// Calls and attributes whose texts are logged, or stop the program, or stand in the help, or are translated.
const OTHER_CALLS: [&str; 27] = [
    "tr!",
    "BilingualText",
    "tracing::trace!",
    "tracing::debug!",
    "tracing::info!",
    "tracing::warn!",
    "tracing::error!",
    "expect",
    "expect_err",
    "unreachable!",
    "panic!",
    "assert!",
    "assert_eq!",
    "debug_assert!",
    "arg",
    "command",
    "value",
    "cfg_attr",
    "allow",
    "serde",
    "schemars",
    "must_use",
    "write_all",
    "include_str!",
    "env!",
    "concat!",
    "batch_execute",
];

/// Parts of a message, and texts that no person reads, by the literal of the source.
const OTHER_LITERALS: [&str; 19] = [
    // Parts of messages that the catalogue has as a whole.
    "; 1 to {} digits, letters or any of {} are allowed",
    "{}; 1 to {} digits, letters or any of {} are allowed",
    "holds a character that is not allowed",
    // An errmsg.
    "is missing; sign the call with the player's session key too, or set mp_sig = \"if-present\" for the app",
    "the wires of this app in the bank's settings do not have \"{}\"",
    // Parts of messages that the catalogue has as a whole.
    " of the player {} in zone {}",
    // `ResultsError`, which `present` prints in both languages.
    "another process is writing it",
    "it is not a results file",
    "it belongs to another bank, app or environment: {}",
    // Arguments of `expect`.
    "it keeps the rule",
    "it keeps the rules",
    // Logs, and formats of files.
    "log lines were dropped: stderr did not take them",
    "Pactolus embedded store, format ",
    "pactolus master key id",
    "reading an account failed",
    "reading an order failed",
    "reading totals failed",
    "the audit failed",
    "sweeping expired records failed",
];

fn sources() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Vec::new();
    for name in CRATES {
        for path in files_in(&crates.join(name).join("src")) {
            let shown = path.strip_prefix(crates).unwrap().display().to_string();
            let is_other = OTHER_SOURCES.iter().any(|other| shown.contains(other));
            if path.extension().is_some_and(|extension| extension == "rs") && !is_other {
                sources.push((shown, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(sources.len() > 100, "{sources:?}");
    sources
}

fn is_message(literal: &Literal<'_>) -> bool {
    let is_other_call = literal.calls.iter().any(|call| OTHER_CALLS.contains(call));
    let is_of_one_language = ["Lang::En =>", "en:", "reason =", "must_use ="]
        .iter()
        .any(|before| literal.before.trim_end().ends_with(before));
    // The help of `serve`, whose Chinese is `SERVE_VARIABLES`.
    let is_help = literal.text.contains("\n\nExamples:\n");
    !is_other_call && !is_of_one_language && !is_help && has_english(&literal.text)
}

/// Whether a text has three English words in a row.
fn has_english(text: &str) -> bool {
    let is_word = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<_> = text.split(' ').collect();
    words.windows(3).any(|three| three.iter().all(|word| is_word(&word.trim_matches([',', ';', ':']))))
}

#[test]
fn every_english_message_has_a_chinese_twin() {
    let mut missing = Vec::new();
    let mut unused: BTreeSet<_> = OTHER_LITERALS.into_iter().collect();
    for (file, source) in sources() {
        for literal in literals(&source).iter().filter(|literal| is_message(literal)) {
            let text = literal.text.trim_end_matches('\n');
            if !unused.remove(text) && !OTHER_LITERALS.contains(&text) && translate(text).is_none() {
                missing.push(format!("{file}:{}: {text:?}", literal.line));
            }
        }
    }
    let count = missing.len();
    assert!(missing.is_empty(), "{count} without `tr!` or a twin in the catalogue:\n{}", missing.join("\n"));
    assert!(unused.is_empty(), "listed here, but in no source: {unused:?}");
}

#[test]
fn templates_are_distinct_and_translate_themselves() {
    let mut seen = BTreeSet::new();
    for (english, chinese) in TABLES.into_iter().flatten() {
        assert!(seen.insert(*english), "{english:?} is listed twice");
        let translated = translate(english).unwrap();
        assert!(!has_english(&translated.replace("SHA", "")), "{english:?} becomes {translated:?}");
        let holes = english.matches(HOLE).count();
        let mut rest = *chinese;
        let mut used = BTreeSet::new();
        let mut next = 0;
        while let Some((_, hole, after)) = next_hole(rest) {
            used.insert(hole.unwrap_or(next));
            next += usize::from(hole.is_none());
            rest = after;
        }
        assert!(used.iter().all(|index| *index < holes), "{chinese:?} has more values than {english:?}");
    }
}

#[test]
fn values_are_translated_in_turn() {
    for (english, chinese) in [
        ("`listen` is an integer; it must be text in quotes", "`listen` 为整数；应为带引号的文本"),
        (
            "`env` is \"test\"; it must be \"live\" or \"sandbox\"",
            "`env` 为 \"test\"；应为 \"live\" 或 \"sandbox\"",
        ),
        (
            "`pf` item 2 is not 1 to 32 digits, letters or any of _-",
            "`pf` 第 2 项不是 1 到 32 个数字、字母、_ 或 -",
        ),
        (
            "signed with the live Midas key while the text ends with the app's secret",
            "HMAC 用的是 live 环境的 Midas 密钥，而签名文本末尾是应用的 secret",
        ),
        ("ts and zone_id sent but not signed", "发送了 ts 和 zone_id，但没有签名"),
        ("the bank refused it: 90011 sig error rid: x", "服务端拒绝了调用：90011 “sig error rid: x”"),
        ("Connection refused (os error 111)", "连接被拒绝（os error 111）"),
    ] {
        assert_eq!(translate(english).as_deref(), Some(chinese));
    }
    assert_eq!(translate("a sentence that no program of ours prints"), None);
}
