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

use crate::binaries::{self, Profile};
use crate::step::{Failure, Step, may_install, succeeds, workspace};

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

const ENVIRONMENT: &str = "target/tools/schemathesis";
const REQUIREMENTS: &str = "xtask/fuzz-http/requirements.txt";
const BANK: &str = "xtask/fuzz-http/pactolus.toml";
const REQUESTS: &str = "xtask/fuzz-http/schemathesis.toml";
/// What the run leaves behind: the store, the log, and what schemathesis found.
const FOLDER: &str = "target/fuzz-http";

/// Serves a bank, sends requests, and audits what is left.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    install()?;
    binaries::build(Profile::Dev)?;
    let folder = fresh_folder().map_err(|source| Failure::Io { what: "a folder for the bank", source })?;
    let store = format!("embedded:{}", folder.join("store").display());

    let mut server = Server::start(&store, &folder)?;
    send(args, &server.base)?;
    server.must_still_run()?;
    drop(server);

    // Killed without a warning, as it is here, a bank has its books in order too.
    let pactolus = pactolus().display().to_string();
    Step::new("audit", &pactolus, &["audit", "--config", BANK, "--store", &store]).run()
}

fn send(args: &Args, base: &str) -> Result<(), Failure> {
    let within = |path: &str| workspace().join(path).display().to_string();
    let (st, requests) = (within(&format!("{ENVIRONMENT}/bin/st")), within(REQUESTS));
    let (document, examples) = (format!("{base}/api/v1/openapi.json"), args.examples.to_string());
    let seed = args.seed.to_string();
    Step::new(
        "fuzz",
        &st,
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
    .within(FOLDER)
    .run()
}

/// Installs schemathesis unless it is there in the right versions.
fn install() -> Result<(), Failure> {
    let installed = workspace().join(ENVIRONMENT).join("requirements.txt");
    let wanted = workspace().join(REQUIREMENTS);
    let read = |path: &Path| fs::read(path).ok();
    if read(&installed).is_some_and(|installed| Some(installed) == read(&wanted)) {
        return Ok(());
    }
    require_python()?;
    Step::new("set-up", "python3", &["-m", "venv", "--clear", ENVIRONMENT]).run()?;
    let pip = format!("{ENVIRONMENT}/bin/pip");
    Step::new("set-up", &pip, &["install", "--quiet", "--requirement", REQUIREMENTS]).run()?;
    fs::copy(wanted, installed).map(drop).map_err(|source| Failure::Io { what: "what was installed", source })
}

/// Python is no part of a Rust toolchain; where packages may be installed, as in CI, it is.
fn require_python() -> Result<(), Failure> {
    let works =
        || succeeds("python3", &["-c", "import venv, ensurepip, sys; assert sys.version_info >= (3, 10)"]);
    if works() {
        return Ok(());
    }
    if may_install() {
        Step::new("set-up", "apt-get", &["install", "-y", "python3-venv"]).run()?;
        if works() {
            return Ok(());
        }
    }
    Err(Failure::Missing { what: "Python 3.10 or newer with venv (on Debian: apt-get install python3-venv)" })
}

fn fresh_folder() -> io::Result<PathBuf> {
    let folder = workspace().join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn pactolus() -> PathBuf {
    binaries::executable(Profile::Dev, "pactolus")
}

/// A bank that is served until this is dropped.
struct Server {
    process: Process,
    base: String,
}

impl Server {
    fn start(store: &str, folder: &Path) -> Result<Self, Failure> {
        let io = |source| Failure::Io { what: "the bank", source };
        let log = fs::File::create(folder.join("log")).map_err(io)?;
        let mut serve = Command::new(pactolus());
        serve.args(["serve", "--config", BANK, "--listen", "127.0.0.1:0", "--store", store]);
        // Settings of the shell's would go before those of the file.
        let set = std::env::vars_os().map(|(name, _)| name);
        for name in set.filter(|name| name.as_encoded_bytes().starts_with(b"PACTOLUS_")) {
            serve.env_remove(name);
        }
        serve.current_dir(workspace()).stdout(Stdio::piped()).stderr(log);
        let mut process = Process(serve.spawn().map_err(io)?);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().expect("it is piped")).read_line(&mut line).map_err(io)?;
        match line.trim_end().strip_prefix("listening on ") {
            Some(base) => Ok(Self { process, base: base.to_owned() }),
            None => Err(Failure::Bank { folder: FOLDER }),
        }
    }

    fn must_still_run(&mut self) -> Result<(), Failure> {
        match self.process.0.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(_) => Err(Failure::Bank { folder: FOLDER }),
        }
    }
}

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // An error says that it ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
