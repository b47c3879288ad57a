//! A gift file, read row by row, in several passes.
//!
//! Invariant: what is checked and confirmed is what is sent. The input is copied once to a nameless temporary file,
//! and every pass reads the copy, so a change of the input between two passes has no effect.
//! Read next: `dialect`, the separator and files of other formats; `newlines`, the numbers of the lines.

mod dialect;
mod newlines;

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::row::{ColumnMap, GiftRow, RowDefaults, is_blank};
use crate::cli::i18n::{Lang, tr};
use dialect::Dialect;
use newlines::NewlineReader;

/// A file of gifts.
pub(crate) struct GiftFile {
    name: String,
    file: File,
}

/// The rows of a file.
pub(crate) struct GiftLines<I> {
    /// Columns that `--ignore-unknown-columns` ignores.
    pub(crate) ignored: Vec<String>,
    pub(crate) rows: I,
}

/// A row with its line number, from 1.
pub(crate) struct SourceLine {
    pub(crate) number: u64,
    pub(crate) row: Result<GiftRow, Vec<String>>,
}

/// Why no row can be read.
pub(crate) enum GiftFileError {
    /// The file cannot be read.
    Io(io::Error),
    /// Problems of the header.
    Header(Vec<String>),
}

impl GiftFile {
    /// Opens the file; `-` is standard input.
    pub(crate) fn open(path: &Path, lang: Lang) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        if path == Path::new("-") {
            io::copy(&mut io::stdin().lock(), &mut file)?;
            return Ok(Self { name: tr!(lang, "standard input", "标准输入"), file });
        }
        io::copy(&mut File::open(path)?, &mut file)?;
        Ok(Self { name: path.display().to_string(), file })
    }

    /// Name of the file in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// All rows. Only one iterator at a time: they share the file position.
    pub(crate) fn lines<'a>(
        &'a self,
        defaults: &'a RowDefaults,
        lang: Lang,
    ) -> Result<GiftLines<impl Iterator<Item = io::Result<SourceLine>> + 'a>, GiftFileError> {
        (&self.file).rewind().map_err(GiftFileError::Io)?;
        lines(&self.file, defaults, lang)
    }
}

/// Bytes at the start of a file that tell its dialect.
const HEAD_BYTES: u64 = 64 * 1024;

/// The rows of a file, read from its start. Blank rows are no rows.
fn lines<'a>(
    mut file: impl Read + 'a,
    defaults: &'a RowDefaults,
    lang: Lang,
) -> Result<GiftLines<impl Iterator<Item = io::Result<SourceLine>> + 'a>, GiftFileError> {
    let mut head = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(GiftFileError::Io)?;
    let dialect = Dialect::detect(&head, lang).map_err(|problem| GiftFileError::Header(vec![problem]))?;
    head.drain(..dialect.header_at);
    let text = NewlineReader::new(io::Cursor::new(head).chain(file));
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(dialect.separator).from_reader(text);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| header_error(error, lang))? && is_blank(&record) {}
    let columns = ColumnMap::from_header(&record, defaults, lang).map_err(GiftFileError::Header)?;
    let ignored = columns.ignored().to_vec();
    let rows = std::iter::from_fn(move || {
        loop {
            let row = match reader.read_record(&mut record) {
                Ok(false) => return None,
                Ok(true) if is_blank(&record) => continue,
                Ok(true) => GiftRow::parse(&record, &columns, defaults, lang),
                Err(error) => match row_error(error, lang) {
                    Ok((line, words)) => {
                        let number = line + dialect.lines_before;
                        return Some(Ok(SourceLine { number, row: Err(vec![words]) }));
                    }
                    Err(error) => return Some(Err(error)),
                },
            };
            let number = record.position().map_or(0, csv::Position::line) + dialect.lines_before;
            return Some(Ok(SourceLine { number, row }));
        }
    });
    Ok(GiftLines { ignored, rows })
}

fn header_error(error: csv::Error, lang: Lang) -> GiftFileError {
    match row_error(error, lang) {
        Ok((_, words)) => GiftFileError::Header(vec![words]),
        Err(error) => GiftFileError::Io(error),
    }
}

/// Line number and problem of a malformed row; an I/O error if the file cannot be read.
fn row_error(error: csv::Error, lang: Lang) -> io::Result<(u64, String)> {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Utf8 { .. } => Ok((
            line,
            tr!(
                lang,
                "is not UTF-8 text, but GBK or another encoding; save the file as CSV UTF-8",
                "不是 UTF-8 文本，而是 GBK 或其他编码；请另存为“CSV UTF-8”"
            ),
        )),
        ErrorKind::Io(error) => Err(error),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// Path of the results file: beside the input, or in the working directory for standard input.
pub(crate) fn default_results_path(path: &Path, name: &str) -> PathBuf {
    let folder = if path == Path::new("-") { None } else { path.parent() };
    folder.unwrap_or(Path::new("")).join(format!("{name}.results.csv"))
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzz target of gift files.

    use pactolus_fuzz_support::Choices;
    use pactolus_protocol::Pf;

    use super::{GiftLines, Lang, RowDefaults, SourceLine, lines};
    use crate::commands::present::bill_no::CampaignName;
    use crate::commands::present::row::UnknownColumns;

    const VALID: &str = "it keeps the rule";
    const OPENID_CHARS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-";

    /// Any file is read to its end, with a line number for each row. Gifts written as CSV are read back unchanged.
    pub fn gifts(bytes: &[u8]) {
        let mut choices = Choices::new(bytes);
        let lang = choices.one_of(&[Lang::En, Lang::Zh]);
        let defaults = RowDefaults {
            zone_id: "1".parse().expect(VALID),
            coins: choices
                .flag()
                .then(|| "5".parse().ok().and_then(|coins| pactolus_client::Amount::new(coins).ok()))
                .flatten(),
            campaign: choices.flag().then(|| "spring".parse().expect(VALID)),
            pf: Pf::new("android").expect(VALID),
            unknown_columns: choices.one_of(&[UnknownColumns::Refuse, UnknownColumns::Ignore]),
        };
        let rest = choices.clone().rest();
        if let Ok(GiftLines { rows, .. }) = lines(rest, &defaults, lang) {
            let mut read = 0;
            for row in rows {
                let SourceLine { number, row } = row.expect("bytes in memory can be read");
                read += 1;
                assert!(read <= rest.len() && number <= rest.len() as u64 + 1, "it does not end");
                match row {
                    Ok(wish) => {
                        let gift = wish.into_present(defaults.campaign.as_ref(), 1);
                        assert!(gift.coins.get() > 0 && !gift.bill_no.as_str().is_empty());
                    }
                    Err(wrong) => assert!(!wrong.is_empty() && wrong.iter().all(|words| !words.is_empty())),
                }
            }
        }
        if let Ok(name) = std::str::from_utf8(bytes).unwrap_or_default().parse::<CampaignName>() {
            let number = name.bill_no(&"player".parse().expect(VALID), &"1".parse().expect(VALID), 7);
            assert!(number.as_str().starts_with(&format!("{name}-")));
        }
        check_round_trip(&mut choices, &defaults, lang);
    }

    /// CSV as spreadsheets write it: a header, optional quotes, LF or CRLF.
    fn check_round_trip(choices: &mut Choices<'_>, defaults: &RowDefaults, lang: Lang) {
        let terminator = choices.one_of(&[csv::Terminator::Any(b'\n'), csv::Terminator::CRLF]);
        let quotes = choices.one_of(&[csv::QuoteStyle::Necessary, csv::QuoteStyle::Always]);
        let mut writer =
            csv::WriterBuilder::new().terminator(terminator).quote_style(quotes).from_writer(Vec::new());
        writer.write_record(["bill_no", "openid", "present_counts"]).expect("a Vec takes every write");
        let mut rows = Vec::new();
        while !choices.is_exhausted() && rows.len() < 32 {
            let (bill_no, openid) = (choices.word(63, "ab0_-|*@"), choices.word(64, OPENID_CHARS));
            let count = choices.number() % pactolus_client::Coins::MAX.get() + 1;
            let space = choices.one_of(&["", " ", "\t"]);
            writer
                .write_record([&bill_no, &format!("{space}{openid}{space}"), &count.to_string()])
                .expect("as above");
            rows.push((bill_no, openid, count));
        }
        let file = writer.into_inner().expect("as above");
        let Ok(read) = lines(&*file, defaults, lang) else { panic!("a right header is refused") };
        let read = read.rows.map(|row| {
            let row = row.expect("bytes in memory can be read").row.expect("a right row");
            let bill_no = row.bill_no.map(|bill_no| bill_no.to_string()).unwrap_or_default();
            (bill_no, row.player.openid.to_string(), row.coins.get())
        });
        assert!(read.eq(rows), "the gifts are others");
    }
}
