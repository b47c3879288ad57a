//! Profiles: the bank and the app to call, for clients on machines without the bank's configuration.
//!
//! A profile is read like a configuration: all problems at once, no secret in a message, unknown keys refused.

use std::path::{Path, PathBuf};

use pactolus_client::BaseUrl;
use pactolus_protocol::{AccessToken, AppSecret, MidasKey, OperatorToken, Pf};
use pactolus_types::{AppId, Environment, OfferId};

use super::parse::{choice, secret, text};
use super::problem::{ConfigError, ParseError};
use super::section::Section;
use super::sources::{EnvSnapshot, RawValue};
use super::{load, reader};

/// A profile, such as `~/.config/pactolus/default.toml`.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Address of the bank.
    pub(crate) url: BaseUrl,
    /// Environment, if the command line names none.
    pub(crate) env: Option<Environment>,
    /// The mini game.
    pub(crate) appid: AppId,
    /// Its coin, for signed calls.
    pub(crate) offer_id: Option<OfferId>,
    /// Secret that gets access tokens, for signed calls.
    pub(crate) app_secret: Option<AppSecret>,
    /// Key that signs live calls.
    pub(crate) midas_key: Option<MidasKey>,
    /// Key that signs sandbox calls.
    pub(crate) sandbox_midas_key: Option<MidasKey>,
    /// PEM file of certificates to trust besides the web's roots.
    pub(crate) ca_file: Option<PathBuf>,
    /// Platform parameter of the calls.
    pub(crate) pf: Pf,
    /// A fixed access token, instead of one requested from the bank.
    pub(crate) access_token: Option<AccessToken>,
    /// Token of the operator API, if the bank is a Pactolus.
    pub(crate) operator_token: Option<OperatorToken>,
}

impl Profile {
    /// Reads the file at `path`. Variables with the prefix `PACTOLUS_PROFILE_` override it.
    pub(crate) fn read(path: &Path, variables: &EnvSnapshot) -> Result<Self, ConfigError> {
        load::read(path, variables, reader::PROFILE_PREFIX, profile)
    }
}

const ENVIRONMENTS: &[(&str, Environment)] =
    &[("live", Environment::Live), ("sandbox", Environment::Sandbox)];

pub(super) fn profile(top: &mut Section<'_>) -> Option<Profile> {
    let url = top.optional("url", BaseUrl::default(), text(BaseUrl::new));
    let env = top.optional("env", None, optional(choice(ENVIRONMENTS)));
    let appid = top.required("appid", text(AppId::new));
    let offer_id = top.optional("offer_id", None, optional(text(OfferId::new)));
    let app_secret = top.optional("app_secret", None, optional(secret(AppSecret::new)));
    let midas_key = top.optional("midas_key", None, optional(secret(MidasKey::new)));
    let sandbox_midas_key = top.optional("sandbox_midas_key", None, optional(secret(MidasKey::new)));
    let ca_file = top.optional("ca_file", None, optional(path));
    let pf = top.optional("pf", super::android_pf(), text(Pf::new));
    let access_token = top.optional("access_token", None, optional(secret(AccessToken::new)));
    let operator_token = top.optional("operator_token", None, optional(secret(OperatorToken::new)));
    Some(Profile {
        url: url?,
        env: env?,
        appid: appid?,
        offer_id: offer_id?,
        app_secret: app_secret?,
        midas_key: midas_key?,
        sandbox_midas_key: sandbox_midas_key?,
        ca_file: ca_file?,
        pf: pf?,
        access_token: access_token?,
        operator_token: operator_token?,
    })
}

/// A file; a relative path is taken from the profile's folder.
fn path(given: &RawValue<'_>) -> Result<PathBuf, ParseError> {
    match given.text()? {
        "" => Err(ParseError::new("is empty; it must be a path".to_owned())),
        path => Ok(given.base_folder().join(path)),
    }
}

/// An optional setting: without a value it is `None`.
fn optional<T>(
    parse: impl Fn(&RawValue<'_>) -> Result<T, ParseError>,
) -> impl Fn(&RawValue<'_>) -> Result<Option<T>, ParseError> {
    move |given| parse(given).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Profile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        std::fs::write(&path, text).unwrap();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Profile::read(&path, &variables)
            .map_err(|problems| problems.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    const MINIMAL: &str = "appid = \"wx1234567\"\noffer_id = \"12345678\"\napp_secret = \"app-secret\"\n";

    #[test]
    fn missing_settings_default_to_the_vendor() {
        let profile = read(MINIMAL, &[]).unwrap();
        assert_eq!((profile.url, profile.env), (BaseUrl::default(), None));
        assert!(profile.midas_key.is_none() && profile.operator_token.is_none());
        // Support calls the operator API alone, and holds no key of the app.
        let support = read("appid = \"wx1234567\"\noperator_token = \"OPERATORTOKEN\"\n", &[]).unwrap();
        assert!(support.operator_token.is_some() && support.app_secret.is_none());
    }

    #[test]
    fn profile_variables_override_the_file() {
        let variables = [("PACTOLUS_PROFILE_ENV", "sandbox"), ("PACTOLUS_LISTEN", "127.0.0.1:1")];
        let profile = read(&format!("{MINIMAL}env = \"live\"\n"), &variables).unwrap();
        assert_eq!(profile.env, Some(Environment::Sandbox));
    }

    #[test]
    fn every_error_is_reported_without_secrets() {
        let text = "env = \"test\"\nmidas_kei = \"hunter2\"\nappid = \"a b\"\noffer_id = \"1\"\napp_secret = \"hunter 2\"\n";
        let problems = read(text, &[("PACTOLUS_PROFILE_UR", "http://x")]).unwrap_err();
        let expected = [
            "p.toml:1: `env` is \"test\"; it must be \"live\" or \"sandbox\"",
            "p.toml:2: unknown key `midas_kei`; did you mean `midas_key`?",
            "p.toml:3: `appid` holds ' '; 1 to 64 digits, letters or any of _- are allowed",
            "p.toml:5: `app_secret` holds a character that is not visible ASCII",
            "environment variable PACTOLUS_PROFILE_UR: is unknown; did you mean PACTOLUS_PROFILE_URL?",
        ];
        assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    }
}
