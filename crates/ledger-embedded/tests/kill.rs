//! `kill -9` at any moment: during an append, a new journal file, a flush.
//!
//! A child process posts orders to a store with bounds so small that all of this happens every few orders, and prints
//! each answer. The parent kills it after a while, again and again on the same store, and then looks for every
//! answered order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use pactolus_ledger::{Ledger, Order, Posted};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_test_support::orders::{self, pay, present};
use pactolus_types::{Environment, UnixMillis};
use pollster::block_on;

const ROUNDS: usize = 100;
const THREADS: usize = 4;

fn settings() -> EmbeddedSettings {
    EmbeddedSettings { memtable_orders: 40, segment_bytes: 6000, ..EmbeddedSettings::default() }
}

/// Order `number` of `round`: gifts of one coin, and now and then a pay of one.
fn order(round: usize, number: usize) -> Order {
    let kind = if number % 5 == 4 { pay(1) } else { present(1) };
    let mut order = orders::order(&format!("player-{}", number % 7), &format!("{round}-{number}"), kind);
    order.account.environment = Environment::ALL[number % 2];
    order
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "post") {
        Some(at) => post_until_killed(Path::new(&arguments[at + 1]), arguments[at + 2].parse().unwrap()),
        None => kill_repeatedly(),
    }
}

fn post_until_killed(folder: &Path, round: usize) {
    let store = EmbeddedStore::open(folder, &settings()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in (thread..).step_by(THREADS) {
                    // A pay may find an empty account; that is an answer too, but no order.
                    if let Ok(Posted::Applied(_)) =
                        block_on(store.post(order(round, number), UnixMillis::new(0)))
                    {
                        let mut out = std::io::stdout().lock();
                        writeln!(out, "{number}").unwrap();
                        out.flush().unwrap();
                    }
                }
            });
        }
    });
}

fn kill_repeatedly() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("post")
            .arg(folder.path())
            .arg(round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A different number of orders each round, so that the kill comes at another moment each time.
        let enough = 1 + round * 37 % 211;
        let mut acknowledged: Vec<usize> =
            lines.by_ref().take(enough).map(|line| line.unwrap().parse().unwrap()).collect();
        child.kill().unwrap();
        // Orders printed before the kill were answered as well. A line is one write, so none is cut.
        acknowledged.extend(lines.map_while(Result::ok).map(|line| line.parse::<usize>().unwrap()));
        assert!(acknowledged.len() >= enough, "round {round}: the child died by itself");
        assert!(!child.wait().unwrap().success());
        answered.push(acknowledged);
        if round % 20 == 19 {
            check(folder.path(), &answered);
        }
    }
    let orders: usize = answered.iter().map(Vec::len).sum();
    println!("{ROUNDS} kills, {orders} answered orders, none lost, none applied twice");
    println!("1 passed, 0 failed");
}

/// Every answered order is there, and the books are right; so no order was applied twice.
fn check(folder: &Path, answered: &[Vec<usize>]) {
    let store = EmbeddedStore::open(folder, &settings()).unwrap();
    for (round, numbers) in answered.iter().enumerate() {
        for number in numbers {
            let order = order(round, *number);
            let filed = block_on(store.order(order.bill())).unwrap();
            assert!(
                filed.is_some_and(|filed| filed.receipt.order == order),
                "order {round}-{number} is lost"
            );
        }
    }
    let audit = block_on(store.audit()).unwrap();
    assert!(audit.is_clean(), "{audit:?}");
}
