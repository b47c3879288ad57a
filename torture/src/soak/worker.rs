//! A worker: one connection, its own players, and one call in flight, retried until it is answered.
//!
//! Read next: `worker/orders.rs`, its orders; `worker/attempts.rs`, the retries.

mod attempts;
mod logins;
mod orders;
mod replies;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use pactolus_types::OpenId;
use tokio::sync::watch;

pub(super) use self::logins::fetch_token;
use super::calls::{self, GameClient, OpKind, PlayerSession, WorkItem, uses_pushed_login};
use super::connection::Connection;
use super::load::LoadState;
use super::reconcile::{WorkerId, WorkerOrders};

/// Purposes of a turn's random draws.
const DRAW_WORK_ITEM: u64 = 1;
const DRAW_PLAYER: u64 = 2;
const DRAW_OLD_ORDER: u64 = 3;
const DRAW_CONNECTION: u64 = 4;
const DRAW_SESSION_KEY: u64 = 5;

pub(super) struct Worker {
    number: WorkerId,
    load: Arc<LoadState>,
    bank_address: watch::Receiver<Option<SocketAddr>>,
    connection: Option<Connection>,
    calls_left: u64,
    players: HashMap<u64, PlayerSession>,
    orders: WorkerOrders,
    cancellable_pays: VecDeque<usize>,
    /// Request id of the newest refusal.
    last_rid: Option<String>,
    /// Turns taken.
    turns: u64,
}

/// Final state of a worker.
pub(super) struct WorkerResult {
    pub(super) ledger: WorkerOrders,
    /// Players who log in with a `js_code`, by the openid that the bank assigned.
    pub(super) players: Vec<(OpenId, u64)>,
}

impl Worker {
    pub(super) fn new(
        number: WorkerId,
        shared: Arc<LoadState>,
        bank: watch::Receiver<Option<SocketAddr>>,
    ) -> Self {
        Self {
            number,
            load: shared,
            bank_address: bank,
            connection: None,
            calls_left: 0,
            players: HashMap::new(),
            orders: WorkerOrders::default(),
            cancellable_pays: VecDeque::new(),
            last_rid: None,
            turns: 0,
        }
    }

    /// Takes turns until there are no more.
    pub(super) async fn run(mut self) -> anyhow::Result<WorkerResult> {
        let shared = Arc::clone(&self.load);
        while let Some((_, due)) = shared.next_turn().await {
            self.turns += 1;
            let kind = self.run_item(WorkItem::pick(self.draw(DRAW_WORK_ITEM))).await?;
            shared.record_answer(kind, due);
        }
        let by_code = self.players.values().filter(|player| !uses_pushed_login(player.number));
        let players = by_code.map(|player| (player.openid, player.number)).collect();
        Ok(WorkerResult { ledger: self.orders, players })
    }

    /// Does a turn's item, or a call that has to come first, such as a login. Returns the kind of the call made.
    async fn run_item(&mut self, turn: WorkItem) -> anyhow::Result<OpKind> {
        let next = self.load.plan.order(self.number, self.orders.statuses.len());
        let drawn = self.load.plan.player(self.number, self.draw(DRAW_PLAYER));
        let number = if turn == WorkItem::NewOrder { next.player } else { drawn };
        let Some(player) = self.players.get(&number).cloned() else { return self.log_in(number).await };
        let kind = match turn {
            WorkItem::NewOrder => return self.new_order(&next, &player).await,
            WorkItem::Other(OpKind::Login | OpKind::PushSession) => return self.log_in(number).await,
            // Only worker 0 fetches tokens; the others share its token.
            WorkItem::Other(OpKind::Token | OpKind::StableToken) if self.number != 0 => OpKind::GetBalance,
            WorkItem::Other(kind) => kind,
        };
        match kind {
            OpKind::CancelPay => match self.cancellable_pays.pop_front() {
                Some(number) => return self.cancel_pay(number).await,
                None => return self.get_balance(&player).await,
            },
            OpKind::Repeat => match self.pick_old_order() {
                Some(number) => return self.replay_order(number).await,
                None => return self.get_balance(&player).await,
            },
            OpKind::Order => match self.pick_old_order() {
                Some(number) => self.look_up_order(number).await?,
                None => return self.get_balance(&player).await,
            },
            OpKind::Explain => match self.last_rid.take() {
                Some(rid) => self.explain_rejection(&rid).await?,
                None => return self.get_balance(&player).await,
            },
            OpKind::WrongSignature => self.send_wrong_signature(&next, &player).await?,
            OpKind::Statement => self.expect_status(kind, &[200], |_| calls::statement(&player)).await?,
            OpKind::Totals => self.expect_status(kind, &[200], |worker| worker.game().totals()).await?,
            OpKind::CheckSession => {
                let answered = self
                    .call_until_answered(kind, |lane| calls::check_session(&player, &lane.load.token()))
                    .await?;
                self.expect_code(kind, &answered, 0);
            }
            OpKind::Token => self.refresh_token(kind, |lane| lane.game().token()).await?,
            OpKind::StableToken => self.refresh_token(kind, |lane| lane.game().stable_token()).await?,
            OpKind::GetBalance | OpKind::Present | OpKind::Pay | OpKind::Login | OpKind::PushSession => {
                return self.get_balance(&player).await;
            }
        }
        Ok(kind)
    }

    fn draw(&self, what: u64) -> u64 {
        self.load.plan.draw(self.number, self.turns, what)
    }

    fn game(&self) -> &GameClient {
        &self.load.game
    }
}
