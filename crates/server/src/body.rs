//! Request bodies: buffered whole, rejected when too large or truncated.

use std::pin::{Pin, pin};

use axum::body::Bytes;
use http_body_util::BodyExt;
use pactolus_protocol::{BODY_BYTES_MAX, Body, ErrorCode, ErrorReply};

pub(crate) trait RequestBody:
    hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>
{
}

impl<B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>> RequestBody for B {}

/// Buffers the whole body. Fails when it is too large or breaks off.
///
/// Pieces are copied together as they arrive: each is a view of a buffer of some 8 KiB, and a body that arrives byte
/// by byte would hold as many buffers as it has bytes.
pub(crate) async fn read_body<B: RequestBody>(body: B) -> Result<Bytes, ErrorReply> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ErrorReply::with_detail(ErrorCode::DataFormat, "the body broke off"))?;
        // Trailers are no part of a body.
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + piece.len() > BODY_BYTES_MAX {
            drop(piece);
            drain_body(body).await;
            return Err(Body::too_large());
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

/// Bytes of an oversized body that are drained before it is rejected.
const DRAINED_BYTES_MAX: usize = 256 * 1024;

/// Drains the rest of an oversized body. Closing a connection while its client still sends would reset it, and the
/// client might never see the error. [`DRAINED_BYTES_MAX`] bounds an endless body.
async fn drain_body<B: RequestBody>(mut body: Pin<&mut B>) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(1, Bytes::len);
        if bytes > DRAINED_BYTES_MAX {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// The read buffer behind a piece.
    struct TrackedBuffer(Arc<AtomicUsize>);

    impl AsRef<[u8]> for TrackedBuffer {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Drop for TrackedBuffer {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Regression: each byte of a body that arrived byte by byte kept its read buffer. A client that sent 16 KiB in
    /// small packets took 128 MiB until its timeout.
    #[tokio::test]
    async fn chunked_body_buffers_only_its_bytes() {
        for (bytes, taken) in [(1000, true), (BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
            let held = Arc::new(AtomicUsize::new(0));
            let pieces = (0..bytes).map(|_| {
                assert!(held.fetch_add(1, Ordering::Relaxed) <= 1, "a piece is kept after the next has come");
                Ok::<_, Infallible>(Frame::data(Bytes::from_owner(TrackedBuffer(Arc::clone(&held)))))
            });
            let body = read_body(StreamBody::new(stream::iter(pieces))).await;
            assert_eq!(body.map(|body| body.len()).ok(), taken.then_some(bytes));
            assert_eq!(held.load(Ordering::Relaxed), 0);
        }
    }
}
