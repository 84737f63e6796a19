//! Rules about Rust files.
//!
//! What they look for is put together with `concat!`, so that this file does not break them.

use super::source::{Finding, Source};

const MAX_LINES: usize = 400;

/// A file that does not fit into a reader's head is several files.
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
    let message = format!("a comment goes beyond column {MAX_COLUMNS}");
    let is_long =
        |line: &str| line.trim_start().starts_with("//") && line.chars().count() > MAX_COLUMNS;
    source.find(&message, is_long)
}

/// Unfinished code, code that was for debugging, and tests that are never run.
pub(crate) fn leftovers(source: &Source) -> Vec<Finding> {
    const MARKS: [&str; 4] = [
        concat!("dbg", "!("),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
    ];
    if !source.has_extension(&["rs"]) {
        return Vec::new();
    }
    let found = MARKS
        .iter()
        .map(|mark| source.find(&format!("`{mark}` must not stay"), |line| line.contains(mark)));
    found.flatten().collect()
}

/// A library reports what went wrong; examples in its documentation show how, with `?`.
pub(crate) fn unwraps(source: &Source) -> Vec<Finding> {
    const UNWRAP: &str = concat!(".unw", "rap()");
    let is_library = source.path.starts_with("crates/") && source.path.contains("/src/");
    if !is_library || !source.has_extension(&["rs"]) {
        return Vec::new();
    }
    let tests = source.first_test_line();
    let mut found = source.find("unwrap outside tests", |line| line.contains(UNWRAP));
    found.retain(|it| it.line < tests);
    found
}

/// A reader of a file must be able to tell where each name comes from.
pub(crate) fn glob_imports(source: &Source) -> Vec<Finding> {
    if !source.has_extension(&["rs"]) {
        return Vec::new();
    }
    let tests = source.first_test_line();
    let mut found = source.find("glob import", imports_glob);
    found.retain(|it| it.line < tests || !imports_super(source, it.line));
    found
}

fn imports_glob(line: &str) -> bool {
    const GLOB: &str = concat!(":", ":*");
    let is_comment = line.trim_start().starts_with("//");
    let ends = |(index, _)| line[index + GLOB.len()..].trim_start().starts_with([';', ',', '}']);
    // At the end of a line, the glob is the last item of a group.
    !is_comment && (line.match_indices(GLOB).any(ends) || line.ends_with(GLOB))
}

fn imports_super(source: &Source, number: usize) -> bool {
    let line = source.lines().nth(number - 1);
    line.is_some_and(|(_, line)| line.trim() == concat!("use super:", ":*;"))
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
    fn leftovers_are_found() {
        let marks = ["dbg!", "todo!", "unimplemented!"].map(|it| format!("{it}(x)\n"));
        for mark in marks.into_iter().chain([format!("#[{}]\n", "ignore")]) {
            assert_eq!(lines_found(leftovers, "a.rs", &format!("\n{mark}")), [2], "{mark}");
            assert!(lines_found(leftovers, "a.md", &mark).is_empty());
        }
        assert!(lines_found(leftovers, "a.rs", "// a dbg! and an ignored mark\n").is_empty());
    }

    #[test]
    fn an_unwrap_is_found_in_libraries_before_their_tests() {
        let unwrap = concat!("x.unw", "rap();\n");
        let text = format!("{unwrap}x.unwrap_or(1);\n#[cfg(test)]\n{unwrap}");
        assert_eq!(lines_found(unwraps, "crates/core/src/a.rs", &text), [1]);
        let exempt = ["crates/testkit/src/a.rs", "crates/core/tests/a.rs", "xtask/src/a.rs"];
        for path in exempt.into_iter().chain(["crates/core/src/a/tests.rs"]) {
            assert!(lines_found(unwraps, path, &text).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_glob_import_is_found() {
        for import in
            ["use a:: *;", "pub use a::{b:: *, c};", "    b:: *,", "use {b:: *};", "b:: *"]
        {
            let import = import.replace(":: *", concat!(":", ":*"));
            assert_eq!(lines_found(glob_imports, "a.rs", &import), [1], "{import}");
        }
        let good = concat!("//! a:", ":*;\nlet a = b * c;\nlet m = quote!(a::* b);\n");
        assert!(lines_found(glob_imports, "a.rs", good).is_empty());
    }

    #[test]
    fn tests_may_import_what_they_test() {
        let import = concat!("    use super:", ":*;\n");
        let text = format!("{import}#[cfg(test)]\nmod tests {{\n{import}");
        assert_eq!(lines_found(glob_imports, "src/a.rs", &text), [1]);
        assert!(lines_found(glob_imports, "src/a/tests.rs", import).is_empty());
    }
}
