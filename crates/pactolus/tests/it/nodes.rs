//! Four nodes on one PostgreSQL, each a process: clients choose one at random and repeat their gifts at others, and
//! one node is killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pactolus_protocol::ReplyOutcome;
use pactolus_test_postgres::Database;
use pactolus_types::Environment;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::gifts::{Gift, Player};
use crate::http::HttpClient;
use crate::process::{Folder, ServerProcess};

const NODES: usize = 4;
const CLIENTS: usize = 100;
const PLAYERS: usize = 5;

/// A folder whose configuration names the database, as an operator would who keeps the password out of it.
fn folder_on_database(database: &Database) -> Folder {
    let folder = Folder::with_config();
    let config = folder.read("pactolus.toml");
    folder.write("pactolus.toml", &format!("store = {{ file = \"store-url\" }}\n{config}"));
    folder.write("store-url", &format!("{}\n", database.url()));
    folder
}

fn gift(number: usize) -> Gift {
    let environment = Environment::ALL[usize::from(number.is_multiple_of(3))];
    let coins = 1 + u64::try_from(number).unwrap() % 100;
    Gift { environment, player: Player(number % PLAYERS), bill_no: format!("gift-{number}"), coins }
}

/// How often each gift was answered with 0, and which ones somebody was told are there.
#[derive(Default)]
struct ClientReport {
    done: BTreeMap<usize, usize>,
    acknowledged: Vec<usize>,
}

/// What the clients share.
struct SharedWorkload {
    nodes: Vec<HttpClient>,
    next: AtomicUsize,
    /// A permit for each gift that somebody was told is there; closed when it is enough.
    acknowledged: Semaphore,
}

/// Sends gifts until it is enough; each by three clients, mostly at different nodes.
async fn send_gifts(clients: Arc<SharedWorkload>, client: usize) -> ClientReport {
    let SharedWorkload { nodes, next, acknowledged } = &*clients;
    let mut report = ClientReport::default();
    while !acknowledged.is_closed() {
        let step = next.fetch_add(1, Ordering::Relaxed);
        let number = step / 3;
        let node = &nodes[(step * 31 + client * 7) % nodes.len()];
        let gift = gift(number);
        match gift.send(node).await {
            Ok(ReplyOutcome::Success(_)) => *report.done.entry(number).or_default() += 1,
            Ok(answer @ ReplyOutcome::Refused(_)) if gift.is_replayed_by(&answer) => {}
            Ok(ReplyOutcome::Refused(refused)) => {
                assert_eq!(refused.errcode, -1, "{refused:?}");
                continue;
            }
            // The node is gone.
            Err(_) => continue,
        }
        report.acknowledged.push(number);
        acknowledged.add_permits(1);
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_node_loses_no_order() {
    let database = Database::create();
    let folder = folder_on_database(&database);
    // All of them at once: one makes the tables, and the others find them.
    let starting = (0..NODES).map(|_| folder.command(&["serve", "--migrate"]));
    let mut nodes: Vec<ServerProcess> = starting.map(ServerProcess::start).collect();
    for player in 0..PLAYERS {
        // At one node; the others know it.
        Player(player).log_in(&nodes[player % NODES].http).await;
    }

    let shared = Arc::new(SharedWorkload {
        nodes: nodes.iter().map(|node| node.http.clone()).collect(),
        next: AtomicUsize::new(0),
        acknowledged: Semaphore::new(0),
    });
    let clients: JoinSet<ClientReport> =
        (0..CLIENTS).map(|client| send_gifts(Arc::clone(&shared), client)).collect();
    shared.acknowledged.acquire_many(1500).await.unwrap().forget();
    nodes.pop().unwrap().process.kill();
    shared.acknowledged.acquire_many(1500).await.unwrap().forget();
    shared.acknowledged.close();
    let mut done: BTreeMap<usize, usize> = BTreeMap::new();
    let mut acknowledged = Vec::new();
    for told in clients.join_all().await {
        told.done.into_iter().for_each(|(number, times)| *done.entry(number).or_default() += times);
        acknowledged.extend(told.acknowledged);
    }
    assert!(done.values().all(|times| *times == 1), "one 0 for each");

    // At any node that is left: each gift that was acknowledged exists, and the others can be given now.
    let last = acknowledged.iter().max().unwrap() + CLIENTS;
    let mut sums: BTreeMap<(Environment, Player), u64> = BTreeMap::new();
    for number in 0..=last {
        let gift = gift(number);
        let answer = gift.send(&nodes[number % nodes.len()].http).await.unwrap();
        let exists = gift.is_replayed_by(&answer);
        assert!(
            exists || (matches!(answer, ReplyOutcome::Success(_)) && !acknowledged.contains(&number)),
            "{answer:?}"
        );
        *sums.entry((gift.environment, gift.player)).or_default() += gift.coins;
    }
    for ((environment, player), sum) in sums {
        let account = player.account(environment, &nodes[0].http).await;
        assert_eq!(account["balance"], sum, "{environment} {player:?}");
    }
    // A bank on a database may be proved while it is served.
    folder.audit(last + 1);
    for node in nodes {
        assert_eq!(node.stop().code, Some(0));
    }
}

#[tokio::test]
async fn serve_requires_migrated_tables() {
    let database = Database::create();
    let folder = folder_on_database(&database);
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("`pactolus migrate`"), "{}", ended.stderr);

    let ended = folder.run(&["migrate"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert!(ended.stdout.ends_with(" now has version 1 of the tables\n"), "{}", ended.stdout);
    let ended = folder.run(&["migrate"]);
    assert!(ended.stdout.ends_with(" has version 1 of the tables already\n"), "{}", ended.stdout);
    folder.audit(0);

    let ended = folder.run(&["migrate", "--store", "embedded:data"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "embedded:data needs no tables\n"));
}

#[test]
fn a_password_is_never_shown() {
    let folder = Folder::with_config();
    let cases: [(&[&str], i32); 3] = [
        (&["audit", "--store", "postgres://bank:s3cret@127.0.0.1:1/coins"], 4),
        (&["audit", "--store", "postgres://bank:s3cret@127.0.0.1:port/coins"], 2),
        (&["migrate", "--store", "postgres://bank:s3cret@/coins"], 2),
    ];
    for (arguments, code) in cases {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(!format!("{ended:?}").contains("s3cret"), "{}", ended.stderr);
    }
}
