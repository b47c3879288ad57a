//! The place of an access token that is not in the query, for the detail of 41001.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use pactolus_protocol::{AccessToken, Body, ErrorCode, ErrorReply, Parameter, Query};

/// Where a token was sent in place of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    AuthorizationHeader,
    OtherHeader,
    Body,
    Nowhere,
}

impl TokenPlace {
    pub(crate) fn of_head(head: &Parts) -> Self {
        Self::of_headers(&head.headers)
    }

    fn of_headers(headers: &HeaderMap) -> Self {
        const NAMES: [&str; 4] = ["access_token", "access-token", "x-access-token", "token"];
        if headers.contains_key(AUTHORIZATION) {
            Self::AuthorizationHeader
        } else if NAMES.into_iter().any(|name| headers.contains_key(name)) {
            Self::OtherHeader
        } else {
            Self::Nowhere
        }
    }

    /// The place in a body: a field of a JSON object, or of a form.
    pub(crate) fn of_body(bytes: &[u8]) -> Self {
        let in_json = Body::parse(bytes).is_ok_and(|body| body.holds(Parameter::AccessToken));
        let form = std::str::from_utf8(bytes).ok().filter(|_| Body::is_form(bytes));
        let in_form = form.is_some_and(|form| Query::new(form).get(Parameter::AccessToken.name()).is_some());
        if in_json || in_form { Self::Body } else { Self::Nowhere }
    }

    /// Names the place in a 41001. Other errors stay.
    pub(crate) fn explain(self, error: ErrorReply) -> ErrorReply {
        let found = match self {
            Self::AuthorizationHeader => "it is in the header Authorization",
            Self::OtherHeader => "it is in a header",
            Self::Body => "it is in the body",
            Self::Nowhere => return error,
        };
        if error.code() != ErrorCode::AccessTokenMissing {
            return error;
        }
        let detail = format!("{found}; send it in the query, as ?access_token=");
        ErrorReply::with_detail(ErrorCode::AccessTokenMissing, detail)
    }
}

/// Names the placeholder in a 40001 whose token is one. Other errors stay.
pub(crate) fn name_placeholder(error: ErrorReply, query: Query<'_>) -> ErrorReply {
    if error.code() == ErrorCode::InvalidCredential { AccessToken::invalid(query) } else { error }
}
