//! Four nodes on one PostgreSQL database, each a process. Clients spread their gifts and replays over the nodes, and
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

/// A folder whose configuration reads the database's URL from a file, as an operator hides its password.
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

/// How often each gift succeeded, and the gifts that were acknowledged (by success or replay).
#[derive(Default)]
struct ClientReport {
    done: BTreeMap<usize, usize>,
    acknowledged: Vec<usize>,
}

/// State shared by the clients.
struct SharedWorkload {
    nodes: Vec<HttpClient>,
    next: AtomicUsize,
    /// One permit for each acknowledgement. Closed to stop the clients.
    acknowledged: Semaphore,
}

/// Sends gifts until the clients are stopped. Three clients send each gift, mostly to different nodes.
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
            // The node was killed.
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
    // All nodes start concurrently: one creates the tables, the others find them.
    let starting = (0..NODES).map(|_| folder.command(&["serve", "--migrate"]));
    let mut nodes: Vec<ServerProcess> = starting.map(ServerProcess::start).collect();
    for player in 0..PLAYERS {
        // Each login goes to one node only; the others must accept it.
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
    for report in clients.join_all().await {
        report.done.into_iter().for_each(|(number, times)| *done.entry(number).or_default() += times);
        acknowledged.extend(report.acknowledged);
    }
    assert!(done.values().all(|times| *times == 1), "each gift succeeds once");

    // On every node that is left, an acknowledged gift is a replay. Any other gift is a replay or succeeds now.
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
    // A bank on a database can be audited while it is served.
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
    assert!(ended.stdout.ends_with(" is now at schema version 3\n"), "{}", ended.stdout);
    let ended = folder.run(&["migrate"]);
    assert!(ended.stdout.ends_with(" is already at schema version 3\n"), "{}", ended.stdout);
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
