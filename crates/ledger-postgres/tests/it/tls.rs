//! TLS to the database: servers that want it, as most managed ones do, and each degree of verification.
//!
//! The bug: TLS was not spoken, and `sslmode=prefer` went plain without a word.

use std::path::Path;

use pactolus_ledger::Ledger;
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Cluster, execute, query_scalar};
use pactolus_test_support::authority::{Authority, IssuedCertificate};
use pactolus_test_support::sample::NOW;
use tempfile::TempDir;

use crate::nodes::order;

/// Plaintext is refused over TCP, except for the test's own superuser.
const HOSTSSL_ONLY: &str = "host all postgres all trust\nhostssl all all all scram-sha-256\n";

/// A server with a certificate for `localhost`, and the files of its clients.
struct TlsServer {
    cluster: Cluster,
    folder: TempDir,
}

impl TlsServer {
    fn start(authority: &Authority, hba: &str) -> Self {
        let IssuedCertificate { certificate, key, .. } = authority.issue("localhost");
        let files = [
            ("server.crt", &*certificate),
            ("server.key", &key),
            ("clients.crt", &authority.pem()),
            ("pg_hba.conf", hba),
        ];
        let cluster = Cluster::start_with_files("ssl = on\nssl_ca_file = 'clients.crt'", &files);
        execute(&cluster.url(), "CREATE ROLE bank LOGIN PASSWORD 's3cret'");
        execute(&cluster.url(), "CREATE DATABASE coins OWNER bank");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        Self { cluster, folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn url(&self, host: &str, options: &str) -> String {
        let port = self.cluster.port();
        format!("postgres://bank:s3cret@{host}:{port}/coins?{options}")
    }

    /// The error of migrating with these options; `None` if it works.
    async fn migrate(&self, host: &str, options: &str) -> Option<String> {
        let url: PostgresUrl = self.url(host, options).parse().unwrap();
        migrate(&url, None).await.err().map(|error| {
            assert!(!format!("{error} {error:?} {url} {url:?}").contains("s3cret"), "{error}");
            error.to_string()
        })
    }
}

/// Connections of the user `bank` without TLS.
fn plaintext_connections(cluster: &Cluster) -> String {
    let query = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE usename = 'bank' AND NOT ssl";
    query_scalar(&cluster.url(), query)
}

#[tokio::test]
async fn server_that_wants_tls_is_used() {
    let server = TlsServer::start(&Authority::new("test authority"), HOSTSSL_ONLY);
    let verified = format!("sslmode=verify-full&sslrootcert={}", server.file("ca.pem"));
    // As managed databases print it, without any option, and with the password bound to the certificate.
    for options in
        ["sslmode=require", "", "sslmode=prefer", &verified, "sslmode=require&channel_binding=require"]
    {
        assert_eq!(server.migrate("localhost", options).await, None, "{options}");
        let url: PostgresUrl = server.url("localhost", options).parse().unwrap();
        let node = PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
        node.post(order(1), NOW).await.unwrap();
        assert_eq!(node.ready().await, Ok(()));
        assert_eq!(plaintext_connections(&server.cluster), "0");
        assert!(node.audit().await.unwrap().is_clean());
    }
    let refused = server.migrate("localhost", "sslmode=disable").await.unwrap();
    assert!(refused.contains("no encryption"), "{refused}");
}

#[tokio::test]
async fn certificate_is_verified_as_the_mode_says() {
    let server = TlsServer::start(&Authority::new("test authority"), HOSTSSL_ONLY);
    std::fs::write(server.file("other.pem"), Authority::new("another authority").pem()).unwrap();
    let (right, other) = (server.file("ca.pem"), server.file("other.pem"));
    let with = |mode: &str, roots: &str| format!("sslmode={mode}&sslrootcert={roots}");
    // By number instead of name: the certificate names the host.
    let (by_name, by_number) = ("localhost", "127.0.0.1");
    let works = [
        (by_number, "sslmode=require".to_owned()),
        (by_number, with("require", &right)),
        (by_number, with("verify-ca", &right)),
        (by_name, with("verify-full", &right)),
    ];
    for (host, options) in works {
        assert_eq!(server.migrate(host, &options).await, None, "{host} {options}");
    }
    let fails = [
        (by_number, with("verify-full", &right), "not valid for name"),
        (by_name, with("require", &other), "UnknownIssuer"),
        (by_name, with("verify-ca", &other), "UnknownIssuer"),
        (by_name, with("verify-full", &other), "UnknownIssuer"),
        (by_name, "sslrootcert=system".to_owned(), "certificate"),
        (by_name, with("verify-full", "/no/such/file"), "/no/such/file cannot be read"),
        (by_name, with("verify-full", &server.file("empty.pem")), "holds no certificate"),
    ];
    std::fs::write(server.file("empty.pem"), "").unwrap();
    for (host, options, words) in fails {
        let error = server.migrate(host, &options).await.expect("it is refused");
        assert!(error.contains(words), "{host} {options}: {error}");
    }
}

#[tokio::test]
async fn client_certificate_is_sent() {
    let authority = Authority::new("test authority");
    let hba = "host all postgres all trust\nhostssl all bank all cert\n";
    let server = TlsServer::start(&authority, hba);
    let write = |name: &str, issued: &IssuedCertificate| {
        std::fs::write(server.file(&format!("{name}.crt")), &issued.certificate).unwrap();
        std::fs::write(server.file(&format!("{name}.key")), &issued.key).unwrap();
        format!(
            "sslmode=require&sslcert={}&sslkey={}",
            server.file(&format!("{name}.crt")),
            server.file(&format!("{name}.key"))
        )
    };
    let bank = write("bank", &authority.issue("bank"));
    assert_eq!(server.migrate("localhost", &bank).await, None);
    let other_user = write("thief", &authority.issue("thief"));
    let other_authority = write("forger", &Authority::new("another authority").issue("bank"));
    for options in [&other_user, &other_authority, "sslmode=require"] {
        assert!(server.migrate("localhost", options).await.is_some(), "{options}");
    }
    let no_key = format!("sslmode=require&sslcert={0}&sslkey={0}", server.file("bank.crt"));
    let error = server.migrate("localhost", &no_key).await.unwrap();
    assert!(error.contains("holds no private key"), "{error}");
}

#[tokio::test]
async fn server_without_tls_is_refused_unless_preferred() {
    let cluster = Cluster::start("");
    let url = |options: &str| format!("{}?{options}", cluster.url()).parse::<PostgresUrl>().unwrap();
    for options in ["sslmode=disable", "sslmode=prefer", ""] {
        migrate(&url(options), None).await.unwrap();
    }
    let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let verifying =
        if bundle.exists() { &["sslmode=require", "sslmode=verify-full"][..] } else { &["sslmode=require"] };
    for options in verifying {
        let error = migrate(&url(options), None).await.unwrap_err().to_string();
        assert!(error.contains("does not support TLS"), "{options}: {error}");
    }
}
