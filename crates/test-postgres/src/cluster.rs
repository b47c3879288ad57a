//! A server of our own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A PostgreSQL server in a temporary folder, which ends with this.
pub struct Cluster {
    bin_dir: PathBuf,
    port: u16,
    data_dir: PathBuf,
    /// Ends the server and removes the folder once its stdin closes.
    supervisor: Child,
}

/// How the server is set. It is as durable as one is by default; what is changed is where it listens.
const POSTGRESQL_CONF: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
";

/// How long a server may take to start, with what it has to recover.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Starts a server, with `more` lines of settings.
    pub fn start(extra_settings: &str) -> Self {
        let programs = find_bin_dir();
        let folder = temp_dir();
        let data = folder.path().join("data");
        run(as_postgres_user(&programs.join("initdb")).arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        Self::start_in(programs, folder, data, extra_settings)
    }

    /// Starts a standby of this server, which follows it under the name `name`.
    #[must_use]
    pub fn standby(&self, name: &str) -> Self {
        let folder = temp_dir();
        let data = folder.path().join("data");
        let source = format!("host=127.0.0.1 port={} user=postgres application_name={name}", self.port);
        run(as_postgres_user(&self.bin_dir.join("pg_basebackup"))
            .arg("-D")
            .arg(&data)
            .args(["-R", "-c", "fast", "-X", "stream", "-d", &source]));
        Self::start_in(self.bin_dir.clone(), folder, data, "synchronous_standby_names = ''")
    }

    fn start_in(programs: PathBuf, folder: TempDir, data: PathBuf, extra_settings: &str) -> Self {
        let port = free_port();
        let file = data.join("postgresql.conf");
        let defaults = fs::read_to_string(&file).expect("initdb wrote it");
        // The last of two settings holds.
        fs::write(&file, format!("{defaults}\n{POSTGRESQL_CONF}\nport = {port}\n{extra_settings}\n"))
            .expect("it can be changed");
        let folder = folder.keep();
        let keeper = as_postgres_user(Path::new("sh"))
            .args([
                "-c",
                "cat >/dev/null; \"$1/pg_ctl\" -D \"$2/data\" -m immediate stop; rm -rf \"$2\"",
                "keeper",
            ])
            .args([&programs, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let cluster = Self { bin_dir: programs, port, data_dir: data, supervisor: keeper };
        cluster.restart();
        cluster
    }

    /// Where it is, as its superuser: `postgres://…/postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the programs that came with it.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Kills the postmaster with SIGKILL, as a machine's end would.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.data_dir.join("postmaster.pid")).expect("it runs");
        let pid = file.lines().next().expect("the first line is its number");
        run(Command::new("kill").args(["-KILL", pid]));
    }

    /// Stops it without a word to whoever is connected; what it has to recover is left to its next start.
    pub fn stop_immediately(&self) {
        run(as_postgres_user(&self.bin_dir.join("pg_ctl")).arg("-D").arg(&self.data_dir).args([
            "-w",
            "-m",
            "immediate",
            "stop",
        ]));
    }

    /// Kills one of its processes with SIGKILL, as a machine without memory left does.
    pub fn kill_process(&self, pid: u32) {
        run(Command::new("kill").args(["-KILL", &pid.to_string()]));
    }

    /// Sends a signal to all of its processes: `STOP`, and they say nothing until they `CONT`.
    pub fn signal_all(&self, name: &str) {
        let file = fs::read_to_string(self.data_dir.join("postmaster.pid")).expect("it runs");
        let pid = file.lines().next().expect("the first line is its number");
        // Its processes lead groups of their own; the system knows whose children they are.
        run(Command::new("pkill").args([&format!("-{name}"), "-P", pid]));
        run(Command::new("kill").args([&format!("-{name}"), pid]));
    }

    /// Starts it again after it was killed, and waits until it takes connections.
    pub fn restart(&self) {
        let start = Instant::now();
        let log = self.data_dir.join("log");
        loop {
            let started = as_postgres_user(&self.bin_dir.join("pg_ctl"))
                .arg("-D")
                .arg(&self.data_dir)
                .arg("-l")
                .arg(&log)
                .args(["-w", "-t", "60", "start"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("pg_ctl can be started");
            if started.success() {
                return;
            }
            // The backends of a postmaster that was killed hold its memory until they notice.
            let server_log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(start.elapsed() < START_TIMEOUT, "the server does not start: {}", server_log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes a standby the server that takes orders, and waits until it does.
    pub fn promote(&self) {
        run(as_postgres_user(&self.bin_dir.join("pg_ctl"))
            .arg("-D")
            .arg(&self.data_dir)
            .args(["-w", "promote"]));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        // It has ended the server and removed the folder when it ends.
        let _ = self.supervisor.wait();
    }
}

/// Where the newest PostgreSQL's programs are.
fn find_bin_dir() -> PathBuf {
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut versions: Vec<(u32, PathBuf)> = of_debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    versions.sort();
    if let Some((_, newest)) = versions.pop() {
        return newest;
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).find(|folder| folder.join("initdb").exists()).expect(
        "this needs a PostgreSQL server: install one (on Debian: apt-get install postgresql), \
         or name one with PACTOLUS_TEST_POSTGRES=postgres://user:password@host/database",
    )
}

/// A folder that the server's user owns.
fn temp_dir() -> TempDir {
    let folder =
        tempfile::Builder::new().prefix("pactolus-postgres-").tempdir().expect("a folder can be made");
    if is_root() {
        run(Command::new("chown").arg("postgres:").arg(folder.path()));
    }
    folder
}

/// PostgreSQL does not run as root; its package makes a user for it.
fn as_postgres_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // The folder that tests are run in may be closed to it.
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it listens").port()
}

fn run(command: &mut Command) {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
