//! A worker: one connection, its own players, and one call in flight, retried until it is answered.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use pactolus_protocol::reply::{ApiError, parse_reply};
use pactolus_protocol::{
    AccessToken, Call, CancelPay, ErrorCode, GetBalance, Pay, Present, ReplyOutcome, SessionKey, TokenReply,
};
use pactolus_types::OpenId;
use serde::Deserialize;
use tokio::sync::watch;

use super::calls::{self, GameClient, OpKind, PlayerSession, WorkItem, pushed_openid, uses_pushed_login};
use super::connection::{ApiRequest, ApiResponse, CallFailure, Connection};
use super::load::LoadState;
use super::reconcile::{OrderStatus, SoakOrder, SoakOrderKind, WorkerId, WorkerOrders};

/// Delay before a retry.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Newest pays that a worker remembers, to cancel them.
const CANCELLABLE_PAYS_MAX: usize = 64;

/// Calls of a connection before it is reopened: at least so many, and a random number of extra ones.
const CONNECTION_CALLS_MIN: u64 = 500;
const CONNECTION_CALLS_EXTRA: u64 = 1000;

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

/// Answer to a signed call.
enum ParsedReply {
    Done,
    Refused(ApiError),
    /// Not a valid answer to this call; with its HTTP status.
    Malformed(u16),
}

/// The field that every answer of the game's routes has.
#[derive(Deserialize)]
struct ErrcodeBody {
    #[serde(default)]
    errcode: i32,
}

/// Answer to a login with a `js_code`.
#[derive(Deserialize)]
struct LoginBody {
    openid: String,
    session_key: String,
}

/// Fetches the first access token.
pub(super) async fn fetch_token(game: &GameClient, address: SocketAddr) -> anyhow::Result<AccessToken> {
    let mut connection =
        Connection::open(address).await.map_err(|_| anyhow::anyhow!("the bank accepts no connection"))?;
    let answered = connection.exchange(game.token()).await;
    let answered =
        answered.map_err(|trouble| anyhow::anyhow!("the bank gave no token: {}", trouble.name()))?;
    match TokenReply::parse(&answered.body)? {
        ReplyOutcome::Success(reply) => Ok(reply.access_token),
        ReplyOutcome::Refused(refused) => bail!("the bank refused a token: {}", refused.errmsg),
    }
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

    async fn new_order(&mut self, sent: &SoakOrder, player: &PlayerSession) -> anyhow::Result<OpKind> {
        let number = self.orders.statuses.len();
        self.orders.statuses.push(OrderStatus::Pending);
        let kind = if sent.kind == SoakOrderKind::Pay { OpKind::Pay } else { OpKind::Present };
        let answered = self
            .call_until_answered(kind, |worker| worker.game().order(sent, player, &worker.load.token()))
            .await?;
        let reply = match sent.kind {
            SoakOrderKind::Present => {
                parse_signed_reply::<Present>(&answered, |reply| reply.bill_no == sent.bill_no)
            }
            SoakOrderKind::Pay => parse_signed_reply::<Pay>(&answered, |reply| reply.bill_no == sent.bill_no),
        };
        let status = match reply {
            ParsedReply::Done => OrderStatus::Applied,
            // A replay answers a retry after the first answer was lost.
            ParsedReply::Refused(refused) if is_replay(&refused, sent) => OrderStatus::Applied,
            ParsedReply::Refused(refused) if refused.code() == Some(ErrorCode::BalanceNotEnough) => {
                OrderStatus::Refused
            }
            other => {
                self.report_unexpected(kind, &other);
                OrderStatus::Pending
            }
        };
        self.orders.statuses[number] = status;
        let is_applied = status == OrderStatus::Applied;
        if is_applied && sent.kind == SoakOrderKind::Pay {
            self.cancellable_pays.push_back(number);
            if self.cancellable_pays.len() > CANCELLABLE_PAYS_MAX {
                self.cancellable_pays.pop_front();
            }
        }
        Ok(kind)
    }

    async fn cancel_pay(&mut self, number: usize) -> anyhow::Result<OpKind> {
        let sent = self.load.plan.order(self.number, number);
        let player = self.player_for(&sent);
        let kind = OpKind::CancelPay;
        let cancel = |worker: &Self| worker.game().cancel(sent.bill_no, &player, &worker.load.token());
        let answered = self.call_until_answered(kind, cancel).await?;
        match parse_signed_reply::<CancelPay>(&answered, |reply| reply.bill_no == sent.bill_no) {
            ParsedReply::Done => self.orders.statuses[number] = OrderStatus::Cancelled,
            // No other call cancels this pay, so an earlier attempt did, and its answer was lost.
            ParsedReply::Refused(refused) if refused.code() == Some(ErrorCode::OrderCanceled) => {
                self.orders.statuses[number] = OrderStatus::Cancelled;
            }
            other => self.report_unexpected(kind, &other),
        }
        Ok(kind)
    }

    /// Retries an order that the bank has acknowledged.
    async fn replay_order(&mut self, number: usize) -> anyhow::Result<OpKind> {
        let sent = self.load.plan.order(self.number, number);
        let player = self.player_for(&sent);
        let kind = OpKind::Repeat;
        let answered = self
            .call_until_answered(kind, |worker| worker.game().order(&sent, &player, &worker.load.token()))
            .await?;
        let reply = match sent.kind {
            SoakOrderKind::Present => parse_signed_reply::<Present>(&answered, |_| true),
            SoakOrderKind::Pay => parse_signed_reply::<Pay>(&answered, |_| true),
        };
        match reply {
            ParsedReply::Refused(refused) if is_replay(&refused, &sent) => {}
            other => self.report_unexpected(kind, &other),
        }
        Ok(kind)
    }

    async fn get_balance(&mut self, player: &PlayerSession) -> anyhow::Result<OpKind> {
        let kind = OpKind::GetBalance;
        let answered = self
            .call_until_answered(kind, |worker| worker.game().balance(player, &worker.load.token()))
            .await?;
        match parse_signed_reply::<GetBalance>(&answered, |reply| reply.balance <= reply.save_sum) {
            ParsedReply::Done => {}
            other => self.report_unexpected(kind, &other),
        }
        Ok(kind)
    }

    async fn send_wrong_signature(&mut self, sent: &SoakOrder, player: &PlayerSession) -> anyhow::Result<()> {
        let kind = OpKind::WrongSignature;
        let answered = self
            .call_until_answered(kind, |worker| {
                worker.game().wrong_signature(sent, player, &worker.load.token())
            })
            .await?;
        match parse_signed_reply::<Present>(&answered, |_| true) {
            ParsedReply::Refused(refused) if refused.code() == Some(ErrorCode::SigError) => {
                self.last_rid = refused.errmsg.rsplit_once(" rid: ").map(|(_, rid)| rid.to_owned());
            }
            other => self.report_unexpected(kind, &other),
        }
        Ok(())
    }

    /// Asks for the diagnosis of a refused call. A restart or many later refusals evict it.
    async fn explain_rejection(&mut self, rid: &str) -> anyhow::Result<()> {
        self.expect_status(OpKind::Explain, &[200, 404], |_| calls::explain(rid)).await
    }

    async fn look_up_order(&mut self, number: usize) -> anyhow::Result<()> {
        let sent = self.load.plan.order(self.number, number);
        let answered = self.call_until_answered(OpKind::Order, |_| calls::look_up(&sent)).await?;
        let filed: serde_json::Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let is_cancelled = self.orders.statuses[number] == OrderStatus::Cancelled;
        if filed["receipt"]["coins"] != sent.coins.get() || filed["cancel"].is_null() == is_cancelled {
            self.load.record_unexpected(OpKind::Order, &String::from_utf8_lossy(&answered.body));
        }
        Ok(())
    }

    async fn log_in(&mut self, number: u64) -> anyhow::Result<OpKind> {
        let (kind, player) = if uses_pushed_login(number) {
            let drawn = u128::from(self.draw(DRAW_SESSION_KEY)) << 64 | u128::from(number);
            let key = SessionKey::from_bytes(&drawn.to_le_bytes());
            let openid = pushed_openid(number);
            let kind = OpKind::PushSession;
            self.expect_status(kind, &[200], |_| calls::push_session(openid, &key)).await?;
            (kind, PlayerSession { number, openid, key })
        } else {
            let kind = OpKind::Login;
            let answered = self.call_until_answered(kind, |worker| worker.game().login(number)).await?;
            let login: Option<LoginBody> = serde_json::from_slice(&answered.body).ok();
            let read = |login: LoginBody| {
                let (openid, key) =
                    (OpenId::new(&login.openid).ok()?, SessionKey::new(&login.session_key).ok()?);
                Some(PlayerSession { number, openid, key })
            };
            let Some(player) = login.and_then(read) else {
                self.load.record_unexpected(kind, "no session");
                return Ok(kind);
            };
            (kind, player)
        };
        self.players.insert(number, player);
        Ok(kind)
    }

    async fn refresh_token(
        &mut self,
        kind: OpKind,
        make: impl Fn(&Self) -> ApiRequest,
    ) -> anyhow::Result<()> {
        let answered = self.call_until_answered(kind, make).await?;
        match TokenReply::parse(&answered.body) {
            Ok(ReplyOutcome::Success(reply)) => self.load.set_token(reply.access_token),
            Ok(ReplyOutcome::Refused(refused)) => {
                self.report_unexpected(kind, &ParsedReply::Refused(refused));
            }
            Err(_) => self.report_unexpected(kind, &ParsedReply::Malformed(answered.status)),
        }
        Ok(())
    }

    async fn expect_status(
        &mut self,
        kind: OpKind,
        statuses: &[u16],
        make: impl Fn(&Self) -> ApiRequest,
    ) -> anyhow::Result<()> {
        let answered = self.call_until_answered(kind, make).await?;
        if !statuses.contains(&answered.status) {
            self.load.record_unexpected(kind, &format!("status {}", answered.status));
        }
        Ok(())
    }

    fn expect_code(&self, kind: OpKind, answered: &ApiResponse, expected: i32) {
        let code = serde_json::from_slice(&answered.body).map(|ErrcodeBody { errcode }| errcode).ok();
        if code != Some(expected) {
            self.load.record_unexpected(kind, &format!("errcode {code:?}"));
        }
    }

    fn report_unexpected(&self, kind: OpKind, reply: &ParsedReply) {
        let words = match reply {
            ParsedReply::Done => "success".to_owned(),
            ParsedReply::Refused(refused) => format!("errcode {}: {}", refused.errcode, refused.errmsg),
            ParsedReply::Malformed(status) => format!("a malformed answer with status {status}"),
        };
        self.load.record_unexpected(kind, &words);
    }

    /// A random acknowledged order of any age.
    fn pick_old_order(&self) -> Option<usize> {
        let count = self.orders.statuses.len() as u64;
        let number = usize::try_from(self.draw(DRAW_OLD_ORDER).checked_rem(count)?).ok()?;
        matches!(self.orders.statuses[number], OrderStatus::Applied | OrderStatus::Cancelled)
            .then_some(number)
    }

    fn player_for(&self, sent: &SoakOrder) -> PlayerSession {
        self.players.get(&sent.player).cloned().expect("the player of an order has logged in")
    }

    fn draw(&self, what: u64) -> u64 {
        self.load.plan.draw(self.number, self.turns, what)
    }

    fn game(&self) -> &GameClient {
        &self.load.game
    }

    /// Retries until there is an answer, signed again for each attempt, with the same bill number.
    async fn call_until_answered(
        &mut self,
        kind: OpKind,
        make: impl Fn(&Self) -> ApiRequest,
    ) -> anyhow::Result<ApiResponse> {
        let begun = Instant::now();
        loop {
            let failure = match self.attempt(make(self)).await? {
                Ok(answered) if is_busy(&answered) => CallFailure::Busy,
                Ok(answered) => return Ok(answered),
                Err(trouble) => trouble,
            };
            self.load.record_failure(failure);
            if begun.elapsed() > CALL_DEADLINE {
                bail!(
                    "no answer to a {} for {CALL_DEADLINE:?}, the last failure: {}",
                    kind.name(),
                    failure.name()
                );
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    async fn attempt(&mut self, request: ApiRequest) -> anyhow::Result<Result<ApiResponse, CallFailure>> {
        if self.calls_left == 0 {
            self.connection = None;
            self.calls_left = CONNECTION_CALLS_MIN + self.draw(DRAW_CONNECTION) % CONNECTION_CALLS_EXTRA;
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(self.wait_for_bank_address().await?).await {
                Ok(connection) => connection,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        self.calls_left = self.calls_left.saturating_sub(1);
        let answered = connection.exchange(request).await;
        if answered.is_ok() {
            self.connection = Some(connection);
        }
        Ok(answered)
    }

    /// Waits while the bank is down, as a game's back end does. This is not a failure.
    async fn wait_for_bank_address(&mut self) -> anyhow::Result<SocketAddr> {
        let address = *self.bank_address.wait_for(Option::is_some).await.context("the soak has ended")?;
        address.context("it was just there")
    }
}

/// A call without an answer for this long ends the soak.
const CALL_DEADLINE: Duration = Duration::from_secs(120);

fn parse_signed_reply<C: Call>(answered: &ApiResponse, is_right: impl Fn(&C::Reply) -> bool) -> ParsedReply {
    match parse_reply::<C>(&answered.body) {
        Ok(ReplyOutcome::Refused(refused)) => ParsedReply::Refused(refused),
        Ok(ReplyOutcome::Success(reply)) if is_right(&reply) => ParsedReply::Done,
        Ok(ReplyOutcome::Success(_)) | Err(_) => ParsedReply::Malformed(answered.status),
    }
}

fn is_busy(answered: &ApiResponse) -> bool {
    let code = serde_json::from_slice(&answered.body).map(|ErrcodeBody { errcode }| errcode);
    answered.status == 503 || code.is_ok_and(|code| code == ErrorCode::SystemError.code())
}

/// Whether the refusal says that the bank has this very order.
fn is_replay(refused: &ApiError, sent: &SoakOrder) -> bool {
    let existing = refused.existing.as_ref().is_some_and(|order| order.bill_no == sent.bill_no);
    refused.code() == Some(ErrorCode::OrderExist) && existing
}
