//! The pages under `docs/protocol` agree with the tables of the code.

use pactolus_protocol::raw::{Member, RawWire};
use pactolus_protocol::{
    BODY_BYTES_MAX, CallKind, CallPath, DialectPolicy, ErrorCode, GameCode, Parameter, RawPath, XpayCode,
};

const DOCUMENT: &str = include_str!("../../../../docs/protocol/midas.md");

const GAME: &str = include_str!("../../../../docs/protocol/game.md");
const XPAY: &str = include_str!("../../../../docs/protocol/xpay.md");

/// The table row of the first wire's page whose first cell is `first`.
fn row(first: &str) -> Vec<&'static str> {
    row_of(DOCUMENT, first)
}

fn row_of(page: &'static str, first: &str) -> Vec<&'static str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .find(|cells| cells[0] == first)
        .unwrap_or_else(|| panic!("the page has no row for {first}"))
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

fn page_of(wire: RawWire) -> &'static str {
    match wire {
        RawWire::Game => GAME,
        RawWire::Xpay => XPAY,
    }
}

#[test]
fn raw_pages_list_every_code() {
    for code in GameCode::ALL {
        assert_eq!(row_of(GAME, &code.code().to_string())[1], format!("`{}`", code.errmsg()));
    }
    for code in XpayCode::ALL {
        assert_eq!(row_of(XPAY, &code.code().to_string())[1], format!("`{}`", code.errmsg()));
    }
    let codes = |page: &'static str| {
        let first_cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        first_cells.filter(|cell| cell.parse::<i32>().is_ok()).count()
    };
    assert_eq!((codes(GAME), codes(XPAY)), (GameCode::ALL.len(), XpayCode::ALL.len()), "no other code");
}

#[test]
fn raw_pages_list_every_path_and_member() {
    for path in RawPath::ALL {
        row_of(page_of(path.wire()), &format!("`{path}`"));
    }
    let documented: Vec<_> = [GAME, XPAY].iter().flat_map(|page| page.lines()).collect();
    for member in Member::ALL {
        let row = format!("| `{member}` | ");
        assert!(documented.iter().any(|line| line.starts_with(&row)), "no page has {member}");
    }
}
