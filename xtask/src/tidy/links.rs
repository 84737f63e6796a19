//! Links between the pages lead somewhere.

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
                findings.push(page.finding(number, format!("the link leads nowhere: {link}")));
            }
        }
    }
    findings
}

/// The links of a line, written `[text](link)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// A path from the root of the workspace; `None` if it leads out of it.
fn resolve(page: &str, link: &str) -> Option<String> {
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
            [
                "a/page.md:2: the link leads nowhere: missing.md",
                "a/page.md:2: the link leads nowhere: ../../out.md",
            ]
        );
    }
}
