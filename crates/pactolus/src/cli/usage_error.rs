//! Errors of the command line, as clap finds them: in both languages, and without unsafe characters of the arguments.

use clap::builder::StyledStr;
use clap::error::{ContextValue, ErrorKind};

use crate::cli::escape::EscapedText;
use crate::cli::i18n::{Lang, localize};
use crate::cli::output;

/// Prints the error, or the help or version that the arguments ask for, and exits.
pub(super) fn exit(mut error: clap::Error, lang: Lang) -> ! {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help || !error.use_stderr() {
        error.exit();
    }
    escape_values(&mut error);
    output::eprint(text(&error, lang));
    std::process::exit(error.exit_code())
}

/// Escapes what the user typed, before clap lays out its lines.
fn escape_values(error: &mut clap::Error) {
    let escape = |text: &String| EscapedText(text).to_string();
    let values: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in values {
        let escaped = match &value {
            ContextValue::String(text) => ContextValue::String(escape(text)),
            ContextValue::Strings(texts) => ContextValue::Strings(texts.iter().map(escape).collect()),
            ContextValue::StyledStrs(texts) => {
                let escape = |text: &StyledStr| EscapedText(text).to_string().into();
                ContextValue::StyledStrs(texts.iter().map(escape).collect())
            }
            // Numbers, and the usage, which clap wrote. The enum is not exhaustive.
            _ => continue,
        };
        error.insert(kind, escaped);
    }
}

fn text(error: &clap::Error, lang: Lang) -> String {
    let english = error.render().to_string();
    if lang == Lang::En {
        return english;
    }
    let chinese = |line: &str| match line.strip_prefix("error: ") {
        Some(message) => format!("错误：{}\n", localize(message, lang)),
        None => format!("{}\n", localize(line, lang)),
    };
    english.lines().map(chinese).collect()
}
