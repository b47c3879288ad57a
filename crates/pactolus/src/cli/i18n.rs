//! Localization of help and messages: English and Chinese.
//!
//! [`tr!`] holds both texts of a message side by side, so a message without a translation does not compile.
//! [`localize`] finds the Chinese twin of a message of another crate, a library or a bank: see `zh/catalogue.rs`.
//! Machine-readable output is the same in both languages: JSON, CSV, exit codes, and the server's ready line. So are
//! `errmsg`s, which people search for.

use std::error::Error;
use std::ffi::OsString;

use crate::cli::zh::catalogue;

/// A language of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// Formats a message in the language of the first argument: the English format, the Chinese one, the shared values.
macro_rules! tr {
    ($lang:expr, $en:literal, $zh:literal $(, $value:expr)* $(,)?) => {
        match $lang {
            $crate::cli::i18n::Lang::En => format!($en $(, $value)*),
            $crate::cli::i18n::Lang::Zh => format!($zh $(, $value)*),
        }
    };
}
pub(crate) use tr;

/// A message of another crate, a library or a bank. It stays English if the catalogue has no twin.
pub(crate) fn localize(message: &str, lang: Lang) -> String {
    let chinese = || catalogue::translate(message);
    (lang == Lang::Zh).then(chinese).flatten().unwrap_or_else(|| message.to_owned())
}

/// An error and its causes, each after a colon.
pub(crate) fn localized_chain(error: &(dyn Error + 'static), lang: Lang) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    let messages = causes.map(|error| localize(&error.to_string(), lang));
    messages.collect::<Vec<_>>().join(&tr!(lang, ": ", "："))
}

/// A static text in both languages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BilingualText {
    pub(crate) en: &'static str,
    pub(crate) zh: &'static str,
}

impl BilingualText {
    pub(crate) const fn for_lang(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

impl Lang {
    /// The language that `--lang` names, else the locale's.
    ///
    /// It scans the raw arguments before they are parsed, because parse errors and help are localized too.
    pub(crate) fn detect(arguments: &[OsString], locale: impl Fn(&str) -> Option<OsString>) -> Self {
        Self::from_args(arguments).unwrap_or_else(|| Self::from_locale(locale))
    }

    fn from_args(arguments: &[OsString]) -> Option<Self> {
        let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            if argument == "--lang" {
                return Self::from_name(&arguments.next()?);
            }
            if let Some(name) = argument.strip_prefix("--lang=") {
                return Self::from_name(name);
            }
        }
        None
    }

    /// The first non-empty variable of these decides, as in POSIX.
    fn from_locale(locale: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(locale);
        let name = set.map(|value| value.to_string_lossy().into_owned()).find(|value| !value.is_empty());
        if name.is_some_and(|name| name.starts_with("zh")) { Self::Zh } else { Self::En }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(arguments: &[&str], locale: &[(&str, &str)]) -> Lang {
        let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        let variable =
            |name: &str| locale.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        Lang::detect(&arguments, variable)
    }

    #[test]
    fn lang_flag_overrides_the_locale() {
        let chinese = [("LANG", "zh_CN.UTF-8")];
        assert_eq!(lang(&["pactolus"], &[]), Lang::En);
        assert_eq!(lang(&["pactolus"], &chinese), Lang::Zh);
        assert_eq!(lang(&["pactolus", "--lang", "en", "present"], &chinese), Lang::En);
        assert_eq!(lang(&["pactolus", "present", "--lang=zh"], &[]), Lang::Zh);
        assert_eq!(lang(&["pactolus", "--lang"], &chinese), Lang::Zh);
    }

    #[test]
    fn first_nonempty_locale_variable_wins() {
        assert_eq!(lang(&[], &[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(lang(&[], &[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW"), ("LANG", "C")]), Lang::Zh);
    }

    #[test]
    fn macro_formats_in_both_languages() {
        let count = 3;
        assert_eq!(tr!(Lang::En, "{count} gifts", "{count} 份赠币"), "3 gifts");
        assert_eq!(tr!(Lang::Zh, "{} gifts", "{} 份赠币", count), "3 份赠币");
    }
}
