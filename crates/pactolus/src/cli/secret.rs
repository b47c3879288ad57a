//! Secrets of a command: from a file, standard input or the environment, beside the flags that `ps` shows.
//!
//! No message holds a secret.

use std::io::{self, BufRead as _};
use std::path::Path;

use anyhow::Context as _;
use pactolus_protocol::{AccessToken, InvalidSecret, SessionKey};
use zeroize::Zeroizing;

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, localized_chain, tr};
use crate::cli::output;

/// Variable of a player's session key.
pub(crate) const SESSION_KEY_VARIABLE: &str = "PACTOLUS_SESSION_KEY";

/// Variable of the access token of a request.
pub(crate) const ACCESS_TOKEN_VARIABLE: &str = "PACTOLUS_ACCESS_TOKEN";

/// The forms of one secret. The first that is given wins: flag, file, variable.
pub(crate) struct SecretForms<'a> {
    /// The flag; with `-file` behind it, the flag of the file.
    pub(crate) flag: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) value: Option<&'a str>,
    /// `-` is standard input: each secret takes one line of it.
    pub(crate) file: Option<&'a Path>,
}

impl<'a> SecretForms<'a> {
    /// A player's session key.
    pub(crate) fn session_key(value: Option<&'a str>, file: Option<&'a Path>) -> Self {
        Self { flag: "--session-key", variable: SESSION_KEY_VARIABLE, value, file }
    }

    /// Whether the command line names it.
    pub(crate) fn is_named(&self) -> bool {
        self.value.is_some() || self.file.is_some()
    }

    /// Reads and parses the secret; `None` if no form is given.
    pub(crate) fn read<T>(
        &self,
        parse: fn(&str) -> Result<T, InvalidSecret>,
        lang: Lang,
    ) -> Result<Option<T>, CliError> {
        let Self { flag, variable, value, file } = self;
        let (name, text) = if let Some(value) = value {
            warn_of_ps(flag, &format!("{flag}-file, {variable}"), lang);
            ((*flag).to_owned(), Zeroizing::new((*value).to_owned()))
        } else if let Some(file) = file {
            let text = read_line(file, lang)
                .map_err(|error| CliError::message(ExitCode::Input, localized_chain(error.as_ref(), lang)))?;
            (format!("{flag}-file {}", file.display()), text)
        } else {
            match std::env::var_os(variable).filter(|value| !value.is_empty()) {
                None => return Ok(None),
                Some(value) => ((*variable).to_owned(), Zeroizing::new(value.to_string_lossy().into_owned())),
            }
        };
        parse(&text).map(Some).map_err(|error| {
            let problem = localize(&error.to_string(), lang);
            CliError::message(ExitCode::Usage, format!("{name} {problem}"))
        })
    }
}

/// The session key of a player, in any form.
pub(crate) fn read_session_key(
    value: Option<&str>,
    file: Option<&Path>,
    lang: Lang,
) -> Result<Option<SessionKey>, CliError> {
    SecretForms::session_key(value, file).read(SessionKey::new, lang)
}

/// The access token of a request, in any form of `flag`.
pub(crate) fn access_token_forms<'a>(
    flag: &'static str,
    value: Option<&'a str>,
    file: Option<&'a Path>,
) -> SecretForms<'a> {
    SecretForms { flag, variable: ACCESS_TOKEN_VARIABLE, value, file }
}

/// Reads and parses an access token.
pub(crate) fn read_access_token(
    forms: &SecretForms<'_>,
    lang: Lang,
) -> Result<Option<AccessToken>, CliError> {
    forms.read(AccessToken::new, lang)
}

/// The first line of a file, or the next line of standard input for `-`.
pub(crate) fn read_line(file: &Path, lang: Lang) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let read = if file == Path::new("-") {
        io::stdin().lock().read_line(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| io::BufReader::new(file).read_line(&mut text))
    };
    let file = file.display();
    read.with_context(|| tr!(lang, "{file} cannot be read", "无法读取 {file}"))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Warns that `flag` shows its secret to every user of the machine.
pub(crate) fn warn_of_ps(flag: &str, instead: &str, lang: Lang) {
    output::eprintln(tr!(
        lang,
        "warning: ps shows the secret in {flag} to other users of this machine; use {instead}",
        "警告：本机其他用户可用 ps 看到 {flag} 中的密钥；请改用 {instead}"
    ));
}
