//! `cargo xtask fuzz-http`: tests a running server against its OpenAPI document.
//!
//! Schemathesis generates requests from the document, both valid and invalid ones. Invariants: no reply is a server
//! error or has a status, content type or schema that the document lacks; afterwards the audit passes.
//!
//! Read next: `fuzz-http/schemathesis.toml`, the values in the requests.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::binaries::{self, BuildProfile};
use crate::step::{CommandStep, TaskError, workspace_root};
use crate::venv;

/// Send a server requests generated from its OpenAPI document, and check its replies against the document.
#[derive(clap::Args)]
#[command(after_help = "\
Needs Python 3.10 or newer with venv. The first run installs Schemathesis into target/tools.")]
pub(crate) struct Args {
    /// Random requests for each operation, besides those for each rule of the document
    #[arg(long, default_value_t = Args::default().examples)]
    examples: u32,
    /// Seed of the random requests; the same seed makes the same requests
    #[arg(long, default_value_t = Args::default().seed)]
    seed: u64,
}

impl Default for Args {
    fn default() -> Self {
        // Some forty seconds on two cores.
        Self { examples: 50, seed: 1 }
    }
}

const SERVER_CONFIG: &str = "xtask/fuzz-http/pactolus.toml";
const SCHEMATHESIS_CONFIG: &str = "xtask/fuzz-http/schemathesis.toml";
/// Holds the store, the log, and the output of Schemathesis after a run.
const OUTPUT_DIR: &str = "target/fuzz-http";

/// Serves a bank, sends requests, kills the server, and audits the store.
pub(crate) fn run(args: &Args) -> Result<(), TaskError> {
    venv::SCHEMATHESIS.install()?;
    binaries::build(BuildProfile::Dev)?;
    let folder = recreate_output_dir()
        .map_err(|source| TaskError::Io { what: "cannot create a folder for the server", source })?;
    let store = format!("embedded:{}", folder.join("store").display());

    let mut server = TestServer::start(&store, &folder)?;
    run_schemathesis(args, &server.base_url)?;
    server.ensure_running()?;
    drop(server);

    // The server was killed without a graceful shutdown. The audit must pass even so.
    let pactolus = pactolus_binary().display().to_string();
    CommandStep::new("audit", &pactolus, &["audit", "--store", &store]).run()
}

fn run_schemathesis(args: &Args, base_url: &str) -> Result<(), TaskError> {
    let within = |path: &str| workspace_root().join(path).display().to_string();
    let (schemathesis, requests) = (venv::SCHEMATHESIS.program("st"), within(SCHEMATHESIS_CONFIG));
    let (document, examples) = (format!("{base_url}/api/v1/openapi.json"), args.examples.to_string());
    let seed = args.seed.to_string();
    CommandStep::new(
        "fuzz",
        &schemathesis,
        &[
            "--config-file",
            &requests,
            "run",
            &document,
            "--header",
            "Authorization: Bearer operators-token",
            "--phases",
            "examples,coverage,fuzzing",
            "--warnings",
            "off",
            "--generation-database",
            "none",
            "--max-examples",
            &examples,
            "--seed",
            &seed,
        ],
    )
    .current_dir(OUTPUT_DIR)
    .run()
}

fn recreate_output_dir() -> io::Result<PathBuf> {
    let folder = workspace_root().join(OUTPUT_DIR);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn pactolus_binary() -> PathBuf {
    binaries::path(BuildProfile::Dev, "pactolus")
}

/// `pactolus serve`, killed when this is dropped.
struct TestServer {
    process: KillOnDrop,
    base_url: String,
}

impl TestServer {
    fn start(store: &str, folder: &Path) -> Result<Self, TaskError> {
        let io = |source| TaskError::Io { what: "cannot start the server", source };
        let log = fs::File::create(folder.join("log")).map_err(io)?;
        let mut serve = Command::new(pactolus_binary());
        serve.args(["serve", "--config", SERVER_CONFIG, "--listen", "127.0.0.1:0", "--store", store]);
        // Environment variables would override settings of the file.
        let set = std::env::vars_os().map(|(name, _)| name);
        for name in set.filter(|name| name.as_encoded_bytes().starts_with(b"PACTOLUS_")) {
            serve.env_remove(name);
        }
        serve.current_dir(workspace_root()).stdout(Stdio::piped()).stderr(log);
        let mut process = KillOnDrop(serve.spawn().map_err(io)?);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().expect("stdout is piped")).read_line(&mut line).map_err(io)?;
        match line.trim_end().strip_prefix("listening on ") {
            Some(base) => Ok(Self { process, base_url: base.to_owned() }),
            None => Err(TaskError::ServerExited { folder: OUTPUT_DIR }),
        }
    }

    fn ensure_running(&mut self) -> Result<(), TaskError> {
        match self.process.0.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(_) => Err(TaskError::ServerExited { folder: OUTPUT_DIR }),
        }
    }
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // An error means that it has exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
