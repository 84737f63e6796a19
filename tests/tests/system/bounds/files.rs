//! Files without an end: a device, a pipe, and a file that is longer than memory.

use super::At::{Link, Pipe, Program, Sparse, Text};
use super::{Case, assert_bounded};

const ZERO: super::At = Link("/dev/zero");

const CASES: &[Case] = &[
    Case {
        what: "an inventory that is a device",
        files: &[("hosts.yaml", ZERO)],
        words: &["./hosts.yaml"],
        expected: "hosts.yaml: cannot be read: it is no regular file",
    },
    Case {
        what: "an inventory that is a pipe",
        files: &[("hosts.yaml", Pipe)],
        words: &["./hosts.yaml"],
        expected: "hosts.yaml: cannot be read: it is no regular file",
    },
    Case {
        what: "an inventory that is longer than memory",
        files: &[("hosts.yaml", Sparse)],
        words: &["./hosts.yaml"],
        expected: "hosts.yaml: cannot be read: it is longer than 1 GiB",
    },
    Case {
        what: "ssh's configuration as a list of hosts",
        files: &[(".ssh/config", ZERO)],
        words: &["@sshconfig"],
        expected: ".ssh/config: cannot be read: it is no regular file",
    },
    Case {
        what: "a configuration that includes itself",
        files: &[(".ssh/config", Text("Include config\nInclude config\nHost x\n"))],
        words: &["@sshconfig"],
        expected: "files include one another too deeply",
    },
    Case {
        what: "ssh's configuration that is looked through before a login",
        files: &[(".ssh/config", ZERO), ("bin/ssh", Program("echo ssh ran >&2; exit 255"))],
        words: &["@ssh/x"],
        expected: "ssh ran",
    },
    Case {
        what: "a file of known hosts",
        files: &[(".ssh/known_hosts", ZERO), ("bin/ssh", Program("echo ssh ran >&2; exit 255"))],
        words: &["@ssh/x"],
        expected: "ssh ran",
    },
    Case {
        what: "the state of Terraform",
        files: &[],
        words: &["--data", "terraform_state=/dev/zero", "@terraform"],
        expected: "terraform_state: /dev/zero is larger than 32 MiB",
    },
    Case {
        what: "the data of Vagrant's machines",
        files: &[
            ("Vagrantfile", Text("")),
            ("@vagrant.json", ZERO),
            ("bin/vagrant", Program("exit 0")),
        ],
        words: &["@vagrant"],
        expected: "@vagrant.json: it is no regular file",
    },
    Case {
        what: "Docker's configuration",
        files: &[(".docker/config.json", ZERO)],
        words: &["@docker/x"],
        expected: "config.json: it is no regular file",
    },
    Case {
        what: "certificates of an engine",
        files: &[("certs/ca.pem", ZERO)],
        words: &["--data", "docker_host=tcp://127.0.0.1:2", "@docker/x"],
        expected: "ca.pem: no certificate can be read: it is no regular file",
    },
    Case {
        what: "a key",
        files: &[("key", Sparse)],
        words: &["--data", "ssh_key=key", "@ssh/x"],
        expected: "is not a private key",
    },
    Case {
        what: "a password",
        files: &[("bin/ssh", Program("echo ssh ran >&2; exit 255"))],
        words: &["--data", "ssh_password_file=/dev/zero", "@ssh/x"],
        expected: "ssh_password",
    },
];

#[test]
fn files_without_end_take_no_memory() {
    assert_bounded(CASES, |case| case.what, Case::run);
}
