//! Links between the pages lead somewhere, and the book has every chapter.

use std::collections::BTreeSet;

use super::source::{Finding, Source};

/// Finds relative links of Markdown pages that lead to no file and no folder of the workspace.
pub(crate) fn broken_links(sources: &[Source]) -> Vec<Finding> {
    let pages = sources.iter().filter(|it| it.has_extension(&["md"]));
    pages.flat_map(|page| broken_links_of(page, sources)).collect()
}

fn broken_links_of(page: &Source, sources: &[Source]) -> Vec<Finding> {
    let exists = |path: &str| {
        let folder = format!("{path}/");
        sources.iter().any(|it| it.path == path || it.path.starts_with(&folder))
    };
    let mut findings = Vec::new();
    for (number, line) in page.lines() {
        for link in links(line) {
            let path = link.split('#').next().unwrap_or_default();
            // A path with `::` names an item of a crate: rustdoc checks it.
            let is_elsewhere = path.is_empty() || path.contains("://") || path.contains("::");
            if !is_elsewhere && !resolve(&page.path, path).is_some_and(|path| exists(&path)) {
                findings.push(page.finding(number, format!("broken link: {link}")));
            }
        }
    }
    findings
}

/// Finds pages of the book that its list of chapters does not name: no reader would get there.
pub(crate) fn missing_chapters(sources: &[Source]) -> Vec<Finding> {
    let Some(summary) = sources.iter().find(|it| it.path == "docs/SUMMARY.md") else {
        return Vec::new();
    };
    let listed: BTreeSet<String> = of_page(&summary.path, &summary.text).collect();
    let pages =
        sources.iter().filter(|it| it.path.starts_with("docs/") && it.has_extension(&["md"]));
    let missing = pages.filter(|it| it.path != summary.path && !listed.contains(&it.path));
    missing
        .map(|it| it.finding(1, format!("{} does not list this chapter", summary.path)))
        .collect()
}

/// The paths, from the root of the workspace, that the links of a page lead to.
pub(crate) fn of_page(page: &str, text: &str) -> impl Iterator<Item = String> {
    links(text).filter_map(move |link| resolve(page, link))
}

/// A text with `map` applied to each of its links.
pub(crate) fn map(text: &str, map: impl Fn(&str) -> String) -> String {
    let mut parts = text.split("](");
    let mut mapped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        mapped += "](";
        mapped += &match part.split_once(')') {
            Some((link, rest)) => format!("{}){rest}", map(link)),
            None => part.to_owned(),
        };
    }
    mapped
}

/// The links of a text, written `[text](link)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// A path from the root of the workspace; `None` if it leads out of it.
pub(crate) fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[a](b.md) [b](../c/d.md#x) [c](https://x.y) [d](#here) [e](../c)\n\
                    [f](missing.md), [g](../../out.md)\n";
        let sources = ["a/b.md", "c/d.md"].map(|path| Source::new(path, ""));
        let sources: Vec<_> = sources.into_iter().chain([Source::new("a/page.md", page)]).collect();
        let printed: Vec<_> = broken_links(&sources).iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            ["a/page.md:2: broken link: missing.md", "a/page.md:2: broken link: ../../out.md",]
        );
    }
    #[test]
    fn a_chapter_that_is_not_listed_is_found() {
        let list = Source::new("docs/SUMMARY.md", "- [A](a.md)\n  - [B](b/c.md)\n");
        let pages = ["docs/a.md", "docs/b/c.md", "docs/b/d.md", "README.md"];
        let pages = pages.map(|path| Source::new(path, ""));
        let sources: Vec<_> = pages.into_iter().chain([list]).collect();
        let printed: Vec<_> = missing_chapters(&sources).iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["docs/b/d.md:1: docs/SUMMARY.md does not list this chapter"]);
    }
}
