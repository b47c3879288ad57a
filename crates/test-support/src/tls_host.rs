//! An HTTPS host with a self-signed certificate, for tests of clients.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const SELF_MADE: &str = "a self-made host starts";

/// A host with a certificate for `name`, which answers until the test ends. Returns its port and the certificate.
pub fn start(name: &str) -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).expect(SELF_MADE);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect(SELF_MADE)
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect(SELF_MADE);
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").expect(SELF_MADE));
    let port = listener.local_addr().expect(SELF_MADE).port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect(SELF_MADE);
            let stream = rustls::StreamOwned::new(connection, stream.expect(SELF_MADE));
            // A client that refuses the certificate ends the connection.
            std::thread::spawn(move || answer(stream).ok());
        }
    });
    (port, to_pem(certified.cert.der()))
}

fn to_pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

/// Reads one request, and answers it.
fn answer(stream: impl Read + Write) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.to_lowercase().split_once("content-length: ").expect(SELF_MADE).1.to_owned();
    let length: u64 = length.split_once("\r\n").expect(SELF_MADE).0.parse().expect(SELF_MADE);
    stream.by_ref().take(length).read_to_end(&mut Vec::new())?;
    let json = if head.contains("token ") {
        r#"{"access_token":"TOKEN","expires_in":7200}"#
    } else {
        r#"{"errcode":0,"errmsg":"ok","balance":5,"bill_no":"number"}"#
    };
    let stream = stream.get_mut();
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{json}", json.len())?;
    stream.flush()
}
