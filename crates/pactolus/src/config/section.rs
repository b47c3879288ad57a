//! A section of the configuration, asked for one setting after another by name and kind.
//!
//! Asking looks at the setting's environment variable first, then at the file; it returns nothing where the setting
//! is missing or wrong, and has then noted the problem.
//! Read next: [`super::parse`], what can be asked for.

use std::fmt;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::problem::{Place, Wrong};
use super::reader::Reading;
use super::sources::{Given, Value, type_name};

/// One table of the configuration.
pub(super) struct Section<'a> {
    reading: &'a Reading<'a>,
    /// As it stands in the file: `[operator]`; nothing for the top.
    title: Option<String>,
    /// What the names of its variables begin with.
    prefix: String,
    /// Its header, where a missing key is reported.
    header: Place,
    /// Nothing if the file does not have it: its settings may all be in the environment.
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The settings outside any table.
    pub(super) fn top(reading: &'a Reading<'a>, document: &'a DeTable<'a>) -> Self {
        Self {
            reading,
            title: None,
            prefix: reading.prefix.to_owned(),
            header: Place::File,
            table: Some(document),
            known: Vec::new(),
        }
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &'a Path {
        self.reading.sources.folder
    }

    /// The setting `key`, which has to be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        kind: impl Fn(&Given<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.ask(key, kind).or_else(|| {
            let section = self.title.as_deref().unwrap_or("the file");
            let message = format!("{section} lacks `{key}`; set it there or in {}", self.variable(key));
            self.reading.note(self.header.clone(), message);
            None
        })
    }

    /// The setting `key`, or `default` where it is not given.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        default: T,
        kind: impl Fn(&Given<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.ask(key, kind).or_else(|| Some(default))
    }

    /// The section `[key]`, read by `read`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'a>) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let (header, table) = match self.entry(key) {
            Some((place, DeValue::Table(table))) => (place, Some(table)),
            Some((_, other)) => {
                self.refuse(key, format!("is {}; it must be a table, [{key}]", type_name(other)));
                return None;
            }
            None => (Place::File, None),
        };
        self.child(format!("[{key}]"), &key.to_uppercase(), header, table).read(read)
    }

    /// The sections `[[key]]`, of which there has to be one at least, each read by `read`.
    ///
    /// The environment may add sections past the file's last: `PACTOLUS_APPS_0_…` needs no `[[apps]]`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.known.push(key);
        let in_file = self.array_of_tables(key)?;
        let upper = key.to_uppercase();
        let sources = self.reading.sources;
        let mut count = in_file.len();
        while sources.any_variable_begins(&format!("{}{upper}_{count}_", self.reading.prefix)) {
            count += 1;
        }
        if count == 0 {
            self.refuse(key, format!("is empty; add at least one [[{key}]]"));
            return None;
        }
        // Every section is read before the first refused one ends it: all problems are reported together.
        let values: Vec<_> = (0..count)
            .map(|index| {
                let (header, table) = in_file.get(index).cloned().unzip();
                let header = header.unwrap_or(Place::File);
                self.child(format!("[[{key}]]"), &format!("{upper}_{index}"), header, table).read(&mut read)
            })
            .collect();
        values.into_iter().collect()
    }

    /// Notes that the setting `key` is `wrong` for a reason that only its reader can see.
    pub(super) fn refuse(&self, key: &str, wrong: impl fmt::Display) {
        let variable = self.variable(key);
        let place = if self.reading.sources.is_set(&variable) {
            Place::Variable(variable)
        } else {
            self.entry(key).map_or_else(|| self.header.clone(), |(place, _)| place)
        };
        self.reading.note(place, format!("`{key}` {wrong}"));
    }

    /// Looks in the environment, then in the file; a wrong value is noted.
    fn ask<T>(&mut self, key: &'static str, kind: impl Fn(&Given<'_>) -> Result<T, Wrong>) -> Answer<T> {
        self.known.push(key);
        let sources = self.reading.sources;
        let value = match (sources.variable(&self.variable(key)), self.entry(key)) {
            (Some(text), _) => text.map(Value::Variable),
            (None, Some((_, value))) => Ok(Value::File(value)),
            (None, None) => return Answer::NotGiven,
        };
        match value.and_then(|value| kind(&Given { value, sources })) {
            Ok(value) => Answer::Value(value),
            Err(wrong) => {
                self.refuse(key, wrong);
                Answer::Refused
            }
        }
    }

    fn variable(&self, key: &str) -> String {
        format!("{}{}", self.prefix, key.to_uppercase())
    }

    fn entry(&self, key: &str) -> Option<(Place, &'a DeValue<'a>)> {
        let (key, value) = self.table?.get_key_value(key)?;
        Some((self.reading.line(&key.span()), value.get_ref()))
    }

    fn array_of_tables(&self, key: &'static str) -> Option<Vec<(Place, &'a DeTable<'a>)>> {
        let tables = match self.entry(key) {
            Some((_, DeValue::Array(items))) => items
                .iter()
                .map(|item| Some((self.reading.line(&item.span()), item.get_ref().as_table()?)))
                .collect(),
            Some(_) => None,
            None => Some(Vec::new()),
        };
        if tables.is_none() {
            self.refuse(key, format!("is not a list of tables; write each as [[{key}]]"));
        }
        tables
    }

    fn child(&self, title: String, name: &str, header: Place, table: Option<&'a DeTable<'a>>) -> Self {
        let prefix = format!("{}{name}_", self.prefix);
        Self { reading: self.reading, title: Some(title), prefix, header, table, known: Vec::new() }
    }

    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let value = read(&mut self);
        self.refuse_unknown_keys();
        value
    }

    /// Notes every key of the file that was not asked for.
    pub(super) fn refuse_unknown_keys(&self) {
        let Some(table) = self.table else { return };
        for key in table.keys().filter(|key| !self.known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let message = match nearest(name, self.known.iter().copied()) {
                Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
                None => format!("unknown key `{name}`; known here are {}", self.known.join(", ")),
            };
            self.reading.note(self.reading.line(&key.span()), message);
        }
    }
}

/// What came of asking for a setting.
enum Answer<T> {
    Value(T),
    /// It is wrong, and noted.
    Refused,
    NotGiven,
}

impl<T> Answer<T> {
    /// The value, or what `not_given` makes of its absence.
    fn or_else(self, not_given: impl FnOnce() -> Option<T>) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Refused => None,
            Self::NotGiven => not_given(),
        }
    }
}
