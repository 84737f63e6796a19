//! Rules about the text of every file.
//!
//! What they look for is put together with `concat!`, so that this file does not break them.

use super::source::{Finding, Source};

pub(crate) fn trailing_whitespace(source: &Source) -> Vec<Finding> {
    source.find("trailing whitespace", |line| line.ends_with(char::is_whitespace))
}

pub(crate) fn final_newline(source: &Source) -> Vec<Finding> {
    if source.text.is_empty() || source.text.ends_with('\n') {
        return Vec::new();
    }
    let last = source.lines().count();
    vec![source.finding(last, "the file does not end in a newline")]
}

/// A key in the repository is known to everyone; tests generate theirs.
pub(crate) fn private_keys(source: &Source) -> Vec<Finding> {
    const BEGIN: &str = concat!("-----", "BEGIN ");
    const KEY: &str = concat!("PRIVATE", " KEY");
    source.find("a private key", |line| line.contains(BEGIN) && line.contains(KEY))
}

/// A path of the author's machine does not exist on other machines.
pub(crate) fn machine_paths(source: &Source) -> Vec<Finding> {
    const FOLDERS: [&str; 2] = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    if !source.has_extension(&["rs", "md", "toml"]) {
        return Vec::new();
    }
    source.find("an absolute path of one machine", |line| {
        FOLDERS.iter().any(|folder| has_absolute(line, folder))
    })
}

/// Returns whether a path in `line` starts with `folder`, rather than having it in the middle.
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(index, _)| {
        let before = line[..index].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || ".-_~})]>*".contains(it))
    })
}

/// An example that is not compiled becomes wrong unnoticed.
pub(crate) fn ignored_examples(source: &Source) -> Vec<Finding> {
    if !source.has_extension(&["rs", "md"]) {
        return Vec::new();
    }
    source.find("an example that is not compiled; use `no_run`, or `text` for no Rust", |line| {
        let fence = line.trim_start_matches(['/', '!', '*', ' ']).strip_prefix("```");
        fence.is_some_and(|info| info.split([',', ' ']).any(|it| it.starts_with("ignore")))
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::lines_found;
    use super::*;

    #[test]
    fn trailing_whitespace_is_found() {
        let text = "good\nbad \nbad\t\nbad\r\n\n  good\n";
        assert_eq!(lines_found(trailing_whitespace, "a.md", text), [2, 3, 4]);
    }

    #[test]
    fn a_missing_final_newline_is_found_on_the_last_line() {
        assert_eq!(lines_found(final_newline, "a.md", "one\ntwo"), [2]);
        assert!(lines_found(final_newline, "a.md", "one\ntwo\n").is_empty());
        assert!(lines_found(final_newline, "empty", "").is_empty());
    }

    #[test]
    fn a_private_key_of_any_kind_is_found() {
        for kind in ["OPENSSH ", "RSA ", "ENCRYPTED ", ""] {
            let text = format!("x\n-----{} {kind}PRIVATE {}-----\n", "BEGIN", "KEY");
            assert_eq!(lines_found(private_keys, "tests/id_key", &text), [2], "{kind}");
        }
        let public = concat!("-----BEGIN PUBLIC KEY-----\nthe PRI", "VATE KEY stays at home\n");
        assert!(lines_found(private_keys, "a.md", public).is_empty());
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for folder in ["root", "work"] {
            let text = format!("see `/{folder}/x`\n/{folder}/x\nfile:///{folder}/x\n");
            assert_eq!(lines_found(machine_paths, "a.md", &text), [1, 2, 3]);
            let relative = format!("a/{folder}/x, {{dir}}/{folder}/x and /{folder}\n");
            assert!(lines_found(machine_paths, "a.md", &relative).is_empty());
            assert!(lines_found(machine_paths, "a.sh", &text).is_empty());
        }
    }

    #[test]
    fn an_example_that_is_not_compiled_is_found() {
        let text =
            concat!("/// ```", "ignore\n```", "rust,ignore\n//! ```", "no_run\n``` ignored\n");
        assert_eq!(lines_found(ignored_examples, "a.rs", text), [1, 2, 4]);
        assert!(lines_found(ignored_examples, "a.md", "```rust\nlet ignore = 1;\n").is_empty());
    }
}
