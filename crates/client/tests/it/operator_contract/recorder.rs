//! A host that records what the operator client sends, and answers with samples of the document's schemas.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use serde_json::Value;
use tokio::net::TcpListener;

use super::schema::{self, Operation};

/// A request as the document describes it.
pub(crate) struct RecordedRequest {
    pub(crate) operation: String,
    /// As [`Operation::request_fields`] lists them.
    pub(crate) fields: BTreeSet<String>,
    pub(crate) authorization: Option<String>,
}

pub(crate) struct Recorder {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    document: Value,
    operations: Vec<Operation>,
    variant: AtomicUsize,
    sample: Mutex<Value>,
    requests: Mutex<Vec<RecordedRequest>>,
}

impl Recorder {
    pub(crate) async fn start(document: Value) -> Self {
        let inner = Arc::new(Inner {
            operations: schema::operations(&document),
            document,
            variant: AtomicUsize::new(0),
            sample: Mutex::default(),
            requests: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, inner }
    }

    pub(crate) fn answer_with_variant(&self, variant: usize) {
        self.inner.variant.store(variant, Ordering::Relaxed);
    }

    /// The last reply.
    pub(crate) fn last_sample(&self) -> Value {
        self.inner.sample.lock().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.inner.requests.lock().unwrap())
    }
}

async fn answer(
    State(host): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> String {
    let is_asked = |operation: &&Operation| {
        method.as_str().eq_ignore_ascii_case(&operation.method) && matches(&operation.path, uri.path())
    };
    let operation = host.operations.iter().find(is_asked).unwrap_or_else(|| panic!("{method} {uri}"));
    let query = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let mut fields: BTreeSet<String> = query.map(|(name, _)| format!("?{name}")).collect();
    if !body.is_empty() {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let objects = body.as_array().cloned().unwrap_or_else(|| vec![body]);
        for (name, value) in objects.iter().flat_map(|object| object.as_object().unwrap()) {
            fields.insert(name.clone());
            if let Some(value) = value.as_str().filter(|_| operation.lists_values(&host.document, name)) {
                fields.insert(format!("{name}={value}"));
            }
        }
    }
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let request = RecordedRequest { operation: operation.name.clone(), fields, authorization };
    host.requests.lock().unwrap().push(request);
    let sample = schema::sample(&host.document, operation.reply(), host.variant.load(Ordering::Relaxed));
    *host.sample.lock().unwrap() = sample.clone();
    sample.to_string()
}

/// Whether a path is one of the template's; the path is percent-encoded, so a parameter has no slash.
fn matches(template: &str, path: &str) -> bool {
    let (parts, given) = (template.split('/'), path.split('/'));
    parts.clone().count() == given.clone().count()
        && parts.zip(given).all(|(part, given)| part == given || part.starts_with('{') && !given.is_empty())
}
