//! Checks of the repository itself: what its pages name exists, its prose keeps to the field's words, and its files
//! stay small and free of import circles.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod docs;
mod imports;
mod language;
mod layout;
mod repository;
