//! Extractors of the operator API. They answer every malformed request with a problem.
//!
//! 400: the request cannot be parsed. 422: a field is missing, unknown or wrong; the problem says which.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::problem::Problem;

pub(crate) struct Path<T>(pub(crate) T);

pub(crate) struct Query<T>(pub(crate) T);

pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON list of at most `MAX` objects.
pub(crate) struct JsonList<T, const MAX: usize>(pub(crate) Vec<T>);

impl<T: DeserializeOwned + Send, S: Sync + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path))
            .map_err(|error| Problem::bad_request(error.body_text()))
    }
}

impl<T: DeserializeOwned, S: Sync + Send> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        // Any text is a valid query, so only a field can be wrong.
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Problem::unprocessable(error.body_text()))
    }
}

impl<T: DeserializeOwned, S: Sync + Send> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = axum::Json::<Box<RawValue>>::from_request(request, state).await;
        let axum::Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
        parse_object(&body).map(Self).map_err(|wrong| match wrong {
            None => Problem::unprocessable("the body must be a JSON object"),
            Some(wrong) => Problem::unprocessable(wrong),
        })
    }
}

impl<T: DeserializeOwned, const MAX: usize, S: Sync + Send> FromRequest<S> for JsonList<T, MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = axum::Json::<Vec<Box<RawValue>>>::from_request(request, state).await;
        let axum::Json(items) = body.map_err(|error| match error {
            JsonRejection::JsonDataError(_) => Problem::unprocessable("the body must be a JSON list"),
            other => Problem::bad_request(other.body_text()),
        })?;
        if items.len() > MAX {
            return Err(Problem::unprocessable(format!(
                "the list has {} items; the most is {MAX}",
                items.len()
            )));
        }
        let read = |(index, item): (usize, Box<RawValue>)| {
            parse_object(&item).map_err(|wrong| {
                let wrong = wrong.unwrap_or_else(|| "it must be a JSON object".to_owned());
                Problem::unprocessable(format!("item {}: {wrong}", index + 1))
            })
        };
        items.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// Parses a JSON object. The error is `None` if the value is not an object.
///
/// serde alone would also take a list of a struct's fields in their order.
fn parse_object<T: DeserializeOwned>(value: &RawValue) -> Result<T, Option<String>> {
    if !value.get().starts_with('{') {
        return Err(None);
    }
    let read = axum::Json::from_bytes(value.get().as_bytes());
    read.map(|axum::Json(object)| object).map_err(|error| Some(error.body_text()))
}
