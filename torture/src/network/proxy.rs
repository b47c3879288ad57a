//! Fault-injecting TCP proxy. It forwards bytes, and injects a fault into each connection after a number of
//! exchanges, chosen by its seed and the connection's number.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pactolus_test_support::proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::workload::tally::Tally;

#[derive(Clone, Copy, PartialEq, Eq)]
enum NetworkFault {
    CutInRequest,
    CutBeforeReply,
    CutInReply,
    DelayReply,
    HoldRequest,
    HoldReply,
}

impl NetworkFault {
    /// `CutBeforeReply` is listed twice, because it matters most.
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
/// Longer than a client's timeout.
const STALL_MIN: Duration = Duration::from_millis(900);
const STALL_EXTRA_MAX: Duration = Duration::from_millis(2100);

/// Counts injected faults, and switches injection on and off.
#[derive(Default)]
pub(crate) struct FaultInjector {
    enabled: AtomicBool,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl FaultInjector {
    pub(crate) fn set_enabled(&self, goes_on: bool) {
        self.enabled.store(goes_on, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    pub(crate) fn add_to(&self, tally: &mut Tally) {
        for (name, times) in &*self.lock() {
            *tally.strikes.entry(name).or_default() += times;
        }
    }

    fn record(&self, fault: NetworkFault) {
        *self.lock().entry(fault.name()).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.counts.lock().expect("nothing panics while it counts")
    }
}

/// A proxy in front of `upstream`.
pub(crate) struct Proxy {
    pub(crate) upstream: SocketAddr,
    pub(crate) seed: u64,
    /// Upper bound of the exchanges before a fault.
    pub(crate) exchanges_max: u64,
    pub(crate) injector: Arc<FaultInjector>,
}

impl Proxy {
    /// Accepts connections for as long as the runtime lives, and returns the listening address.
    pub(crate) async fn start(self) -> io::Result<SocketAddr> {
        let mut seeds = Rng::with_seed(self.seed);
        proxy::start(self.upstream, move |client, upstream| {
            let (random, injector) = (seeds.fork(), Arc::clone(&self.injector));
            let exchanges_max = self.exchanges_max;
            async move {
                let mut connection = ProxiedConnection { client, upstream, injector, exchanges_max, random };
                // An error means that one side has closed the connection, which ends it too.
                let _ = connection.relay().await;
            }
        })
        .await
    }
}

struct ProxiedConnection {
    client: TcpStream,
    upstream: TcpStream,
    injector: Arc<FaultInjector>,
    exchanges_max: u64,
    random: Rng,
}

/// Whether the client is sending a request or receiving its answer.
#[derive(PartialEq, Eq)]
enum ExchangePhase {
    Sending,
    Receiving,
}

impl ProxiedConnection {
    async fn relay(&mut self) -> io::Result<()> {
        self.client.set_nodelay(true)?;
        self.upstream.set_nodelay(true)?;
        let (mut request_buffer, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        let (mut phase, mut exchanges) = (ExchangePhase::Receiving, 0);
        let (mut fault, mut at) = self.next_fault(exchanges);
        loop {
            tokio::select! {
                read = self.client.read(&mut request_buffer) => {
                    let bytes = &request_buffer[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    if phase == ExchangePhase::Receiving {
                        (phase, exchanges) = (ExchangePhase::Sending, exchanges + 1);
                    }
                    match fault {
                        NetworkFault::CutInRequest if self.is_due(exchanges, at) => {
                            self.upstream.write_all(&bytes[..bytes.len() / 2]).await?;
                            return self.cut(fault);
                        }
                        NetworkFault::HoldRequest if self.is_due(exchanges, at) => {
                            self.injector.record(fault);
                            self.stall().await;
                            self.upstream.write_all(bytes).await?;
                            (fault, at) = self.next_fault(exchanges);
                        }
                        _ => self.upstream.write_all(bytes).await?,
                    }
                }
                read = self.upstream.read(&mut answered) => {
                    let bytes = &answered[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    phase = ExchangePhase::Receiving;
                    if !self.is_due(exchanges, at) {
                        self.client.write_all(bytes).await?;
                        continue;
                    }
                    match fault {
                        // Upstream has answered, so it has carried out the request.
                        NetworkFault::CutBeforeReply => return self.cut(fault),
                        NetworkFault::CutInReply => {
                            self.client.write_all(&bytes[..bytes.len() / 2]).await?;
                            return self.cut(fault);
                        }
                        NetworkFault::DelayReply => {
                            self.injector.record(fault);
                            tokio::time::sleep(DELAY_MAX.mul_f64(self.random.f64())).await;
                            self.client.write_all(bytes).await?;
                            (fault, at) = self.next_fault(exchanges);
                        }
                        NetworkFault::HoldReply => {
                            self.injector.record(fault);
                            self.stall().await;
                            self.client.write_all(bytes).await?;
                            (fault, at) = self.next_fault(exchanges);
                        }
                        NetworkFault::CutInRequest | NetworkFault::HoldRequest => self.client.write_all(bytes).await?,
                    }
                }
            }
        }
    }

    /// The next fault, and the exchange at which it is due.
    fn next_fault(&mut self, exchanges: u64) -> (NetworkFault, u64) {
        let fault = NetworkFault::ALL[self.random.usize(..NetworkFault::ALL.len())];
        (fault, exchanges + self.random.u64(1..=self.exchanges_max))
    }

    fn is_due(&self, exchanges: u64, at: u64) -> bool {
        exchanges >= at && self.injector.enabled.load(Ordering::Relaxed)
    }

    /// Forwards nothing for a while; neither side learns that the other has closed.
    async fn stall(&mut self) {
        tokio::time::sleep(STALL_MIN + STALL_EXTRA_MAX.mul_f64(self.random.f64())).await;
    }

    /// Ends both connections. Upstream sees a reset. The client sees one only before a reply, so that half of a reply
    /// still reaches it.
    fn cut(&mut self, fault: NetworkFault) -> io::Result<()> {
        self.injector.record(fault);
        self.upstream.set_zero_linger()?;
        if fault == NetworkFault::CutBeforeReply { self.client.set_zero_linger() } else { Ok(()) }
    }
}
