//! Database URL: `postgres://user:password@host:port/database?option=value`.
//!
//! Invariant: the password is never shown. `Display` and `Debug` show the user, the hosts and the database.

mod tls_options;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::tls::{TlsMode, TlsSettings};

/// Address of a database and the user to connect as.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Config,
    tls: TlsSettings,
}

/// Reason why a text is not a valid URL. It does not quote the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPostgresUrl {
    /// It does not begin with `postgres://` or `postgresql://`.
    #[error("does not begin with postgres:// or postgresql://")]
    Scheme,
    /// More than one `@`: an unescaped one in the password would end it early, and its rest would be taken for the
    /// host and shown.
    #[error("has more than one @; one that is part of the password must be written as %40")]
    UnescapedAt,
    /// It does not parse.
    #[error("is not valid; it must be like postgres://user:password@host:5432/database")]
    Malformed,
    /// It names no host.
    #[error("names no host; it must be like postgres://user:password@host:5432/database")]
    NoHost,
    /// It names no user.
    #[error("names no user; it must be like postgres://user:password@host:5432/database")]
    NoUser,
    /// Its `sslmode` is unknown.
    #[error("has an unknown sslmode; it must be disable, prefer, require, verify-ca or verify-full")]
    TlsMode,
    /// The system's root certificates, without a check of the host's name.
    #[error(
        "has sslrootcert=system, which needs sslmode=verify-full: others have certificates of these roots too"
    )]
    SystemRoots,
    /// A client certificate without its key, or the reverse.
    #[error("has one of sslcert and sslkey; a client certificate needs both")]
    ClientCertificate,
}

/// Connect timeout per host, unless the URL sets one. Of two hosts, the second needs time too.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

impl FromStr for PostgresUrl {
    type Err = InvalidPostgresUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPostgresUrl> {
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(InvalidPostgresUrl::Scheme);
        }
        if text.matches('@').count() > 1 {
            return Err(InvalidPostgresUrl::UnescapedAt);
        }
        let (text, tls) = tls_options::take(text)?;
        // The parse error is dropped: it may quote a part of the text.
        let mut config = Config::from_str(&text).map_err(|_| InvalidPostgresUrl::Malformed)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidPostgresUrl::NoHost);
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(InvalidPostgresUrl::NoUser);
        }
        config.ssl_mode(match tls.mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("pactolus");
        }
        // Of several hosts, connect to the primary; after a failover it is another one.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        // TCP keepalive detects a dead peer after some ten seconds.
        config.keepalives_idle(Duration::from_secs(5));
        config.keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        Ok(Self { config, tls })
    }
}

impl PostgresUrl {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether connections to another machine may be plaintext.
    pub fn may_be_plaintext(&self) -> bool {
        match self.tls.mode {
            TlsMode::Disable | TlsMode::Prefer => !self.is_local(),
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => false,
        }
    }

    pub(crate) fn tls(&self) -> &TlsSettings {
        &self.tls
    }

    /// Whether every host is this machine, so that plaintext crosses no network.
    pub(crate) fn is_local(&self) -> bool {
        let is_loopback = |host: &Host| match host {
            Host::Tcp(name) if name == "localhost" => true,
            Host::Tcp(name) => name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        self.config.get_hosts().iter().all(is_loopback)
            && self.config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }

    /// The same server and user, with another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut url = self.clone();
        url.config.dbname(name);
        url
    }
}

/// Shows user, hosts and database, without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(folder) => write!(f, "{}", folder.display())?,
            }
            if let Some(port) = ports.get(index).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        match self.config.get_dbname() {
            Some(database) => write!(f, "/{database}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_hides_the_password() {
        let url: PostgresUrl = "postgres://bank:s3cret@db.example:6432/coins".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://bank@db.example:6432/coins");
        assert_eq!(format!("{url:?}"), "PostgresUrl(postgres://bank@db.example:6432/coins)");
        let two_hosts: PostgresUrl = "postgresql://bank:s3cret@one,two:6432/coins".parse().unwrap();
        assert!(!format!("{two_hosts} {two_hosts:?}").contains("s3cret"));
        for wrong in ["postgres://bank:s3cret@h:port/x", "postgres://bank:s3cret@h/x?no=such&option=s3cret"] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    /// The bug: an unescaped `@` ended the password early, and its rest was taken for the host.
    /// The loss: the rest appeared in messages and logs, such as `postgres://bank@ss@db:5432/coins`.
    /// The fix: the parser refuses such a URL, and its error says how to escape an `@`.
    #[test]
    fn unescaped_at_in_password_is_refused() {
        let url: PostgresUrl = "postgres://bank:p%40s3cret@db/coins".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://bank@db:5432/coins");
        assert_eq!(url.config().get_password(), Some(&b"p@s3cret"[..]));
        for wrong in ["postgres://bank:p@s3cret@db/coins", "postgres://bank:p@h/s3cret@db/coins"] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn unsupported_urls_are_refused() {
        let refused = |text: &str| text.parse::<PostgresUrl>().unwrap_err();
        assert_eq!(refused("mysql://bank@h/x"), InvalidPostgresUrl::Scheme);
        assert_eq!(refused("postgres://bank:p@ss@h/x"), InvalidPostgresUrl::UnescapedAt);
        assert_eq!(refused("postgres:///x"), InvalidPostgresUrl::NoHost);
        assert_eq!(refused("postgres://h/x"), InvalidPostgresUrl::NoUser);
        assert_eq!(refused("postgres://bank@h/x?sslmode=on"), InvalidPostgresUrl::TlsMode);
    }

    #[test]
    fn hosts_of_this_machine_are_local() {
        let is_local = |text: &str| text.parse::<PostgresUrl>().unwrap().is_local();
        for local in ["localhost", "127.0.0.1", "%2Frun%2Fpostgresql", "localhost,127.0.0.2"] {
            assert!(is_local(&format!("postgres://bank@{local}/x")), "{local}");
        }
        for remote in ["db.example", "10.0.0.1", "localhost,db.example", "localhost.example"] {
            let url = format!("postgres://bank@{remote}/x");
            assert!(!is_local(&url), "{remote}");
            let may_be_plaintext =
                |options: &str| format!("{url}{options}").parse::<PostgresUrl>().unwrap().may_be_plaintext();
            assert!(may_be_plaintext("") && may_be_plaintext("?sslmode=disable"));
            assert!(!may_be_plaintext("?sslmode=require") && !may_be_plaintext("?sslmode=verify-full"));
        }
        assert!(!is_local("postgres://bank@localhost/x?hostaddr=10.0.0.1"));
    }
}
