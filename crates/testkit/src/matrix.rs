//! The table of cases and fixtures.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cases::Case;
use crate::suite::{LeftOut, Unsupported};

/// The table as Markdown: `yes` is a cell that every test run shows to hold.
pub(crate) fn render(
    fixtures: &[&str],
    cases: &[Case],
    unsupported: &[Unsupported],
    left_out: &[LeftOut],
) -> String {
    let mut text = String::from(
        "# What every connector does\n\n\
         Written by `cargo xtask test --bless`. Each `yes` is a test of this name; each number is a note below; \
         `-` is not run, for the reason at the end.\n\n",
    );
    let _ = writeln!(text, "| case | {} |", fixtures.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---".repeat(fixtures.len()));
    for case in cases {
        let cells = fixtures.iter().map(|fixture| cell(fixture, case.name, unsupported, left_out));
        let _ =
            writeln!(text, "| {} | {} |", case.sentence(), cells.collect::<Vec<_>>().join(" | "));
    }
    let _ = writeln!(
        text,
        "\n{} cases, {} fixtures, {} unsupported cells, {} that are not run.",
        cases.len(),
        fixtures.len(),
        unsupported.len(),
        count_left_out(fixtures, cases, left_out)
    );
    for (number, row) in unsupported.iter().enumerate() {
        let Unsupported { fixture, case, reason } = row;
        let _ = write!(text, "\n{}. `{fixture}::{case}`: {reason}", number + 1);
    }
    if !unsupported.is_empty() {
        text.push('\n');
    }
    for LeftOut { fixture, cases, reason } in left_out {
        let _ =
            writeln!(text, "\nNot run on `{fixture}`: {reason} (cases with {}).", cases.join(", "));
    }
    text
}

fn count_left_out(fixtures: &[&str], cases: &[Case], left_out: &[LeftOut]) -> usize {
    let cells = fixtures.iter().flat_map(|fixture| cases.iter().map(move |case| (fixture, case)));
    cells.filter(|(fixture, case)| left_out.iter().any(|row| row.is(fixture, case.name))).count()
}

fn cell(fixture: &str, case: &str, unsupported: &[Unsupported], left_out: &[LeftOut]) -> String {
    if left_out.iter().any(|row| row.is(fixture, case)) {
        return "-".to_owned();
    }
    match unsupported.iter().position(|row| row.is(fixture, case)) {
        Some(at) => format!("no ({})", at + 1),
        None => "yes".to_owned(),
    }
}

/// Compares with the committed file, or rewrites it where that is asked for.
pub(crate) fn compare(path: &Path, text: &str) -> anyhow::Result<ExitCode> {
    compare_or_bless(path, text, std::env::var_os("HOSTLINK_BLESS").is_some())
}

fn compare_or_bless(path: &Path, text: &str, bless: bool) -> anyhow::Result<ExitCode> {
    if bless {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if std::fs::read_to_string(path).is_ok_and(|committed| committed == text) {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{} differs from this table: run `cargo xtask test --bless`", path.display());
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_not_served_says_so_and_why() {
        let rows = [Unsupported { fixture: "b", case: "it_works", reason: "it is a stone" }];
        let case = Case { name: "it_works", run: |_| Box::pin(async { Ok(()) }) };
        let text = render(&["a", "b"], &[case], &rows, &[]);
        assert!(text.contains("| it works | yes | no (1) |"), "{text}");
        assert!(text.contains("1. `b::it_works`: it is a stone\n"), "{text}");
    }

    #[test]
    fn a_committed_table_that_differs_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("conformance.md");
        let code = |text| format!("{:?}", compare_or_bless(&path, text, false).unwrap());
        assert_eq!(code("a"), format!("{:?}", ExitCode::FAILURE));
        std::fs::write(&path, "a").unwrap();
        assert_eq!(code("a"), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code("b"), format!("{:?}", ExitCode::FAILURE));
    }
}
