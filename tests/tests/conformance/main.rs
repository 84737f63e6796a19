//! Every connector through the behaviour suite: one line each.

mod chroot;
mod ssh;

use std::process::ExitCode;
use std::sync::Arc;

use hostlink_local::LocalConnector;
use hostlink_testkit::{
    ConnectorFixture, LeftOut, Signals, SpawnOnlyConnector, Suite, Unsupported, WithoutFastPaths,
};
use hostlink_tests::ssh_host::SshHost;

use crate::chroot::{ChrootFixture, Place};
use crate::ssh::SshFixture;

/// What a target cannot serve, and why. A row whose cell passes fails the suite.
const UNSUPPORTED: &[Unsupported] = &[
    no_terminal("local-no-tar", "get_pty_gives_a_controlling_terminal"),
    no_terminal("local-no-tar", "a_terminal_merges_both_streams"),
    no_terminal("local-no-tar", "a_command_on_a_terminal_reads_its_stdin_to_the_end"),
    no_terminal("local-no-tar", "stdin_on_a_terminal_ends_without_a_newline"),
    no_terminal("local-no-tar", "exit_codes_arrive_from_a_terminal"),
    no_terminal("local-no-tar", "timeout_on_a_terminal_leaves_no_process_behind"),
    no_terminal("local-no-tar", "a_session_carries_bytes_both_ways_and_nothing_else"),
    no_terminal("local-no-tar", "a_session_ends_with_the_exit_code_of_its_command"),
    no_terminal("local-no-tar", "the_size_of_a_session_follows"),
    no_terminal("local-no-tar", "a_dropped_session_leaves_no_process_behind"),
    no_terminal("local-no-tar", "a_session_of_the_login_shell_takes_lines"),
    Unsupported {
        fixture: "local-no-tar",
        case: "names_that_are_not_utf_8_go_there_and_back",
        reason: "without tar on the target, only UTF-8 names can be sent",
    },
    no_terminal("local-bash", "get_pty_gives_a_controlling_terminal"),
    no_terminal("local-bash", "a_terminal_merges_both_streams"),
    no_terminal("local-bash", "a_command_on_a_terminal_reads_its_stdin_to_the_end"),
    no_terminal("local-bash", "stdin_on_a_terminal_ends_without_a_newline"),
    no_terminal("local-bash", "exit_codes_arrive_from_a_terminal"),
    no_terminal("local-bash", "timeout_on_a_terminal_leaves_no_process_behind"),
    no_terminal("local-bash", "a_session_carries_bytes_both_ways_and_nothing_else"),
    no_terminal("local-bash", "a_session_ends_with_the_exit_code_of_its_command"),
    no_terminal("local-bash", "the_size_of_a_session_follows"),
    no_terminal("local-bash", "a_dropped_session_leaves_no_process_behind"),
    no_terminal("local-bash", "a_session_of_the_login_shell_takes_lines"),
    no_terminal("local-busybox", "get_pty_gives_a_controlling_terminal"),
    no_terminal("local-busybox", "a_terminal_merges_both_streams"),
    no_terminal("local-busybox", "a_command_on_a_terminal_reads_its_stdin_to_the_end"),
    no_terminal("local-busybox", "stdin_on_a_terminal_ends_without_a_newline"),
    no_terminal("local-busybox", "exit_codes_arrive_from_a_terminal"),
    no_terminal("local-busybox", "timeout_on_a_terminal_leaves_no_process_behind"),
    no_terminal("local-busybox", "a_session_carries_bytes_both_ways_and_nothing_else"),
    no_terminal("local-busybox", "a_session_ends_with_the_exit_code_of_its_command"),
    no_terminal("local-busybox", "the_size_of_a_session_follows"),
    no_terminal("local-busybox", "a_dropped_session_leaves_no_process_behind"),
    no_terminal("local-busybox", "a_session_of_the_login_shell_takes_lines"),
    no_bash("local-busybox", "another_shell_reads_the_command"),
    no_bash("local-busybox", "another_shell_gets_flags"),
    no_bash("local-busybox", "another_shell_reads_a_long_or_secret_command_and_its_stdin_follows"),
    no_printenv("local-busybox"),
    no_bash("ssh-busybox", "another_shell_reads_the_command"),
    no_bash("ssh-busybox", "another_shell_gets_flags"),
    no_bash("ssh-busybox", "another_shell_reads_a_long_or_secret_command_and_its_stdin_follows"),
    no_printenv("ssh-busybox"),
    Unsupported {
        fixture: "ssh-with_docker",
        case: "a_file_that_is_a_mount_point_is_written_in_place",
        reason: "root of a container may not mount",
    },
    own_mounts("chroot"),
    own_mounts("ssh-chroot"),
    no_mount("ssh-dash"),
    no_mount("ssh-fish"),
    no_mount("ssh-tcsh"),
    no_mount("ssh-dropbear"),
];

const fn no_terminal(fixture: &'static str, case: &'static str) -> Unsupported {
    let reason = "the connection of the testkit that implements spawn alone has no terminals";
    Unsupported { fixture, case, reason }
}

const fn no_bash(fixture: &'static str, case: &'static str) -> Unsupported {
    Unsupported { fixture, case, reason: "busybox has no bash" }
}

const fn no_printenv(fixture: &'static str) -> Unsupported {
    let reason =
        "busybox's sh runs printenv within itself, which then does not see what was exported";
    Unsupported { fixture, case: "secret_variables_arrive_and_stdin_follows", reason }
}

const fn own_mounts(fixture: &'static str) -> Unsupported {
    let reason = "with chroot_mounts, what one command mounts the next one does not see";
    Unsupported { fixture, case: "a_file_that_is_a_mount_point_is_written_in_place", reason }
}

const fn no_mount(fixture: &'static str) -> Unsupported {
    let reason = "only root can mount, and this fixture logs in as another user";
    Unsupported { fixture, case: "a_file_that_is_a_mount_point_is_written_in_place", reason }
}

/// Cases that use a second session while one is open, as every kill does.
const TWO_SESSIONS: &[&str] = &[
    "exit_codes_0_to_255",
    "timeout",
    "dropping",
    "dropped",
    "kill",
    "runs_out_of_time",
    "child_left_behind",
    "fifty",
    "at_once",
    "same_time",
    "_that_fails",
    "_that_is_shorter",
    "_that_is_longer",
    "ends_early",
    "is_lost",
    "a_secret_",
    "a_reader_of_the_destination",
    "hidden_and_private",
    "a_temporary_file_goes",
    "two_links",
];

const LEFT_OUT: &[LeftOut] = &[dropbear_aborts("ssh-dropbear"), dropbear_aborts("ssh-busybox")];

const fn dropbear_aborts(fixture: &'static str) -> LeftOut {
    let reason = "dropbear 2022.83 aborts now and then (`!channel->sent_close` in common-channel.c) when two sessions \
                  of one login overlap, with OpenSSH's own client too, and it ends a session's output with its command";
    LeftOut { fixture, cases: TWO_SESSIONS, reason }
}

fn main() -> ExitCode {
    let local = Arc::new(LocalConnector);
    let no_tar = Arc::new(SpawnOnlyConnector::without(["tar"]));
    let bash = Arc::new(SpawnOnlyConnector::with_sh("/bin/bash"));
    let busybox = Arc::new(SpawnOnlyConnector::busybox());
    Suite::new()
        .with(ConnectorFixture::new("local", local.clone(), "@local"))
        .with(
            ConnectorFixture::new("local-stream", local, "@local")
                .wrapped(|link| Box::new(WithoutFastPaths::new(link))),
        )
        .with(ConnectorFixture::new("local-no-tar", no_tar, "@spawnonly").without_tar())
        .with(ConnectorFixture::new("local-bash", bash, "@spawnonly"))
        .with(ConnectorFixture::new("local-busybox", busybox, "@spawnonly"))
        .with(SshFixture::new("ssh", SshHost::root))
        .with(SshFixture::new("ssh-stream", SshHost::root).without_fast_paths())
        .with(SshFixture::new("ssh-dash", || SshHost::with_shell("/bin/dash")))
        .with(SshFixture::new("ssh-fish", || SshHost::with_shell("/usr/bin/fish")))
        .with(SshFixture::new("ssh-tcsh", || SshHost::with_shell("/bin/tcsh")))
        .with(SshFixture::new("ssh-dropbear", SshHost::dropbear))
        .with(SshFixture::new("ssh-busybox", SshHost::busybox))
        .with(SshFixture::new("ssh-with_docker", SshHost::container))
        .with(ChrootFixture::new("chroot", Signals::Numbers, Place::local))
        .with(ChrootFixture::new("ssh-chroot", Signals::Unknown, Place::over_ssh))
        .with_unsupported(UNSUPPORTED)
        .with_left_out(LEFT_OUT)
        .with_matrix(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance.md"))
        .main()
}
