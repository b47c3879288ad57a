//! What an operator needs beside the executable: completions, manual pages, a sample of the configuration, and the
//! files of `deploy/`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::step::{CommandStep, TaskError, workspace_root};

/// Files of the workspace and their places in the package.
const FILES: [(&str, &str); 3] =
    [("LICENSE", "LICENSE"), ("README.md", "README.md"), ("CHANGELOG.md", "CHANGELOG.md")];

const TEMPLATE: &str = "crates/pactolus/src/commands/init/pactolus.toml";

/// Shells and the names of their completion scripts.
const SHELLS: [(&str, &str); 3] =
    [("bash", "pactolus.bash"), ("fish", "pactolus.fish"), ("zsh", "_pactolus")];

/// Fills `folder`. The `executable` writes its own pages.
pub(super) fn copy(folder: &Path, executable: &Path) -> Result<(), TaskError> {
    copy_files(folder)
        .map_err(|source| TaskError::Io { what: "cannot copy the files of a package", source })?;
    let program = executable.display().to_string();
    for (language, pages) in [("en", "man/man1"), ("zh", "man/zh/man1")] {
        let to = folder.join(pages).display().to_string();
        CommandStep::new("manual", &program, &["man", "--lang", language, "--to", &to]).run()?;
    }
    write_completions(folder, executable)
        .map_err(|source| TaskError::Io { what: "cannot write completions", source })
}

fn copy_files(folder: &Path) -> io::Result<()> {
    let root = workspace_root();
    for (from, to) in FILES {
        fs::copy(root.join(from), folder.join(to))?;
    }
    copy_folder(&root.join("deploy"), &folder.join("deploy"))?;
    fs::write(folder.join("pactolus.toml"), sample(&fs::read_to_string(root.join(TEMPLATE))?))
}

/// The template of `pactolus init` with a placeholder for each secret: the bank refuses to start with one.
fn sample(template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("\"{") {
        text.push_str(before);
        text.push_str("\"…\"");
        rest = after.split_once("}\"").map_or("", |(_, rest)| rest);
    }
    text + rest
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn write_completions(folder: &Path, executable: &Path) -> io::Result<()> {
    let folder = folder.join("completions");
    fs::create_dir_all(&folder)?;
    for (shell, name) in SHELLS {
        let script = Command::new(executable)
            .args(["completions", shell])
            .env("LC_ALL", "C")
            .stderr(Stdio::inherit())
            .output()?;
        if !script.status.success() {
            return Err(io::Error::other(format!("no completions for {shell}")));
        }
        fs::write(folder.join(name), script.stdout)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_has_placeholders_for_secrets() {
        let template =
            "token = \"{operator_token}\"\nmaster_keys = [\"{master_key}\"]\n# { env = \"NAME\" }\n";
        let expected = "token = \"…\"\nmaster_keys = [\"…\"]\n# { env = \"NAME\" }\n";
        assert_eq!(sample(template), expected);
        let whole =
            sample(&fs::read_to_string(workspace_root().join(TEMPLATE)).expect("there is a template"));
        assert!(!whole.contains("\"{") && whole.matches("\"…\"").count() >= 5, "{whole}");
    }
}
