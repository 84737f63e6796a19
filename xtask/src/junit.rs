//! nextest's report: how long each test took, and which have failed.

use std::path::Path;

use anyhow::Context;
use roxmltree::{Document, Node};

/// The path of the report, from `.config/nextest.toml`.
pub(crate) const PATH: &str = "target/nextest/default/junit.xml";

/// How many of the slowest tests are shown.
const SHOWN: usize = 10;

/// One test.
#[derive(Debug, PartialEq)]
struct Test {
    name: String,
    seconds: f64,
    has_failed: bool,
}

/// Returns lines about the slowest tests, and the commands that rerun the failed ones.
///
/// # Errors
///
/// If the report does not exist, or is not in nextest's format.
pub(crate) fn summary(path: &Path, alone: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let mut tests = parse(&text).with_context(|| path.display().to_string())?;
    tests.sort_by(|left, right| right.seconds.total_cmp(&left.seconds));
    let slowest = tests.iter().take(SHOWN);
    let slowest = slowest.map(|test| format!("{:>7.1} s  {}\n", test.seconds, test.name));
    let failed = tests.iter().filter(|test| test.has_failed);
    let failed = failed.map(|test| format!("run it alone: {alone} {}\n", test.name));
    Ok(["slowest:\n".to_owned()].into_iter().chain(slowest).chain(failed).collect())
}

fn parse(text: &str) -> anyhow::Result<Vec<Test>> {
    let document = Document::parse(text)?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    cases.map(|node| test(node).context("a testcase without a name or a time")).collect()
}

fn test(node: Node) -> Option<Test> {
    let is_failure = |child: Node| child.has_tag_name("failure") || child.has_tag_name("error");
    Some(Test {
        name: node.attribute("name")?.to_owned(),
        seconds: node.attribute("time")?.parse().ok()?,
        has_failed: node.children().any(is_failure),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let text = r#"<?xml version="1.0"?><testsuites><testsuite name="a">
            <testcase name="x::one" classname="a" time="1.500"/>
            <testcase name="x::two" classname="a" time="12.25"><failure type="test failure">no</failure></testcase>
            </testsuite></testsuites>"#;
        let directory = std::env::temp_dir().join(format!("hostlink-junit-{}", std::process::id()));
        std::fs::write(&directory, text).unwrap();
        let summary = summary(&directory, "alone");
        std::fs::remove_file(&directory).unwrap();
        let expected =
            "slowest:\n   12.2 s  x::two\n    1.5 s  x::one\nrun it alone: alone x::two\n";
        assert_eq!(summary.unwrap(), expected);
    }

    #[test]
    fn a_report_of_another_form_is_an_error() {
        assert!(parse("<testsuites><testcase/></testsuites>").is_err());
        assert!(parse("no XML").is_err());
    }
}
