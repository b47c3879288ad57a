//! Step: one program, named before it starts and timed when it ends.
//!
//! The printed command is exactly the one that runs, so it can be pasted into a shell.
//! Read next: `test`, the list of steps.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// One program to run in the workspace's folder, or in a subfolder.
pub(crate) struct CommandStep<'a> {
    name: &'static str,
    env: Option<(&'static str, &'static str)>,
    variable: Option<(&'static str, &'a str)>,
    program: &'a str,
    arguments: &'a [&'a str],
    folder: &'static str,
    env_remove: Option<&'static str>,
}

/// Why a command of xtask failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// The program exited with an error.
    #[error("{name} failed ({status}). To repeat it:\n    {command}")]
    Failed { name: &'static str, status: ExitStatus, command: String },
    /// The program did not start.
    #[error("{name} did not start: {source}. To repeat it:\n    {command}")]
    SpawnFailed { name: &'static str, source: io::Error, command: String },
    /// The machine lacks a tool that no step can install.
    #[error("this needs {what}")]
    MissingTool { what: &'static str },
    /// An operation on a file or a process failed.
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    /// The server under test exited by itself.
    #[error("the server exited by itself; the reason is in {folder}/log")]
    ServerExited { folder: &'static str },
    /// An input broke the invariant of a fuzz target.
    #[error("{target} broke its invariant; the input is in fuzz/crashes/{target}, the output in {}", log.display())]
    FuzzCrash { target: &'static str, log: PathBuf },
    /// No fuzz target has this name.
    #[error("unknown fuzz target {name}; known targets: {known}")]
    UnknownTarget { name: String, known: String },
    /// The report of a run was not written.
    #[error("the report could not be written: {why}")]
    ReportNotWritten { why: String },
}

impl<'a> CommandStep<'a> {
    pub(crate) const fn new(name: &'static str, program: &'a str, arguments: &'a [&'a str]) -> Self {
        Self { name, env: None, variable: None, program, arguments, folder: ".", env_remove: None }
    }

    /// Sets an environment variable.
    pub(crate) const fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env = Some((name, value));
        self
    }

    /// Sets a second environment variable, whose value is known only when the step is made.
    pub(crate) const fn variable(mut self, name: &'static str, value: &'a str) -> Self {
        self.variable = Some((name, value));
        self
    }

    /// Removes an environment variable that the step would inherit.
    pub(crate) const fn env_remove(mut self, name: &'static str) -> Self {
        self.env_remove = Some(name);
        self
    }

    /// Runs the step in a subfolder of the workspace.
    pub(crate) const fn current_dir(mut self, folder: &'static str) -> Self {
        self.folder = folder;
        self
    }

    /// Runs the program. Its output goes to the terminal.
    pub(crate) fn run(&self) -> Result<(), TaskError> {
        println!("── {}: {self}", self.name);
        let started = Instant::now();
        let mut command = Command::new(self.program);
        if let Some(name) = self.env_remove {
            command.env_remove(name);
        }
        let status = command
            .args(self.arguments)
            .envs(self.env)
            .envs(self.variable)
            .current_dir(workspace_root().join(self.folder))
            .status()
            .map_err(|source| TaskError::SpawnFailed {
                name: self.name,
                source,
                command: self.to_string(),
            })?;
        if !status.success() {
            return Err(TaskError::Failed { name: self.name, status, command: self.to_string() });
        }
        println!("── {}: passed in {:.1} s\n", self.name, started.elapsed().as_secs_f64());
        Ok(())
    }
}

impl fmt::Display for CommandStep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.folder != "." {
            write!(f, "cd {} && ", shell_quote(self.folder))?;
        }
        for (name, value) in self.env.into_iter().chain(self.variable) {
            write!(f, "{name}={} ", shell_quote(value))?;
        }
        f.write_str(&shell_quote(self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", shell_quote(argument)))
    }
}

/// Whether system packages may be installed: as root on a machine with Debian's package manager, as in CI.
pub(crate) fn can_install_packages() -> bool {
    is_root() && succeeds("apt-get", &["--version"])
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Whether a program runs and exits with 0. Its output is discarded.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

pub(crate) fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is in the workspace's folder")
}

/// Quotes `word` for the shell unless that is unnecessary.
fn shell_quote(word: &str) -> Cow<'_, str> {
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
    fn display_quotes_for_the_shell() {
        let step = CommandStep::new("docs", "cargo", &["doc", "--no-deps", "it's"])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(step.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s'");
        let step = CommandStep::new("docs", "ls", &[]).current_dir("target/doc");
        assert_eq!(step.to_string(), "cd target/doc && ls");
    }

    #[test]
    fn error_shows_the_command_to_rerun() {
        let failure =
            CommandStep::new("sums", "cargo", &["no-such-command"]).run().expect_err("there is none");
        assert!(failure.to_string().ends_with("To repeat it:\n    cargo no-such-command"), "{failure}");
        let failure = CommandStep::new("sums", "no-such-program", &[]).run().expect_err("there is none");
        assert!(matches!(failure, TaskError::SpawnFailed { .. }), "{failure}");
    }
}
