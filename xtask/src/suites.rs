//! The test programs that run all their tests in one process, to share fixtures that are costly to
//! start.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

/// The package and the target of each program.
const SUITES: [(&str, &str); 3] = [
    ("hostlink-tests", "conformance"),
    ("hostlink-tests", "privilege"),
    ("hostlink-example-netns", "conformance"),
];

/// A filter of nextest for the tests of other programs.
pub(crate) const OTHERS: &str = "not (binary(conformance) | binary(privilege))";

/// The command that reruns a failed test, without its name.
pub(crate) const ALONE: &str = "cargo xtask test --exact";

/// A directory in memory, where short-lived files cost less.
const MEMORY: &str = "/dev/shm";

/// Settings of glibc (mallopt(3)) that return memory to the kernel. A suite keeps starting programs
/// by fork(2), and each fork copies the page tables of the process.
const SMALL_HEAP: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "1000000"),
    ("MALLOC_TRIM_THRESHOLD_", "1000000"),
];

/// The maximum size of the files of all concurrent tests there.
const ROOM: u64 = 4 << 30;

/// The exit status of a suite that has run no test, and has printed why.
const NOTHING_RUN: i32 = 2;

/// One program.
#[derive(Debug)]
pub(crate) struct Suite {
    /// Its name in a table.
    pub(crate) name: String,
    program: PathBuf,
}

/// When to print a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    AsItComes,
    /// When the program has ended, because others print at the same time.
    AtTheEnd,
}

/// The result of a program's tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The filter selects none of them.
    None,
    Passed,
    Failed,
    /// The program has printed why it ran none.
    NothingRun,
}

/// Builds everything that the tests run, with one set of features, and finds the suites.
///
/// # Errors
///
/// If it does not compile, or if a suite was not built.
pub(crate) fn build(sh: &Shell) -> anyhow::Result<Vec<Suite>> {
    let scope = ["--workspace", "--all-features", "--bins", "--tests"];
    let build = cmd!(sh, "cargo build {scope...} --message-format json-render-diagnostics");
    let messages = build.read()?;
    let find = |(package, target)| find(&messages, package, target);
    SUITES.into_iter().map(find).collect()
}

fn find(messages: &str, package: &str, target: &str) -> anyhow::Result<Suite> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = messages.into_iter().find_map(|message| {
        let is_it = message["reason"] == "compiler-artifact"
            && message["target"]["name"] == target
            && message["target"]["kind"][0] == "test"
            && message["package_id"].as_str().is_some_and(|id| is_of(id, package));
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    let program = program.with_context(|| format!("{package} has no test program {target}"))?;
    let name = package.strip_prefix("hostlink-").unwrap_or(package);
    Ok(Suite { name: format!("{name} {target}"), program })
}

/// Fails if the committed `tests/conformance.md` differs from the suite's output.
///
/// # Errors
///
/// If it differs; the difference is printed.
pub(crate) fn check_matrix(sh: &Shell) -> anyhow::Result<()> {
    let test = ["--package", "hostlink-tests", "--test", "conformance"];
    cmd!(sh, "cargo test --quiet --workspace --all-features {test...} -- --matrix")
        .ignore_stdout()
        .run()
        .context("the conformance matrix differs (`cargo xtask test --bless` rewrites it)")
}

/// Returns whether a package ID belongs to a package: `…/tests#hostlink-tests@0.0.0`, or
/// `…/hostlink-tests#0.0.0` if the folder has the package's name (Package ID Specifications, The
/// Cargo Book).
fn is_of(id: &str, package: &str) -> bool {
    let Some((path, name)) = id.rsplit_once('#') else { return false };
    match name.split_once('@') {
        Some((name, _version)) => name == package,
        None => path.rsplit('/').next() == Some(package),
    }
}

impl Suite {
    /// Runs its tests; `words` are arguments of libtest. Several filters are several runs, as
    /// libtest-mimic accepts one.
    ///
    /// # Errors
    ///
    /// If the program does not start, or was killed.
    pub(crate) fn run(
        &self,
        words: &[OsString],
        filters: &[OsString],
        repeat: Option<usize>,
        output: Output,
    ) -> anyhow::Result<Outcome> {
        if filters.is_empty() {
            return self.run_once(words, None, repeat, output);
        }
        let mut outcome = Outcome::None;
        for filter in filters {
            outcome = outcome.or(self.run_once(words, Some(filter), repeat, output)?);
        }
        Ok(outcome)
    }

    fn run_once(
        &self,
        words: &[OsString],
        filter: Option<&OsString>,
        repeat: Option<usize>,
        output: Output,
    ) -> anyhow::Result<Outcome> {
        let mut command = Command::new(&self.program);
        command.args(words).args(filter).env("HOSTLINK_TEST_COMMAND", ALONE);
        if filter.is_some() && self.count(&command)? == 0 {
            return Ok(Outcome::None);
        }
        command.envs(SMALL_HEAP);
        if has_room(MEMORY) {
            command.env("TMPDIR", MEMORY);
        }
        if let Some(repeat) = repeat {
            command.args(["--repeat", &repeat.to_string()]);
        }
        // A line for each passed test would hide the failed ones.
        command.args(["--format", "terse"]);
        let status = self.print(&mut command, output);
        let status =
            status.with_context(|| format!("{} does not start", self.program.display()))?;
        match status.code() {
            Some(0) => Ok(Outcome::Passed),
            Some(NOTHING_RUN) => Ok(Outcome::NothingRun),
            Some(_) => Ok(Outcome::Failed),
            None => bail!("{} has ended with {status}", self.program.display()),
        }
    }

    fn print(&self, command: &mut Command, output: Output) -> io::Result<ExitStatus> {
        if output == Output::AsItComes {
            println!("\n{}", self.name);
            return command.status();
        }
        let ended = command.output()?;
        let (stdout, stderr) =
            (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        println!("\n{}\n{stdout}{stderr}", self.name);
        Ok(ended.status)
    }

    /// Returns how many tests the arguments of a command select.
    fn count(&self, command: &Command) -> anyhow::Result<usize> {
        let words: Vec<&OsStr> = command.get_args().collect();
        let output = Command::new(&self.program).args(words).arg("--list").output()?;
        ensure!(output.status.success(), "{} cannot list its tests", self.program.display());
        let is_test = |line: &&str| line.ends_with(": test");
        Ok(String::from_utf8_lossy(&output.stdout).lines().filter(is_test).count())
    }
}

/// Returns whether the directory exists, with room for the files of tests.
fn has_room(directory: &str) -> bool {
    rustix::fs::statvfs(directory).is_ok_and(|it| it.f_bavail.saturating_mul(it.f_frsize) >= ROOM)
}

impl Outcome {
    /// Returns the more severe of two results.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, other) => other,
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::NothingRun, _) | (_, Self::NothingRun) => Self::NothingRun,
            (Self::Passed, _) => Self::Passed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_package_and_target() {
        let artifact = |id: &str, kind: &str, program: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///x/{id}","target":{{"name":"conformance","kind":["{kind}"]}},"executable":"{program}"}}"#
            )
        };
        let messages = [
            "warning: not JSON".to_owned(),
            artifact("netns#hostlink-example-netns@0.0.0", "test", "/x/netns"),
            artifact("tests#hostlink-tests@0.0.0", "bench", "/x/bench"),
            artifact("tests#hostlink-tests@0.0.0", "test", "/x/tests"),
        ]
        .join("\n");
        let suite = find(&messages, "hostlink-tests", "conformance").unwrap();
        assert_eq!(suite.program, PathBuf::from("/x/tests"));
        assert_eq!(suite.name, "tests conformance");
        assert!(is_of("path+file:///x/hostlink-tests#0.0.0", "hostlink-tests"));
        assert!(find(&messages, "hostlink-tests", "privilege").is_err());
    }

    #[test]
    fn a_failure_is_never_forgotten() {
        use Outcome::{Failed, None, NothingRun, Passed};
        assert_eq!([None, Passed, Failed].into_iter().fold(None, Outcome::or), Failed);
        assert_eq!([Failed, NothingRun, Passed].into_iter().fold(None, Outcome::or), Failed);
        assert_eq!([NothingRun, Passed].into_iter().fold(None, Outcome::or), NothingRun);
        assert_eq!([None, Passed, None].into_iter().fold(None, Outcome::or), Passed);
    }
}
