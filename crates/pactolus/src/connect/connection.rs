//! A bank with an app and an environment: the target of calls about players.

use std::time::Duration;

use pactolus_client::operator::{AccountId, OperatorClient};
use pactolus_client::{App, Client, TokenSource};
use pactolus_protocol::Pf;
use pactolus_types::{AppId, Environment, OpenId, ZoneId};

use super::bank::{Bank, CALL_TIMEOUT};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};

/// A bank, an app of it, and an environment.
pub(crate) struct Connection {
    pub(crate) bank: Bank,
    pub(crate) appid: AppId,
    pub(crate) environment: Environment,
    pub(crate) pf: Pf,
    pub(super) keys: Result<AppWithToken, MissingKey>,
    /// Zones that the configuration lists; empty if it lists none, or if the target is a profile.
    pub(crate) zones: Vec<ZoneId>,
    /// Language of messages.
    pub(crate) lang: Lang,
}

/// The app with its keys, for signed calls, and the source of its access tokens.
pub(super) struct AppWithToken {
    pub(super) app: App,
    pub(super) token: TokenSource,
}

/// A setting that signed calls need and the profile lacks.
#[derive(Clone, Copy, Debug)]
pub(super) struct MissingKey(pub(super) &'static str);

impl Connection {
    /// The app with its keys, for signed calls.
    pub(crate) fn app(&self) -> Result<&App, CliError> {
        self.keys().map(|keys| &keys.app)
    }

    fn keys(&self) -> Result<&AppWithToken, CliError> {
        self.keys.as_ref().map_err(|MissingKey(name)| {
            let (lang, environment) = (self.lang, self.environment);
            let message = tr!(
                lang,
                "the profile has no {name}, which signed {environment} calls need",
                "配置档缺少 {name}，无法在 {environment} 环境进行签名调用"
            );
            CliError::message(ExitCode::Config, message)
        })
    }

    /// A client of the app for one interactive call.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        self.client_with_timeout(CALL_TIMEOUT)
    }

    /// A client of the app with this call timeout, unless `--timeout` overrides it.
    pub(crate) fn client_with_timeout(&self, timeout: Duration) -> Result<Client, CliError> {
        let AppWithToken { app, token } = self.keys()?;
        let bank = &self.bank;
        bank.warn_of_plaintext();
        let builder = Client::builder(app.clone())
            .base_url(bank.url.clone())
            .token(token.clone())
            .retry_policy(bank.retry_policy(timeout))
            .proxy_from_env();
        let builder = match bank.ca_file() {
            Some(path) => builder.ca_file(&path).map_err(|error| bank.ca_file_error(&path, &error))?,
            None => builder,
        };
        Ok(builder.build())
    }

    /// A client of the operator API for one interactive call.
    pub(crate) fn operator(&self) -> Result<OperatorClient, CliError> {
        self.bank.operator()
    }

    /// The account of a player in a zone.
    pub(crate) const fn account(&self, openid: OpenId, zone_id: ZoneId) -> AccountId {
        AccountId { appid: self.appid, environment: self.environment, openid, zone_id }
    }

    /// Label of the bank in results files: environment, app, address. It is the same for both APIs of a bank.
    pub(crate) fn label(&self) -> String {
        format!("{}:{}@{}", self.environment, self.appid, self.bank.url)
    }
}
