//! `cargo xtask fuzz-http`: whether a bank that is served answers as its OpenAPI document says, whatever it is sent.
//!
//! Schemathesis makes requests from the document, those that it allows and those that it forbids. No answer may be
//! an error of the server's, nor have a status, type or form that the document does not tell; and afterwards the
//! books of the bank have to be right.
//!
//! Read next: `fuzz-http/schemathesis.toml`, what the requests are about.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::binaries::{self, BuildProfile};
use crate::step::{CommandStep, TaskError, can_install_packages, succeeds, workspace_root};

/// Send a bank requests made from its OpenAPI document, and see whether it answers as the document says.
#[derive(clap::Args)]
#[command(after_help = "\
Needs Python 3.10 or newer with venv. The first run installs schemathesis into target/tools.")]
pub(crate) struct Args {
    /// Requests made at random for each operation, beside those made for each rule of the document
    #[arg(long, default_value_t = Args::default().examples)]
    examples: u32,
    /// What the random requests begin with; the same seed makes the same requests
    #[arg(long, default_value_t = Args::default().seed)]
    seed: u64,
}

impl Default for Args {
    fn default() -> Self {
        // Some forty seconds on two cores.
        Self { examples: 50, seed: 1 }
    }
}

const VENV_DIR: &str = "target/tools/schemathesis";
const REQUIREMENTS: &str = "xtask/fuzz-http/requirements.txt";
const SERVER_CONFIG: &str = "xtask/fuzz-http/pactolus.toml";
const SCHEMATHESIS_CONFIG: &str = "xtask/fuzz-http/schemathesis.toml";
/// What the run leaves behind: the store, the log, and what schemathesis found.
const OUTPUT_DIR: &str = "target/fuzz-http";

/// Serves a bank, sends requests, and audits what is left.
pub(crate) fn run(args: &Args) -> Result<(), TaskError> {
    install()?;
    binaries::build(BuildProfile::Dev)?;
    let folder =
        recreate_output_dir().map_err(|source| TaskError::Io { what: "a folder for the bank", source })?;
    let store = format!("embedded:{}", folder.join("store").display());

    let mut server = TestServer::start(&store, &folder)?;
    run_schemathesis(args, &server.base_url)?;
    server.ensure_running()?;
    drop(server);

    // Killed without a warning, as it is here, a bank has its books in order too.
    let pactolus = pactolus_binary().display().to_string();
    CommandStep::new("audit", &pactolus, &["audit", "--config", SERVER_CONFIG, "--store", &store]).run()
}

fn run_schemathesis(args: &Args, base_url: &str) -> Result<(), TaskError> {
    let within = |path: &str| workspace_root().join(path).display().to_string();
    let (schemathesis, requests) = (within(&format!("{VENV_DIR}/bin/st")), within(SCHEMATHESIS_CONFIG));
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

/// Installs schemathesis unless it is there in the right versions.
fn install() -> Result<(), TaskError> {
    let installed = workspace_root().join(VENV_DIR).join("requirements.txt");
    let required = workspace_root().join(REQUIREMENTS);
    let read = |path: &Path| fs::read(path).ok();
    if read(&installed).is_some_and(|installed| Some(installed) == read(&required)) {
        return Ok(());
    }
    require_python()?;
    CommandStep::new("set-up", "python3", &["-m", "venv", "--clear", VENV_DIR]).run()?;
    let pip = format!("{VENV_DIR}/bin/pip");
    CommandStep::new("set-up", &pip, &["install", "--quiet", "--requirement", REQUIREMENTS]).run()?;
    fs::copy(required, installed)
        .map(drop)
        .map_err(|source| TaskError::Io { what: "what was installed", source })
}

/// Python is no part of a Rust toolchain; where packages may be installed, as in CI, it is.
fn require_python() -> Result<(), TaskError> {
    let works =
        || succeeds("python3", &["-c", "import venv, ensurepip, sys; assert sys.version_info >= (3, 10)"]);
    if works() {
        return Ok(());
    }
    if can_install_packages() {
        CommandStep::new("set-up", "apt-get", &["install", "-y", "python3-venv"]).run()?;
        if works() {
            return Ok(());
        }
    }
    Err(TaskError::MissingTool {
        what: "Python 3.10 or newer with venv (on Debian: apt-get install python3-venv)",
    })
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

/// A bank that is served until this is dropped.
struct TestServer {
    process: KillOnDrop,
    base_url: String,
}

impl TestServer {
    fn start(store: &str, folder: &Path) -> Result<Self, TaskError> {
        let io = |source| TaskError::Io { what: "the bank", source };
        let log = fs::File::create(folder.join("log")).map_err(io)?;
        let mut serve = Command::new(pactolus_binary());
        serve.args(["serve", "--config", SERVER_CONFIG, "--listen", "127.0.0.1:0", "--store", store]);
        // Settings of the shell's would go before those of the file.
        let set = std::env::vars_os().map(|(name, _)| name);
        for name in set.filter(|name| name.as_encoded_bytes().starts_with(b"PACTOLUS_")) {
            serve.env_remove(name);
        }
        serve.current_dir(workspace_root()).stdout(Stdio::piped()).stderr(log);
        let mut process = KillOnDrop(serve.spawn().map_err(io)?);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().expect("it is piped")).read_line(&mut line).map_err(io)?;
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

/// A process that is killed when this is dropped.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // An error says that it ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
