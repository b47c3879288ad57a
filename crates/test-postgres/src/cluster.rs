//! Throwaway PostgreSQL server in a temporary folder.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A PostgreSQL server in a temporary folder; dropping it stops the server and removes the folder.
pub struct Cluster {
    bin_dir: PathBuf,
    port: u16,
    data_dir: PathBuf,
    /// Shell that stops the server and removes the folder when its stdin closes.
    supervisor: Child,
}

/// Server settings. Durability stays at the defaults.
const POSTGRESQL_CONF: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
";

/// Start-up timeout, crash recovery included.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Starts a server with `extra_settings`, lines for `postgresql.conf`.
    pub fn start(extra_settings: &str) -> Self {
        Self::start_with_files(extra_settings, &[])
    }

    /// Starts a server with these files in its data folder, such as certificates or another `pg_hba.conf`. The server
    /// can be used over TCP at once if they let `postgres` in.
    pub fn start_with_files(extra_settings: &str, files: &[(&str, &str)]) -> Self {
        let bin_dir = find_bin_dir();
        let folder = temp_dir();
        let data = folder.path().join("data");
        run(as_postgres_user(&bin_dir.join("initdb")).arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        for (name, text) in files {
            write_as_postgres_user(&data.join(name), text);
        }
        Self::start_in(bin_dir, folder, data, extra_settings)
    }

    /// Starts a streaming standby of this server; `name` is its `application_name`.
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

    fn start_in(bin_dir: PathBuf, folder: TempDir, data: PathBuf, extra_settings: &str) -> Self {
        let port = free_port();
        let file = data.join("postgresql.conf");
        let defaults = fs::read_to_string(&file).expect("initdb wrote it");
        // The last value of a repeated setting wins.
        fs::write(&file, format!("{defaults}\n{POSTGRESQL_CONF}\nport = {port}\n{extra_settings}\n"))
            .expect("it can be changed");
        let folder = folder.keep();
        let supervisor = as_postgres_user(Path::new("sh"))
            .args([
                "-c",
                "cat >/dev/null; \"$1/pg_ctl\" -D \"$2/data\" -m immediate stop; rm -rf \"$2\"",
                "keeper",
            ])
            .args([&bin_dir, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let cluster = Self { bin_dir, port, data_dir: data, supervisor };
        cluster.restart();
        cluster
    }

    /// URL as superuser: `postgres://…/postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The listening port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder of the server's programs.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Kills the postmaster with SIGKILL, like a crash of its machine.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.data_dir.join("postmaster.pid")).expect("it runs");
        let pid = file.lines().next().expect("the first line is its number");
        run(Command::new("kill").args(["-KILL", pid]));
    }

    /// Stops the server in immediate mode: connections break, and the next start runs crash recovery.
    pub fn stop_immediately(&self) {
        run(as_postgres_user(&self.bin_dir.join("pg_ctl")).arg("-D").arg(&self.data_dir).args([
            "-w",
            "-m",
            "immediate",
            "stop",
        ]));
    }

    /// Kills one process of the server with SIGKILL, as the OOM killer does.
    pub fn kill_process(&self, pid: u32) {
        run(Command::new("kill").args(["-KILL", &pid.to_string()]));
    }

    /// Sends a signal to all server processes: `STOP` freezes them until `CONT`.
    pub fn signal_all(&self, name: &str) {
        let file = fs::read_to_string(self.data_dir.join("postmaster.pid")).expect("it runs");
        let pid = file.lines().next().expect("the first line is its number");
        // The processes lead their own process groups, so they are found by their parent.
        run(Command::new("pkill").args([&format!("-{name}"), "-P", pid]));
        run(Command::new("kill").args([&format!("-{name}"), pid]));
    }

    /// Starts the server again after a kill, and waits until it accepts connections.
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
            // Backends hold the shared memory of a killed postmaster until they notice its death.
            let server_log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(start.elapsed() < START_TIMEOUT, "the server does not start: {}", server_log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Promotes a standby to primary, and waits until it accepts writes.
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
        // The supervisor exits after it has stopped the server and removed the folder.
        let _ = self.supervisor.wait();
    }
}

/// Programs folder of the newest installed PostgreSQL.
fn find_bin_dir() -> PathBuf {
    let debian_versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut versions: Vec<(u32, PathBuf)> = debian_versions
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

/// A folder owned by the server's user.
pub(crate) fn temp_dir() -> TempDir {
    let folder =
        tempfile::Builder::new().prefix("pactolus-postgres-").tempdir().expect("a folder can be made");
    if is_root() {
        run(Command::new("chown").arg("postgres:").arg(folder.path()));
    }
    folder
}

/// Writes a file that only the server's user can read, because a private key must be.
fn write_as_postgres_user(file: &Path, text: &str) {
    fs::write(file, text).expect("the data folder can be written");
    run(Command::new("chmod").arg("600").arg(file));
    if is_root() {
        run(Command::new("chown").arg("postgres:").arg(file));
    }
}

/// Runs `program` as the user `postgres` when the test runs as root, because PostgreSQL refuses to run as root.
pub(crate) fn as_postgres_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // That user may lack access to the test's working directory.
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it listens").port()
}

fn run(command: &mut Command) {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
