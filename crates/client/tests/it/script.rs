//! A host that replies with the lines of a script, `STATUS BODY` each, and repeats the last one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::net::TcpListener;

pub(crate) struct ScriptedHost {
    pub(crate) url: String,
    script: Arc<Script>,
}

struct Script {
    replies: Vec<(StatusCode, String)>,
    requests: AtomicUsize,
}

impl ScriptedHost {
    pub(crate) async fn start(lines: &[&str]) -> Self {
        let replies = lines.iter().map(|line| {
            let (status, body) = line.split_once(' ').unwrap();
            (status.parse().unwrap(), body.to_owned())
        });
        let script = Arc::new(Script { replies: replies.collect(), requests: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, script }
    }

    /// Number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.script.requests.load(Ordering::Relaxed)
    }
}

async fn answer(State(script): State<Arc<Script>>) -> (StatusCode, String) {
    let at = script.requests.fetch_add(1, Ordering::Relaxed);
    script.replies[at.min(script.replies.len() - 1)].clone()
}
