//! A bad way to a server: a TCP proxy that carries bytes, and strikes each connection after so many questions and
//! answers, in a way that its seed and the connection's number say.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::workload::tally::Tally;

/// What is done to a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strike {
    CutInRequest,
    CutBeforeReply,
    CutInReply,
    DelayReply,
    HoldRequest,
    HoldReply,
}

impl Strike {
    /// The one that matters most comes twice as often.
    const ALL: [Self; 7] = [
        Self::CutInRequest,
        Self::CutBeforeReply,
        Self::CutBeforeReply,
        Self::CutInReply,
        Self::DelayReply,
        Self::HoldRequest,
        Self::HoldReply,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::CutInRequest => "cut in the middle of a request",
            Self::CutBeforeReply => "cut after the request, before the reply",
            Self::CutInReply => "cut in the middle of a reply",
            Self::DelayReply => "a reply delayed",
            Self::HoldRequest => "a request held for seconds, then delivered",
            Self::HoldReply => "a reply held for seconds, then delivered",
        }
    }
}

const DELAY_MAX: Duration = Duration::from_millis(200);
/// Longer than callers wait.
const HOLD_MIN: Duration = Duration::from_millis(900);
const HOLD_MORE_MAX: Duration = Duration::from_millis(2100);

/// What was done, and whether it goes on.
#[derive(Default)]
pub(crate) struct Strikes {
    goes_on: AtomicBool,
    done: Mutex<BTreeMap<&'static str, u64>>,
}

impl Strikes {
    /// Strikes from now on, or not.
    pub(crate) fn go_on(&self, goes_on: bool) {
        self.goes_on.store(goes_on, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.locked().values().sum()
    }

    pub(crate) fn add_to(&self, tally: &mut Tally) {
        for (name, times) in &*self.locked() {
            *tally.strikes.entry(name).or_default() += times;
        }
    }

    fn struck(&self, strike: Strike) {
        *self.locked().entry(strike.name()).or_default() += 1;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.done.lock().expect("nothing panics while it counts")
    }
}

/// A proxy before `to`.
pub(crate) struct Proxy {
    pub(crate) to: SocketAddr,
    pub(crate) seed: u64,
    /// After how many exchanges a connection is struck, at most.
    pub(crate) exchanges_max: u64,
    pub(crate) strikes: Arc<Strikes>,
}

impl Proxy {
    /// Takes connections for as long as the runtime lives, and says where.
    pub(crate) async fn start(self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            let mut seeds = Rng::with_seed(self.seed);
            while let Ok((near, _)) = listener.accept().await {
                let (random, to, strikes) = (seeds.fork(), self.to, Arc::clone(&self.strikes));
                let exchanges_max = self.exchanges_max;
                tokio::spawn(async move {
                    // Where nobody listens, whoever connected is cut off at once.
                    if let Ok(far) = TcpStream::connect(to).await {
                        let mut connection = Connection { near, far, strikes, exchanges_max, random };
                        // An error says that one side has closed, which is an end as well.
                        let _ = connection.carry().await;
                    }
                });
            }
        });
        Ok(address)
    }
}

struct Connection {
    near: TcpStream,
    far: TcpStream,
    strikes: Arc<Strikes>,
    exchanges_max: u64,
    random: Rng,
}

/// What the near side waits for.
#[derive(PartialEq, Eq)]
enum Turn {
    Asks,
    Listens,
}

impl Connection {
    async fn carry(&mut self) -> io::Result<()> {
        self.near.set_nodelay(true)?;
        self.far.set_nodelay(true)?;
        let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        let (mut turn, mut exchanges) = (Turn::Listens, 0);
        let (mut strike, mut at) = self.next(exchanges);
        loop {
            tokio::select! {
                read = self.near.read(&mut asked) => {
                    let bytes = &asked[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    if turn == Turn::Listens {
                        (turn, exchanges) = (Turn::Asks, exchanges + 1);
                    }
                    match strike {
                        Strike::CutInRequest if self.is_due(exchanges, at) => {
                            self.far.write_all(&bytes[..bytes.len() / 2]).await?;
                            return self.cut(strike);
                        }
                        Strike::HoldRequest if self.is_due(exchanges, at) => {
                            self.strikes.struck(strike);
                            self.hold().await;
                            self.far.write_all(bytes).await?;
                            (strike, at) = self.next(exchanges);
                        }
                        _ => self.far.write_all(bytes).await?,
                    }
                }
                read = self.far.read(&mut answered) => {
                    let bytes = &answered[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    turn = Turn::Listens;
                    if !self.is_due(exchanges, at) {
                        self.near.write_all(bytes).await?;
                        continue;
                    }
                    match strike {
                        // The far side has answered, so it has done what it was asked for.
                        Strike::CutBeforeReply => return self.cut(strike),
                        Strike::CutInReply => {
                            self.near.write_all(&bytes[..bytes.len() / 2]).await?;
                            return self.cut(strike);
                        }
                        Strike::DelayReply => {
                            self.strikes.struck(strike);
                            tokio::time::sleep(DELAY_MAX.mul_f64(self.random.f64())).await;
                            self.near.write_all(bytes).await?;
                            (strike, at) = self.next(exchanges);
                        }
                        Strike::HoldReply => {
                            self.strikes.struck(strike);
                            self.hold().await;
                            self.near.write_all(bytes).await?;
                            (strike, at) = self.next(exchanges);
                        }
                        Strike::CutInRequest | Strike::HoldRequest => self.near.write_all(bytes).await?,
                    }
                }
            }
        }
    }

    /// What is done next, and with which exchange.
    fn next(&mut self, exchanges: u64) -> (Strike, u64) {
        let strike = Strike::ALL[self.random.usize(..Strike::ALL.len())];
        (strike, exchanges + self.random.u64(1..=self.exchanges_max))
    }

    fn is_due(&self, exchanges: u64, at: u64) -> bool {
        exchanges >= at && self.strikes.goes_on.load(Ordering::Relaxed)
    }

    /// Neither side hears anything for so long, nor of the other's end.
    async fn hold(&mut self) {
        tokio::time::sleep(HOLD_MIN + HOLD_MORE_MAX.mul_f64(self.random.f64())).await;
    }

    /// Ends both: the far side sees a reset, and so does the near one, unless half of a reply is on its way there.
    fn cut(&mut self, strike: Strike) -> io::Result<()> {
        self.strikes.struck(strike);
        self.far.set_zero_linger()?;
        if strike == Strike::CutBeforeReply { self.near.set_zero_linger() } else { Ok(()) }
    }
}
