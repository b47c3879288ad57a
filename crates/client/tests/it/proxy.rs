//! A faulty network: a proxy that resets each connection after a random number of reply bytes, drawn from a seed.

use std::net::SocketAddr;

use pactolus_test_support::proxy;
use pactolus_test_support::random::SplitMix64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Starts a proxy to `bank` that runs until the test ends.
pub(crate) async fn start(bank: SocketAddr, seed: u64) -> SocketAddr {
    let mut random = SplitMix64::new(seed);
    let proxy = proxy::start(bank, move |client, bank| {
        // A reply takes some 200 bytes: some connections carry none, some dozens.
        let bytes = random.below(8_000);
        async move {
            // An error means that one side closed the connection, which also ends it.
            let _ = forward(client, bank, bytes).await;
        }
    });
    proxy.await.unwrap()
}

/// Forwards requests and `bytes` reply bytes, then resets both sides.
async fn forward(mut client: TcpStream, mut bank: TcpStream, mut bytes: usize) -> std::io::Result<()> {
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => bank.write_all(&asked[..read]).await?,
            },
            read = bank.read(&mut answered) => {
                let read = read?;
                client.write_all(&answered[..read.min(bytes)]).await?;
                bytes = bytes.saturating_sub(read);
                if bytes == 0 || read == 0 {
                    client.set_zero_linger()?;
                    return bank.set_zero_linger();
                }
            }
        }
    }
}
