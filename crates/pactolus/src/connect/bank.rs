//! A bank: its address, and the client of its operator API.

use std::path::PathBuf;
use std::time::Duration;

use pactolus_client::operator::{OperatorClient, OperatorError};
use pactolus_client::{BaseUrl, CaFileError, RetryPolicy};
use pactolus_protocol::OperatorToken;

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, localized_chain, tr};
use crate::cli::output;

/// Default timeout of an interactive call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Variable that names a CA file, as OpenSSL and curl read it. The profile's `ca_file` comes before it.
const CA_FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// A bank, and how to reach it.
pub(crate) struct Bank {
    pub(crate) url: BaseUrl,
    /// Address of the operator API, if it is not `url`.
    pub(super) operator_url: Option<BaseUrl>,
    pub(super) operator_token: Option<OperatorToken>,
    /// The profile's file of certificates to trust.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
    /// Language of messages.
    pub(crate) lang: Lang,
}

impl Bank {
    /// Whether the operator API can be called. The vendor's host has none, and must not get the token.
    pub(crate) fn has_operator_api(&self) -> bool {
        self.operator_token.is_some() && self.url != BaseUrl::default()
    }

    /// A client of the operator API, which only a Pactolus bank has, for one interactive call.
    pub(crate) fn operator(&self) -> Result<OperatorClient, CliError> {
        self.operator_with_timeout(CALL_TIMEOUT)
    }

    /// A client of the operator API with this call timeout, unless `--timeout` overrides it.
    pub(crate) fn operator_with_timeout(&self, timeout: Duration) -> Result<OperatorClient, CliError> {
        let token = self.operator_token.clone().ok_or_else(|| {
            let message = tr!(
                self.lang,
                "the profile has no operator_token, which the operator API of a Pactolus bank needs",
                "配置档缺少 operator_token，无法访问 Pactolus 的运维接口"
            );
            CliError::message(ExitCode::Config, message)
        })?;
        self.warn_of_plaintext();
        let builder =
            OperatorClient::builder(token, self.operator_url.clone().unwrap_or_else(|| self.url.clone()))
                .retry_policy(self.retry_policy(timeout))
                .proxy_from_env();
        let builder = match self.ca_file() {
            Some(path) => builder.ca_file(&path).map_err(|error| self.ca_file_error(&path, &error))?,
            None => builder,
        };
        Ok(builder.build())
    }

    /// The error of a query, which changes nothing.
    pub(crate) fn query_error(&self, error: &OperatorError) -> CliError {
        let (lang, url, why) = (self.lang, &self.url, localized_chain(error, self.lang));
        match (error.problem(), error.retryable()) {
            (Some(problem), _) => {
                let detail = localize(&problem.detail, lang);
                let message =
                    tr!(lang, "the bank refused the request: {detail}", "服务端拒绝了请求：{detail}");
                CliError::message(ExitCode::Refused, message)
            }
            (None, true) => CliError::message(
                ExitCode::Unreachable,
                tr!(lang, "the bank at {url} is unreachable: {why}", "无法连接 {url}：{why}"),
            ),
            (None, false) => CliError::message(
                ExitCode::Refused,
                tr!(lang, "no operator API at {url}: {why}", "{url} 没有运维接口：{why}"),
            ),
        }
    }

    pub(super) fn retry_policy(&self, timeout: Duration) -> RetryPolicy {
        RetryPolicy { call_timeout: self.timeout.unwrap_or(timeout), ..RetryPolicy::default() }
    }

    pub(super) fn warn_of_plaintext(&self) {
        if self.url.is_remote_plaintext() {
            let url = &self.url;
            output::eprintln(tr!(
                self.lang,
                "warning: {url} is not encrypted: the secret and the tokens cross the network in plaintext; use https",
                "警告：{url} 未加密，密钥和令牌将以明文在网络上传输；请使用 https"
            ));
        }
    }

    /// The CA file of the profile, else of the environment. Without TLS neither is read.
    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        let from_variable =
            || std::env::var_os(CA_FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        self.ca_file.clone().or_else(from_variable).filter(|_| self.url.is_https())
    }

    pub(super) fn ca_file_error(&self, path: &std::path::Path, error: &CaFileError) -> CliError {
        let (path, why) = (path.display(), localized_chain(error, self.lang));
        CliError::message(
            ExitCode::Config,
            tr!(self.lang, "the CA file {path} {why}", "CA 证书文件 {path} 无法使用：{why}"),
        )
    }
}
