//! One database per test, on a server that tests share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use crate::Cluster;

/// An empty database. Dropping this drops the database if the server outlives the tests.
pub struct Database {
    server: TestServer,
    name: String,
}

/// The server that all tests of this process share.
enum TestServer {
    /// Ends with the process, databases included: dropping each one would cost a checkpoint.
    Owned(String),
    External(String),
}

impl Database {
    /// Creates a new database with a unique name.
    pub fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Two test processes may share one server.
        let name = format!("pactolus_test_{}_{number}", std::process::id());
        let server = TestServer::shared();
        execute(server.url(), &format!("CREATE DATABASE {name}"));
        Self { server, name }
    }

    /// URL of the database: `postgres://…`.
    pub fn url(&self) -> String {
        let url = self.server.url();
        let (base, options) = url.split_once('?').map_or((url, ""), |(place, options)| (place, options));
        let authority = base.find("://").map_or(0, |at| at + 3);
        let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
        let options = if options.is_empty() { String::new() } else { format!("?{options}") };
        format!("{}/{}{options}", &base[..end], self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let TestServer::External(url) = &self.server {
            execute(url, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

impl TestServer {
    fn shared() -> Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        match std::env::var("PACTOLUS_TEST_POSTGRES") {
            Ok(url) if !url.is_empty() => Self::External(url),
            _ => Self::Owned(SHARED.get_or_init(|| Cluster::start("")).url()),
        }
    }

    fn url(&self) -> &str {
        let (Self::Owned(url) | Self::External(url)) = self;
        url
    }
}

/// Runs SQL statements at `url`; callable inside and outside of a runtime.
pub fn execute(url: &str, statements: &str) {
    run(url, statements);
}

/// The first column of the query's first row.
pub fn query_scalar(url: &str, query: &str) -> String {
    let messages = run(url, query);
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.expect("the query returns a row")
}

fn run(url: &str, statements: &str) -> Vec<SimpleQueryMessage> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be started").block_on(async {
            let config: Config = url.parse().expect("the URL of the test server is valid");
            let (client, connection) =
                config.connect(NoTls).await.expect("the test server accepts connections");
            let connection = tokio::spawn(connection);
            let messages =
                client.simple_query(statements).await.expect("the test server runs the statements");
            drop(client);
            let _ = connection.await;
            messages
        })
    };
    std::thread::scope(|scope| scope.spawn(run).join()).expect("the query thread does not panic")
}
