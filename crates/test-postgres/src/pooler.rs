//! PgBouncer in front of a server.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Cluster;
use crate::cluster::{as_postgres_user, free_port, temp_dir};

/// `pool_mode` of PgBouncer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// A client keeps its server connection.
    Session,
    /// A client gets a server connection for each transaction.
    Transaction,
}

/// A PgBouncer; dropping it ends it.
pub struct Pooler {
    port: u16,
    process: Child,
    _folder: TempDir,
}

/// Timeout of its start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Pooler {
    /// Starts a pooler of the cluster with a pool of this many connections, and lines for its configuration.
    pub fn start(cluster: &Cluster, mode: PoolMode, pool_size: usize, extra_settings: &str) -> Self {
        let program = find_program();
        let folder = temp_dir();
        let (port, target) = (free_port(), cluster.port());
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let file = folder.path().join("pgbouncer.ini");
        let configuration = format!(
            "[databases]\n* = user=postgres host=127.0.0.1 port={target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\nignore_startup_parameters = extra_float_digits\n\
             pool_mode = {mode}\ndefault_pool_size = {pool_size}\n{extra_settings}\n"
        );
        fs::write(&file, configuration).expect("the folder can be written");
        let process = as_postgres_user(Path::new(&program))
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer can be started");
        let pooler = Self { port, process, _folder: folder };
        pooler.wait_until_it_listens();
        pooler
    }

    /// URL of a database through the pooler, as superuser: `postgres://…/postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn wait_until_it_listens(&self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < START_TIMEOUT, "pgbouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian installs it where a user's path does not lead.
fn find_program() -> String {
    let places = ["pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer"];
    let works = |place: &&str| Command::new(place).arg("--version").output().is_ok();
    let found = places.into_iter().find(works);
    found.expect("this needs PgBouncer: install it (on Debian: apt-get install pgbouncer)").to_owned()
}
