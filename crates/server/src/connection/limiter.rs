//! Connection limiter. At the cap it evicts an idle connection for each new one.
//!
//! A client that opens connections and stays silent must not keep others out. Eviction order: first the connections
//! on which no signed call was ever answered, and among them the one idle longest. A connection with a request in
//! flight is never evicted.
//! Each connection records its activity in its own [`ConnectionState`] without a lock, because that is on the path of
//! every request. The limiter's lock is taken when a connection opens and when it closes.
//! Memory of a connection: `Limits::connections_max`. Reasons: `docs/decisions/0019-connections.md`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::state::ConnectionState;

pub(crate) struct ConnectionLimiter {
    max: usize,
    per_address_max: Option<usize>,
    epoch: Instant,
    state: Mutex<LimiterState>,
    /// Signals that a connection has closed.
    released: Notify,
}

#[derive(Default)]
struct LimiterState {
    /// Open connections by id.
    connections: HashMap<u64, Arc<ConnectionState>>,
    /// Open connections by address; an entry is never zero.
    per_address: HashMap<IpAddr, usize>,
    next_id: u64,
    /// Evicted connections that have not closed yet.
    evicting: usize,
    full_logged_at: Option<Instant>,
}

/// Delay before the next attempt when the cap is reached and no connection is idle.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Shortest interval between two log lines about the cap.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// An eviction scans all connections and evicts one in this many of the idle ones, so that each new connection costs
/// a scan of about this many.
const SCANNED_PER_EVICTION: usize = 64;

impl ConnectionLimiter {
    pub(crate) fn new(max: usize, per_address_max: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            max: max.max(1),
            per_address_max,
            epoch: Instant::now(),
            state: Mutex::default(),
            released: Notify::new(),
        })
    }

    /// A permit for a connection from `address`, as soon as there is one. `None` if the address is at its limit.
    pub(crate) async fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        loop {
            if let Some(outcome) = self.try_acquire(address) {
                return outcome.ok();
            }
            // A connection that becomes idle does not signal `released`.
            let _ = timeout(RETRY_INTERVAL, self.released.notified()).await;
        }
    }

    /// Takes a permit, or starts an eviction to free one.
    fn try_acquire(self: &Arc<Self>, peer: IpAddr) -> Option<Result<ConnectionPermit, PerAddressLimit>> {
        let address = network_prefix(peer);
        let mut state = self.lock();
        if self
            .per_address_max
            .is_some_and(|max| state.per_address.get(&address).is_some_and(|count| *count >= max))
        {
            tracing::debug!(%address, "closing a connection: its address is at its limit");
            return Some(Err(PerAddressLimit));
        }
        if state.connections.len() >= self.max {
            if state.evicting == 0 {
                state.evict_idle(self.max);
            }
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        let connection = Arc::new(ConnectionState::new(self.epoch));
        state.connections.insert(id, Arc::clone(&connection));
        *state.per_address.entry(address).or_default() += 1;
        Some(Ok(ConnectionPermit { limiter: Arc::clone(self), id, peer, address, state: connection }))
    }

    /// Resolves when all connections have closed. No other task may wait for a permit meanwhile.
    pub(crate) async fn wait_until_empty(&self) {
        while !self.lock().connections.is_empty() {
            self.released.notified().await;
        }
    }

    /// Ignores poisoning: nothing panics halfway under the lock.
    fn lock(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct PerAddressLimit;

impl LimiterState {
    /// Evicts the connections that have been idle longest, unauthenticated ones first. Authenticated ones stay while
    /// some connections are new, because those will be idle in a moment.
    fn evict_idle(&mut self, max: usize) {
        if self.full_logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOG_INTERVAL) {
            self.full_logged_at = Some(Instant::now());
            tracing::warn!(
                connections_max = max,
                "connection limit reached: each new connection evicts an idle one"
            );
        }
        let some_are_new = self.connections.values().any(|connection| connection.is_new());
        let idle = self.connections.values().filter_map(|standing| {
            let since = standing.idle_since()?;
            let authenticated = standing.authenticated.load(Ordering::Relaxed);
            (!authenticated || !some_are_new).then_some((authenticated, since, standing))
        });
        let mut resting: Vec<_> = idle.collect();
        let count = (resting.len() / SCANNED_PER_EVICTION).max(1);
        if count < resting.len() {
            resting
                .select_nth_unstable_by_key(count - 1, |(authenticated, since, _)| (*authenticated, *since));
        }
        let evicted =
            resting.iter().take(count).filter(|(_, since, standing)| standing.try_evict(*since)).count();
        self.evicting = evicted;
    }
}

/// The address that the per-address limit counts: for IPv6 the /64 network, because one client may have 2^64
/// addresses in it.
fn network_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// One slot of the limiter, freed on drop.
pub(crate) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    id: u64,
    peer: IpAddr,
    /// The part of `peer` that the per-address limit counts.
    address: IpAddr,
    state: Arc<ConnectionState>,
}

impl ConnectionPermit {
    /// Address of the client, or of its proxy.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(crate) fn state(&self) -> Arc<ConnectionState> {
        Arc::clone(&self.state)
    }

    /// Spawns the task that serves `connection` and holds this permit until it ends.
    pub(crate) fn spawn(self, connection: impl Future<Output = ()> + Send + 'static) {
        let state = self.state();
        let task = tokio::spawn(async move {
            // Dropped after the connection: the slot is free once the socket is.
            let permit = self;
            permit.state.set_idle();
            connection.await;
        });
        // Set once, here.
        let _ = state.task.set(task.abort_handle());
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.connections.remove(&self.id);
        if self.state.is_evicted() {
            state.evicting = state.evicting.saturating_sub(1);
        }
        if let Some(has) = state.per_address.get_mut(&self.address) {
            *has -= 1;
            if *has == 0 {
                state.per_address.remove(&self.address);
            }
        }
        drop(state);
        self.limiter.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::advance;

    use super::super::state::RequestKind;
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn limiter(connections_max: usize, connections_per_address_max: Option<usize>) -> Arc<ConnectionLimiter> {
        ConnectionLimiter::new(connections_max, connections_per_address_max)
    }

    /// Opens a connection that stays until it is evicted. The next one is a second younger.
    async fn open(connections: &Arc<ConnectionLimiter>) -> Arc<ConnectionState> {
        let permit = connections.acquire(ADDRESS).await.expect("the address may have another");
        let standing = permit.state();
        permit.spawn(pending());
        // It becomes idle.
        tokio::task::yield_now().await;
        advance(Duration::from_secs(1)).await;
        standing
    }

    /// Regression: when connections came faster than their tasks ran, the oldest was closed with its request still in
    /// its socket.
    #[tokio::test(start_paused = true)]
    async fn new_connection_spares_new_and_authenticated() {
        let connections = limiter(2, None);
        let proven = open(&connections).await;
        proven.mark_busy().unwrap();
        proven.mark_idle(RequestKind::SignedCall);
        let place = connections.acquire(ADDRESS).await.unwrap();
        let new = place.state();
        place.spawn(pending());
        assert!(connections.try_acquire(ADDRESS).is_none());
        assert_eq!([proven.is_evicted(), new.is_evicted()], [false, false], "a task has not run");
        tokio::task::yield_now().await;
        assert!(connections.try_acquire(ADDRESS).is_none());
        assert_eq!([proven.is_evicted(), new.is_evicted()], [false, true], "it is idle");
    }

    #[tokio::test(start_paused = true)]
    async fn evicts_longest_idle_unauthenticated_first() {
        let connections = limiter(4, None);
        let mut standings = Vec::new();
        for _ in 0..4 {
            standings.push(open(&connections).await);
        }
        standings[0].mark_busy().unwrap();
        standings[0].mark_idle(RequestKind::SignedCall);
        standings[1].mark_busy().unwrap();
        standings[1].mark_idle(RequestKind::Other);
        let closed = || standings.iter().map(|standing| standing.is_evicted()).collect::<Vec<_>>();
        for expected in [[false, false, true, false], [false, false, true, true], [false, true, true, true]] {
            let newcomer = open(&connections).await;
            newcomer.mark_busy().unwrap();
            assert_eq!(closed(), expected);
        }
        open(&connections).await;
        assert_eq!(closed(), [true; 4], "the authenticated one is last");
        assert_eq!(connections.lock().connections.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn busy_connection_is_never_evicted() {
        let connections = limiter(1, None);
        let standing = open(&connections).await;
        standing.mark_busy().unwrap();
        let waiting = connections.acquire(ADDRESS);
        assert!(timeout(Duration::from_secs(60), waiting).await.is_err());
        assert!(!standing.is_evicted());
        standing.mark_idle(RequestKind::SignedCall);
        connections.acquire(ADDRESS).await.unwrap();
        assert!(standing.mark_busy().is_err(), "an evicted connection begins no request");
    }

    #[tokio::test]
    async fn per_address_limit_counts_open_connections() {
        let connections = limiter(100, Some(2));
        let first = connections.acquire(ADDRESS).await.unwrap();
        let _second = connections.acquire(ADDRESS).await.unwrap();
        assert!(connections.acquire(ADDRESS).await.is_none());
        let elsewhere = "2001:db8::1".parse().unwrap();
        let _third = connections.acquire(elsewhere).await.unwrap();
        drop(first);
        assert!(connections.acquire(ADDRESS).await.is_some());
        assert_eq!(connections.lock().per_address.len(), 2);
    }

    #[test]
    fn ipv6_addresses_count_by_network_prefix() {
        let network_of = |text: &str| network_prefix(text.parse().unwrap()).to_string();
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network_of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
