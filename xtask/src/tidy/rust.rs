//! Rules about Rust files.
//!
//! What they look for is put together with `concat!`, so that this file does not break them.

use super::source::{Finding, Source};

const MAX_LINES: usize = 400;

/// A file that is too long to be remembered should be several files.
pub(crate) fn long_files(source: &Source) -> Vec<Finding> {
    let lines = source.lines().count();
    if !source.has_extension(&["rs"]) || lines <= MAX_LINES {
        return Vec::new();
    }
    vec![source.finding(lines, format!("{lines} lines, {MAX_LINES} are allowed; split the file"))]
}

const MAX_COLUMNS: usize = 100;

/// rustfmt does not wrap comments.
pub(crate) fn long_comments(source: &Source) -> Vec<Finding> {
    if !source.has_extension(&["rs"]) {
        return Vec::new();
    }
    let message = format!("a comment exceeds column {MAX_COLUMNS}");
    let is_long =
        |line: &str| line.trim_start().starts_with("//") && line.chars().count() > MAX_COLUMNS;
    source.find(&message, is_long)
}

/// A test that is never run counts as passed in its reader's mind.
pub(crate) fn ignored_tests(source: &Source) -> Vec<Finding> {
    const IGNORE: &str = concat!("#[ig", "nore");
    if !source.has_extension(&["rs"]) {
        return Vec::new();
    }
    source.find("a test that is never run", |line| line.contains(IGNORE))
}

#[cfg(test)]
mod tests {
    use super::super::source::lines_found;
    use super::*;

    #[test]
    fn a_comment_that_is_too_long_is_found() {
        let text = format!(
            "    /// {}\n// {}\nlet long = {};\n",
            "x".repeat(92),
            "x".repeat(98),
            "x".repeat(99)
        );
        assert_eq!(lines_found(long_comments, "a.rs", &text), [2]);
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let text = |lines| "//\n".repeat(lines);
        assert_eq!(lines_found(long_files, "a.rs", &text(401)), [401]);
        assert!(lines_found(long_files, "a.rs", &text(400)).is_empty());
        assert!(lines_found(long_files, "a.md", &text(401)).is_empty());
    }

    #[test]
    fn an_ignored_test_is_found() {
        let mark = format!("\n#[{}]\n", "ignore");
        assert_eq!(lines_found(ignored_tests, "a.rs", &mark), [2]);
        assert!(lines_found(ignored_tests, "a.md", &mark).is_empty());
        assert!(lines_found(ignored_tests, "a.rs", "// an ignored mark\n").is_empty());
    }
}
