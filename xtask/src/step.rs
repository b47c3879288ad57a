//! A step: one program that is run, named before it starts and timed when it ends.
//!
//! What is printed for a step is exactly what runs, so that it can be pasted into a shell.
//! Read next: `test`, the list of steps.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// One program to run in the workspace's folder, or in one within it.
pub(crate) struct Step<'a> {
    name: &'static str,
    variable: Option<(&'static str, &'static str)>,
    program: &'a str,
    arguments: &'a [&'a str],
    folder: &'static str,
    unset: Option<&'static str>,
}

/// Why the steps stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The program ran, and said no.
    #[error("{name} failed ({status}). To repeat it:\n    {command}")]
    Refused { name: &'static str, status: ExitStatus, command: String },
    /// The program could not be started.
    #[error("{name} did not start: {source}. To repeat it:\n    {command}")]
    NotStarted { name: &'static str, source: io::Error, command: String },
    /// The machine lacks something that no step can install.
    #[error("this needs {what}")]
    Missing { what: &'static str },
    /// A file or a process could not be handled.
    #[error("{what} could not be made: {source}")]
    Io { what: &'static str, source: io::Error },
    /// A bank that was to be served ended by itself.
    #[error("the bank ended by itself; why is in {folder}/log")]
    Bank { folder: &'static str },
    /// A fuzz target broke a promise.
    #[error("{target} broke a promise; the input is in fuzz/crashes/{target}, and what it said in {}", log.display())]
    Crash { target: &'static str, log: PathBuf },
    /// There is no such fuzz target.
    #[error("there is no target {name}; known are {known}")]
    NoTarget { name: String, known: String },
    /// What a run came to could not be written down.
    #[error("the figures could not be kept: {why}")]
    NotKept { why: String },
}

impl<'a> Step<'a> {
    /// The step `name`: `program` with `arguments`.
    pub(crate) const fn new(name: &'static str, program: &'a str, arguments: &'a [&'a str]) -> Self {
        Self { name, variable: None, program, arguments, folder: ".", unset: None }
    }

    /// The same step with an environment variable set.
    pub(crate) const fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variable = Some((name, value));
        self
    }

    /// The same step without an environment variable that this process may have.
    pub(crate) const fn without(mut self, name: &'static str) -> Self {
        self.unset = Some(name);
        self
    }

    /// The same step in a folder within the workspace's.
    pub(crate) const fn within(mut self, folder: &'static str) -> Self {
        self.folder = folder;
        self
    }

    /// Runs it, its output shown as it comes.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        println!("── {}: {self}", self.name);
        let started = Instant::now();
        let mut command = Command::new(self.program);
        if let Some(name) = self.unset {
            command.env_remove(name);
        }
        let status = command
            .args(self.arguments)
            .envs(self.variable)
            .current_dir(workspace().join(self.folder))
            .status()
            .map_err(|source| Failure::NotStarted { name: self.name, source, command: self.to_string() })?;
        if !status.success() {
            return Err(Failure::Refused { name: self.name, status, command: self.to_string() });
        }
        println!("── {}: passed in {:.1} s\n", self.name, started.elapsed().as_secs_f64());
        Ok(())
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.folder != "." {
            write!(f, "cd {} && ", quoted(self.folder))?;
        }
        if let Some((name, value)) = self.variable {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&quoted(self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// Whether packages of the system's may be installed: as root on a machine with Debian's package manager, as CI is.
pub(crate) fn may_install() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
        && succeeds("apt-get", &["--version"])
}

/// Whether a program runs and says yes; nothing of it is shown.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the workspace's folder")
}

/// `word` as a shell takes it for one word.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=@:+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_shown_as_a_shell_takes_it() {
        let step =
            Step::new("docs", "cargo", &["doc", "--no-deps", "it's"]).with("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(step.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s'");
        let step = Step::new("docs", "ls", &[]).within("target/doc");
        assert_eq!(step.to_string(), "cd target/doc && ls");
    }

    #[test]
    fn a_failed_step_says_how_to_repeat_it() {
        let failure = Step::new("sums", "cargo", &["no-such-command"]).run().expect_err("there is none");
        assert!(failure.to_string().ends_with("To repeat it:\n    cargo no-such-command"), "{failure}");
        let failure = Step::new("sums", "no-such-program", &[]).run().expect_err("there is none");
        assert!(matches!(failure, Failure::NotStarted { .. }), "{failure}");
    }
}
