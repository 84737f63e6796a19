//! The modules of a crate depend on each other in one direction.
//!
//! Modules that depend on each other in a cycle can only be read, tested and changed together. A
//! layer depends on no later layer. A layer is a directory whose `mod.rs` declares modules and does
//! nothing else; `lib.rs` declares the layers in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree, token_stream};

use super::source::{Finding, Source};

/// The modules of one crate.
#[derive(Debug, Default)]
struct Modules<'a> {
    /// The modules that `lib.rs` or `main.rs` declares, in their order.
    declared: Vec<String>,
    layers: BTreeSet<String>,
    /// The items that the root of the crate re-exports, and their modules.
    exports: BTreeMap<String, String>,
    files: Vec<(String, &'a Source)>,
}

/// A module that a file names.
struct Named {
    module: String,
    line: usize,
}

/// Finds cycles of modules, and layers that depend on a later one, in each crate.
pub(crate) fn cycles(sources: &[Source]) -> Vec<Finding> {
    let crates: BTreeSet<_> = sources.iter().filter_map(|it| Some(split(&it.path)?.0)).collect();
    crates.into_iter().flat_map(|root| Modules::of(sources, root).findings()).collect()
}

/// The crate that has layers, and the page that shows them.
const LAYERED: &str = "crates/core";
const PAGE: &str = "ARCHITECTURE.md";

/// Returns a table of core's layers, the lowest first, in Markdown.
pub(crate) fn layers(sources: &[Source]) -> String {
    Modules::of(sources, LAYERED).table()
}

/// Returns a finding if the page's table of layers is not that of the code.
pub(crate) fn stale_table(sources: &[Source]) -> Option<Finding> {
    let page = sources.iter().find(|it| it.path == PAGE)?;
    let is_stale = !page.text.contains(&layers(sources));
    is_stale.then(|| {
        page.finding(1, "the layers of core have changed: `cargo xtask layers` prints them")
    })
}

/// Splits a path into the source folder of its crate and the rest.
fn split(path: &str) -> Option<(&str, &str)> {
    let at = path.find("/src/")?;
    let is_rust = path.starts_with("crates/") && path.ends_with(".rs");
    is_rust.then(|| (&path[..at], &path[at + "/src/".len()..]))
}

impl<'a> Modules<'a> {
    /// Returns the modules of the crate in the folder `root`.
    fn of(sources: &'a [Source], root: &str) -> Self {
        let files = sources.iter().filter(|it| !it.path.ends_with("tests.rs"));
        let files = files.filter_map(|it| Some((split(&it.path)?, it)));
        let files = files.filter(|((of, _), _)| *of == root).map(|((_, path), it)| (path, it));
        let mut modules = Self::default();
        let mut found = Vec::new();
        for (path, source) in files {
            match path.split_once('/') {
                None if ["lib.rs", "main.rs"].contains(&path) => modules.read_root(&source.text),
                Some((folder, "mod.rs")) if only_declares(&source.text) => {
                    modules.layers.insert(folder.to_owned());
                }
                _ => found.push((path, source)),
            }
        }
        for (path, source) in found {
            let names: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
            modules.files.push((modules.module(&names), source));
        }
        modules
    }

    fn read_root(&mut self, text: &str) {
        let declared = declarations(text);
        self.declared.extend(declared);
        for path in paths_after(text, "use") {
            if let [module @ .., name] = &*path.names {
                let names: Vec<&str> = module.iter().map(String::as_str).collect();
                self.exports.insert(name.clone(), names.join("::"));
            }
        }
    }

    /// Returns the module that a path from the root of the crate leads to.
    fn module(&self, names: &[&str]) -> String {
        match names {
            [layer, module, ..] if self.layers.contains(*layer) => format!("{layer}::{module}"),
            [first, ..] => match self.exports.get(*first) {
                Some(path) if !self.declared.iter().any(|it| it == first) => {
                    self.module(&path.split("::").collect::<Vec<_>>())
                }
                _ => (*first).to_owned(),
            },
            [] => String::new(),
        }
    }

    /// Returns the modules that a file names, except itself.
    fn named(&self, own: &str, source: &Source) -> Vec<Named> {
        let from_root = paths_after(&source.text, "crate").into_iter();
        let from_layer = paths_after(&source.text, "super").into_iter().filter_map(|mut path| {
            let (layer, _) = own.split_once("::")?;
            let is_in_layer = source.path.rsplit('/').nth(1) == Some(layer);
            path.names.insert(0, layer.to_owned());
            is_in_layer.then_some(path)
        });
        let named = from_root.chain(from_layer).map(|path| {
            let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
            Named { module: self.module(&names), line: path.line }
        });
        let known = |it: &Named| self.files.iter().any(|(module, _)| *module == it.module);
        named.filter(|it| it.module != own && known(it)).collect()
    }

    fn findings(&self) -> Vec<Finding> {
        let mut edges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut findings = Vec::new();
        for (module, source) in &self.files {
            for named in self.named(module, source) {
                if let (Some(own), Some(other)) = (self.layer(module), self.layer(&named.module))
                    && own < other
                    && !self.layers.is_empty()
                {
                    let message = format!("{module} names {}, of a later layer", named.module);
                    findings.push(source.finding(named.line, message));
                }
                edges.entry(module).or_default().insert(named.module);
            }
        }
        for cycle in in_cycles(&edges) {
            let (_, source) =
                self.files.iter().find(|(name, _)| *name == cycle[0]).expect("it has a file");
            let message = format!("modules depend on each other in a cycle: {}", cycle.join(", "));
            findings.push(source.finding(1, message));
        }
        findings
    }

    /// Returns the position of a module's layer in `lib.rs`.
    fn layer(&self, module: &str) -> Option<usize> {
        let first = module.split("::").next()?;
        self.declared.iter().position(|it| it == first)
    }

    fn table(&self) -> String {
        let mut table = "| layer | modules |\n|---|---|\n".to_owned();
        for layer in &self.declared {
            let of = |it: &str| it.split("::").next() == Some(layer);
            let modules = self.files.iter().map(|(module, _)| module).filter(|it| of(it));
            let names: BTreeSet<_> = modules.filter_map(|it| it.split("::").nth(1)).collect();
            let names = match names.is_empty() {
                true => vec!["itself".to_owned()],
                false => names.into_iter().map(|it| format!("`{it}`")).collect(),
            };
            table += &format!("| `{layer}` | {} |\n", names.join(" "));
        }
        table
    }
}

/// Returns groups of modules that reach each other.
fn in_cycles(edges: &BTreeMap<&str, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(module) = next.pop() {
            for other in edges.get(&*module).into_iter().flatten() {
                if reached.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        reached
    };
    let all: BTreeMap<&str, BTreeSet<String>> =
        edges.keys().map(|module| (*module, reached(module))).collect();
    let mut cycles = BTreeSet::new();
    for (module, reached) in &all {
        let back = |other: &&String| all.get(&***other).is_some_and(|it| it.contains(*module));
        let cycle: Vec<String> = reached.iter().filter(back).cloned().collect();
        if !cycle.is_empty() {
            cycles.insert(cycle);
        }
    }
    cycles.into_iter().collect()
}

/// Returns whether a file declares modules, and does nothing else.
fn only_declares(text: &str) -> bool {
    let mut lines =
        text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with("//"));
    let is_declaration = |it: &str| it.ends_with(';') && it.split_once("mod ").is_some();
    lines.clone().next().is_some() && lines.all(is_declaration)
}

/// Returns the modules that a file declares, except those for tests.
fn declarations(text: &str) -> Vec<String> {
    let words = text.lines().filter_map(|line| line.strip_suffix(';')?.split_once("mod "));
    let is_declaration = |before: &str| before.is_empty() || before.starts_with("pub");
    let words = words.filter(|(before, _)| is_declaration(before));
    words.map(|(_, name)| name.to_owned()).collect()
}

/// A path in the source.
#[derive(Clone)]
struct PathInSource {
    names: Vec<String>,
    line: usize,
}

type Tokens = Peekable<token_stream::IntoIter>;

/// Returns the paths that follow `word` outside of tests, with groups in braces expanded.
fn paths_after(text: &str, word: &str) -> Vec<PathInSource> {
    let mut found = Vec::new();
    if let Ok(tokens) = TokenStream::from_str(text) {
        collect(tokens, word, &mut found);
    }
    found
}

fn collect(tokens: TokenStream, word: &str, found: &mut Vec<PathInSource>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if is_for_tests(&group) => skip_item(&mut tokens),
            TokenTree::Group(group) => collect(group.stream(), word, found),
            TokenTree::Ident(ident) if ident == word => {
                let line = ident.span().start().line;
                if word == "use" || take_colons(&mut tokens) {
                    tree(&mut tokens, &PathInSource { names: Vec::new(), line }, found);
                }
            }
            _ => {}
        }
    }
}

/// Returns whether a group is the one of `#[cfg(test)]`.
fn is_for_tests(group: &proc_macro2::Group) -> bool {
    group.stream().to_string().replace(' ', "") == "cfg(test)"
}

fn skip_item(tokens: &mut Tokens) {
    for token in tokens.by_ref() {
        let ends = match token {
            TokenTree::Group(group) => group.delimiter() == proc_macro2::Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        if ends {
            return;
        }
    }
}

fn take_colons(tokens: &mut Tokens) -> bool {
    let is_colon = |it: &TokenTree| matches!(it, TokenTree::Punct(punct) if punct.as_char() == ':');
    tokens.next_if(is_colon).is_some() && tokens.next_if(is_colon).is_some()
}

/// Reads a path, or several in braces, that starts with `before`.
fn tree(tokens: &mut Tokens, before: &PathInSource, found: &mut Vec<PathInSource>) {
    match tokens.peek().cloned() {
        Some(TokenTree::Ident(ident)) => {
            tokens.next();
            let mut path = before.clone();
            path.names.push(ident.to_string());
            match take_colons(tokens) {
                true => tree(tokens, &path, found),
                false => found.push(path),
            }
        }
        Some(TokenTree::Group(group)) => {
            tokens.next();
            let mut inner = group.stream().into_iter().peekable();
            while inner.peek().is_some() {
                tree(&mut inner, before, found);
                while inner.next().is_some_and(|it| it.to_string() != ",") {}
            }
        }
        // Missing a path would be worse than reporting too much.
        _ => found.push(before.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("crates/x/src/{path}"), text))
            .collect();
        cycles(&sources).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_loop_is_found_in_every_spelling() {
        for text in [
            "use crate::b::B;",
            "use crate::{c::C, b::{A, B}};",
            "fn f() { crate::b::f(crate::c::C) }",
            "use crate::B;",
        ] {
            let files = [
                ("lib.rs", "mod a;\nmod b;\npub use b::B;"),
                ("a.rs", text),
                ("b.rs", "use crate::a;"),
            ];
            let expected = "crates/x/src/a.rs:1: modules depend on each other in a cycle: a, b";
            assert_eq!(printed(&files), [expected], "{text}");
        }
    }

    #[test]
    fn tests_comments_and_words_in_quotes_name_nothing() {
        let a = "// crate::b\n\"crate::b\";\n#[cfg(test)]\nmod tests { use crate::b; }\n";
        assert!(
            printed(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", a), ("b.rs", "use crate::a;")])
                .is_empty()
        );
    }

    #[test]
    fn a_layer_names_no_later_one() {
        let files = [
            ("lib.rs", "mod low;\nmod high;"),
            ("low/mod.rs", "//! Low.\n\npub(crate) mod a;\n"),
            ("low/a.rs", "\nuse crate::high::b::B;"),
            ("high/mod.rs", "pub(crate) mod b;\npub(crate) mod c;\n"),
            ("high/b.rs", "use super::c::C;"),
            ("high/c.rs", ""),
        ];
        assert_eq!(
            printed(&files),
            ["crates/x/src/low/a.rs:2: low::a names high::b, of a later layer"]
        );
        let cycle = [files[0], files[1], files[3], files[4], ("high/c.rs", "use super::b::B;")];
        let expected =
            "crates/x/src/high/b.rs:1: modules depend on each other in a cycle: high::b, high::c";
        assert_eq!(printed(&cycle), [expected]);
    }

    #[test]
    fn a_page_with_another_table_is_found() {
        let code = |path: &str, text| Source::new(&format!("crates/core/src/{path}"), text);
        let mut sources =
            vec![code("lib.rs", "mod low;"), code("low/mod.rs", "mod a;"), code("low/a.rs", "")];
        let table = layers(&sources);
        assert_eq!(table, "| layer | modules |\n|---|---|\n| `low` | `a` |\n");
        sources.push(Source::new(PAGE, &format!("# A\n\n{table}")));
        assert!(stale_table(&sources).is_none());
        sources.push(code("low/b.rs", ""));
        assert!(stale_table(&sources).is_some());
    }
}
