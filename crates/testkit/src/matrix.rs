//! Which fixture passes which case, as a page that names the exceptions.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::ability::{Ability, Lack, Verdict, decisive};
use crate::cases::Case;
use crate::fixture::Fixture;

/// Renders the page as Markdown.
pub(crate) fn render(fixtures: &[&dyn Fixture], cases: &[Case]) -> String {
    let mut text = String::from(
        "# What every connector does\n\n\
         Written by `cargo xtask test --bless`.\n\n\
         ## Fixtures\n\n\
         A test `fixture::case` exists for every fixture and every case below, except for those in the last column. \
         A case that fails is run as well, and has to fail.\n\n\
         | fixture | passes | fails, as declared | is not run |\n|---|---|---|---|\n",
    );
    for fixture in fixtures {
        text += &row(*fixture, cases);
    }
    text += "\n## Cases\n\nAbilities that a case needs are in parentheses.\n\n";
    for case in cases {
        let _ = writeln!(text, "- {}{}", case.sentence(), needs(case));
    }
    let _ = writeln!(text, "\n{} cases, {} fixtures.", cases.len(), fixtures.len());
    text
}

fn row(fixture: &dyn Fixture, cases: &[Case]) -> String {
    let lacks = fixture.lacks();
    let decisions = || cases.iter().map(|case| decisive(lacks, case.needs));
    let passes = decisions().filter(Option::is_none).count();
    let cell = |verdict| {
        let declared = lacks.iter().filter(|lack| lack.verdict == verdict);
        let texts = declared.filter_map(|lack| {
            let count =
                decisions().filter(|it| it.is_some_and(|it| std::ptr::eq(it, lack))).count();
            (count > 0).then(|| exception(lack, count))
        });
        texts.collect::<Vec<_>>().join("; ")
    };
    let (fails, not_run) = (cell(Verdict::Fails), cell(Verdict::NotRun));
    format!("| `{}` | {passes} | {fails} | {not_run} |\n", fixture.name())
}

fn exception(lack: &Lack, count: usize) -> String {
    format!("{count} × {:?}: {}", lack.ability, lack.reason)
}

fn needs(case: &Case) -> String {
    let needs = case.needs.iter().filter(|need| **need != Ability::Alone);
    let needs: Vec<_> = needs.map(|need| format!("{need:?}")).collect();
    if needs.is_empty() { String::new() } else { format!(" ({})", needs.join(", ")) }
}

/// Compares with the committed file, or rewrites it if `HOSTLINK_BLESS` is set.
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
    eprintln!("{} differs from this page: run `cargo xtask test --bless`", path.display());
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{ConnectorFixture, SpawnOnlyConnector};

    #[test]
    fn a_case_that_does_not_pass_is_counted_with_its_reason() {
        let fixture = ConnectorFixture::new("stone", Arc::new(SpawnOnlyConnector::default()), "@x");
        let fixture = fixture.lacking(&[
            Lack::fails(Ability::Bash, "a stone has no shell"),
            Lack::not_run(Ability::Tar, "it rolls by chance"),
        ]);
        let case = |name, needs| Case { name, needs, run: |_| Box::pin(async { Ok(()) }) };
        let cases = [
            case("it_works", &[][..]),
            case("it_bashes", &[Ability::Bash]),
            case("it_bashes_tar", &[Ability::Bash, Ability::Tar, Ability::Alone]),
        ];
        let text = render(&[&fixture], &cases);
        let row =
            "| `stone` | 1 | 1 × Bash: a stone has no shell | 1 × Tar: it rolls by chance |\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("- it works\n- it bashes (Bash)\n- it bashes tar (Bash, Tar)\n"));
    }

    #[test]
    fn a_committed_page_that_differs_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("conformance.md");
        let code = |text| format!("{:?}", compare_or_bless(&path, text, false).unwrap());
        assert_eq!(code("a"), format!("{:?}", ExitCode::FAILURE));
        std::fs::write(&path, "a").unwrap();
        assert_eq!(code("a"), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code("b"), format!("{:?}", ExitCode::FAILURE));
    }
}
