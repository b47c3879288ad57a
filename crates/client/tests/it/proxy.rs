//! A faulty network: a proxy that resets each connection after a random number of reply bytes, drawn from a seed.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts a proxy to `bank` that runs until the test ends.
pub(crate) async fn start(bank: SocketAddr, seed: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut random = SplitMix64(seed);
        loop {
            let (client, _) = listener.accept().await.unwrap();
            // A reply takes some 200 bytes: some connections carry none, some dozens.
            let bytes = usize::try_from(random.next() % 8_000).unwrap();
            tokio::spawn(async move {
                // An error means that one side closed the connection, which also ends it.
                let _ = forward(client, bank, bytes).await;
            });
        }
    });
    address
}

/// Forwards requests and `bytes` reply bytes, then resets both sides.
async fn forward(mut client: TcpStream, bank: SocketAddr, mut bytes: usize) -> std::io::Result<()> {
    let mut bank = TcpStream::connect(bank).await?;
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

/// SplitMix64 random sequence.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
