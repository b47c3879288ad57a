//! `docs/protocol.md` agrees with the tables of the code.

use pactolus_protocol::{BODY_BYTES_MAX, CallKind, CallPath, DialectPolicy, ErrorCode, Parameter};

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");

/// The table row whose first cell is `first`.
fn row(first: &str) -> Vec<&'static str> {
    DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .find(|cells| cells[0] == first)
        .unwrap_or_else(|| panic!("docs/protocol.md has no row for {first}"))
}

#[test]
fn document_lists_every_error_code() {
    for code in ErrorCode::of_midas() {
        assert_eq!(row(&code.code().to_string())[1], format!("`{}`", code.errmsg()));
    }
}

#[test]
fn document_lists_every_parameter_and_path() {
    for parameter in Parameter::ALL {
        row(&format!("`{parameter}`"));
    }
    for path in CallPath::all() {
        assert!(DOCUMENT.contains(&format!("`{path}`")), "{path}");
    }
    for kind in CallKind::ALL {
        row(&format!("`{kind}`"));
    }
}

#[test]
fn document_names_every_dialect() {
    for dialect in DialectPolicy::Lenient.accepted() {
        for name in dialect.name().split(' ') {
            row(name);
        }
    }
    assert_eq!(BODY_BYTES_MAX, 16 * 1024);
    assert!(DOCUMENT.contains("16 KiB"));
}
