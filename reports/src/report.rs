//! Report of a run: its tables in a page of prose, and its figures in a JSON file beside the page.
//!
//! Two comments that name a table enclose it. The text around them is written by hand and stays unchanged.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::machine::Machine;

/// The result of one benchmark or attack.
pub struct ReportSection {
    /// Name of the subcommand, of the table and of the figures.
    pub name: &'static str,
    /// Markdown table for the page.
    pub table: String,
    /// All figures, for the JSON file.
    pub figures: Value,
}

impl ReportSection {
    /// A section with its figures rounded to six significant digits.
    pub fn new(name: &'static str, table: String, figures: &impl Serialize) -> anyhow::Result<Self> {
        let mut figures = serde_json::to_value(figures)?;
        round_figures(&mut figures);
        Ok(Self { name, table, figures })
    }
}

/// Date, command and machine of a run.
#[derive(Serialize)]
pub struct RunContext {
    /// UTC date.
    pub date: String,
    /// The command that repeats the run.
    pub command: String,
    /// The machine.
    pub machine: Machine,
}

/// The command that repeats a run of `program`. It omits the flags in `path_flags` with their values, because paths
/// differ from machine to machine.
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

/// The current date in UTC.
pub fn today() -> String {
    #[expect(clippy::disallowed_methods, reason = "the date of a report; nothing depends on it")]
    let now = jiff::Timestamp::now();
    now.strftime("%F").to_string()
}

impl RunContext {
    /// The context of a run of `command` today, on the disk that holds `folder`.
    pub fn capture(command: String, folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { date: today(), command, machine: Machine::detect(folder)? })
    }

    /// The section's table with a line about the run above it.
    fn table_with_context(&self, part: &ReportSection) -> String {
        let Self { date, command, machine } = self;
        format!("`{command}`, {date}: {machine}.\n\n{}", part.table)
    }

    /// The section's figures, with the context under `measured`.
    pub fn figures_with_context(&self, part: &ReportSection) -> anyhow::Result<Value> {
        let mut figures = part.figures.clone();
        let mut measured = serde_json::to_value(self)?;
        round_figures(&mut measured);
        figures["measured"] = measured;
        Ok(figures)
    }

    /// Writes the section into page `name` in `folder` and into the JSON file beside it. Its earlier table and
    /// figures are replaced.
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
        .with_context(|| format!("the tables of {} cannot be replaced", page.display()))?;
        fs::write(page, text)?;
        fs::write(figures, serde_json::to_string_pretty(&all)? + "\n")?;
        Ok(())
    }
}

/// Rounds floating-point figures to six significant digits, which is more than a measurement has.
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

/// The page with `text` between the comments of table `name`. A page without them gets them at its end.
fn insert_table(page: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) =
        (format!("<!-- figures {name}: written by the command -->"), format!("<!-- /figures {name} -->"));
    let block = format!("{begin}\n{}\n{end}", text.trim());
    let Some((before, rest)) = page.split_once(&begin) else {
        ensure!(!page.contains(&end), "the end marker of table {name} has no start marker");
        let page = page.trim_end();
        let gap = if page.is_empty() { "" } else { "\n\n" };
        return Ok(format!("{page}{gap}{block}\n"));
    };
    let (old, after) = rest.split_once(&end).with_context(|| format!("table {name} has no end marker"))?;
    ensure!(!old.contains("<!-- figures "), "table {name} has no end marker before the next table");
    ensure!(!after.contains(&begin), "the page has table {name} twice");
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
        assert_eq!(insert_table(&expected, "a", "new").unwrap(), expected, "a second run changes nothing");
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
