//! What is kept of a measurement: its table in a page of prose, and its figures in a JSON file beside it.
//!
//! Each table stands between two comments that name it. What is around them is written by hand and stays.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::machine::Machine;

/// What one part of a program has measured.
pub struct ReportSection {
    /// Its name: that of its subcommand, its table and its figures.
    pub name: &'static str,
    /// What it came to, for a page.
    pub table: String,
    /// All of it, for a program.
    pub figures: Value,
}

impl ReportSection {
    /// A part with all that it found.
    pub fn new(name: &'static str, table: String, figures: &impl Serialize) -> anyhow::Result<Self> {
        let mut figures = serde_json::to_value(figures)?;
        round_figures(&mut figures);
        Ok(Self { name, table, figures })
    }
}

/// When, how and on what something was measured.
#[derive(Serialize)]
pub struct RunContext {
    /// The day, by UTC.
    pub date: String,
    /// What repeats it.
    pub command: String,
    /// On what.
    pub machine: Machine,
}

/// What repeats a run of `program` with these arguments: all but those named in `places`, which say where something
/// lies; elsewhere it lies elsewhere.
pub fn rerun_command(
    program: &str,
    arguments: impl IntoIterator<Item = String>,
    path_flags: &[&str],
) -> String {
    let mut command = program.to_owned();
    let mut arguments = arguments.into_iter();
    while let Some(word) = arguments.next() {
        if path_flags.contains(&&*word) {
            arguments.next();
        } else {
            command = command + " " + &word;
        }
    }
    command
}

/// The day, by UTC.
pub fn today() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a figure says when it was measured; nothing is decided by it"
    )]
    let now = jiff::Timestamp::now();
    now.strftime("%F").to_string()
}

impl RunContext {
    /// Those of a run of `command` today, on the disk that holds `folder`.
    pub fn capture(command: String, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { date: today(), command, machine: Machine::detect(folder)? })
    }

    /// The part's table, and above it what it was measured on.
    fn table_with_context(&self, part: &ReportSection) -> String {
        let Self { date, command, machine } = self;
        format!("`{command}`, {date}: {machine}.\n\n{}", part.table)
    }

    /// The part's figures with the circumstances under `measured`.
    pub fn figures_with_context(&self, part: &ReportSection) -> anyhow::Result<Value> {
        let mut figures = part.figures.clone();
        let mut measured = serde_json::to_value(self)?;
        round_figures(&mut measured);
        figures["measured"] = measured;
        Ok(figures)
    }

    /// Puts the part into the page of this name in `folder` and the JSON file beside it, in the place of what they
    /// said of it before.
    pub fn write_report(&self, part: &ReportSection, folder: &Path, name: &str) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let page = folder.join(name).with_extension("md");
        let figures = page.with_extension("json");
        let mut all: Map<String, Value> = match read_if_exists(&figures)? {
            Some(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} cannot be read", figures.display()))?,
            None => Map::new(),
        };
        all.insert(part.name.to_owned(), self.figures_with_context(part)?);
        let text = insert_table(
            &read_if_exists(&page)?.unwrap_or_default(),
            part.name,
            &self.table_with_context(part),
        )
        .with_context(|| format!("{} cannot be written again", page.display()))?;
        fs::write(page, text)?;
        fs::write(figures, serde_json::to_string_pretty(&all)? + "\n")?;
        Ok(())
    }
}

/// Takes the digits from all figures that no measurement has: those after the sixth.
fn round_figures(figures: &mut Value) {
    match figures {
        Value::Object(fields) => fields.values_mut().for_each(round_figures),
        Value::Array(items) => items.iter_mut().for_each(round_figures),
        Value::Number(figure) if figure.is_f64() => {
            let rounded = figure.as_f64().and_then(|figure| format!("{figure:.5e}").parse().ok());
            if let Some(rounded) = rounded.and_then(serde_json::Number::from_f64) {
                *figure = rounded;
            }
        }
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn read_if_exists(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The page with `text` between the comments of table `name`; a page that has none gets them at its end.
fn insert_table(page: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) =
        (format!("<!-- figures {name}: written by the command -->"), format!("<!-- /figures {name} -->"));
    let block = format!("{begin}\n{}\n{end}", text.trim());
    let Some((before, rest)) = page.split_once(&begin) else {
        ensure!(!page.contains(&end), "the table {name} ends without having begun");
        let page = page.trim_end();
        let gap = if page.is_empty() { "" } else { "\n\n" };
        return Ok(format!("{page}{gap}{block}\n"));
    };
    let (old, after) = rest.split_once(&end).with_context(|| format!("the table {name} does not end"))?;
    ensure!(!old.contains("<!-- figures "), "the table {name} does not end before the next one begins");
    ensure!(!after.contains(&begin), "the table {name} is there twice");
    Ok(format!("{before}{block}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "<!-- figures a: written by the command -->";
    const END: &str = "<!-- /figures a -->";

    #[test]
    fn replacing_a_table_keeps_surrounding_prose() {
        let page = format!("# Title\n\nbefore\n{BEGIN}\nold\n\nold\n{END}\nafter\n");
        let expected = format!("# Title\n\nbefore\n{BEGIN}\nnew\n{END}\nafter\n");
        assert_eq!(insert_table(&page, "a", "\nnew\n").unwrap(), expected);
        assert_eq!(insert_table(&expected, "a", "new").unwrap(), expected, "once more changes nothing");
    }

    #[test]
    fn other_tables_stay_unchanged() {
        let page = format!("{BEGIN}\na\n{END}\n");
        let both = insert_table(&page, "b", "b").unwrap();
        let expected =
            format!("{page}\n<!-- figures b: written by the command -->\nb\n<!-- /figures b -->\n");
        assert_eq!(both, expected);
        let table = insert_table(&both, "a", "A").unwrap();
        assert_eq!(table, both.replace("\na\n", "\nA\n"));
    }

    #[test]
    fn rerun_command_omits_path_flags() {
        let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let places = ["--into", "--stores"];
        let command = rerun_command("bench", words("http --into /tmp/x --rounds 3 --stores y"), &places);
        assert_eq!(command, "bench http --rounds 3");
        assert_eq!(rerun_command("bench", [], &places), "bench");
    }

    #[test]
    fn figures_are_rounded_to_six_digits() {
        let figures = serde_json::json!({ "a": [1.0 / 3.0, 1_234_567], "b": 0.1 + 0.2, "c": null });
        let part = ReportSection::new("a", String::new(), &figures).unwrap();
        assert_eq!(part.figures.to_string(), r#"{"a":[0.333333,1234567],"b":0.3,"c":null}"#);
    }

    #[test]
    fn empty_page_becomes_the_table() {
        assert_eq!(insert_table("", "a", "a").unwrap(), format!("{BEGIN}\na\n{END}\n"));
    }

    #[test]
    fn malformed_table_markers_are_rejected() {
        let pages = [
            format!("{BEGIN}\na\nprose\n"),
            format!("a\n{END}\n"),
            format!("{BEGIN}\n<!-- figures b: written by the command -->\n{END}\n"),
            format!("{BEGIN}\n{END}\n{BEGIN}\n{END}\n"),
        ];
        for page in pages {
            assert!(insert_table(&page, "a", "new").is_err(), "{page}");
        }
    }
}
