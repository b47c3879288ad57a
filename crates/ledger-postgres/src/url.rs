//! Database URL: `postgres://user:password@host:port/database?option=value`.
//!
//! Invariant: the password is never shown. `Display` and `Debug` show the user, the hosts and the database.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Address of a database and the user to connect as.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Config);

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
    /// It asks for TLS.
    #[error(
        "asks for TLS, which this program does not support; use a trusted host or tunnel, and sslmode=disable"
    )]
    Tls,
}

/// Connect timeout per host, unless the URL sets one. A caller waits for a second at most, and of two hosts the
/// second needs time too.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(400);

impl FromStr for PostgresUrl {
    type Err = InvalidPostgresUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPostgresUrl> {
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(InvalidPostgresUrl::Scheme);
        }
        if text.matches('@').count() > 1 {
            return Err(InvalidPostgresUrl::UnescapedAt);
        }
        // The parse error is dropped: it may quote a part of the text.
        let mut config = Config::from_str(text).map_err(|_| InvalidPostgresUrl::Malformed)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidPostgresUrl::NoHost);
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(InvalidPostgresUrl::NoUser);
        }
        match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => config.ssl_mode(SslMode::Disable),
            _ => return Err(InvalidPostgresUrl::Tls),
        };
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
        Ok(Self(config))
    }
}

impl PostgresUrl {
    pub(crate) fn config(&self) -> &Config {
        &self.0
    }

    /// The same server and user, with another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut config = self.0.clone();
        config.dbname(name);
        Self(config)
    }
}

/// Shows user, hosts and database, without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.0.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.0.get_ports();
        for (index, host) in self.0.get_hosts().iter().enumerate() {
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
        match self.0.get_dbname() {
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
        assert_eq!(refused("postgres://bank@h/x?sslmode=require"), InvalidPostgresUrl::Tls);
    }
}
