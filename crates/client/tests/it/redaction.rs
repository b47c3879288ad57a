//! Logs and debug output hold no secret.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use pactolus_test_support::sample::{MIDAS_KEY, SESSION_KEY};
use tracing_subscriber::fmt::MakeWriter;

use crate::bank::{SECRET, gift, player};
use crate::vendor::{TOKEN, VendorHost};

#[derive(Clone, Default)]
pub(crate) struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogBuffer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl LogBuffer {
    /// Collects the events of this thread until the guard is dropped.
    pub(crate) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        // While there is one subscriber only, an event's first use on another thread disables it everywhere.
        static SECOND: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));
        LazyLock::force(&SECOND);
        let log = Self::default();
        let logs = tracing_subscriber::fmt()
            .with_env_filter("pactolus_client=trace")
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(logs))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn logs_and_debug_output_hold_no_secret() {
    let (log, _logging) = LogBuffer::capture();
    let refusals = [
        r#"{"errcode":40001,"errmsg":"invalid credential"}"#,
        r#"{"errcode":-1,"errmsg":"system error"}"#,
        "<html>",
        r#"{"errcode":90011,"errmsg":"sig error"}"#,
    ];
    let host = VendorHost::start(&refusals, &[TOKEN, r#"{"access_token":"SECOND","expires_in":7200}"#]).await;
    let client = host.client();
    let gift = gift(&player("one"), "number", 5);
    let error = client.present(&gift).await.unwrap_err();
    let mut printed = format!("{client:?} {gift:?} {error:?} {error}");
    let log = log.text();
    assert!(log.contains("midas{call=present environment=sandbox openid=one bill_no=number}"), "{log}");
    assert_eq!(log.matches("attempt failed").count(), 2, "{log}");
    printed.push_str(&log);
    for secret in [MIDAS_KEY, SECRET, SESSION_KEY, "FIRST", "SECOND", "mp_sig"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
