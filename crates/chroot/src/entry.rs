//! The command line that enters a root.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use hostlink_core::StringCommand;

/// The programs to enter a root, as found on the target: often outside of an ordinary user's PATH.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) chroot: String,
    /// Whether the shell in SHELL exists in the root too. Otherwise SHELL is not passed on: a
    /// session would look for it.
    pub(crate) keeps_shell: bool,
    /// `None` without mounts.
    pub(crate) mounting: Option<Mounting>,
}

/// The programs that make a command's mounts.
#[derive(Debug)]
pub(crate) struct Mounting {
    pub(crate) unshare: String,
    pub(crate) mount: String,
}

/// Makes the mounts. The arguments are the command to run for each skipped mount, the program
/// mount, the root, and the program to execute, which then sees the mounts.
///
/// A symlink in the root is skipped: mount would follow it to the outside. Only that of resolv.conf
/// is followed, by the root's own `readlink`, to a file that must exist: a new one would be visible
/// outside of the command. resolv.conf is mounted read-only, since it is the target's own file.
/// There is no `cd`, which some shells pass on in OLDPWD. Input is closed instead of `/dev/null`,
/// which the target may lack.
pub(crate) const MOUNTS: &str = r#"left=$1 mount=$2 root=$3; shift 3
usable() { [ "$1" "$root$2" ] && [ ! -L "$root$2" ]; }
for at in proc sys dev; do
usable -d "/$at" || { $left "/$at"; continue; }
case $at in
proc) "$mount" -t proc -o nosuid,nodev,noexec proc "$root/proc" ;;
*) "$mount" --rbind "/$at" "$root/$at" ;;
esac || exit 125
done <&-
at=/etc/resolv.conf there=/etc/resolv.conf
[ ! -L "$root$at" ] || there=$("$1" "$root" readlink -f "$at" <&- 2>&-)
if [ -f "$at" ] && [ "$there" ] && usable -d "${there%/*}" && usable -f "$there"; then
"$mount" -o bind,ro "$at" "$root$there" <&- || exit 125
elif [ -f "$at" ]; then $left "$at"; fi
exec "$@""#;

/// Returns the line that becomes `sh -c script` in `root`.
///
/// sudo puts the text of its command, which includes ours, into SUDO_COMMAND.
pub(crate) fn line(tools: &Tools, root: &str, script: &[u8]) -> StringCommand {
    let script = OsStr::from_bytes(script);
    let shell = if tools.keeps_shell { "" } else { " SHELL" };
    let line = StringCommand::new().raw(format!("unset SUDO_COMMAND{shell}; exec"));
    let line = match &tools.mounting {
        Some(Mounting { unshare, mount }) => line
            .arg(unshare)
            .raw("--mount --propagation private sh -c")
            .arg(MOUNTS)
            .raw("sh :")
            .arg(mount)
            .arg(root),
        None => line,
    };
    line.arg(&tools.chroot).arg(root).raw("sh -c").arg(script)
}
