//! Client of a running bank's operator API.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, anyhow};
use pactolus_protocol::OperatorToken;
use serde_json::Value;

use crate::http::{HttpClient, HttpResponse};

/// A client of one bank's operator API.
pub(crate) struct OperatorClient {
    http: HttpClient,
    address: SocketAddr,
    token: OperatorToken,
}

impl OperatorClient {
    pub(crate) fn new(bank: SocketAddr, token: OperatorToken) -> Self {
        Self { http: HttpClient::new(bank), address: bank, token }
    }

    /// GETs `path` and parses the JSON response.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let response = self.http.get_as_operator(path, &self.token).await;
        parse_response(
            &response.with_context(|| format!("the bank at http://{} is unreachable", self.address))?,
        )
    }
}

/// Percent-encodes a text for a path or a query.
pub(crate) fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Resolves the host and port of an `http://` URL. Neither this client nor the bank speaks TLS.
pub(crate) fn resolve_address(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let host = host.filter(|host| !host.contains('/'));
    let host = host.ok_or_else(|| anyhow!("--url is {url:?}; it must be like http://127.0.0.1:8790"))?;
    // The port follows the last colon, unless that colon is inside the brackets of an IPv6 address.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
    let mut addresses = with_port.to_socket_addrs().with_context(|| format!("{host} is not found"))?;
    addresses.next().ok_or_else(|| anyhow!("{host} has no address"))
}

/// The JSON body of a success, or an error with the `detail` of the response.
fn parse_response(response: &HttpResponse) -> anyhow::Result<Value> {
    let body: Value =
        serde_json::from_str(&response.body).context("the response is not a bank's: it is not JSON")?;
    if response.status.is_success() {
        return Ok(body);
    }
    let detail = body["detail"].as_str().map_or_else(|| response.status.to_string(), str::to_owned);
    Err(anyhow!("the bank refused the request: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_http_with_host_and_port() {
        for (url, known) in [
            ("http://127.0.0.1:8790", "127.0.0.1:8790"),
            ("http://127.0.0.1:8790/", "127.0.0.1:8790"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("http://[::1]:8790", "[::1]:8790"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(resolve_address(url).unwrap().to_string(), known);
        }
        for bad in ["127.0.0.1:8790", "https://127.0.0.1:8790", "http://127.0.0.1:8790/api", "http://"] {
            assert!(resolve_address(bad).is_err(), "{bad}");
        }
    }
}
