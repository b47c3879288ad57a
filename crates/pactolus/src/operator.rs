//! Client of a running bank's operator API.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Context as _;
use pactolus_protocol::OperatorToken;
use serde_json::Value;

use crate::cli::exit::{CliError, ExitCode, error_chain};
use crate::cli::i18n::{Lang, tr};
use crate::http::{HttpClient, HttpResponse};

/// A client of one bank's operator API.
pub(crate) struct OperatorClient {
    http: HttpClient,
    address: SocketAddr,
    token: OperatorToken,
    timeout: Duration,
}

impl OperatorClient {
    pub(crate) fn new(bank: SocketAddr, token: OperatorToken, timeout: Duration) -> Self {
        Self { http: HttpClient::new(bank), address: bank, token, timeout }
    }

    /// GETs `path` and parses the JSON response.
    pub(crate) async fn get(&self, path: &str, lang: Lang) -> Result<Value, CliError> {
        let response = tokio::time::timeout(self.timeout, self.http.get_as_operator(path, &self.token)).await;
        let why = match response {
            Ok(Ok(response)) => return parse_response(&response, lang),
            Ok(Err(error)) => error_chain(error.as_ref()),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                tr!(lang, "no response within {seconds} s", "{seconds} 秒内没有响应")
            }
        };
        let address = self.address;
        let message = tr!(
            lang,
            "the bank at http://{address} is unreachable: {why}",
            "无法连接 http://{address}：{why}"
        );
        Err(CliError::message(ExitCode::Unreachable, message))
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
pub(crate) fn resolve_address(url: &str, lang: Lang) -> Result<SocketAddr, CliError> {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let host = host.filter(|host| !host.is_empty() && !host.contains('/')).ok_or_else(|| {
        let message = tr!(
            lang,
            "the operator API's address is {url:?}; it must be like http://127.0.0.1:8790",
            "运维接口的地址是 {url:?}；应形如 http://127.0.0.1:8790"
        );
        CliError::message(ExitCode::Usage, message)
    })?;
    // The port follows the last colon, unless that colon is inside the brackets of an IPv6 address.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
    let found = with_port.to_socket_addrs().map(|mut addresses| addresses.next());
    found.ok().flatten().ok_or_else(|| {
        let message = tr!(lang, "the host {host} has no address", "找不到主机 {host} 的地址");
        CliError::message(ExitCode::Unreachable, message)
    })
}

/// The JSON body of a success, or an error with the `detail` of the response. A query moves no coins.
fn parse_response(response: &HttpResponse, lang: Lang) -> Result<Value, CliError> {
    let body: Value =
        serde_json::from_str(&response.body).context("the response is not a bank's: it is not JSON")?;
    if response.status.is_success() {
        return Ok(body);
    }
    let detail = body["detail"].as_str().map_or_else(|| response.status.to_string(), str::to_owned);
    let kind = if response.status.is_server_error() { ExitCode::Unreachable } else { ExitCode::Refused };
    let message = tr!(lang, "the bank refused the request: {detail}", "服务端拒绝了请求：{detail}");
    Err(CliError::message(kind, message))
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
            assert_eq!(resolve_address(url, Lang::En).unwrap().to_string(), known);
        }
        for bad in ["127.0.0.1:8790", "https://127.0.0.1:8790", "http://127.0.0.1:8790/api", "http://"] {
            assert!(resolve_address(bad, Lang::En).is_err(), "{bad}");
        }
    }
}
