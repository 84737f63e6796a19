//! A target that never stops sending: what it sends is not gathered in memory.
//!
//! Its shell runs hostlink's scripts, but writes one letter for ever at one place of them. The test
//! is alone in its program, whose memory it measures: of all places at the same time, which takes
//! as long as the slowest. `tests/tests/system/bounds` has every other place.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hostlink_core::transfer::{GetOptions, PutOptions, Source};
use hostlink_core::{
    ConnectorArguments, Context, Error, ErrorKind, Link, RunOptions, StringCommand,
};
use hostlink_testkit::SpawnOnly;

/// The most memory that this process may ever have had, in KiB.
const MOST: u64 = 64 * 1024;

/// The task that is done with the target.
#[derive(Clone, Copy, Debug)]
enum Task {
    Run,
    /// A command that is killed.
    Kill,
    Put,
    Get,
    GetTree,
}

/// A place where a target's words are gathered.
struct Place {
    what: &'static str,
    task: Task,
    /// The part of a script that is replaced, as a pattern of bash.
    from: &'static str,
    to: &'static str,
    /// The error; a time-out where nothing but the limit of time ends it.
    kind: ErrorKind,
}

const PLACES: [Place; 10] = [
    Place {
        what: "the list of a directory",
        task: Task::GetTree,
        from: "walk ??;",
        to: "yes A;",
        kind: ErrorKind::Transfer,
    },
    Place {
        what: "the words before a file",
        task: Task::Get,
        from: "echo ?hl ?k ?a?",
        to: "tr '?' A </dev/zero",
        kind: ErrorKind::Transfer,
    },
    Place {
        what: "the errors of a get",
        task: Task::Get,
        from: "cat <&3",
        to: "yes A >\\&2",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "what a put says",
        task: Task::Put,
        from: "echo ?hl done?",
        to: "yes A",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "the errors of a put",
        task: Task::Put,
        from: "echo ?hl done?",
        to: "yes A >\\&2",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "output before the announcement",
        task: Task::Run,
        from: "*",
        to: "yes A",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "errors before the announcement",
        task: Task::Run,
        from: "*",
        to: "yes A >\\&2",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "what a kill says",
        task: Task::Kill,
        from: "_hl_k()",
        to: "yes A; _hl_k()",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "output that is collected up to a limit",
        task: Task::Run,
        from: "exec true",
        to: "yes A",
        kind: ErrorKind::Timeout,
    },
    Place {
        what: "errors that are collected up to a limit",
        task: Task::Run,
        from: "exec true",
        to: "yes A >\\&2",
        kind: ErrorKind::Timeout,
    },
];

impl Place {
    async fn error(&self, here: &Path) -> Error {
        let connection = SpawnOnly::without(&["tar", "sh"]).unwrap();
        let shell = connection.programs().join("sh");
        let line = format!("exec /bin/bash -c \"${{2//{}/{}}}\"", self.from, self.to);
        fs::write(&shell, format!("#!/bin/bash\n{line}\n")).unwrap();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
        let link = Link::new(Box::new(connection), "endless", Context::default());
        // What ends by itself may be slow to begin, beside all the others.
        let limit = if self.kind == ErrorKind::Timeout { 2 } else { 50 };
        let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(limit));
        let (path, to) = (here.to_str().unwrap(), here.join("to"));
        let file = format!("{path}/file");
        let done = match self.task {
            Task::Run | Task::Kill => {
                let options = RunOptions::default().with_output_limit(1 << 20);
                let line =
                    if matches!(self.task, Task::Run) { "exec true" } else { "exec sleep 9" };
                let command = StringCommand::shell(line);
                let ran = link.run_shell_command_with(command, &arguments, &options).await;
                ran.map(|_| ())
            }
            Task::Put => {
                let options = PutOptions::default().with_arguments(arguments);
                link.put_file(Source::bytes("x"), &file, &options).await.map(|_| ())
            }
            Task::Get => {
                let options = GetOptions::default().with_arguments(arguments);
                link.get_file(&file, &*to, &options).await.map(|_| ())
            }
            Task::GetTree => {
                let options = GetOptions::default().with_arguments(arguments);
                link.get_dir(path, &to, &options).await.map(|_| ())
            }
        };
        let error = done.expect_err(self.what);
        let _ = link.disconnect().await;
        error
    }
}

#[tokio::test]
async fn nothing_that_a_target_says_is_gathered_without_a_bound() {
    let all = PLACES.iter().map(async |place| {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("file"), "x").unwrap();
        let error = place.error(here.path()).await;
        assert_eq!(error.kind(), place.kind, "{}: {error:?}", place.what);
        assert!(!here.path().join("to").exists(), "{}", place.what);
    });
    futures::future::join_all(all).await;
    assert!(peak() < MOST, "{} KiB", peak());
    // The control: a command whose output has no limit.
    let link = Link::new(Box::new(SpawnOnly::without(&["tar"]).unwrap()), "x", Context::default());
    let much = link.run_shell_command("head -c 80M /dev/zero", &ConnectorArguments::new()).await;
    assert!(much.is_ok() && peak() > MOST, "{} KiB", peak());
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
