//! The listen address: an address and a port, or one of their short forms.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Parses `127.0.0.1:8790`, `[::]:8790`, `localhost:8790`, `:8790` for every address of the machine, and `8790` for
/// this machine alone.
pub(crate) fn parse_listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.starts_with("unix:") || text.starts_with('/') || text.starts_with('@') {
        return Err("is a Unix socket, and the bank listens on TCP only; it must be like 127.0.0.1:8790");
    }
    if let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))
        && parse_listen_address(rest.trim_end_matches('/')).is_ok()
    {
        return Err("is a URL; it must be an address without http://, like 127.0.0.1:8790");
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
    let ip = match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        "" | "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "ip6-localhost" => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    };
    let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    match (ip, port.and_then(|port| port.parse().ok())) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err("is not an address with a port; it must be like 127.0.0.1:8790 or [::]:8790"),
    }
}

/// Parses the listen address of the operator API, or `off` for that of the game.
pub(super) fn parse_operator_listen(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    if text.trim() == "off" { Ok(None) } else { parse_listen_address(text).map(Some) }
}

/// The address at which a client on this machine reaches a listener: a wildcard address includes the loopback one.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        SocketAddr::V4(_) | SocketAddr::V6(_) => listen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_addresses() {
        for (text, address) in [
            ("127.0.0.1:8790", "127.0.0.1:8790"),
            ("[::1]:8790", "[::1]:8790"),
            ("localhost:8790", "127.0.0.1:8790"),
            (":8790", "0.0.0.0:8790"),
            ("*:8790", "0.0.0.0:8790"),
            ("8790", "127.0.0.1:8790"),
            ("0", "127.0.0.1:0"),
        ] {
            assert_eq!(parse_listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            ":",
            "localhost",
            "localhost:",
            "localhost:99999",
            "bank.example:80",
            "::1",
            "+80",
            "1.2.3.4",
        ] {
            assert!(parse_listen_address(text).unwrap_err().contains("address with a port"), "{text}");
        }
        for text in ["unix:/run/p.sock", "unix:p", "/run/p.sock", "@bank"] {
            assert!(parse_listen_address(text).unwrap_err().contains("is a Unix socket"), "{text}");
        }
        assert!(parse_listen_address("http://127.0.0.1:8790/").unwrap_err().contains("is a URL"));
    }

    #[test]
    fn operator_listen_is_off_or_an_address() {
        assert_eq!(parse_operator_listen("off"), Ok(None));
        assert_eq!(parse_operator_listen("9000").map(Option::unwrap), parse_listen_address("9000"));
        assert!(parse_operator_listen("on").is_err());
    }

    #[test]
    fn wildcard_is_reached_on_the_loopback() {
        for (listen, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
