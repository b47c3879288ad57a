//! Stores of earlier builds stay readable: `format-1` was written by a build of 2026-11.
//!
//! Its orders: six presents of 10 to 60 coins to three players, a pay of 7 and its cancel in the sandbox, and a
//! present of 5 in the live environment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use pactolus_ledger::{AccountKey, Ledger};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore, backup};
use pactolus_test_support::files::copy_folder;
use pactolus_test_support::orders::account;
use pactolus_types::Environment;
use pollster::block_on;

const DIGEST: &str = "9-78515a2bc2aaee407c784c4bb3e74bad74fd5e81072d3fd3f97f3fb10c5449d7";

fn balance(store: &EmbeddedStore, environment: Environment, player: usize) -> u64 {
    let key = AccountKey { environment, ..account(&format!("player-{player}")) };
    block_on(store.account(key)).unwrap().balance().get()
}

/// With the views as they were, and rebuilt from the journal.
#[test]
fn store_of_format_1_opens() {
    for views in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1"), folder.path());
        if !views {
            fs::remove_dir_all(folder.path().join("views")).unwrap();
        }
        let store = EmbeddedStore::open(folder.path(), &EmbeddedSettings::default()).unwrap();
        let audit = block_on(store.audit()).unwrap();
        assert_eq!((audit.orders, audit.findings.len()), (9, 0));
        let sandbox = [0, 1, 2].map(|player| balance(&store, Environment::Sandbox, player));
        assert_eq!(sandbox, [90, 50, 70]);
        assert_eq!(balance(&store, Environment::Live, 1), 5);
        drop(store);
        assert_eq!(backup::digest(folder.path()).unwrap().to_string(), DIGEST);
    }
}
