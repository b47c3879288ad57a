//! A running bank's own findings, by the operator API.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, anyhow};
use pactolus_protocol::Rid;
use serde_json::Value;

use crate::cli::Output;
use crate::config::Config;
use crate::failure::Failure;
use crate::http::{Http, Response};
use crate::runtime;

/// Asks the bank at `url` about the request `rid`, and prints what it tells.
pub(super) fn explain(config: &Config, url: Option<&str>, rid: Rid, output: Output) -> Result<(), Failure> {
    let bank = url.map_or(Ok(config.listen), address)?;
    let path = format!("/api/v1/rejections/{rid}");
    let response = runtime::start()?
        .block_on(Http::new(bank).get_as_operator(&path, &config.bank.operator_token))
        .with_context(|| format!("the bank at http://{bank} cannot be asked"))?;
    let rejection = told(&response)?;
    let printed = match output {
        Output::Text => text(&mut io::stdout(), &rejection),
        Output::Json => writeln!(io::stdout(), "{rejection}"),
    };
    Ok(printed.context("stdout cannot be written to")?)
}

/// The address in a URL. There is no TLS in this client, as there is none in the bank.
fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let host = host.filter(|host| !host.contains('/'));
    let host = host.ok_or_else(|| anyhow!("--url is {url:?}; it must be like http://127.0.0.1:8790"))?;
    // After the last colon, unless that is one of an address in brackets, stands the port.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
    let mut addresses = with_port.to_socket_addrs().with_context(|| format!("{host} is not found"))?;
    addresses.next().ok_or_else(|| anyhow!("{host} has no address"))
}

/// What the bank tells, or its own words for why it does not.
fn told(response: &Response) -> anyhow::Result<Value> {
    let body: Value = serde_json::from_str(&response.body).context("the answer is not a bank's")?;
    if response.status.is_success() {
        return Ok(body);
    }
    let detail = body["detail"].as_str().map_or_else(|| response.status.to_string(), str::to_owned);
    Err(anyhow!("the bank does not tell: {detail}"))
}

fn text(out: &mut impl Write, rejection: &Value) -> io::Result<()> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    writeln!(out, "{} {}", word(&rejection["method"]), word(&rejection["path"]))?;
    writeln!(out, "answered: {} {}", rejection["errcode"], word(&rejection["errmsg"]))?;
    for finding in list(&rejection["findings"]) {
        writeln!(out, "{}", word(&finding["finding"]))?;
        writeln!(out, "  to mend it: {}", word(&finding["fix"]))?;
    }
    if let Some(signed) = rejection["signed_text"].as_str() {
        writeln!(out, "the bank signs: {signed}")?;
    }
    for parameter in list(&rejection["parameters"]) {
        let form = word(&parameter["form"]);
        match parameter["value"].as_str() {
            Some(value) => writeln!(out, "received: {} = {value} ({form})", word(&parameter["name"]))?,
            None => writeln!(out, "received: {} ({form}, not shown)", word(&parameter["name"]))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_http_a_host_and_a_port() {
        for (url, known) in [
            ("http://127.0.0.1:8790", "127.0.0.1:8790"),
            ("http://127.0.0.1:8790/", "127.0.0.1:8790"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("http://[::1]:8790", "[::1]:8790"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(address(url).unwrap().to_string(), known);
        }
        for bad in ["127.0.0.1:8790", "https://127.0.0.1:8790", "http://127.0.0.1:8790/api", "http://"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
