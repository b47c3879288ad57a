//! An export that support opens in a spreadsheet. A player's remark may begin with `=`, which a spreadsheet runs, or be
//! Chinese, which it misreads without a byte order mark.

use crate::campaign;
use crate::hostile::HOSTILE;
use crate::process::ServerProcess;

/// A results file for a spreadsheet is resumed from like a plain one, and each run may choose its style.
#[test]
fn results_for_spreadsheets_are_resumed() {
    let folder = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    folder.write("players.csv", "openid,present_counts,bill_no\n-c14a,5,@one\n-c14b,5,-two\nc,5,three\n");
    let run = |more: &[&str]| {
        let present = [
            "present",
            "--env",
            "sandbox",
            "--url",
            &url,
            "--input",
            "players.csv",
            "--yes",
            "--output",
            "json",
        ];
        let ended = folder.run(&[&present[..], more].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()
    };
    assert_eq!(run(&["--spreadsheet"])["given"], 3);
    let written = folder.read("players.results.csv");
    assert!(written.starts_with("\u{feff}line,"), "{written}");
    for cell in ["'@one", "'-c14a", "'-two", "'-c14b"] {
        assert!(written.contains(&format!(",{cell},")), "{cell}: {written}");
    }
    for more in [&["--spreadsheet"][..], &[]] {
        let summary = run(more);
        assert_eq!((&summary["given"], &summary["given_before"]), (&0.into(), &3.into()), "{summary}");
    }
    bank.stop();
    folder.audit(3);
}

/// What programs read stays exact. The spreadsheet's form begins with a byte order mark and runs nothing.
#[test]
fn csv_is_exact_for_programs_and_safe_for_spreadsheets() {
    let folder = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let texts = [
        "=HYPERLINK(\"http://x.example\",\"click\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "＝1",
        "宝剑, \"大\"",
        HOSTILE,
    ];
    let pay = |number: &str, remark: &str| {
        let remark = format!("--remark={remark}");
        let pay = ["pay", "--openid=-c14a", "--coins", "1", "--bill-no", number, &remark];
        let ended = folder.run(&[&pay[..], &["--env", "sandbox", "--url", &url]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    };
    let gift = [
        "present",
        "--openid=-c14a",
        "--coins",
        "50",
        "--bill-no",
        "gift",
        "--env",
        "sandbox",
        "--url",
        &url,
    ];
    assert_eq!(folder.run(&gift).code, Some(0));
    for (index, text) in texts.iter().enumerate() {
        pay(&format!("@pay{index}"), text);
    }
    bank.stop();
    let export = |more: &[&str]| {
        let ended =
            folder.run(&[&["export", "orders", "--from", "2017-10-09", "--to", "9999-12-31"], more].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let cells = |text: &str| {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let (plain, spreadsheet) = (export(&[]), export(&["--spreadsheet"]));
    assert!(plain.starts_with("at,") && spreadsheet.starts_with("\u{feff}at,"), "{plain}{spreadsheet}");
    let (plain, spreadsheet) = (cells(&plain), cells(&spreadsheet));
    // The lines of the harness end with LF alone.
    for text in texts.iter().filter(|text| !text.contains(['\r', '\n'])) {
        assert!(plain.iter().any(|cell| cell == text), "{text:?} in {plain:?}");
    }
    assert!(plain.iter().any(|cell| cell == "-c14a") && plain.iter().any(|cell| cell == "@pay0"));
    let runs = |cell: &&String| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    assert_eq!(spreadsheet.iter().find(runs), None);
    assert_eq!(spreadsheet.iter().map(|cell| cell.trim_start_matches('\'')).collect::<Vec<_>>(), plain);

    let refused =
        folder.run(&["export", "orders", "--from", "2017-10-09", "--format", "jsonl", "--spreadsheet"]);
    assert_eq!((refused.code, &*refused.stderr), (Some(2), "error: --spreadsheet needs --format csv\n"));
}
