//! The connections that are open: how many there may be, and which of them has to go when somebody new comes.
//!
//! Whoever opens connections and says nothing must not keep others out. So when there are as many as there may be,
//! one that rests is closed for each that comes: first those on which no signed call was ever answered, of them the
//! one that has rested longest. A connection whose request is being worked on is never closed for another.
//! What a connection does is noted in its own [`Standing`], without a lock: that is on the path of every request. The
//! lock is taken when one comes and when one goes.
//! Why it is so: `docs/decisions/0019-connections.md`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::state::Standing;
use crate::settings::Limits;

/// The connections that are open.
pub(crate) struct Connections {
    max: usize,
    per_address_max: Option<usize>,
    begun: Instant,
    open: Mutex<Open>,
    /// Told when one has gone.
    gone: Notify,
}

#[derive(Default)]
struct Open {
    /// Of each that has not gone, by its number.
    standings: HashMap<u64, Arc<Standing>>,
    /// How many each address has; those that have none are not in it.
    of_address: HashMap<IpAddr, usize>,
    next_number: u64,
    /// How many of them were told to go.
    going: usize,
    told_full: Option<Instant>,
}

/// When all connections that may be are open and none of them rests, how long until they are looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often at most the log says that there are as many as there may be.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// To find those that rest longest, all are looked at. So a part of them goes at once, and each that comes then costs
/// a look at this many.
const LOOKS_PER_CLOSED: usize = 64;

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            max: limits.connections_max.max(1),
            per_address_max: limits.connections_per_address_max,
            begun: Instant::now(),
            open: Mutex::default(),
            gone: Notify::new(),
        })
    }

    /// A place for a connection from `address`, as soon as there is one; none if that address has as many as it may.
    pub(crate) async fn place(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = network(address);
        loop {
            if let Some(taken) = self.take(address) {
                return taken.ok();
            }
            // One that finishes its request begins to rest without telling anybody.
            let _ = timeout(LOOK_EVERY, self.gone.notified()).await;
        }
    }

    /// Takes a place, or sees to it that there will be one.
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Result<Place, TooMany>> {
        let mut open = self.lock();
        if self
            .per_address_max
            .is_some_and(|max| open.of_address.get(&address).is_some_and(|has| *has >= max))
        {
            tracing::debug!(%address, "a connection is closed: its address has as many as it may");
            return Some(Err(TooMany));
        }
        if open.standings.len() >= self.max {
            if open.going == 0 {
                open.close_some(self.max);
            }
            return None;
        }
        let number = open.next_number;
        open.next_number += 1;
        let standing = Arc::new(Standing::of_a_new_one(self.begun));
        open.standings.insert(number, Arc::clone(&standing));
        *open.of_address.entry(address).or_default() += 1;
        Some(Ok(Place { connections: Arc::clone(self), number, address, standing }))
    }

    /// Resolves when all have gone. Nobody else may wait for a place meanwhile.
    pub(crate) async fn all_gone(&self) {
        while !self.lock().standings.is_empty() {
            self.gone.notified().await;
        }
    }

    /// Nothing that is done under the lock panics halfway.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address has as many connections as it may.
struct TooMany;

impl Open {
    /// Tells those to go that have rested longest, those first on which no signed call was answered. The others stay
    /// while there are new ones, which will rest in a moment.
    fn close_some(&mut self, max: usize) {
        if self.told_full.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told_full = Some(Instant::now());
            tracing::warn!(
                connections_max = max,
                "as many connections are open as there may be: for each that comes, one that rests is closed"
            );
        }
        let some_are_new = self.standings.values().any(|standing| standing.is_new());
        let resting = self.standings.values().filter_map(|standing| {
            let since = standing.resting_since()?;
            let has_proven_itself = standing.has_proven_itself.load(Ordering::Relaxed);
            (!has_proven_itself || !some_are_new).then_some((has_proven_itself, since, standing))
        });
        let mut resting: Vec<_> = resting.collect();
        let enough = (resting.len() / LOOKS_PER_CLOSED).max(1);
        if enough < resting.len() {
            resting.select_nth_unstable_by_key(enough - 1, |(proven, since, _)| (*proven, *since));
        }
        let closed =
            resting.iter().take(enough).filter(|(_, since, standing)| standing.close(*since)).count();
        self.going = closed;
    }
}

/// An address as the bound on addresses counts it: of IPv6 the network, because whoever has one address there has 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The place that a connection has among those that are open; dropped when it has gone.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    address: IpAddr,
    standing: Arc<Standing>,
}

impl Place {
    pub(crate) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing)
    }

    /// Has `connection` served in a task of its own, which has this place until it ends.
    pub(crate) fn serve(self, connection: impl Future<Output = ()> + Send + 'static) {
        let standing = self.standing();
        let task = tokio::spawn(async move {
            // Dropped after the connection: its place is free when its socket is.
            let place = self;
            place.standing.begin_to_rest();
            connection.await;
        });
        // It is set once, here.
        let _ = standing.task.set(task.abort_handle());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.standings.remove(&self.number);
        if self.standing.is_closed() {
            open.going = open.going.saturating_sub(1);
        }
        if let Some(has) = open.of_address.get_mut(&self.address) {
            *has -= 1;
            if *has == 0 {
                open.of_address.remove(&self.address);
            }
        }
        drop(open);
        self.connections.gone.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::advance;

    use super::super::state::Came;
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at_most(connections_max: usize, connections_per_address_max: Option<usize>) -> Arc<Connections> {
        Connections::new(&Limits { connections_max, connections_per_address_max, ..Limits::default() })
    }

    /// A connection that stays until it is told to go. The next is a second younger.
    async fn open(connections: &Arc<Connections>) -> Arc<Standing> {
        let place = connections.place(HERE).await.expect("the address may have another");
        let standing = place.standing();
        place.serve(pending());
        // It begins to rest.
        tokio::task::yield_now().await;
        advance(Duration::from_secs(1)).await;
        standing
    }

    /// Where connections come faster than their tasks run, the oldest had its request in its socket and was closed.
    #[tokio::test(start_paused = true)]
    async fn for_who_is_new_nobody_goes_who_is_new_or_has_proven_itself() {
        let connections = at_most(2, None);
        let proven = open(&connections).await;
        proven.begin().unwrap();
        proven.rest(Came::SignedCall);
        let place = connections.place(HERE).await.unwrap();
        let new = place.standing();
        place.serve(pending());
        assert!(connections.take(HERE).is_none());
        assert_eq!([proven.is_closed(), new.is_closed()], [false, false], "a task has not run");
        tokio::task::yield_now().await;
        assert!(connections.take(HERE).is_none());
        assert_eq!([proven.is_closed(), new.is_closed()], [false, true], "it rests");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_proven_nothing_and_rested_longest_goes_first() {
        let connections = at_most(4, None);
        let mut standings = Vec::new();
        for _ in 0..4 {
            standings.push(open(&connections).await);
        }
        standings[0].begin().unwrap();
        standings[0].rest(Came::SignedCall);
        standings[1].begin().unwrap();
        standings[1].rest(Came::Other);
        let closed = || standings.iter().map(|standing| standing.is_closed()).collect::<Vec<_>>();
        for expected in [[false, false, true, false], [false, false, true, true], [false, true, true, true]] {
            let newcomer = open(&connections).await;
            newcomer.begin().unwrap();
            assert_eq!(closed(), expected);
        }
        open(&connections).await;
        assert_eq!(closed(), [true; 4], "and at last the one that has");
        assert_eq!(connections.lock().standings.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn none_is_closed_whose_request_is_being_worked_on() {
        let connections = at_most(1, None);
        let standing = open(&connections).await;
        standing.begin().unwrap();
        let waiting = connections.place(HERE);
        assert!(timeout(Duration::from_secs(60), waiting).await.is_err());
        assert!(!standing.is_closed());
        standing.rest(Came::SignedCall);
        connections.place(HERE).await.unwrap();
        assert!(standing.begin().is_err(), "one that was told to go begins nothing");
    }

    #[tokio::test]
    async fn an_address_has_no_more_than_it_may_and_gets_back_what_it_gives_back() {
        let connections = at_most(100, Some(2));
        let first = connections.place(HERE).await.unwrap();
        let _second = connections.place(HERE).await.unwrap();
        assert!(connections.place(HERE).await.is_none());
        let elsewhere = "2001:db8::1".parse().unwrap();
        let _third = connections.place(elsewhere).await.unwrap();
        drop(first);
        assert!(connections.place(HERE).await.is_some());
        assert_eq!(connections.lock().of_address.len(), 2);
    }

    #[test]
    fn an_address_of_ipv6_counts_as_its_network() {
        let network_of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network_of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
