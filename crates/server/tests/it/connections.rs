//! Idle and header timeouts of connections.

use std::time::Duration;

use pactolus_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{TestBank, open_in, sample_app};

#[tokio::test]
async fn idle_connection_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let timeout = Duration::from_millis(50);
    let limits = Limits { idle_timeout: timeout, header_timeout: timeout, ..Limits::default() };
    let bank = TestBank::on_store(open_in(folder.path()), vec![sample_app()], limits).await;
    for begun in ["", "POST /cgi-bin/midas/present HTTP/1.1\r\nhost: ba"] {
        let mut stream = TcpStream::connect(bank.base.trim_start_matches("http://")).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "", "after {begun:?}");
    }
}
