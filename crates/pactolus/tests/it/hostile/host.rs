//! A host that answers every request in hostile words.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::json;

use super::HOSTILE;

/// Its answer to a request for a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenReply {
    Token,
    Hostile,
}

pub(super) struct HostileHost {
    pub(super) address: SocketAddr,
}

impl HostileHost {
    /// It answers with this HTTP status, as long as the test runs.
    pub(super) fn start(status: u16, token: TokenReply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that is gone is no failure of the host.
                let _ = answer(&stream, status, token);
            }
        });
        Self { address }
    }
}

fn answer(stream: &TcpStream, status: u16, token: TokenReply) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let gives_token =
        request.contains("token") && !request.contains("access_token=") && token == TokenReply::Token;
    let (status, body) = if gives_token {
        (200, json!({ "access_token": "T", "expires_in": 7200 }).to_string())
    } else {
        (status, hostile_json())
    };
    write!(
        &mut &*stream,
        "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Every field that a reply of some call has.
fn hostile_json() -> String {
    let receipt = json!({
        "at_ms": 1, "kind": HOSTILE, "bill_no": HOSTILE, "openid": HOSTILE, "zone_id": HOSTILE, "item": HOSTILE,
        "remark": HOSTILE, "coins": HOSTILE, "gifted": 1, "after": { "balance": 1 },
    });
    let finding = json!({ "name": HOSTILE, "finding": HOSTILE, "fix": HOSTILE });
    let parameter = json!({ "name": HOSTILE, "form": HOSTILE, "value": HOSTILE, "documented": true });
    let rejection = json!({
        "rid": "59db17f1-01234567-89abcdef", "at_ms": 1, "appid": "wx1234567", "env": "live", "method": HOSTILE,
        "path": HOSTILE, "errcode": 90018, "errmsg": HOSTILE,
    });
    let reply = json!({
        "errcode": 90018, "errmsg": HOSTILE, "detail": HOSTILE, "title": HOSTILE, "field": HOSTILE,
        "rid": rejection["rid"], "at_ms": 1, "appid": "wx1234567", "env": "live", "status": 403, "retryable": false,
        "more_parameters": 0, "rejections": [rejection],
        "receipt": receipt, "cancel": receipt, "orders": [receipt], "next": null, "method": HOSTILE, "path": HOSTILE,
        "findings": [finding], "parameters": [parameter], "signed_text": HOSTILE, "balance": HOSTILE,
        "bill_no": HOSTILE, "access_token": HOSTILE,
    });
    reply.to_string()
}

/// Sends a request with a hostile header and body to a bank, and waits for the end of its answer.
pub(super) fn send(address: SocketAddr, path: &str, text: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    let header: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let (length, host) = (text.len(), "pactolus");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {header}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // The bank may close a connection whose header it refuses.
    let _ = stream.read_to_end(&mut answer);
}
