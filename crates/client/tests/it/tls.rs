//! TLS with a certificate made in the test: a private authority, a wrong name, a refused connection, plaintext.

use std::net::TcpListener;

use pactolus_client::{CaFileError, ClientBuilder, ErrorSource, OrderOutcome, PresentError};
use pactolus_test_support::tls_host;

use crate::bank::{gift, player, sandbox};
use crate::redaction::LogBuffer;
use crate::vendor::fast_retry_policy;

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
    let (port, pem) = tls_host::start("localhost");
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, format!("a comment\n{pem}")).unwrap();
    let url = format!("https://localhost:{port}");
    present(sandbox(&url).ca_file(&ca_file).unwrap()).await.unwrap();

    let error = present(sandbox(&url)).await.unwrap_err();
    assert_eq!((error.outcome(), error.error_source()), (OrderOutcome::NotApplied, ErrorSource::Network));
    assert!(chain(&error).contains("UnknownIssuer"), "{}", chain(&error));

    let (port, pem) = tls_host::start("bank.example");
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
