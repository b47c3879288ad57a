//! HTTP reply reader with one reused buffer.

use anyhow::{Context, bail, ensure};

/// Larger than the longest reply: a hundred orders of a statement take some 40 KiB.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// The partial reply of a connection.
pub(crate) struct ResponseReader {
    bytes: Vec<u8>,
    filled: usize,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self { bytes: vec![0; RESPONSE_BYTES_MAX], filled: 0 }
    }
}

impl ResponseReader {
    /// Discards the previous reply.
    pub(crate) fn reset(&mut self) {
        self.filled = 0;
    }

    /// The buffer to read into.
    pub(crate) fn unfilled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Whether the reply is complete after `read` more bytes in [`ResponseReader::unfilled`].
    ///
    /// A reply that is not 200, or whose body does not start with `expected`, is an error.
    pub(crate) fn is_complete(&mut self, read: usize, expected: &[u8]) -> anyhow::Result<bool> {
        ensure!(read > 0, "the server closed the connection, or its reply is too long");
        self.filled += read;
        let response = &self.bytes[..self.filled];
        let Some(body) = complete_body(response)? else { return Ok(false) };
        if !response.starts_with(b"HTTP/1.1 200 ") || !body.starts_with(expected) {
            bail!("unexpected reply: {}", String::from_utf8_lossy(response));
        }
        Ok(true)
    }
}

/// The body, once it is complete.
fn complete_body(answer: &[u8]) -> anyhow::Result<Option<&[u8]>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let length = content_length(head).context("a reply lacks content-length")?;
    ensure!(body.len() <= length, "a reply is longer than its content-length");
    Ok((body.len() == length).then_some(body))
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let is_length = |line: &&[u8]| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME);
    let line = head.split(|byte| *byte == b'\n').find(is_length)?;
    std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `answer` in pieces of `piece` bytes.
    fn read_in_pieces(answer: &str, piece: usize) -> anyhow::Result<bool> {
        let mut reader = ResponseReader::default();
        let mut is_complete = false;
        for piece in answer.as_bytes().chunks(piece) {
            assert!(!is_complete, "complete before the last piece");
            reader.unfilled()[..piece.len()].copy_from_slice(piece);
            is_complete = reader.is_complete(piece.len(), b"{\"a\"")?;
        }
        Ok(is_complete)
    }

    #[test]
    fn response_is_complete_once_its_body_is() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nx: y\r\n\r\n{\"a\":1}";
        for piece in [1, 7, answer.len()] {
            assert!(read_in_pieces(answer, piece).unwrap(), "{piece}");
        }
        assert!(!read_in_pieces(&answer[..answer.len() - 1], 1).unwrap());
    }

    #[test]
    fn unexpected_response_is_an_error() {
        let wrong = [
            "HTTP/1.1 500 Oh\r\ncontent-length: 7\r\n\r\n{\"a\":1}",
            "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"b\":1}",
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n{\"a\":1}",
            "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}",
        ];
        for answer in wrong {
            assert!(read_in_pieces(answer, answer.len()).is_err(), "{answer}");
        }
        assert!(ResponseReader::default().is_complete(0, b"").is_err());
    }
}
