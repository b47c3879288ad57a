//! Parameter reader: checks a parameter's JSON form, then its presence, then its own rule.
//!
//! Every error is 90018. Its detail starts with the parameter's name and states the rule.

use std::fmt;

use pactolus_types::{Amount, InvalidAmount};

use crate::error::ErrorReply;
use crate::midas::body::Body;
use crate::midas::parameter::{JsonForm, Parameter};

pub(crate) struct ParameterReader<'b, 'a> {
    body: &'b Body<'a>,
}

impl<'b, 'a> ParameterReader<'b, 'a> {
    pub(crate) fn new(body: &'b Body<'a>) -> Self {
        Self { body }
    }

    /// A parameter that must be present and not empty.
    pub(crate) fn required<T, E: fmt::Display>(
        &self,
        parameter: Parameter,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ErrorReply> {
        self.optional(parameter, rule)?.ok_or_else(|| self.missing(parameter))
    }

    /// 90018 for a missing parameter. It says so if a field has the name in other letter case, as `openId`.
    pub(crate) fn missing(&self, parameter: Parameter) -> ErrorReply {
        let is_same_name = |key: &str| {
            let letters = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
            letters(key) == letters(parameter.name())
        };
        if self.body.others().any(|field| is_same_name(field.key)) {
            return ErrorReply::invalid_parameter(
                parameter,
                format_args!(
                    "is missing; a field has this name in another spelling, and only {parameter} is read"
                ),
            );
        }
        match self.newer_wires_member() {
            Some(member) => ErrorReply::invalid_parameter(
                parameter,
                format_args!("is missing; the body has {member}, which is of /wxa/game or /xpay"),
            ),
            None => ErrorReply::invalid_parameter(parameter, "is missing"),
        }
    }

    /// A member that only the newer wires have.
    fn newer_wires_member(&self) -> Option<&str> {
        const NAMES: [&str; 6] = ["amount", "env", "order_id", "pay_bill_no", "pay_order_id", "payitem"];
        self.body.others().map(|field| field.key).find(|key| NAMES.contains(key))
    }

    /// A parameter that may be absent or empty.
    pub(crate) fn optional<T, E: fmt::Display>(
        &self,
        parameter: Parameter,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ErrorReply> {
        match self.raw_text(parameter)? {
            None | Some("") => Ok(None),
            Some(text) => {
                rule(text).map(Some).map_err(|error| ErrorReply::invalid_parameter(parameter, error))
            }
        }
    }

    /// The raw text of a parameter, after the check of its JSON form.
    pub(crate) fn raw_text(&self, parameter: Parameter) -> Result<Option<&'b str>, ErrorReply> {
        let Some(value) = self.body.get(parameter) else {
            return Ok(None);
        };
        let text = match parameter.form() {
            JsonForm::Text => value.text(),
            JsonForm::Integer => value.integer(),
            JsonForm::TextOrDigits => value.text_or_digits(),
        };
        text.map(Some).map_err(|problem| ErrorReply::invalid_parameter(parameter, problem))
    }
}

/// Parses decimal digits as an amount.
pub(crate) fn amount(digits: &str) -> Result<Amount, InvalidAmount> {
    digits.parse().map_err(|_| InvalidAmount::TooLarge).and_then(Amount::new)
}
