//! JSON object writer: fields in the order of the calls.

use std::fmt::Display;
use std::io::Write as _;

/// An object being written.
pub struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        // Fits the usual reply; a longer one costs a second allocation.
        let mut json = Vec::with_capacity(256);
        json.push(b'{');
        Self(json)
    }

    /// A string field. `name` comes from this crate and needs no escaping.
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.write_name(name);
        serde_json::to_writer(&mut self.0, value).expect("a string is JSON, and a Vec takes every write");
        self
    }

    /// A number field: an integer, or its text.
    pub(crate) fn number(mut self, name: &str, value: impl Display) -> Self {
        self.write_name(name);
        write!(self.0, "{value}").expect("a Vec takes every write");
        self
    }

    pub(crate) fn boolean(mut self, name: &str, value: bool) -> Self {
        self.write_name(name);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn write_name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}
