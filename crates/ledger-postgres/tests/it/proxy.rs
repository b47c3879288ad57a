//! Flaky network: a TCP proxy in front of the database that cuts connections in the middle of messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pactolus_test_support::proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

pub(crate) struct FlakyProxy {
    port: u16,
    /// Approximate bytes that a connection may carry before it is cut; 0 is unlimited.
    budget: watch::Sender<u64>,
}

impl FlakyProxy {
    /// Forwards connections to a port of this machine.
    pub(crate) async fn start(target: u16) -> Self {
        let (budget, watched) = watch::channel(0);
        let mut numbers = 0_u64..;
        let address = proxy::start(([127, 0, 0, 1], target).into(), move |near, far| {
            relay(near, far, numbers.next().unwrap(), watched.clone())
        });
        Self { port: address.await.unwrap().port(), budget }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on, cuts every connection after a number of bytes near this one, which varies by connection.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.budget.send_replace(bytes);
    }
}

/// Forwards bytes both ways until one side ends or the budget is spent, then closes both.
async fn relay(near: TcpStream, far: TcpStream, number: u64, watched: watch::Receiver<u64>) {
    let carried = Arc::new(AtomicU64::new(0));
    let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
    let there = forward(near_reads, far_writes, Arc::clone(&carried), number, watched.clone());
    let back = forward(far_reads, near_writes, carried, number, watched);
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    carried: Arc<AtomicU64>,
    number: u64,
    watched: watch::Receiver<u64>,
) {
    let mut bytes = vec![0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let forwarded = carried.fetch_add(u64::try_from(read).unwrap(), Ordering::Relaxed);
        let budget = *watched.borrow();
        // Between half and one and a half of the budget, so that consecutive connections are cut at different places.
        let cut_at = budget / 2 + (number * 7919) % budget.max(1);
        if budget > 0 && forwarded > cut_at {
            // Half of the bytes are forwarded, so that a message is torn.
            let _ = to.write_all(&bytes[..read / 2]).await;
            return;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
