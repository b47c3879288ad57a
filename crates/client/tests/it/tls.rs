//! TLS with a certificate made in the test: a private authority, a wrong name, a refused connection, plaintext.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pactolus_client::{CaFileError, ClientBuilder, ErrorSource, OrderOutcome, PresentError};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::bank::{gift, player, sandbox};
use crate::redaction::LogBuffer;
use crate::vendor::fast_retry_policy;

/// A host with a certificate for `name`, which answers until the test ends. Returns its port and the certificate.
fn start_tls_host(name: &str) -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = rustls::StreamOwned::new(connection, stream.unwrap());
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
fn answer(stream: impl std::io::Read + std::io::Write) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.to_lowercase().split_once("content-length: ").unwrap().1.to_owned();
    let length: u64 = length.split_once("\r\n").unwrap().0.parse().unwrap();
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

async fn present(client: ClientBuilder) -> Result<(), PresentError> {
    let client = client.retry_policy(fast_retry_policy()).build();
    client.present(&gift(&player("one"), "number", 5)).await.map(|_| ())
}

/// The error and its causes, as a program prints them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The bug: the roots were the web's alone. The loss: no bank behind a private authority, and none behind a proxy that
/// inspects TLS, could be called. The fix: `ca_file`.
#[tokio::test]
async fn ca_file_adds_a_private_authority() {
    let (port, pem) = start_tls_host("localhost");
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, format!("a comment\n{pem}")).unwrap();
    let url = format!("https://localhost:{port}");
    present(sandbox(&url).ca_file(&ca_file).unwrap()).await.unwrap();

    let error = present(sandbox(&url)).await.unwrap_err();
    assert_eq!((error.outcome(), error.error_source()), (OrderOutcome::NotApplied, ErrorSource::Network));
    assert!(chain(&error).contains("UnknownIssuer"), "{}", chain(&error));

    let (port, pem) = start_tls_host("bank.example");
    std::fs::write(&ca_file, pem).unwrap();
    let other_name = sandbox(&format!("https://localhost:{port}")).ca_file(&ca_file).unwrap();
    let error = present(other_name).await.unwrap_err();
    assert!(chain(&error).contains("not valid for name \"localhost\""), "{}", chain(&error));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = present(sandbox(&format!("https://{closed}"))).await.unwrap_err();
    assert!(chain(&error).contains("Connection refused"), "{}", chain(&error));
}

#[test]
fn unusable_ca_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let add = || sandbox("https://localhost").ca_file(&path).map(|_| ()).unwrap_err();
    assert!(matches!(add(), CaFileError::Io(_)));
    for text in ["", "not PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(add(), CaFileError::Empty), "{text}");
    }
    for body in ["AAAA", "!!!!"] {
        let text = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        std::fs::write(&path, text).unwrap();
        assert!(matches!(add(), CaFileError::InvalidCertificate), "{body}");
    }
}

/// Plaintext that leaves the machine is logged once a client.
#[test]
fn remote_plaintext_is_logged_once() {
    for (url, lines) in [
        ("http://bank.example:8790", 1),
        ("http://10.0.0.5", 1),
        ("http://127.0.0.1:8790", 0),
        ("http://localhost:8790", 0),
        ("https://bank.example", 0),
    ] {
        let (log, _logging) = LogBuffer::capture();
        drop(sandbox(url).build().clone());
        assert_eq!(log.text().matches("unencrypted").count(), lines, "{url}: {}", log.text());
        assert_eq!(log.text().matches("WARN").count(), lines);
    }
}
