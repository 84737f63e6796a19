//! Programs that never stop writing, in the place of those that hostlink runs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};

use hostlink_tests::cli::{becomes_true, code, hostlink, stderr};
use serde_json::Value;

use super::At::{Program, Text};
use super::{Case, MOST, assert_bounded, measured, peak};

const ENDLESS: super::At = Program("exec yes");

const CASES: &[Case] = &[
    Case {
        what: "what an inventory's program prints",
        files: &[("inv", ENDLESS)],
        words: &["./inv"],
        expected: "./inv wrote more than 32 MiB",
    },
    Case {
        what: "what an inventory's program says",
        files: &[("inv", Program("yes | head -c 200M >&2; echo last >&2; exit 3"))],
        words: &["./inv"],
        expected: "./inv failed (exit status: 3): last",
    },
    Case {
        what: "what it prints for one host",
        files: &[("inv", Program("[ $1 = --host ] && exec yes; echo '{\"web\": [\"w1\"]}'"))],
        words: &["./inv"],
        expected: "./inv wrote more than 1 MiB for --host w1",
    },
    Case {
        what: "what it prints for all hosts",
        files: &[(
            "inv",
            Program(
                "if [ $1 = --list ]; then echo '{\"web\": ['; seq -f '\"w%g\",' 50; echo '\"w0\"]}'
                else echo '{\"x\": \"'$(head -c 1000000 /dev/zero | tr '\\0' x)'\"}'; fi",
            ),
        )],
        words: &["./inv"],
        expected: "./inv wrote more than 16 MiB for the --host of all hosts together",
    },
    Case {
        what: "what terraform prints",
        files: &[("bin/terraform", ENDLESS), ("bin/tofu", ENDLESS), ("main.tf", Text(""))],
        words: &["@terraform"],
        expected: "wrote more than 32 MiB",
    },
    Case {
        what: "what vagrant prints",
        files: &[("bin/vagrant", ENDLESS), ("Vagrantfile", Text(""))],
        words: &["@vagrant"],
        expected: "wrote more than 16 MiB",
    },
    Case {
        what: "what a command prints for a secret",
        files: &[],
        words: &["--data", "ssh_password_command=exec yes", "@ssh/x"],
        expected: "the command wrote more than 65536 bytes",
    },
    Case {
        what: "what ssh says",
        files: &[("bin/ssh", Program("exec yes words of ssh >&2"))],
        words: &["--connect-timeout=2", "@ssh/x"],
        expected: "within 2 s",
    },
    Case {
        what: "a line of what ssh says",
        files: &[("bin/ssh", Program("exec tr '\\0' A </dev/zero >&2"))],
        words: &["--connect-timeout=2", "@ssh/x"],
        expected: "2 s",
    },
    Case {
        what: "the questions of ssh",
        files: &[("bin/ssh", Program("exec cat /dev/urandom >\"${SSH_ASKPASS%/*}/ask\""))],
        words: &["--connect-timeout=2", "@ssh/x"],
        expected: "2 s",
    },
    Case {
        what: "the settings that ssh -G prints",
        files: &[("bin/ssh", Program("[ $1 = -G ] && exec yes; echo ssh ran >&2; exit 255"))],
        words: &["--data", "ssh_proxy_jump=b", "--data", "ssh_proxy_jump_password=x", "@ssh/x"],
        expected: "ssh ran",
    },
    Case {
        what: "what a target says of a root directory",
        files: &[("bin/sh", Program("exec /bin/bash -c \"${2//exec sh -c/yes A; exec sh -c}\""))],
        words: &["--connect-timeout=2", "@local/@chroot//srv"],
        expected: "longer than 2s",
    },
    Case {
        what: "what the engine's command says",
        files: &[("bin/docker", Program("exec yes words of docker >&2"))],
        words: &[
            "--connect-timeout=2",
            "--data",
            "docker_host=unix:///nowhere",
            "@local/@docker/x",
        ],
        expected: "docker system dial-stdio",
    },
    Case {
        what: "what a target says of an engine's socket",
        files: &[
            ("bin/docker", Program("exit 1")),
            ("bin/sh", Program("exec /bin/bash -c \"${2//if \\[ -w/yes A; if [ -w}\"")),
        ],
        words: &[
            "--connect-timeout=2",
            "--data",
            "docker_host=unix:///nowhere",
            "@local/@docker/x",
        ],
        expected: "/nowhere",
    },
];

#[test]
fn programs_that_never_end_take_no_memory() {
    assert_bounded(CASES, |case| case.what, Case::run);
}

/// Output is kept for its JSON, and to be checked.
#[test]
fn output_that_is_kept_has_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("output");
    // In JSON, NUL takes six bytes.
    for (options, line) in [
        (&["--json"][..], "yes | head -c 100M"),
        (&["--json"], "head -c 100M /dev/zero"),
        (&["--retry-until", "x"], "yes | head -c 100M"),
    ] {
        let mut command = hostlink(options.iter().chain(&["@local", "exec", "--", line]));
        command.stdout(File::create(&path).unwrap());
        let (output, peak) = measured(command);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!((1024..MOST).contains(&peak), "{options:?}: {peak} KiB");
        let written = fs::read_to_string(&path).unwrap();
        if options == ["--json"] {
            let object: Value = serde_json::from_str(&written).unwrap();
            assert_eq!(object["stdout"].as_str().map(str::len), Some(4 << 20));
            assert_eq!(object["truncated"], true);
        } else {
            assert_eq!(written.len(), 100 << 20);
        }
        assert_eq!(stderr(&output).matches("only the first 4 MiB of the output").count(), 1);
    }
}

/// With `-vv` each line of ssh's is passed on. Here it is read only once ssh has said it all.
#[test]
fn reports_that_are_not_read_take_no_memory() {
    let case = Case {
        what: "reports",
        files: &[(
            "bin/ssh",
            Program("yes A line of ssh. | head -c 24M >&2; : >said; exec sleep 99"),
        )],
        words: &["-vv", "--connect-timeout=50", "@ssh/x"],
        expected: "",
    };
    let directory = case.directory();
    let mut child = case.command(&directory).spawn().unwrap();
    let said = directory.path().join("said");
    assert!(becomes_true(|| said.exists()), "{} KiB", peak(child.id()));
    let most = peak(child.id());
    assert!((1024..MOST).contains(&most), "{most} KiB");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("reports were left out here")));
    child.kill().unwrap();
    child.wait().unwrap();
}
