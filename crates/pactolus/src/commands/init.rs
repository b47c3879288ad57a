//! `pactolus init`: writes a first configuration with fresh random keys.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use pactolus_server::{OsRandomness, Randomness};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::cli::args::{ConfigPath, DEFAULT_CONFIG};
use crate::cli::escape::EscapedText;
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;

/// Write a pactolus.toml with fresh keys, readable by its owner only
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigPath,
    /// Overwrite an existing configuration; the keys in it are lost
    #[arg(long)]
    force: bool,
}

/// The template: every setting with its comment; `{…}` marks the place of a fresh key.
const TEMPLATE: &str = include_str!("init/pactolus.toml");

/// Writes the file, and prints the next steps.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let path = &args.config.config;
    write(path, &render_template(&OsRandomness), args.force)?;
    let config = if path == Path::new(DEFAULT_CONFIG) {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    let (file, config) = (EscapedText(path.display()), EscapedText(config));
    output::print(tr!(
        lang,
        "\
Wrote {file}: a bank for one app, with fresh keys that only you can read.

Next:
  1. put the appid and offer_id of your game into {file}
  2. pactolus serve{config}
  3. curl http://127.0.0.1:8790/readyz
",
        "\
已写入 {file}：一个应用的配置，密钥全新生成，仅您可读。

接下来：
  1. 将游戏的 appid 和 offer_id 填入 {file}
  2. pactolus serve{config}
  3. curl http://127.0.0.1:8790/readyz
"
    ))
}

/// Writes the file atomically. A temporary file is readable by its owner only, and a rename keeps its mode.
fn write(path: &Path, text: &str, force: bool) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let context = || format!("{} cannot be written", path.display());
    let mut file = NamedTempFile::new_in(folder).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    file.as_file().sync_all().with_context(context)?;
    let put = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match put {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CliError::FileExists(path.to_owned()))
        }
        Err(error) => Err(anyhow::Error::new(error.error).context(context()).into()),
    }
}

fn render_template(random: &dyn Randomness) -> Zeroizing<String> {
    let mut text = Zeroizing::new(TEMPLATE.to_owned());
    for key in ["{operator_token}", "{app_secret}", "{midas_key}", "{sandbox_midas_key}"] {
        // 32 hex digits, the length of the vendor's keys.
        text = Zeroizing::new(text.replace(key, &random_key::<16>(random)));
    }
    Zeroizing::new(text.replace("{master_key}", &random_key::<32>(random)))
}

/// `BYTES` random bytes as hex digits.
fn random_key<const BYTES: usize>(random: &dyn Randomness) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    random.fill(&mut *bytes);
    bytes.iter().fold(Zeroizing::new(String::with_capacity(2 * BYTES)), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a String takes everything");
        digits
    })
}

#[cfg(test)]
mod tests {
    use pactolus_server::MasterKey;

    use super::*;
    use crate::config::{Config, EnvSnapshot};

    /// Fills every key with another byte, so that no two keys are equal.
    struct CountingRandomness(std::sync::atomic::AtomicU8);

    impl Randomness for CountingRandomness {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pactolus.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path, &EnvSnapshot::default()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn every_key_is_distinct() {
        let text = render_template(&CountingRandomness(1.into()));
        let Config { server: bank, .. } = config(&text);
        assert!(bank.operator_token.matches(&"01".repeat(16)));
        assert!(bank.apps[0].app_secret.matches(&"02".repeat(16)));
        assert!(bank.apps[0].midas_key.matches(&"03".repeat(16)));
        assert!(bank.apps[0].sandbox_midas_key.matches(&"04".repeat(16)));
        let master_key = MasterKey::new(&"05".repeat(32)).unwrap();
        assert_eq!(bank.keys.primary().unwrap().id(), master_key.id());
    }

    #[test]
    fn template_lists_every_setting_and_default() {
        let text = render_template(&CountingRandomness(1.into()));
        // A commented default is `# key = default`; in prose the second word is not `=`.
        let settings = |line: &str| {
            line.strip_prefix("# ").filter(|rest| rest.split(' ').nth(1) == Some("=")).map(str::to_owned)
        };
        let uncommented: Vec<_> =
            text.lines().map(|line| settings(line).unwrap_or_else(|| line.to_owned())).collect();
        let (given, shown) = (config(&text), config(&uncommented.join("\n")));
        assert_eq!(format!("{:?}", given.server), format!("{:?}", shown.server));
        assert_eq!(format!("{:?}", given.embedded), format!("{:?}", shown.embedded));
        assert_eq!(format!("{:?}", given.postgres), format!("{:?}", shown.postgres));
        assert_eq!(given.log, shown.log);
        assert_eq!((given.listen, given.operator_listen), (shown.listen, shown.operator_listen));
        for key in known_keys() {
            let set = format!("{key} = ");
            assert!(uncommented.iter().any(|line| line.starts_with(&set)), "{key} is not shown");
        }
    }

    /// One unknown key in every section.
    const UNKNOWN_KEYS: &str = "unheard_of = 0\n[operator]\nunheard_of = 0\n[tls]\nunheard_of = 0\n[seal]\nunheard_of = 0\n[[apps]]\nunheard_of = 0\n\
        [limits]\nunheard_of = 0\n[embedded]\nunheard_of = 0\n[postgres]\nunheard_of = 0\n";

    /// Every setting, taken from the error that lists the known keys of a section.
    fn known_keys() -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pactolus.toml");
        std::fs::write(&path, UNKNOWN_KEYS).unwrap();
        let problems = Config::read(&path, &EnvSnapshot::default()).unwrap_err().to_string();
        let lists =
            problems.lines().filter_map(|line| line.split_once("known keys are ")).map(|(_, list)| list);
        let keys: Vec<_> = lists.flat_map(|list| list.split(", ")).map(str::to_owned).collect();
        assert!(keys.len() > 10, "{problems}");
        let sections = ["operator", "tls", "seal", "apps", "limits", "embedded", "postgres"];
        keys.into_iter().filter(|key| !sections.contains(&key.as_str())).collect()
    }
}
