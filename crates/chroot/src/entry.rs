//! The command line that enters a root.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use hostlink_core::StringCommand;

/// The programs that it takes, where the target has them: outside of what an ordinary user's PATH
/// names, often.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) chroot: String,
    /// Whether the shell that SHELL names is in the root too. Otherwise it is not handed on: a
    /// session would look for it.
    pub(crate) hands_shell_on: bool,
    /// `None` where nothing is mounted.
    pub(crate) mounting: Option<Mounting>,
}

/// What makes the mounts of a command.
#[derive(Debug)]
pub(crate) struct Mounting {
    pub(crate) unshare: String,
    pub(crate) mount: String,
}

/// Makes the mounts: the arguments are what to run for each that is left out, the program mount,
/// the root, and the program to become, which then sees them.
///
/// A symbolic link in the root is left alone: mount would follow it to a place outside. Only that of
/// resolv.conf is followed, by the root's own `readlink`, to a file that has to be there: making one
/// would be seen outside of the command. resolv.conf cannot be written, since that would be the
/// target's own. There is no `cd`, which some shells hand on in OLDPWD. Input is closed, and not
/// `/dev/null`, which the target may lack.
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

/// What becomes `sh -c script` in `root`.
///
/// sudo puts the text of its command, which is ours, into SUDO_COMMAND.
pub(crate) fn line(tools: &Tools, root: &str, script: &[u8]) -> StringCommand {
    let script = OsStr::from_bytes(script);
    let shell = if tools.hands_shell_on { "" } else { " SHELL" };
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
