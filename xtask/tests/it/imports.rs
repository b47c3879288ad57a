//! No import circle among the files of a crate, except between a file and those in the folder of its name.
//!
//! Imports are read from `use` lines and from paths that begin with `crate`, `self` or `super`; unit tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{files, read, without_comments};

const CRATES: [&str; 8] = [
    "crates/client",
    "crates/ledger",
    "crates/ledger-embedded",
    "crates/ledger-postgres",
    "crates/pactolus",
    "crates/protocol",
    "crates/server",
    "crates/types",
];

/// A module's path from the crate's root.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn files_of_a_crate_have_no_import_circle() {
    let mut checked = 0;
    for name in CRATES {
        let imports = imports_of(name);
        checked += imports.values().map(BTreeSet::len).sum::<usize>();
        if let Some(circle) = find_circle(&imports) {
            let circle: Vec<_> = circle.iter().map(|module| module.join("/")).collect();
            panic!("{name}: {}", circle.join(" -> "));
        }
    }
    assert!(checked > 0, "no import was found to check");
}

fn imports_of(name: &str) -> Imports {
    let source = format!("{name}/src/");
    let sources = files(&source, &["rs"]);
    let modules: BTreeMap<Module, &String> =
        sources.iter().map(|path| (module_of(&path[source.len()..]), path)).collect();
    let known: BTreeSet<&Module> = modules.keys().collect();
    let mut imports = Imports::new();
    for (module, path) in &modules {
        let targets =
            import_paths(&code_of(&read(path))).into_iter().filter_map(|import| resolve(module, &import));
        let files = targets.filter_map(|mut target| {
            while !known.contains(&target) {
                target.pop()?;
            }
            Some(target)
        });
        let others = files.filter(|target| !module.starts_with(target) && !target.starts_with(module));
        imports.insert(module.clone(), others.collect());
    }
    imports
}

fn module_of(path: &str) -> Module {
    match path.strip_suffix(".rs").unwrap() {
        "lib" | "main" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

/// A source without comments and without the unit tests at its end.
fn code_of(text: &str) -> String {
    let code = without_comments(text);
    let end = ["#[cfg(test)]\nmod tests {", "#[cfg(all(test, target_os = \"linux\"))]\nmod tests {"]
        .iter()
        .filter_map(|tests| code.find(tests))
        .min();
    code[..end.unwrap_or(code.len())].to_owned()
}

/// All paths that begin with `crate`, `self` or `super`; groups in braces are taken apart.
fn import_paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for root in ["crate::", "self::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let is_continued = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            // A `super::super::` is found where it begins.
            if !is_continued {
                expand(&code[at..], &[], &mut paths);
            }
        }
    }
    paths
}

/// Takes the path at the start of `text` apart, and returns what follows it.
fn expand<'a>(text: &'a str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = prefix.to_vec();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        let Some(next) = rest.strip_prefix("::") else { break };
        rest = next;
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = expand(group.trim_start(), &path, paths).trim_start();
                // An alias is no path.
                if let Some(alias) = group.strip_prefix("as ") {
                    group = alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
                }
                if let Some(more) = group.strip_prefix(',') {
                    group = more.trim_start();
                }
                if let Some(after) = group.strip_prefix('}') {
                    return after;
                }
                if group.is_empty()
                    || !group.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*')
                {
                    return group;
                }
            }
        }
    }
    paths.push(path);
    rest.strip_prefix('*').unwrap_or(rest)
}

fn resolve(module: &Module, path: &[String]) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.clone(),
        _ => module[..module.len().checked_sub(1)?].to_vec(),
    };
    for part in rest {
        if part == "super" {
            base.pop()?;
        } else if part != "self" {
            base.push(part.clone());
        }
    }
    Some(base)
}

/// A circle of imports, its first module again at the end.
fn find_circle(imports: &Imports) -> Option<Vec<Module>> {
    fn visit(
        module: &Module,
        imports: &Imports,
        path: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> bool {
        if let Some(start) = path.iter().position(|earlier| earlier == module) {
            path.drain(..start);
            path.push(module.clone());
            return true;
        }
        if done.contains(module) {
            return false;
        }
        path.push(module.clone());
        if imports[module].iter().any(|target| visit(target, imports, path, done)) {
            return true;
        }
        path.pop();
        done.insert(module.clone());
        false
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|module| {
        let mut path = Vec::new();
        visit(module, imports, &mut path, &mut done).then_some(path)
    })
}

#[test]
fn grouped_imports_are_taken_apart() {
    let mut paths = import_paths("use crate::{a::{B, c::D as E}, f::*};\nlet x = super::g::h();\n");
    paths.sort();
    let joined: Vec<_> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(joined, ["crate::a::B", "crate::a::c::D", "crate::f", "super::g::h"]);
}

#[test]
fn circles_are_found() {
    let module = |name: &str| vec![name.to_owned()];
    let import = |from, to: &[&str]| (module(from), to.iter().map(|name| module(name)).collect());
    assert_eq!(find_circle(&[import("a", &["b"]), import("b", &[])].into()), None);
    let circle = find_circle(&[import("a", &["b"]), import("b", &["c"]), import("c", &["b"])].into());
    assert_eq!(circle, Some(["b", "c", "b"].map(module).to_vec()));
}
