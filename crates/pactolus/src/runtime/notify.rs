//! Messages to the service manager: `Type=notify` of systemd, by the socket that `NOTIFY_SOCKET` names.
//!
//! Protocol: sd_notify(3). Without the variable nothing is sent. An error is logged, and the bank serves on.

use std::time::Duration;

use crate::cli::i18n::Lang;
#[cfg(unix)]
use crate::cli::i18n::{localize, tr};

/// A state that systemd waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceState {
    /// It takes orders.
    Ready,
    /// Its threads still run, for the manager's watchdog.
    Alive,
    /// It drains open requests.
    Stopping,
}

impl ServiceState {
    #[cfg(unix)]
    const fn message(self) -> &'static str {
        match self {
            Self::Ready => "READY=1",
            Self::Alive => "WATCHDOG=1",
            Self::Stopping => "STOPPING=1",
        }
    }
}

/// Interval of the messages that the manager's watchdog waits for; `None` without one. Protocol:
/// sd_watchdog_enabled(3).
pub(crate) fn watchdog_interval() -> Option<Duration> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let is_other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
    let limit = number("WATCHDOG_USEC").filter(|limit| *limit > 1 && !is_other)?;
    // Half of the limit, as the protocol advises.
    Some(Duration::from_micros(limit / 2))
}

/// Sends `state` to the service manager, if there is one.
#[cfg(unix)]
pub(crate) fn notify(state: ServiceState, lang: Lang) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, state.message()) {
        let warning = tr!(
            lang,
            "cannot notify the service manager by NOTIFY_SOCKET",
            "无法通过 NOTIFY_SOCKET 通知服务管理器"
        );
        tracing::warn!(error = localize(&error.to_string(), lang), ?state, "{warning}");
    }
}

/// Other systems have no such socket.
#[cfg(not(unix))]
pub(crate) fn notify(_: ServiceState, _: Lang) {}

#[cfg(unix)]
fn send(socket: &std::ffi::OsStr, message: &str) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    // A leading `@` stands for the zero byte of an abstract socket.
    let address = match socket.as_bytes().split_first() {
        #[cfg(target_os = "linux")]
        Some((b'@', name)) => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    // A manager that does not read must not stop the bank.
    datagram.set_nonblocking(true)?;
    datagram.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}
