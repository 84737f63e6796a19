//! The abilities that the suite's targets lack, and why.

use hostlink_testkit::Ability::{
    Bash, LateOutputOfOrphans, LongTerminalInput, Mount, OutputOfOrphans, OwnDataPath, Printenv,
    SecondSession, Tar, Terminal, UnreadInput,
};
use hostlink_testkit::Lack;

pub(crate) const SPAWN_ONLY: Lack =
    Lack::fails(Terminal, "the testkit's spawn-only connection has no terminals");

pub(crate) const NO_TAR: Lack =
    Lack::fails(Tar, "without tar on the target, only UTF-8 names can be sent");

pub(crate) const BUSYBOX: &[Lack] = &[
    Lack::fails(Bash, "busybox has no bash"),
    Lack::fails(
        Printenv,
        "busybox's sh runs printenv within itself, which then does not see what was exported",
    ),
];

/// The login is an ordinary user.
pub(crate) const NOT_ROOT: Lack =
    Lack::fails(Mount, "only root can mount, and this fixture logs in as another user");

pub(crate) const CONTAINER: Lack = Lack::fails(Mount, "root of a container may not mount");

pub(crate) const OWN_MOUNTS: Lack =
    Lack::fails(Mount, "with chroot_mounts, what one command mounts the next one does not see");

pub(crate) const PODMAN: &[Lack] = &[
    Lack::fails(
        OutputOfOrphans,
        "Podman ends a command's output with the command, even if another process holds it open",
    ),
    Lack::fails(
        LongTerminalInput,
        "Podman's monitor blocks on a full terminal and reads no output meanwhile, so more than 32 KiB are refused",
    ),
    Lack::not_run(
        UnreadInput,
        "Podman 4.3.1 sometimes loses the output of a command that ends while input is sent to it \
         (`read unixpacket @->/proc/self/fd/16/attach: read: connection reset by peer`)",
    ),
];

pub(crate) const DOCKER: Lack = Lack::not_run(
    LateOutputOfOrphans,
    "Docker stops reading output 2 s after the command's end, so it depends on the machine's load \
     whether a child that writes for 1.5 s is read to its end",
);

pub(crate) const DROPBEAR: Lack = Lack::not_run(
    SecondSession,
    "dropbear 2022.83 sometimes aborts (`!channel->sent_close` in common-channel.c) when two sessions of one login \
     overlap, with OpenSSH's own client too, and it ends a session's output with its command",
);

/// Memory use depends on the path that bytes take, and not on the target's shell.
pub(crate) const SAME_DATA_PATH: Lack = Lack::not_run(
    OwnDataPath,
    "bytes take the same path as in another fixture, which measures memory",
);
