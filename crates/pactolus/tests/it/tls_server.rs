//! TLS in the server: versions 1.2 and 1.3, a certificate that is replaced, and plain HTTP on a TLS port.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pactolus_test_support::authority::{Authority, IssuedCertificate};
use pactolus_test_support::sample::CONFIG;
use pactolus_types::Environment;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::gifts::{Gift, Player};
use crate::http::HttpClient;
use crate::process::{Folder, Process};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Longer than a connection keeps its HTTP buffers while it is idle.
const IDLE: Duration = Duration::from_millis(700);

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A bank with a certificate of an authority, and a plain port for the operator.
struct TlsBank {
    folder: Folder,
    process: Process,
    address: SocketAddr,
    operator: HttpClient,
    authority: Authority,
    certificate: IssuedCertificate,
}

fn put(folder: &Folder, certificate: &IssuedCertificate) {
    folder.write("cert.pem", &certificate.certificate);
    folder.write("key.pem", &certificate.key);
}

impl TlsBank {
    fn start() -> Self {
        let (folder, authority) = (Folder::empty(), Authority::new("test authority"));
        let certificate = authority.issue("localhost");
        put(&folder, &certificate);
        let tls = "operator_listen = \"127.0.0.1:0\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
        folder.write("pactolus.toml", &format!("{tls}{CONFIG}"));
        let mut process = Process::start(folder.command(&["serve"]));
        let operator = process.wait_for_line("operator API on http://").parse().unwrap();
        let address = process.wait_for_line("listening on https://").parse().unwrap();
        Self { folder, process, address, operator: HttpClient::new(operator), authority, certificate }
    }

    fn session(&self, version: &'static SupportedProtocolVersion) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }

    fn connect(&self, version: &'static SupportedProtocolVersion) -> TlsStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut stream = StreamOwned::new(self.session(version), socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    }

    /// The certificate that a new connection shows.
    fn shown(&self) -> Vec<u8> {
        self.connect(&TLS13).conn.peer_certificates().unwrap()[0].to_vec()
    }

    fn stop(self, orders: usize) {
        self.process.terminate();
        let ended = self.process.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        self.folder.audit(orders);
    }
}

fn gift(bill_no: &str) -> String {
    let gift =
        Gift { environment: Environment::Live, player: Player(0), bill_no: bill_no.to_owned(), coins: 1 };
    let (path, body) = gift.request();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Reads one reply, and leaves the connection open.
fn read_reply(stream: &mut impl std::io::Read) -> String {
    let mut reader = BufReader::with_capacity(1, stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
    }
    for line in head.lines() {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn call(stream: &mut TlsStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    read_reply(stream)
}

#[tokio::test]
async fn both_versions_serve_calls_on_one_connection() {
    let bank = TlsBank::start();
    Player(0).log_in(&bank.operator).await;
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = bank.connect(version);
        assert_eq!(stream.conn.protocol_version(), Some(name));
        assert!(call(&mut stream, &gift(&format!("{name:?}-1"))).contains("\"errcode\":0"), "{name:?}");
        // Other requests pass the time until the idle connection has freed its buffers.
        let start = Instant::now();
        while start.elapsed() < IDLE {
            assert_eq!(bank.operator.get("/healthz").await.unwrap().status, 200);
        }
        assert!(call(&mut stream, &gift(&format!("{name:?}-2"))).contains("\"errcode\":0"), "{name:?}");
        // Two requests in one record.
        let both = gift(&format!("{name:?}-3")) + &gift(&format!("{name:?}-4"));
        assert!(call(&mut stream, &both).contains("\"errcode\":0"), "{name:?}");
        assert!(read_reply(&mut stream).contains("\"errcode\":0"), "{name:?}");
    }
    bank.stop(8);
}

/// A request that arrives with the end of the handshake is decrypted before the connection waits for its first byte.
#[tokio::test]
async fn request_in_the_flight_of_the_handshake_is_answered() {
    let bank = TlsBank::start();
    Player(0).log_in(&bank.operator).await;
    for (number, version) in [&TLS12, &TLS13].into_iter().enumerate() {
        let socket = TcpStream::connect(bank.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut session = bank.session(version);
        session.writer().write_all(gift(&format!("early-{number}")).as_bytes()).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        assert!(read_reply(&mut stream).contains("\"errcode\":0"));
    }
    bank.stop(2);
}

#[test]
fn plain_http_is_named_as_such() {
    let bank = TlsBank::start();
    for request in ["GET /healthz HTTP/1.1\r\nHost: bank\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(bank.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let reply = read_reply(&mut stream);
        assert!(reply.starts_with("HTTP/1.1 400 ") && reply.contains("speaks TLS"), "{reply}");
    }
    // Neither a silent client nor one that speaks neither delays the shutdown.
    let _silent = TcpStream::connect(bank.address).unwrap();
    let mut other = TcpStream::connect(bank.address).unwrap();
    other.write_all(b"\x00\x01\x02").unwrap();
    bank.stop(0);
}

#[tokio::test]
async fn certificate_is_replaced_while_calls_go_on() {
    let bank = TlsBank::start();
    Player(0).log_in(&bank.operator).await;
    let mut old = bank.connect(&TLS13);
    assert_eq!(bank.shown(), bank.certificate.der);
    let next = bank.authority.issue("localhost");
    put(&bank.folder, &next);
    bank.process.signal("-HUP");
    let (start, mut number) = (Instant::now(), 0);
    while bank.shown() != next.der {
        assert!(start.elapsed() < TIMEOUT, "the certificate is not replaced");
        assert!(call(&mut old, &gift(&format!("old-{number}"))).contains("\"errcode\":0"));
        number += 1;
    }
    assert!(call(&mut old, &gift("old-last")).contains("\"errcode\":0"), "an open connection goes on");

    // A key of another certificate is refused, and the certificate stays.
    bank.folder.write("key.pem", &bank.certificate.key);
    bank.process.signal("-HUP");
    for _ in 0..100 {
        assert_eq!(bank.shown(), next.der);
    }
    bank.process.terminate();
    let ended = bank.process.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("`key` is not the key of the certificate"), "{}", ended.stderr);
    put(&bank.folder, &next);
    bank.folder.audit(number + 1);
}

#[test]
fn half_a_certificate_is_refused() {
    let folder = Folder::empty();
    let certificate = Authority::new("test authority").issue("localhost");
    put(&folder, &certificate);
    folder.write("junk.pem", "junk");
    for (tls, problem) in [
        ("cert = \"cert.pem\"", "`key` is missing; `cert` needs its key"),
        ("key = \"key.pem\"", "`cert` is missing; `key` needs its certificate"),
        ("cert = \"junk.pem\", key = \"key.pem\"", "`cert` holds no certificate in PEM"),
        ("cert = \"cert.pem\", key = \"cert.pem\"", "`key` holds no private key in PEM"),
        ("cert = \"absent.pem\", key = \"key.pem\"", "absent.pem, which cannot be read"),
    ] {
        folder.write("pactolus.toml", &format!("tls = {{ {tls} }}\n{CONFIG}"));
        let ended = folder.run(&["serve"]);
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains(problem), "{problem}: {}", ended.stderr);
    }
}

/// The commands call a bank with TLS, and trust its authority by `SSL_CERT_FILE`.
#[test]
fn commands_call_a_bank_with_tls() {
    let bank = TlsBank::start();
    bank.folder.write("ca.pem", &bank.authority.pem());
    let url = format!("https://localhost:{}", bank.address.port());
    let mut token = bank.folder.command(&["token", "--env", "sandbox", "--url", &url]);
    token.env("SSL_CERT_FILE", "ca.pem");
    let ended = Process::start(token).wait();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    bank.process.terminate();
    assert_eq!(bank.process.wait().code, Some(0));
}
