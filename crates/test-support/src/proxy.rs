//! Accept loop of the TCP proxies that inject faults between a client and a server on this machine.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

/// Starts a proxy to `target` on a free port of 127.0.0.1, and returns its address. It runs until the runtime ends.
///
/// For each connection, the proxy connects to `target` and spawns `relay(client, upstream)`. If `target` refuses, the
/// proxy disconnects the client at once.
pub async fn start<F, R>(target: SocketAddr, mut relay: F) -> io::Result<SocketAddr>
where
    F: FnMut(TcpStream, TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if let Ok(upstream) = TcpStream::connect(target).await {
                tokio::spawn(relay(client, upstream));
            }
        }
    });
    Ok(address)
}
