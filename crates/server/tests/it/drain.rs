//! Graceful shutdown.

use pactolus_types::Environment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{TestBank, gift, sign};

#[tokio::test(flavor = "multi_thread")]
async fn in_flight_requests_finish_on_shutdown() {
    let mut bank = TestBank::start().await;
    let address = bank.base.trim_start_matches("http://").to_owned();
    let body = sign(&gift("open", 5), Environment::Live);
    let head = format!(
        "POST /cgi-bin/midas/present?access_token=ACCESSTOKEN HTTP/1.1\r\nhost: bank\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // The server has the header and a part of the body when the shutdown starts.
    let mut open = TcpStream::connect(&address).await.unwrap();
    open.write_all(head.as_bytes()).await.unwrap();
    open.write_all(&body.as_bytes()[..10]).await.unwrap();
    // A reply to another request shows that the server has read the header.
    bank.account(Environment::Live).await;
    let server = bank.stop();
    open.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut reply = String::new();
    open.read_to_string(&mut reply).await.unwrap();
    assert!(reply.contains(r#"{"errcode":0,"errmsg":"ok","balance":5,"bill_no":"open"}"#), "{reply}");
    server.await.unwrap();
    assert!(TcpStream::connect(&address).await.is_err(), "the port is closed");
}
