//! A section of the configuration; its settings are looked up by name, each with a parser.
//!
//! A lookup tries the environment variable first, then the file. For a missing or invalid setting it records the
//! problem and returns `None`.
//! Read next: [`super::parse`], the parsers.

use std::fmt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::nearest::closest_match;
use super::problem::{Location, ParseError};
use super::reader::Reader;
use super::sources::{RawValue, SourceValue, type_name};

/// A table of the configuration.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    /// Title in messages, such as `[operator]`; `None` for the top level.
    title: Option<String>,
    /// Prefix of its variables.
    prefix: String,
    /// Location of its header, where a missing key is reported.
    header: Location,
    /// `None` if the file lacks the section: its settings may all come from the environment.
    table: Option<&'a DeTable<'a>>,
    known_keys: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The top-level settings.
    pub(super) fn top(reading: &'a Reader<'a>, document: &'a DeTable<'a>) -> Self {
        Self {
            reader: reading,
            title: None,
            prefix: reading.prefix.to_owned(),
            header: Location::File,
            table: Some(document),
            known_keys: Vec::new(),
        }
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &'a Path {
        self.reader.sources.folder
    }

    /// A required setting.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&RawValue<'_>) -> Result<T, ParseError>,
    ) -> Option<T> {
        self.lookup(key, parse).or_else(|| {
            let section = self.title.as_deref().unwrap_or("the file");
            let message = format!("{section} lacks `{key}`; set it there or in {}", self.variable(key));
            self.reader.report(self.header.clone(), message);
            None
        })
    }

    /// An optional setting with its default.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl Fn(&RawValue<'_>) -> Result<T, ParseError>,
    ) -> Option<T> {
        self.lookup(key, parse).or_else(|| Some(default))
    }

    /// The section `[key]`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'a>) -> Option<T>,
    ) -> Option<T> {
        self.known_keys.push(key);
        let (header, table) = match self.entry(key) {
            Some((place, DeValue::Table(table))) => (place, Some(table)),
            Some((_, other)) => {
                self.report(key, format!("is {}; it must be a table, [{key}]", type_name(other)));
                return None;
            }
            None => (Location::File, None),
        };
        self.subsection(format!("[{key}]"), &key.to_uppercase(), header, table).read(read)
    }

    /// The sections `[[key]]`, at least one.
    ///
    /// The environment may add sections after the last one of the file: `PACTOLUS_APPS_0_…` needs no `[[apps]]`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.known_keys.push(key);
        let in_file = self.array_of_tables(key)?;
        let upper = key.to_uppercase();
        let sources = self.reader.sources;
        let mut count = in_file.len();
        while sources.has_variable_with_prefix(&format!("{}{upper}_{count}_", self.reader.prefix)) {
            count += 1;
        }
        if count == 0 {
            self.report(key, format!("is empty; add at least one [[{key}]]"));
            return None;
        }
        // All sections are read before the first invalid one fails the pass, so that all problems are reported
        // together.
        let values: Vec<_> = (0..count)
            .map(|index| {
                let (header, table) = in_file.get(index).cloned().unzip();
                let header = header.unwrap_or(Location::File);
                self.subsection(format!("[[{key}]]"), &format!("{upper}_{index}"), header, table)
                    .read(&mut read)
            })
            .collect();
        values.into_iter().collect()
    }

    /// Records a problem of the setting `key` that only its reader can see.
    pub(super) fn report(&self, key: &str, wrong: impl fmt::Display) {
        let variable = self.variable(key);
        let place = if self.reader.sources.is_set(&variable) {
            Location::Variable(variable)
        } else {
            self.entry(key).map_or_else(|| self.header.clone(), |(place, _)| place)
        };
        self.reader.report(place, format!("`{key}` {wrong}"));
    }

    /// Looks up a setting in the environment, then in the file. Records an invalid value.
    fn lookup<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&RawValue<'_>) -> Result<T, ParseError>,
    ) -> SettingLookup<T> {
        self.known_keys.push(key);
        let sources = self.reader.sources;
        let value = match (sources.variable(&self.variable(key)), self.entry(key)) {
            (Some(text), _) => text.map(SourceValue::Variable),
            (None, Some((_, value))) => Ok(SourceValue::File(value)),
            (None, None) => return SettingLookup::Missing,
        };
        match value.and_then(|value| parse(&RawValue { value, sources })) {
            Ok(value) => SettingLookup::Value(value),
            Err(wrong) => {
                self.report(key, wrong);
                SettingLookup::Invalid
            }
        }
    }

    fn variable(&self, key: &str) -> String {
        format!("{}{}", self.prefix, key.to_uppercase())
    }

    fn entry(&self, key: &str) -> Option<(Location, &'a DeValue<'a>)> {
        let (key, value) = self.table?.get_key_value(key)?;
        Some((self.reader.line(&key.span()), value.get_ref()))
    }

    fn array_of_tables(&self, key: &'static str) -> Option<Vec<(Location, &'a DeTable<'a>)>> {
        let tables = match self.entry(key) {
            Some((_, DeValue::Array(items))) => items
                .iter()
                .map(|item| Some((self.reader.line(&item.span()), item.get_ref().as_table()?)))
                .collect(),
            Some(_) => None,
            None => Some(Vec::new()),
        };
        if tables.is_none() {
            self.report(key, format!("is not a list of tables; write each as [[{key}]]"));
        }
        tables
    }

    fn subsection(
        &self,
        title: String,
        name: &str,
        header: Location,
        table: Option<&'a DeTable<'a>>,
    ) -> Self {
        let prefix = format!("{}{name}_", self.prefix);
        Self { reader: self.reader, title: Some(title), prefix, header, table, known_keys: Vec::new() }
    }

    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let value = read(&mut self);
        self.report_unknown_keys();
        value
    }

    /// Records every key of the file that no setting looked up.
    pub(super) fn report_unknown_keys(&self) {
        let Some(table) = self.table else { return };
        for key in table.keys().filter(|key| !self.known_keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let message = match closest_match(name, self.known_keys.iter().copied()) {
                Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
                None => format!("unknown key `{name}`; known keys are {}", self.known_keys.join(", ")),
            };
            self.reader.report(self.reader.line(&key.span()), message);
        }
    }
}

/// Result of a lookup.
enum SettingLookup<T> {
    Value(T),
    /// Invalid, and recorded.
    Invalid,
    Missing,
}

impl<T> SettingLookup<T> {
    /// The value; if the setting is missing, the result of `on_missing`.
    fn or_else(self, on_missing: impl FnOnce() -> Option<T>) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Invalid => None,
            Self::Missing => on_missing(),
        }
    }
}
