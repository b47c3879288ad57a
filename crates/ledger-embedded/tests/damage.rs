//! Damage on disk behind the views: it refuses the orders that need it, and nothing else.
//!
//! The bug: one read of one damaged order failed the store, so a player who asked for a balance stopped the bank for
//! every player, and again after each restart. The fix: the request is refused with `Damaged`, its place is logged as
//! the audit names it, and all others are served.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pactolus_ledger::{Ledger, Order, OrderKind, Periods, PostError, Posted, Unavailable};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_test_support::files::{copy_folder, files_in};
use pactolus_test_support::orders::{account, numbered_present, order, pay, present};
use pactolus_test_support::sample::NOW;
use pollster::block_on;
use tempfile::{TempDir, tempdir};

const DAMAGED: Result<(), Unavailable> = Err(Unavailable::Damaged);

/// Players of the sound orders, two orders each.
const PLAYERS: usize = 12;

/// The views answer every look-up, from disk.
fn settings() -> EmbeddedSettings {
    EmbeddedSettings { memtable_orders: 10, accounts_cached: 0, ..EmbeddedSettings::default() }
}

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, &settings()).unwrap()
}

fn post(store: &EmbeddedStore, order: Order) -> Result<Posted, PostError> {
    block_on(store.post(order, NOW))
}

fn cancel(player: &str, bill_no: &str) -> Order {
    order(player, bill_no, OrderKind::Cancel { window: Duration::from_secs(3600) })
}

/// The orders of the player `hurt`, of whom one is damaged.
fn hurt_orders() -> [Order; 3] {
    [
        order("hurt", "hurt-first", present(10)),
        order("hurt", "hurt-pay", pay(3)),
        order("hurt", "hurt-last", present(1)),
    ]
}

/// A closed store with sound orders around those of `hurt`.
fn closed_store() -> TempDir {
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    for bill in 0..PLAYERS {
        post(&store, numbered_present(bill, PLAYERS, 5)).unwrap();
    }
    for order in hurt_orders() {
        post(&store, order).unwrap();
    }
    for bill in PLAYERS..2 * PLAYERS {
        post(&store, numbered_present(bill, PLAYERS, 5)).unwrap();
    }
    drop(store);
    folder
}

fn journal_file(folder: &Path) -> PathBuf {
    folder.join("journal").join(format!("{:020}.journal", 0))
}

/// Flips a bit of the text `name` in the journal.
fn damage_order(folder: &Path, name: &str) {
    let path = journal_file(folder);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
}

fn error_of<T>(result: Result<T, Unavailable>) -> Result<(), Unavailable> {
    result.map(|_| ())
}

fn post_error(result: Result<Posted, PostError>) -> Result<(), Unavailable> {
    result.map(drop).map_err(|error| match error {
        PostError::Unavailable(error) => error,
        PostError::Refused(refusal) => panic!("refused: {refusal}"),
    })
}

/// Every read and every kind of order of the sound players, with a new order each.
fn assert_others_are_served(store: &EmbeddedStore, round: usize) {
    for player in 0..PLAYERS {
        let key = account(&format!("player-{player}"));
        assert!(block_on(store.account(key)).unwrap().balance().get() >= 10);
        assert!(block_on(store.statement(key, None, 10)).unwrap().receipts.len() >= 2);
        let first = numbered_present(player, PLAYERS, 5);
        assert!(block_on(store.order(first.bill())).unwrap().is_some());
        assert!(matches!(post(store, first), Ok(Posted::Replayed { .. })));
        let (name, bill_no) = (format!("player-{player}"), format!("pay-{round}-{player}"));
        assert!(matches!(post(store, order(&name, &bill_no, pay(1))), Ok(Posted::Applied(_))));
        assert!(matches!(post(store, cancel(&name, &bill_no)), Ok(Posted::Applied(_))));
    }
    assert_eq!(block_on(store.ready()), Ok(()), "the bank goes on");
}

/// Posts orders together, so that they share batches. Some need the damage.
fn post_together(store: &EmbeddedStore, orders: Vec<Order>) -> Vec<Result<Posted, PostError>> {
    std::thread::scope(|scope| {
        let posts: Vec<_> = orders.into_iter().map(|order| scope.spawn(|| post(store, order))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    })
}

/// The damage as readiness shows it, which has to be a finding of the audit word for word.
fn assert_audit_names_it(store: &EmbeddedStore) {
    let damage = store.damage().unwrap();
    let place = damage.split("; damaged places found").next().unwrap();
    assert!(place.starts_with("journal/00000000000000000000.journal is damaged at offset "), "{damage}");
    let audit = block_on(store.audit()).unwrap();
    let findings: Vec<_> = audit.findings.iter().map(ToString::to_string).collect();
    assert!(findings.iter().any(|finding| finding.ends_with(place)), "{place} is not in {findings:?}");
}

#[test]
fn damaged_last_order_refuses_its_account_alone() {
    let folder = closed_store();
    damage_order(folder.path(), "hurt-last");
    for round in 0..3 {
        // Each round is a restart.
        let store = open(folder.path());
        let hurt = account("hurt");
        assert_eq!(error_of(block_on(store.account(hurt))), DAMAGED);
        assert_eq!(error_of(block_on(store.statement(hurt, None, 10))), DAMAGED);
        let [first, _, last] = hurt_orders();
        assert_eq!(error_of(block_on(store.order(last.bill()))), DAMAGED);
        assert_eq!(post_error(post(&store, last)), DAMAGED, "a replay of it");
        assert_eq!(post_error(post(&store, order("hurt", "hurt-new", present(1)))), DAMAGED);
        // An order of the account that can be read is still shown.
        assert!(block_on(store.order(first.bill())).unwrap().is_some());
        assert_others_are_served(&store, round);
        assert_audit_names_it(&store);
    }
}

#[test]
fn damaged_order_in_a_chain_refuses_what_reads_it() {
    let folder = closed_store();
    damage_order(folder.path(), "hurt-pay");
    for round in 0..2 {
        let store = open(folder.path());
        let hurt = account("hurt");
        assert_eq!(block_on(store.account(hurt)).map(|account| account.balance().get()), Ok(8 + round));
        assert_eq!(error_of(block_on(store.statement(hurt, None, 10))), DAMAGED);
        let page = block_on(store.statement(hurt, None, 1)).unwrap();
        assert_eq!(page.receipts.len(), 1, "the newer orders are shown");
        let [_, paid, _] = hurt_orders();
        assert_eq!(error_of(block_on(store.order(paid.bill()))), DAMAGED);
        assert_eq!(post_error(post(&store, paid)), DAMAGED, "a replay of it");
        assert_eq!(post_error(post(&store, cancel("hurt", "hurt-pay"))), DAMAGED, "the pay to cancel");
        // The account itself is known, so it goes on.
        let new = order("hurt", &format!("hurt-new-{round}"), present(1));
        assert!(matches!(post(&store, new), Ok(Posted::Applied(_))));
        assert_others_are_served(&store, usize::try_from(round).unwrap());
        assert_audit_names_it(&store);
    }
}

#[test]
fn damaged_order_fails_no_other_of_its_batch() {
    let folder = closed_store();
    damage_order(folder.path(), "hurt-pay");
    let store = open(folder.path());
    for round in 0..20 {
        let present =
            |player: usize| order(&format!("player-{player}"), &format!("b-{round}-{player}"), present(1));
        let mut orders: Vec<_> = (0..PLAYERS).map(present).collect();
        orders.insert(PLAYERS / 2, cancel("hurt", "hurt-pay"));
        for (at, posted) in post_together(&store, orders).into_iter().enumerate() {
            match posted {
                Ok(Posted::Applied(_)) => assert_ne!(at, PLAYERS / 2),
                other => assert_eq!((at, post_error(other)), (PLAYERS / 2, DAMAGED)),
            }
        }
    }
    drop(store);
    assert_others_are_served(&open(folder.path()), 0);
}

/// The process was killed right after a flush: preallocated zeros follow the views' end, so opening walks the file.
#[test]
fn damage_behind_the_views_opens_after_a_kill() {
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    for order in hurt_orders() {
        post(&store, order).unwrap();
    }
    for bill in 0..2 * PLAYERS {
        post(&store, numbered_present(bill, PLAYERS, 5)).unwrap();
    }
    block_on(store.flush_all()).unwrap();
    let killed = tempdir().unwrap();
    copy_folder(folder.path(), killed.path());
    let path = journal_file(killed.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(bytes.len() + 100_000, 0);
    fs::write(&path, &bytes).unwrap();
    damage_order(killed.path(), "hurt-last");
    let store = open(killed.path());
    assert_eq!(error_of(block_on(store.account(account("hurt")))), DAMAGED);
    assert_others_are_served(&store, 0);
}

/// Each block of each run of an index in turn. A flip in a run's header or filter is found when the views are opened.
#[test]
fn damaged_index_block_refuses_its_keys_alone() {
    let whole = closed_store();
    let runs: Vec<_> = ["bills", "accounts"]
        .iter()
        .flat_map(|index| files_in(&whole.path().join("views").join(index)))
        .collect();
    assert!(runs.len() > 1, "{runs:?}");
    let mut refused = 0;
    for run in &runs {
        let folder = tempdir().unwrap();
        copy_folder(whole.path(), folder.path());
        let run = folder.path().join(run.strip_prefix(whole.path()).unwrap());
        let mut bytes = fs::read(&run).unwrap();
        bytes[4096 + 10] ^= 1;
        fs::write(&run, bytes).unwrap();
        let store = open(folder.path());
        for player in 0..PLAYERS {
            match block_on(store.account(account(&format!("player-{player}")))) {
                Ok(account) => assert_eq!(account.balance().get(), 10),
                Err(error) => assert_eq!(error, Unavailable::Damaged),
            }
            let bill = numbered_present(player, PLAYERS, 5);
            match post(&store, bill) {
                Ok(posted) => assert!(matches!(posted, Posted::Replayed { .. }), "{posted:?}"),
                Err(error) => {
                    assert_eq!(error, Unavailable::Damaged.into());
                    refused += 1;
                }
            }
        }
        // Flushes and merges go on; new players need no damaged block.
        for bill in 1000..1200 {
            let new = order(&format!("new-{bill}"), &format!("new-{bill}"), present(1));
            post_error(post(&store, new)).unwrap();
        }
        block_on(store.flush_all()).unwrap();
        assert_eq!(block_on(store.ready()), Ok(()));
        let audit = block_on(store.audit()).unwrap();
        assert!(!audit.is_clean(), "a damaged index is a finding");
        let findings: Vec<_> = audit.findings.iter().map(ToString::to_string).collect();
        let is_named = |finding: &String| finding.contains(&*run.to_string_lossy());
        assert!(findings.iter().any(is_named), "{findings:?}");
        drop(store);
        assert_eq!(block_on(open(folder.path()).ready()), Ok(()), "it opens again");
    }
    assert!(refused > 0, "no key needed a damaged block");
}

/// Totals are checked as a whole when they are opened, and counted again if they are damaged.
#[test]
fn damaged_totals_are_counted_again() {
    let whole = closed_store();
    let totals = |store: &EmbeddedStore| {
        let key = account("hurt");
        block_on(store.totals(key.app, key.environment, Periods::whole())).unwrap()
    };
    let right = totals(&open(whole.path()));
    assert!(!right.is_empty());
    let file = whole.path().join("views/tallies/rows.redb");
    let sound = fs::read(&file).unwrap();
    let name = b"wx1234567";
    let rows: Vec<_> =
        sound.windows(name.len()).enumerate().filter(|(_, at)| at == name).map(|(at, _)| at).collect();
    assert!(!rows.is_empty());
    for at in rows.into_iter().flat_map(|at| [at + 1, at + 40]) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        let store = open(whole.path());
        assert_eq!(totals(&store), right, "a flip at {at}");
        let audit = block_on(store.audit()).unwrap();
        assert!(audit.is_clean(), "{audit:?}");
    }
}

/// A disk that cannot read a file of the journal, as after a bad sector: here the file is a folder.
#[test]
fn unreadable_journal_file_refuses_its_orders_alone() {
    let folder = tempdir().unwrap();
    let settings = EmbeddedSettings { segment_bytes: 300, ..settings() };
    let open = || EmbeddedStore::open(folder.path(), &settings).unwrap();
    let store = open();
    for bill in 0..10 * PLAYERS {
        post(&store, numbered_present(bill, 10 * PLAYERS, 5)).unwrap();
    }
    drop(store);
    let store = open();
    let file = &files_in(&folder.path().join("journal"))[5];
    fs::rename(file, folder.path().join("away")).unwrap();
    fs::create_dir(file).unwrap();
    let mut refused = 0;
    for bill in 0..10 * PLAYERS {
        let order = numbered_present(bill, 10 * PLAYERS, 5);
        match block_on(store.order(order.bill())) {
            Ok(found) => assert!(found.is_some()),
            Err(error) => {
                assert_eq!(error, Unavailable::Damaged);
                assert_eq!(error_of(block_on(store.account(order.account))), DAMAGED);
                refused += 1;
            }
        }
        let new = order_after(bill);
        assert!(matches!(post(&store, new), Ok(Posted::Applied(_))), "a new player");
    }
    assert!((1..10).contains(&refused), "{refused} orders of one small file");
    assert_eq!(block_on(store.ready()), Ok(()));
    let audit = block_on(store.audit()).unwrap();
    let findings: Vec<_> = audit.findings.iter().map(ToString::to_string).collect();
    assert!(findings.iter().any(|finding| finding.contains("cannot be read at offset")), "{findings:?}");
}

fn order_after(bill: usize) -> Order {
    order(&format!("after-{bill}"), &format!("after-{bill}"), present(1))
}
