//! Requests as other programs send them, byte for byte, and the bank that they are sent to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use pactolus_protocol::{Call as _, CallPath, Pay, Present, sign};
use pactolus_test_support::sample::{ACCESS_TOKEN, midas_key, operator_token};
use pactolus_types::Environment;
use serde_json::Value;

use crate::campaign;
use crate::process::{Folder, ServerProcess};

pub(super) const FORM: &str = "content-type: application/x-www-form-urlencoded";

/// A served bank of an app that needs no `mp_sig`.
pub(super) struct Bank {
    pub(super) folder: Folder,
    server: ServerProcess,
}

impl Bank {
    pub(super) fn serve() -> Self {
        Self::with_settings("")
    }

    /// A bank whose app has these settings too.
    pub(super) fn with_settings(settings: &str) -> Self {
        let folder = Self::folder("", settings);
        let server = ServerProcess::serve(&folder);
        Self { folder, server }
    }

    /// The same with a clock that only [`Bank::set_clock`] moves.
    pub(super) fn with_manual_clock(settings: &str) -> Self {
        let folder = Self::folder("", settings);
        let server = ServerProcess::start(folder.command(&["serve", "--clock", "manual"]));
        Self { folder, server }
    }

    /// A bank on an empty store, such as a database.
    pub(super) fn on_store(url: &str) -> Self {
        let folder = Self::folder(&format!("store = \"{url}\"\n"), "");
        let server = ServerProcess::start(folder.command(&["serve", "--migrate"]));
        Self { folder, server }
    }

    fn folder(top: &str, settings: &str) -> Folder {
        let folder = campaign::folder_without_mp_sig();
        let config = folder.read("pactolus.toml");
        folder.write("pactolus.toml", &format!("{top}{config}{settings}"));
        folder
    }

    /// Sets the manual clock to this second since 1970.
    #[track_caller]
    pub(super) fn set_clock(&self, second: i64) {
        let authorization = format!("authorization: Bearer {}", operator_token().expose());
        let headers = [&*authorization, "content-type: application/json"];
        let body = format!("{{\"now_ms\":{}}}", second * 1000);
        let (status, reply) = send(self.address(), "POST", "/api/v1/clock", &headers, body.as_bytes());
        assert_eq!(status, 200, "{reply}");
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The JSON reply on a path of the vendor's, which is always 200.
    #[track_caller]
    pub(super) fn send(&self, method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Value {
        let (status, reply) = send(self.address(), method, path, headers, body.as_ref());
        assert_eq!(status, 200, "{method} {path}: {reply}");
        serde_json::from_str(&reply).unwrap_or_else(|_| panic!("{method} {path}: {reply}"))
    }

    /// POSTs `body` to a sandbox call with the app's token.
    #[track_caller]
    pub(super) fn call(&self, call: &str, body: impl AsRef<[u8]>) -> Value {
        self.send("POST", &format!("/cgi-bin/midas/sandbox/{call}?access_token={ACCESS_TOKEN}"), &[], body)
    }

    /// Stops the bank, and proves its books.
    #[track_caller]
    pub(super) fn stop(self, orders: usize) {
        assert_eq!(self.server.stop().code, Some(0));
        self.folder.audit(orders);
    }
}

/// Sends one request. Returns the status and the body.
pub(super) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = format!("content-length: {}", body.len());
    let headers = [&["host: bank", "connection: close", &*length][..], headers].concat().join("\r\n");
    let head = format!("{method} {path} HTTP/1.1\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Asserts the errcode, and that the errmsg begins with `words`.
#[track_caller]
pub(super) fn assert_refused(reply: &Value, errcode: i64, words: &str) {
    let errmsg = reply["errmsg"].as_str().unwrap_or_default();
    assert!(reply["errcode"] == errcode && errmsg.starts_with(words), "{errcode} {words:?}: {reply}");
    let (_, rid) = errmsg.rsplit_once(" rid: ").unwrap();
    assert_eq!(rid.len(), 26, "{reply}");
}

/// Parameters of a player's call. `more` is one or several others, each after a comma.
pub(super) fn parameters(openid: &str, more: &str) -> String {
    format!(
        r#"{{"openid":"{openid}","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android"{more}}}"#
    )
}

/// A sandbox present, signed.
pub(super) fn present(openid: &str, bill_no: &str, coins: u64) -> String {
    let more = format!(r#","present_counts":{coins},"bill_no":"{bill_no}""#);
    signed(Present::path(Environment::Sandbox), &parameters(openid, &more))
}

/// A sandbox pay, signed.
pub(super) fn pay(openid: &str, bill_no: &str, coins: u64) -> String {
    let more = format!(r#","amt":{coins},"bill_no":"{bill_no}","pay_item":"sword","app_remark":"""#);
    signed(Pay::path(Environment::Sandbox), &parameters(openid, &more))
}

/// The body with the `sig` of the path's environment.
pub(super) fn signed(path: CallPath, body: &str) -> String {
    let parsed = pactolus_protocol::Body::parse(body.as_bytes()).unwrap();
    let sig = sign::sig(path, &parsed, pactolus_protocol::Dialect::DOCUMENTED, &midas_key(path.environment));
    format!(r#"{},"sig":"{sig}"}}"#, body.strip_suffix('}').unwrap())
}
