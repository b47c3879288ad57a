//! A lane: one connection, players of its own, and one call at a time, asked until it is answered.

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

use super::calls::{self, Game, Kind, Player, Turn, is_pushed, pushed_openid};
use super::connection::{Answered, Connection, Request, Trouble};
use super::load::Shared;
use super::reconcile::{Does, Fate, LaneBooks, LaneNo, Sent};

/// How long a lane waits before it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// How many of its newest pays a lane remembers, to cancel them.
const PAYS_KEPT: usize = 64;

/// How many calls a connection carries at least and how many more at most.
const CALLS_MIN: u64 = 500;
const CALLS_MORE: u64 = 1000;

/// What the choices of a turn are drawn for.
const FOR_TURN: u64 = 1;
const FOR_PLAYER: u64 = 2;
const FOR_OLD_ORDER: u64 = 3;
const FOR_CONNECTION: u64 = 4;
const FOR_KEY: u64 = 5;

/// A lane.
pub(super) struct Lane {
    number: LaneNo,
    shared: Arc<Shared>,
    bank: watch::Receiver<Option<SocketAddr>>,
    connection: Option<Connection>,
    calls_left: u64,
    players: HashMap<u64, Player>,
    books: LaneBooks,
    pays: VecDeque<usize>,
    /// The id of the newest refusal.
    rid: Option<String>,
    /// How many turns it had.
    turns: u64,
}

/// What a lane leaves.
pub(super) struct Ended {
    pub(super) books: LaneBooks,
    /// Players who log in by a code, by the id that the bank gave them.
    pub(super) players: Vec<(OpenId, u64)>,
}

/// What an answer to a signed call says.
enum Said {
    Done,
    Refused(ApiError),
    /// Nothing that can be an answer to this call; with its status.
    Nonsense(u16),
}

/// A part of an answer that every route of the game's has.
#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    errcode: i32,
}

/// What a login by a code answers.
#[derive(Deserialize)]
struct LoggedIn {
    openid: String,
    session_key: String,
}

/// The token that a game has before its first call.
pub(super) async fn first_token(game: &Game, address: SocketAddr) -> anyhow::Result<AccessToken> {
    let mut connection =
        Connection::open(address).await.map_err(|_| anyhow::anyhow!("the bank takes nothing"))?;
    let answered = connection.exchange(game.token()).await;
    let answered =
        answered.map_err(|trouble| anyhow::anyhow!("the bank gave no token: {}", trouble.name()))?;
    match TokenReply::parse(&answered.body)? {
        ReplyOutcome::Success(reply) => Ok(reply.access_token),
        ReplyOutcome::Refused(refused) => bail!("the bank refused a token: {}", refused.errmsg),
    }
}

impl Lane {
    pub(super) fn new(
        number: LaneNo,
        shared: Arc<Shared>,
        bank: watch::Receiver<Option<SocketAddr>>,
    ) -> Self {
        Self {
            number,
            shared,
            bank,
            connection: None,
            calls_left: 0,
            players: HashMap::new(),
            books: LaneBooks::default(),
            pays: VecDeque::new(),
            rid: None,
            turns: 0,
        }
    }

    /// Takes turns until there are no more.
    pub(super) async fn run(mut self) -> anyhow::Result<Ended> {
        let shared = Arc::clone(&self.shared);
        while let Some((_, due)) = shared.turn().await {
            self.turns += 1;
            let kind = self.take(Turn::of(self.draw(FOR_TURN))).await?;
            shared.answered(kind, due);
        }
        let by_code = self.players.values().filter(|player| !is_pushed(player.number));
        let players = by_code.map(|player| (player.openid, player.number)).collect();
        Ok(Ended { books: self.books, players })
    }

    /// Does what a turn is for, or something that has to be done before; tells which.
    async fn take(&mut self, turn: Turn) -> anyhow::Result<Kind> {
        let next = self.shared.plan.order(self.number, self.books.fates.len());
        let drawn = self.shared.plan.player(self.number, self.draw(FOR_PLAYER));
        let number = if turn == Turn::NewOrder { next.player } else { drawn };
        let Some(player) = self.players.get(&number).cloned() else { return self.log_in(number).await };
        let kind = match turn {
            Turn::NewOrder => return self.new_order(&next, &player).await,
            Turn::Other(Kind::Login | Kind::PushSession) => return self.log_in(number).await,
            // The other lanes have the token from this one.
            Turn::Other(Kind::Token | Kind::StableToken) if self.number != 0 => Kind::GetBalance,
            Turn::Other(kind) => kind,
        };
        match kind {
            Kind::CancelPay => match self.pays.pop_front() {
                Some(number) => return self.cancel(number).await,
                None => return self.balance(&player).await,
            },
            Kind::Repeat => match self.old_order() {
                Some(number) => return self.repeat(number).await,
                None => return self.balance(&player).await,
            },
            Kind::Order => match self.old_order() {
                Some(number) => self.look_up(number).await?,
                None => return self.balance(&player).await,
            },
            Kind::Explain => match self.rid.take() {
                Some(rid) => self.explain(&rid).await?,
                None => return self.balance(&player).await,
            },
            Kind::WrongSignature => self.wrong(&next, &player).await?,
            Kind::Statement => self.expect_status(kind, &[200], |_| calls::statement(&player)).await?,
            Kind::Totals => self.expect_status(kind, &[200], |lane| lane.game().totals()).await?,
            Kind::CheckSession => {
                let answered =
                    self.ask(kind, |lane| calls::check_session(&player, &lane.shared.token())).await?;
                self.expect_code(kind, &answered, 0);
            }
            Kind::Token => self.ask_token(kind, |lane| lane.game().token()).await?,
            Kind::StableToken => self.ask_token(kind, |lane| lane.game().stable_token()).await?,
            Kind::GetBalance | Kind::Present | Kind::Pay | Kind::Login | Kind::PushSession => {
                return self.balance(&player).await;
            }
        }
        Ok(kind)
    }

    async fn new_order(&mut self, sent: &Sent, player: &Player) -> anyhow::Result<Kind> {
        let number = self.books.fates.len();
        self.books.fates.push(Fate::Open);
        let kind = if sent.does == Does::Pay { Kind::Pay } else { Kind::Present };
        let answered = self.ask(kind, |lane| lane.game().order(sent, player, &lane.shared.token())).await?;
        let said = match sent.does {
            Does::Present => said::<Present>(&answered, |reply| reply.bill_no == sent.bill_no),
            Does::Pay => said::<Pay>(&answered, |reply| reply.bill_no == sent.bill_no),
        };
        let fate = match said {
            Said::Done => Fate::Applied,
            // It answers a call that was asked again after its first answer was lost.
            Said::Refused(refused) if is_replay(&refused, sent) => Fate::Applied,
            Said::Refused(refused) if refused.code() == Some(ErrorCode::BalanceNotEnough) => Fate::Refused,
            other => {
                self.surprise(kind, &other);
                Fate::Open
            }
        };
        self.books.fates[number] = fate;
        let is_applied = fate == Fate::Applied;
        if is_applied && sent.does == Does::Pay {
            self.pays.push_back(number);
            if self.pays.len() > PAYS_KEPT {
                self.pays.pop_front();
            }
        }
        Ok(kind)
    }

    async fn cancel(&mut self, number: usize) -> anyhow::Result<Kind> {
        let sent = self.shared.plan.order(self.number, number);
        let player = self.player_of(&sent);
        let kind = Kind::CancelPay;
        let cancel = |lane: &Self| lane.game().cancel(sent.bill_no, &player, &lane.shared.token());
        let answered = self.ask(kind, cancel).await?;
        match said::<CancelPay>(&answered, |reply| reply.bill_no == sent.bill_no) {
            Said::Done => self.books.fates[number] = Fate::Cancelled,
            // No other call cancels it, so it was this one, when its answer was lost.
            Said::Refused(refused) if refused.code() == Some(ErrorCode::OrderCanceled) => {
                self.books.fates[number] = Fate::Cancelled;
            }
            other => self.surprise(kind, &other),
        }
        Ok(kind)
    }

    /// Sends an order again that is known to be there.
    async fn repeat(&mut self, number: usize) -> anyhow::Result<Kind> {
        let sent = self.shared.plan.order(self.number, number);
        let player = self.player_of(&sent);
        let kind = Kind::Repeat;
        let answered = self.ask(kind, |lane| lane.game().order(&sent, &player, &lane.shared.token())).await?;
        let said = match sent.does {
            Does::Present => said::<Present>(&answered, |_| true),
            Does::Pay => said::<Pay>(&answered, |_| true),
        };
        match said {
            Said::Refused(refused) if is_replay(&refused, &sent) => {}
            other => self.surprise(kind, &other),
        }
        Ok(kind)
    }

    async fn balance(&mut self, player: &Player) -> anyhow::Result<Kind> {
        let kind = Kind::GetBalance;
        let answered = self.ask(kind, |lane| lane.game().balance(player, &lane.shared.token())).await?;
        match said::<GetBalance>(&answered, |reply| reply.balance <= reply.save_sum) {
            Said::Done => {}
            other => self.surprise(kind, &other),
        }
        Ok(kind)
    }

    async fn wrong(&mut self, sent: &Sent, player: &Player) -> anyhow::Result<()> {
        let kind = Kind::WrongSignature;
        let answered = self.ask(kind, |lane| lane.game().wrong(sent, player, &lane.shared.token())).await?;
        match said::<Present>(&answered, |_| true) {
            Said::Refused(refused) if refused.code() == Some(ErrorCode::SigError) => {
                self.rid = refused.errmsg.rsplit_once(" rid: ").map(|(_, rid)| rid.to_owned());
            }
            other => self.surprise(kind, &other),
        }
        Ok(())
    }

    /// Asks why a call was refused. The bank forgets that when it is started again, or when many others were refused.
    async fn explain(&mut self, rid: &str) -> anyhow::Result<()> {
        self.expect_status(Kind::Explain, &[200, 404], |_| calls::explain(rid)).await
    }

    async fn look_up(&mut self, number: usize) -> anyhow::Result<()> {
        let sent = self.shared.plan.order(self.number, number);
        let answered = self.ask(Kind::Order, |_| calls::look_up(&sent)).await?;
        let filed: serde_json::Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let is_cancelled = self.books.fates[number] == Fate::Cancelled;
        if filed["receipt"]["coins"] != sent.coins.get() || filed["cancel"].is_null() == is_cancelled {
            self.shared.unexpected(Kind::Order, &String::from_utf8_lossy(&answered.body));
        }
        Ok(())
    }

    async fn log_in(&mut self, number: u64) -> anyhow::Result<Kind> {
        let (kind, player) = if is_pushed(number) {
            let drawn = u128::from(self.draw(FOR_KEY)) << 64 | u128::from(number);
            let key = SessionKey::from_bytes(&drawn.to_le_bytes());
            let openid = pushed_openid(number);
            let kind = Kind::PushSession;
            self.expect_status(kind, &[200], |_| calls::push_session(openid, &key)).await?;
            (kind, Player { number, openid, key })
        } else {
            let kind = Kind::Login;
            let answered = self.ask(kind, |lane| lane.game().login(number)).await?;
            let told: Option<LoggedIn> = serde_json::from_slice(&answered.body).ok();
            let read = |told: LoggedIn| {
                let (openid, key) =
                    (OpenId::new(&told.openid).ok()?, SessionKey::new(&told.session_key).ok()?);
                Some(Player { number, openid, key })
            };
            let Some(player) = told.and_then(read) else {
                self.shared.unexpected(kind, "no session");
                return Ok(kind);
            };
            (kind, player)
        };
        self.players.insert(number, player);
        Ok(kind)
    }

    async fn ask_token(&mut self, kind: Kind, make: impl Fn(&Self) -> Request) -> anyhow::Result<()> {
        let answered = self.ask(kind, make).await?;
        match TokenReply::parse(&answered.body) {
            Ok(ReplyOutcome::Success(reply)) => self.shared.set_token(reply.access_token),
            Ok(ReplyOutcome::Refused(refused)) => self.surprise(kind, &Said::Refused(refused)),
            Err(_) => self.surprise(kind, &Said::Nonsense(answered.status)),
        }
        Ok(())
    }

    async fn expect_status(
        &mut self,
        kind: Kind,
        statuses: &[u16],
        make: impl Fn(&Self) -> Request,
    ) -> anyhow::Result<()> {
        let answered = self.ask(kind, make).await?;
        if !statuses.contains(&answered.status) {
            self.shared.unexpected(kind, &format!("status {}", answered.status));
        }
        Ok(())
    }

    fn expect_code(&self, kind: Kind, answered: &Answered, expected: i32) {
        let code = serde_json::from_slice(&answered.body).map(|Code { errcode }| errcode).ok();
        if code != Some(expected) {
            self.shared.unexpected(kind, &format!("errcode {code:?}"));
        }
    }

    fn surprise(&self, kind: Kind, said: &Said) {
        let words = match said {
            Said::Done => "it was done".to_owned(),
            Said::Refused(refused) => format!("errcode {}: {}", refused.errcode, refused.errmsg),
            Said::Nonsense(status) => format!("an answer with status {status} that is none"),
        };
        self.shared.unexpected(kind, &words);
    }

    /// An order of any age that the bank has.
    fn old_order(&self) -> Option<usize> {
        let count = self.books.fates.len() as u64;
        let number = usize::try_from(self.draw(FOR_OLD_ORDER).checked_rem(count)?).ok()?;
        matches!(self.books.fates[number], Fate::Applied | Fate::Cancelled).then_some(number)
    }

    fn player_of(&self, sent: &Sent) -> Player {
        self.players.get(&sent.player).cloned().expect("whoever has an order was logged in")
    }

    fn draw(&self, what: u64) -> u64 {
        self.shared.plan.draw(self.number, self.turns, what)
    }

    fn game(&self) -> &Game {
        &self.shared.game
    }

    /// Asks until there is an answer, signed anew each time, under the same bill number.
    async fn ask(&mut self, kind: Kind, make: impl Fn(&Self) -> Request) -> anyhow::Result<Answered> {
        let begun = Instant::now();
        loop {
            let trouble = match self.try_once(make(self)).await? {
                Ok(answered) if is_busy(&answered) => Trouble::Busy,
                Ok(answered) => return Ok(answered),
                Err(trouble) => trouble,
            };
            self.shared.troubled(trouble);
            if begun.elapsed() > GIVE_UP {
                bail!("no answer to a {} for {GIVE_UP:?}, the last time: {}", kind.name(), trouble.name());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_once(&mut self, request: Request) -> anyhow::Result<Result<Answered, Trouble>> {
        if self.calls_left == 0 {
            self.connection = None;
            self.calls_left = CALLS_MIN + self.draw(FOR_CONNECTION) % CALLS_MORE;
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(self.bank_is_at().await?).await {
                Ok(connection) => connection,
                Err(trouble) => return Ok(Err(trouble)),
            },
        };
        self.calls_left = self.calls_left.saturating_sub(1);
        let answered = connection.exchange(request).await;
        if answered.is_ok() {
            self.connection = Some(connection);
        }
        Ok(answered)
    }

    /// A bank that is down is no trouble: back ends wait for it.
    async fn bank_is_at(&mut self) -> anyhow::Result<SocketAddr> {
        let address = *self.bank.wait_for(Option::is_some).await.context("the soak has ended")?;
        address.context("it was just there")
    }
}

/// When a call that is not answered ends the soak.
const GIVE_UP: Duration = Duration::from_secs(120);

fn said<C: Call>(answered: &Answered, is_right: impl Fn(&C::Reply) -> bool) -> Said {
    match parse_reply::<C>(&answered.body) {
        Ok(ReplyOutcome::Refused(refused)) => Said::Refused(refused),
        Ok(ReplyOutcome::Success(reply)) if is_right(&reply) => Said::Done,
        Ok(ReplyOutcome::Success(_)) | Err(_) => Said::Nonsense(answered.status),
    }
}

fn is_busy(answered: &Answered) -> bool {
    let code = serde_json::from_slice(&answered.body).map(|Code { errcode }| errcode);
    answered.status == 503 || code.is_ok_and(|code| code == ErrorCode::SystemError.code())
}

/// Whether the bank says that the very order is there.
fn is_replay(refused: &ApiError, sent: &Sent) -> bool {
    let existing = refused.existing.as_ref().is_some_and(|order| order.bill_no == sent.bill_no);
    refused.code() == Some(ErrorCode::OrderExist) && existing
}
