//! Parameters of the platform's calls: the query, and by POST a form too.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::Method;
use pactolus_protocol::{Body, ErrorReply, Query};
use zeroize::Zeroizing;

use crate::body::read_body;

/// The parameters of a request as a query; those of the URL come first. They hold secrets.
pub(crate) struct QueryOrForm(Zeroizing<String>);

impl QueryOrForm {
    /// Reads a request. Many back ends call by POST what is documented for GET.
    pub(crate) async fn read(request: Request) -> Result<Self, ErrorReply> {
        let (head, body) = request.into_parts();
        let body = if head.method == Method::POST { read_body(body).await? } else { Bytes::new() };
        Ok(Self::join(head.uri.query(), &body))
    }

    /// The parameters of a URL, and those of a body that is a form.
    pub(crate) fn join(query: Option<&str>, body: &[u8]) -> Self {
        let form = std::str::from_utf8(body).ok().filter(|_| Body::is_form(body)).unwrap_or_default();
        Self(Zeroizing::new([query.unwrap_or_default(), form.trim_end()].join("&")))
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query::new(&self.0)
    }
}
