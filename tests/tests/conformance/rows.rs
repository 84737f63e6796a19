//! Cells of the matrix that are not served, and those that are not run.

use hostlink_testkit::{LeftOut, Unsupported};

/// What a target cannot serve, and why. A row whose cell passes fails the suite.
pub(crate) const UNSUPPORTED: &[Unsupported] = &[
    no_terminal("local-no-tar", "get_pty_gives_a_controlling_terminal"),
    no_terminal("local-no-tar", "a_terminal_merges_both_streams"),
    no_terminal("local-no-tar", "a_command_on_a_terminal_reads_its_stdin_to_the_end"),
    no_terminal("local-no-tar", "stdin_on_a_terminal_ends_without_a_newline"),
    no_terminal("local-no-tar", "a_command_on_a_terminal_may_leave_its_stdin_unread"),
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
    no_terminal("local-bash", "a_command_on_a_terminal_may_leave_its_stdin_unread"),
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
    no_terminal("local-busybox", "a_command_on_a_terminal_may_leave_its_stdin_unread"),
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
    no_mount_in_container("ssh-with_docker"),
    no_mount_in_container("docker-with_docker"),
    no_mount_in_container("docker-busybox-with_docker"),
    no_mount_in_container("podman-with_docker"),
    no_mount_in_container("dockerssh-with_docker"),
    no_mount_in_container("dockerssh-sshd-with_docker"),
    own_mounts("docker-chroot-with_docker"),
    no_bash("docker-busybox-with_docker", "another_shell_reads_the_command"),
    no_bash("docker-busybox-with_docker", "another_shell_gets_flags"),
    no_bash(
        "docker-busybox-with_docker",
        "another_shell_reads_a_long_or_secret_command_and_its_stdin_follows",
    ),
    no_printenv("docker-busybox-with_docker"),
    ended_by_podman("a_child_left_behind_with_the_output_lives_and_the_call_returns"),
    ended_by_podman("a_child_left_behind_with_the_output_dies_when_the_time_is_up"),
    ended_by_podman("output_of_a_child_left_behind_is_read_until_it_falls_silent"),
    Unsupported {
        fixture: "podman-with_docker",
        case: "a_command_on_a_terminal_reads_its_stdin_to_the_end",
        reason: "Podman's monitor waits for a terminal that is full, and reads no output meanwhile: more than 32 KiB are refused",
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

const fn no_mount_in_container(fixture: &'static str) -> Unsupported {
    let reason = "root of a container may not mount";
    Unsupported { fixture, case: "a_file_that_is_a_mount_point_is_written_in_place", reason }
}

const fn ended_by_podman(case: &'static str) -> Unsupported {
    let reason = "Podman ends a command's output with the command, whoever still holds it";
    Unsupported { fixture: "podman-with_docker", case, reason }
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

/// Cases in which a command does not read its input.
const INPUT_UNREAD: &[&str] = &[
    "may_leave_its_stdin_unread",
    "a_directory_at_the_destination_is_an_error",
    "a_file_at_the_destination_of_a_directory",
    "a_missing_directory_is_an_error",
    "a_place_that_takes_no_file_is_an_error",
];

pub(crate) const LEFT_OUT: &[LeftOut] = &[
    dropbear_aborts("ssh-dropbear"),
    dropbear_aborts("ssh-busybox"),
    LeftOut {
        fixture: "podman-with_docker",
        cases: INPUT_UNREAD,
        reason: "Podman 4.3.1 loses now and then what a command has written that ends while input is on its way to it \
                 (`read unixpacket @->/proc/self/fd/16/attach: read: connection reset by peer`)",
    },
    cut_off("docker-with_docker"),
    cut_off("docker-busybox-with_docker"),
    cut_off("dockerssh-with_docker"),
    cut_off("docker-chroot-with_docker"),
];

const fn cut_off(fixture: &'static str) -> LeftOut {
    let reason = "Docker gives up what a command left behind writes 2 s after the command's end, so it depends on the machine's load \
                  whether a child that writes for 1.5 s is heard to its end";
    let cases = &["output_of_a_child_left_behind_is_read_until_it_falls_silent"];
    LeftOut { fixture, cases, reason }
}

const fn dropbear_aborts(fixture: &'static str) -> LeftOut {
    let reason = "dropbear 2022.83 aborts now and then (`!channel->sent_close` in common-channel.c) when two sessions \
                  of one login overlap, with OpenSSH's own client too, and it ends a session's output with its command";
    LeftOut { fixture, cases: TWO_SESSIONS, reason }
}
