//! A file of gifts, read row by row as often as it is needed.
//!
//! Standard input is kept in a temporary file first: the rows are all checked before the first is sent.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::row::{Columns, Defaults, Wish};
use crate::lang::{Lang, words};

/// Where rows come from.
pub(crate) struct Source {
    name: String,
    file: File,
}

/// A row, by its line in the file; the header is line 1.
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) wish: Result<Wish, Vec<String>>,
}

/// Why no row can be read at all.
pub(crate) enum Unreadable {
    /// The file cannot be read.
    Io(io::Error),
    /// The header is wrong, in these ways.
    Header(Vec<String>),
}

impl Source {
    /// The file at `path`; `-` is standard input.
    pub(crate) fn open(path: &Path, lang: Lang) -> io::Result<Self> {
        if path == Path::new("-") {
            let mut file = tempfile::tempfile()?;
            io::copy(&mut io::stdin().lock(), &mut file)?;
            return Ok(Self { name: words!(lang, "standard input", "标准输入"), file });
        }
        Ok(Self { name: path.display().to_string(), file: File::open(path)? })
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its rows, from the first on. One walk at a time: they share a place in the file.
    pub(crate) fn lines<'a>(
        &'a self,
        defaults: &'a Defaults,
        lang: Lang,
    ) -> Result<impl Iterator<Item = io::Result<Line>> + 'a, Unreadable> {
        (&self.file).rewind().map_err(Unreadable::Io)?;
        let mut reader = ReaderBuilder::new().flexible(false).trim(Trim::All).from_reader(&self.file);
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(unreadable(error, lang)),
        };
        let columns = Columns::of(&header, defaults, lang).map_err(Unreadable::Header)?;
        let mut record = StringRecord::new();
        Ok(std::iter::from_fn(move || {
            let wish = match reader.read_record(&mut record) {
                Ok(false) => return None,
                Ok(true) => Wish::read(&record, &columns, defaults, lang),
                Err(error) => match in_words(error, lang) {
                    Ok((number, words)) => return Some(Ok(Line { number, wish: Err(vec![words]) })),
                    Err(error) => return Some(Err(error)),
                },
            };
            let number = record.position().map_or(0, csv::Position::line);
            Some(Ok(Line { number, wish }))
        }))
    }
}

fn unreadable(error: csv::Error, lang: Lang) -> Unreadable {
    match in_words(error, lang) {
        Ok((_, words)) => Unreadable::Header(vec![words]),
        Err(error) => Unreadable::Io(error),
    }
}

/// The line of a row that is none, and why; or that the file cannot be read.
fn in_words(error: csv::Error, lang: Lang) -> io::Result<(u64, String)> {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => Ok((
            line,
            words!(
                lang,
                "has {len} cells where the header has {expected_len}",
                "有 {len} 个单元格，而表头有 {expected_len} 个"
            ),
        )),
        ErrorKind::Utf8 { .. } => Ok((
            line,
            words!(lang, "is not UTF-8 text; save the file as UTF-8", "不是 UTF-8 文本；请另存为 UTF-8"),
        )),
        ErrorKind::Io(error) => Err(error),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

/// The file of results beside a file of gifts, or in the working directory for standard input.
pub(crate) fn results_beside(path: &Path, name: &str) -> PathBuf {
    let folder = if path == Path::new("-") { None } else { path.parent() };
    folder.unwrap_or(Path::new("")).join(format!("{name}.results.csv"))
}
