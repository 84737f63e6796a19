//! `cargo xtask docs`: builds the book in `docs/` with mdBook.
//!
//! Its pages link to each other and to files of the workspace, as readers of the repository follow
//! them. mdBook knows chapters only, so it gets copies whose other links lead to the repository.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::tidy::links;

/// The list of chapters.
const SUMMARY: &str = "docs/SUMMARY.md";

/// What book.toml names as the source of the book.
const COPIES: &str = "target/book/src";

const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// There is no mdBook on this machine.
#[derive(Debug)]
pub(crate) struct NoMdbook;

impl fmt::Display for NoMdbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no mdbook on PATH; `cargo install mdbook --locked` installs it")
    }
}

impl std::error::Error for NoMdbook {}

/// Builds the book as HTML in `target/book/html`.
///
/// # Errors
///
/// [`NoMdbook`], or what mdBook finds wrong.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    if cmd!(sh, "mdbook --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Err(NoMdbook.into());
    }
    let summary = sh.read_file(SUMMARY)?;
    let chapters: BTreeSet<String> = links::of_page(SUMMARY, &summary).collect();
    sh.remove_path(COPIES)?;
    for chapter in &chapters {
        let text = sh.read_file(chapter).context("a chapter of the book")?;
        sh.write_file(format!("{COPIES}/{chapter}"), copied(chapter, &text, &chapters))?;
    }
    // The list itself moves to the root, from which chapters are named.
    let summary = links::map(&summary, |link| links::resolve(SUMMARY, link).unwrap_or_default());
    sh.write_file(format!("{COPIES}/SUMMARY.md"), summary)?;
    Ok(cmd!(sh, "mdbook build").run()?)
}

fn copied(page: &str, text: &str, chapters: &BTreeSet<String>) -> String {
    links::map(text, |link| moved(page, link, chapters))
}

/// Where a link of `page` leads in the book. mdBook calls the page of a README `index`.
fn moved(page: &str, link: &str, chapters: &BTreeSet<String>) -> String {
    let (path, anchor) = link.split_at(link.find('#').unwrap_or(link.len()));
    if let Some((item, _)) = path.split_once("::") {
        return format!("{REPOSITORY}/tree/HEAD/crates/{}", item.trim_start_matches("hostlink_"));
    }
    match links::resolve(page, path) {
        _ if path.is_empty() || path.contains("://") => link.to_owned(),
        Some(chapter) if chapters.contains(&chapter) => {
            path.replace("README.md", "index.md") + anchor
        }
        path => format!("{REPOSITORY}/blob/HEAD/{}{anchor}", path.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_chapters_or_to_the_repository() {
        let chapters = ["docs/a.md", "crates/ssh/README.md"].map(str::to_owned).into();
        let page = "[a](a.md#x) [b](../crates/ssh/README.md#limits) [c](../examples/netns) \
                    [d](https://x.y) [e](#here) [f](hostlink_core::Context)";
        let expected = format!(
            "[a](a.md#x) [b](../crates/ssh/index.md#limits) \
             [c]({REPOSITORY}/blob/HEAD/examples/netns) [d](https://x.y) [e](#here) \
             [f]({REPOSITORY}/tree/HEAD/crates/core)"
        );
        assert_eq!(copied("docs/b.md", page, &chapters), expected);
    }
}
