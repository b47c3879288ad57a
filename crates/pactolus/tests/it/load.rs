//! Load generator that runs until its connections break, with a report of every order sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use pactolus_protocol::ReplyOutcome;
use pactolus_types::Environment;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::gifts::{Gift, Player};
use crate::http::HttpClient;

/// Fewer players than clients, so that clients contend for an account.
pub(crate) const PLAYERS: usize = 5;
const CLIENTS: usize = 16;

/// The orders sent, by outcome.
#[derive(Default)]
pub(crate) struct LoadReport {
    /// The reply was errcode 0.
    pub(crate) acknowledged: Vec<Gift>,
    /// No reply came.
    pub(crate) unanswered: Vec<Gift>,
}

/// Clients that send one gift after another until a reply fails to come.
pub(crate) struct LoadGenerator {
    clients: JoinSet<LoadReport>,
    acknowledged: Arc<Semaphore>,
}

impl LoadGenerator {
    /// Starts the clients. `name` prefixes their bill numbers.
    pub(crate) fn start(http: &HttpClient, name: &str) -> Self {
        let acknowledged = Arc::new(Semaphore::new(0));
        let clients = (0..CLIENTS).map(|client| {
            let prefix = format!("{name}-{client}");
            send_until_unanswered(http.clone(), prefix, client, Arc::clone(&acknowledged))
        });
        Self { clients: clients.collect(), acknowledged }
    }

    /// Waits for `orders` more acknowledged orders.
    pub(crate) async fn wait_acknowledged(&self, orders: u32) {
        self.acknowledged.acquire_many(orders).await.unwrap().forget();
    }

    /// Waits until every client has a request without a reply.
    pub(crate) async fn wait_disconnected(self) -> LoadReport {
        let mut all = LoadReport::default();
        for report in self.clients.join_all().await {
            all.acknowledged.extend(report.acknowledged);
            all.unanswered.extend(report.unanswered);
        }
        all
    }
}

async fn send_until_unanswered(
    http: HttpClient,
    prefix: String,
    client: usize,
    acknowledged: Arc<Semaphore>,
) -> LoadReport {
    let mut report = LoadReport::default();
    for number in 0.. {
        let gift = gift(&prefix, client, number);
        match gift.send(&http).await {
            Ok(ReplyOutcome::Success(reply)) => {
                assert_eq!(reply.bill_no.as_str(), gift.bill_no);
                report.acknowledged.push(gift);
                acknowledged.add_permits(1);
            }
            Ok(ReplyOutcome::Refused(refused)) => panic!("{gift:?} was refused: {refused:?}"),
            Err(_) => {
                report.unanswered.push(gift);
                break;
            }
        }
    }
    report
}

/// Gifts differ in everything, so that a mix-up shows in some sum.
fn gift(prefix: &str, client: usize, number: usize) -> Gift {
    let player = Player((client + number) % PLAYERS);
    let environment = if number.is_multiple_of(3) { Environment::Sandbox } else { Environment::Live };
    let coins = 1 + u64::try_from(number * 7 + client).unwrap() % 1000;
    Gift { environment, player, bill_no: format!("{prefix}-{number}"), coins }
}

/// Expected orders and coins of every account, computed by the test.
#[derive(Default)]
pub(crate) struct ExpectedLedger {
    accounts: BTreeMap<(Environment, Player), ExpectedAccount>,
}

#[derive(Default)]
struct ExpectedAccount {
    coins: u64,
    orders: u64,
}

impl ExpectedLedger {
    pub(crate) fn order_count(&self) -> usize {
        let orders: u64 = self.accounts.values().map(|account| account.orders).sum();
        usize::try_from(orders).unwrap()
    }

    /// Adds orders that are known to be applied.
    pub(crate) fn record(&mut self, gifts: &[Gift]) {
        for gift in gifts {
            let account = self.accounts.entry((gift.environment, gift.player)).or_default();
            account.coins += gift.coins;
            account.orders += 1;
        }
    }

    /// Compares every account with the bank's.
    pub(crate) async fn assert_matches(&self, http: &HttpClient) {
        for ((environment, player), account) in &self.accounts {
            let actual = player.account(*environment, http).await;
            let names = ["balance", "gifted", "presented", "orders"];
            let expected = [account.coins, account.coins, account.coins, account.orders];
            assert_eq!(
                names.map(|name| actual[name].as_u64()),
                expected.map(Some),
                "{environment} {player:?}"
            );
        }
    }
}

/// Sends `gifts` again on concurrent clients. Returns the replies.
pub(crate) async fn resend(
    gifts: &[Gift],
    http: &HttpClient,
) -> Vec<(Gift, ReplyOutcome<pactolus_protocol::PresentReply>)> {
    let mut clients = JoinSet::new();
    for share in gifts.chunks(gifts.len().div_ceil(CLIENTS).max(1)) {
        let (share, http) = (share.to_vec(), http.clone());
        clients.spawn(async move {
            let mut answers = Vec::with_capacity(share.len());
            for gift in share {
                let answer = gift.send(&http).await.unwrap();
                answers.push((gift, answer));
            }
            answers
        });
    }
    clients.join_all().await.concat()
}
