//! Gift files as spreadsheets and programs write them: read as meant, or refused with what is wrong.

use crate::campaign;
use crate::process::{Folder, ProcessOutput};

fn preview(folder: &Folder, more: &[&str]) -> ProcessOutput {
    let usual = ["present", "--env", "sandbox", "--input", "players.csv", "--campaign", "c", "--dry-run"];
    folder.run(&[&usual[..], more].concat())
}

/// The bug: files with semicolons, tabs, other columns, capitals, or empty rows were refused, without what to do. The
/// fix: the separator comes from the header, and what holds no gift is no row.
#[test]
fn spreadsheet_files_are_read() {
    let folder = campaign::folder_without_mp_sig();
    for (file, flags) in [
        ("openid;present_counts\none;5\ntwo;6\n", &[][..]),
        ("openid\tpresent_counts\r\none\t5\r\ntwo\t6\r\n", &[]),
        ("sep=;\r\nopenid;present_counts\r\none;5\r\ntwo;6\r\n", &[]),
        ("\u{feff}OpenID , Present_Counts\none,5\ntwo,6\n", &[]),
        ("openid,present_counts,,\none,5,,\n,,,\n\n  \ntwo,6,,\n,,,\n", &[]),
        ("openid,present_counts\rone,5\rtwo,6\r", &[]),
        (
            "nickname,openid,level,present_counts\na,one,1,5\n\"b\n\nc\",two,2,6\n",
            &["--ignore-unknown-columns"],
        ),
    ] {
        folder.write("players.csv", file);
        let ended = preview(&folder, flags);
        assert_eq!(ended.code, Some(0), "{file:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("2 gifts of 11 coins in all"), "{file:?}: {}", ended.stderr);
        let is_named = ended.stderr.contains("ignored columns: \"nickname\", \"level\"\n");
        assert_eq!(is_named, !flags.is_empty(), "{}", ended.stderr);
    }
}

/// The bug: a workbook, or a number that a program rewrote, was refused in words that name neither the value nor the
/// cause; a zone `1.0` was accepted, and its players saw no coins.
#[test]
fn refused_files_name_value_and_cause() {
    let folder = campaign::folder_without_mp_sig();
    let whole = "is not a whole number of coins; it";
    for (file, words) in [
        ("openid,present_counts,nickname\none,5,a\n", "players.csv:1: unknown column \"nickname\"; known columns are openid, zone_id, present_counts, bill_no, session_key, user_ip; --ignore-unknown-columns ignores others".to_owned()),
        ("openid,present_counts,zoneid\none,5,2\n", "players.csv:1: unknown column \"zoneid\"; did you mean zone_id?".to_owned()),
        ("openid,present_counts\none,5.0\n", format!("players.csv:2: present_counts \"5.0\" {whole} looks like a number that a program wrote as a decimal")),
        ("openid,present_counts\none,1E+05\n", format!("present_counts \"1E+05\" {whole} looks like scientific notation")),
        ("openid,present_counts\none,\"1,000\"\n", format!("present_counts \"1,000\" {whole} looks like a number with thousands separators")),
        ("openid,present_counts\none,５\n", format!("present_counts \"５\" {whole} holds full-width digits")),
        ("openid,present_counts\none,5\u{a0}\n", format!("present_counts \"5\\u{{a0}}\" {whole} holds a non-breaking")),
        ("openid,present_counts\none,'1\n", format!("present_counts \"'1\" {whole} begins with an apostrophe")),
        ("openid,present_counts,zone_id\none,5,1.0\n", "players.csv:2: zone_id \"1.0\" is refused as a zone".to_owned()),
        ("openid,present_counts,zone_id\none,5,'1\n", "zone_id \"'1\" holds '\\''".to_owned()),
        ("openid,present_counts,bill_no\none,5,1.2E+17\n", "bill_no \"1.2E+17\" holds '.'".to_owned()),
        ("openid,present_counts\none,5,extra\n", "players.csv:2: has 3 cells where the header has 2".to_owned()),
        ("openid,present_counts,\none,5,extra\n", "players.csv:2: has a value in column 3, which has no name".to_owned()),
        ("openid,present_counts\none\n", "players.csv:2: has 1 cells where the header has 2".to_owned()),
        ("PK\u{3}\u{4}", "players.csv:1: is an Excel workbook (.xlsx)".to_owned()),
        ("[{\"openid\":\"one\"}]", "players.csv:1: is JSON, not CSV".to_owned()),
        ("", "players.csv:1: the column openid is missing".to_owned()),
    ] {
        folder.write("players.csv", file);
        let ended = preview(&folder, &[]);
        assert_eq!((ended.code, &*ended.stdout), (Some(9), ""), "{file:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(&words), "{file:?}: {}", ended.stderr);
    }
    for bytes in [&b"\xFF\xFEo\0p\0"[..], b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", b"openid\n\xB1\xA6\n"] {
        std::fs::write(folder.path().join("players.csv"), bytes).unwrap();
        let ended = preview(&folder, &["--coins", "5"]);
        assert_eq!(ended.code, Some(9));
        assert!(ended.stderr.contains("CSV UTF-8"), "{}", ended.stderr);
    }
    // A flag for other columns must not hide a misspelled one.
    folder.write("players.csv", "openid,present_counts,zoneid\none,5,2\n");
    assert_eq!(preview(&folder, &["--ignore-unknown-columns"]).code, Some(9));
}

/// The bug: in a file with CRLF every line number was one too low, and blank lines were not counted at all, so people
/// corrected the wrong player.
#[test]
fn line_numbers_are_those_of_an_editor() {
    let folder = campaign::folder_without_mp_sig();
    for (file, line) in [
        ("openid,present_counts\nbad player,5\n", 2),
        ("openid,present_counts\r\nbad player,5\r\n", 2),
        ("openid,present_counts\r\none,5\r\nbad player,5\r\n", 3),
        ("openid,present_counts\rone,5\rbad player,5\r", 3),
        ("openid,present_counts\n\n\none,5\n\nbad player,5\n", 6),
        ("\r\nopenid,present_counts\r\n\r\nbad player,5\r\n", 4),
        ("sep=;\r\nopenid;present_counts\r\nbad player;5\r\n", 3),
    ] {
        folder.write("players.csv", file);
        let ended = preview(&folder, &[]);
        let start = format!("players.csv:{line}: openid \"bad player\" holds ' '");
        assert!(ended.stderr.starts_with(&start), "{file:?}: {}", ended.stderr);
    }
    folder.write("players.csv", "openid,present_counts\r\none,5\r\n");
    assert!(preview(&folder, &[]).stderr.contains("\n   2  one "));
}

/// The bug: 20,000 bad rows printed 20,000 lines. The fix: the first 50 and a count. The refused value is shown, but
/// never a session key, in whichever column it stands.
#[test]
fn problems_are_bounded_and_hold_no_secret() {
    const SECRET: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
    let folder = campaign::folder_without_mp_sig();
    folder.write("players.csv", &format!("openid,present_counts\n{}", "one,x\u{1b}[31m\n".repeat(20_000)));
    let ended = preview(&folder, &["--allow-duplicates"]);
    assert_eq!(ended.code, Some(9));
    assert_eq!(ended.stderr.lines().count(), 52, "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "a control character reaches the terminal");
    assert!(ended.stderr.contains("\n… and 19950 more problems\n"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("problems: 20000\n"), "{}", ended.stderr);

    for file in [
        format!("openid,present_counts,session_key\none,5,{}\n", &SECRET[1..]),
        format!("openid,present_counts\n{SECRET},5\n"),
        format!("openid,present_counts\none,{SECRET}\n"),
        format!("one,5,{SECRET}\n"),
    ] {
        folder.write("players.csv", &file);
        let ended = preview(&folder, &[]);
        assert_eq!(ended.code, Some(9), "{file}");
        assert!(!ended.stderr.contains(&SECRET[1..]), "{}", ended.stderr);
    }
}
