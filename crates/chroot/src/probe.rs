//! Checks whether a root can be entered, before anything is done.

use std::time::Duration;

use hostlink_core::{Error, ErrorKind, Link, Result, RunOptions, StringCommand};

use crate::entry::{MOUNTS, Mounting, Tools};
use crate::settings::Settings;

/// What the probe found on the target.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) tools: Tools,
    /// Messages about mounts that cannot be made.
    pub(crate) left_out: Vec<String>,
    /// Those that the user should see.
    pub(crate) warnings: Vec<String>,
}

/// Each line of its output starts with `hl` and a word. The arguments are the root, `mounts` or
/// nothing, and the script that makes the mounts.
///
/// Only a process inside the root can check for a `sh`: symlinks lead elsewhere when seen from
/// outside.
const PROBE: &str = r#"root=$1 own=$PATH PATH=$PATH:/usr/sbin:/sbin
say() { printf 'hl %s\n' "$*"; exit 0; }
LC_ALL=C; export LC_ALL
if [ ! -e "$root" ]; then
case $(ls -d "$root" 2>&1) in *ermission*) say denied ;; *) say missing ;; esac
fi
[ -d "$root" ] || say file
! [ "$root" -ef / ] 2>&- || say same
chroot=$(command -v chroot) || say without chroot
echo "hl chroot $chroot"
set -- "$chroot" "$root" sh -c 'echo hl in""side; [ ! -x "${SHELL-}" ] || echo hl has shell' "$2" "$3"
if [ "$6" = mounts ]; then
unshare=$(command -v unshare) || say without unshare
mount=$(command -v mount) || say without mount
echo "hl unshare $unshare"; echo "hl mount $mount"
said=$("$unshare" --mount --propagation private true 2>&1) || say private "$said"
set -- "$unshare" --mount --propagation private sh -c "$7" sh 'echo hl left' "$mount" "$root" "$1" "$2" "$3" "$4" "$5"
else set -- "$1" "$2" "$3" "$4" "$5"; fi
said=$(PATH=$own; "$@" 2>&1 <&-); status=$?
echo "$said"
case $said in *'hl inside'*) exit 0 ;; esac
said=$(echo "$said" | grep -v '^hl ')
case $status in 126 | 127) say shell "$said" ;; esac
[ "$(id -u)" = 0 ] || say denied
say refused "$said""#;

/// How much of the probe's output is kept.
const MOST_SAID: usize = 64 * 1024;

/// Tries to enter the root, in one round trip.
///
/// # Errors
///
/// If it cannot be entered; the error says why.
pub(crate) async fn look(outer: &Link, settings: &Settings, limit: Duration) -> Result<Found> {
    let mounts = if settings.mounts { "mounts" } else { "" };
    let probe = StringCommand::new().raw("exec sh -c").arg(PROBE).raw("sh");
    let probe = probe.arg(&settings.root).arg(mounts).arg(MOUNTS);
    let arguments = settings.privilege.clone().with_timeout(limit);
    let options = RunOptions::default().with_output_limit(MOST_SAID);
    let output = outer.run_shell_command_with(&probe, &arguments, &options).await;
    let output = output.map_err(|error| explain(error, settings))?;
    let said = output.stdout();
    let said = String::from_utf8_lossy(&said);
    let mut answers = Answers::default();
    for line in said.lines().filter_map(|line| line.strip_prefix("hl ")) {
        answers.take(line);
    }
    answers.found(settings).map_err(|error| error.with_stderr_tail(&output.stderr()))
}

/// The output of the probe.
#[derive(Default)]
struct Answers {
    chroot: Option<String>,
    unshare: Option<String>,
    mount: Option<String>,
    inside: bool,
    has_shell: bool,
    left_out: Vec<String>,
    fault: Option<(String, String)>,
}

impl Answers {
    fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        match word {
            "chroot" => self.chroot = Some(rest),
            "unshare" => self.unshare = Some(rest),
            "mount" => self.mount = Some(rest),
            "inside" => self.inside = true,
            "has" => self.has_shell = true,
            "left" => self.left_out.push(rest),
            fault => self.fault = Some((fault.to_owned(), rest)),
        }
    }

    fn found(self, settings: &Settings) -> Result<Found> {
        let root = &settings.root;
        if let Some((fault, said)) = self.fault {
            return Err(refusal(settings, &fault, &said));
        }
        let (Some(chroot), true) = (self.chroot, self.inside) else {
            let message = format!("{root} cannot be checked: the target's answer is incomplete");
            return Err(Error::new(ErrorKind::Connect, message));
        };
        let mounting = match (self.unshare, self.mount) {
            (Some(unshare), Some(mount)) => Some(Mounting { unshare, mount }),
            _ => None,
        };
        let reason = |at: &String| {
            format!(
                "{at} is not mounted: the target does not have it, or {root} has no such mount point or has a symlink there"
            )
        };
        let warning = |at: &String| {
            format!(
                "{at} is not mounted, so names may not resolve in {root}: create it there as an empty file"
            )
        };
        let (resolver, places): (Vec<_>, Vec<_>) =
            self.left_out.iter().partition(|at| *at == "/etc/resolv.conf");
        Ok(Found {
            tools: Tools { chroot, keeps_shell: self.has_shell, mounting },
            left_out: places.into_iter().map(reason).collect(),
            warnings: resolver.into_iter().map(warning).collect(),
        })
    }
}

/// Returns the error for a fault of the probe.
fn refusal(settings: &Settings, fault: &str, said: &str) -> Error {
    let Settings { root, privilege, .. } = settings;
    let (kind, message) = match fault {
        "missing" => (ErrorKind::NotFound, format!("{root}: there is no such directory")),
        "file" => (ErrorKind::Data, format!("{root} is not a directory, so it cannot be a root")),
        "same" => {
            let message = format!("{root} is the target's own root: to use it, leave @chroot out");
            (ErrorKind::Data, message)
        }
        "denied" => {
            let who = if privilege.is_privileged() {
                "the user of chroot_sudo_user may not"
            } else {
                "only root may: connect as root, or set chroot_sudo=true"
            };
            (ErrorKind::PermissionDenied, format!("{root} cannot be entered: {who}"))
        }
        "shell" => {
            let message = format!("{root} has no sh that can be run: {}", one_line(said));
            (ErrorKind::NotFound, message)
        }
        "without" => {
            let message =
                format!("the target has no program {said}, which is needed to enter {root}");
            (ErrorKind::Unsupported, message)
        }
        "private" => {
            let message = format!(
                "the target does not allow private mounts ({}): connect as root with CAP_SYS_ADMIN, or leave out chroot_mounts",
                one_line(said)
            );
            (ErrorKind::PermissionDenied, message)
        }
        _ => {
            let message = format!("{root} cannot be entered: {}", one_line(said));
            (ErrorKind::PermissionDenied, message)
        }
    };
    let remedy: &[_] = match fault {
        "denied" if !privilege.is_privileged() => &["chroot_sudo"],
        _ => &[],
    };
    Error::new(kind, message).with_remedy(remedy)
}

/// Adds the key that is the cause to sudo's refusal.
fn explain(error: Error, settings: &Settings) -> Error {
    if error.kind() != ErrorKind::Privilege {
        return error;
    }
    let key = match settings.privilege.sudo_password {
        Some(_) => "chroot_sudo_password",
        None => "chroot_sudo without chroot_sudo_password",
    };
    let message = format!("{} cannot be entered with {key}: {}", settings.root, error.message());
    let tail = error.stderr_tail().unwrap_or_default().to_owned();
    Error::new(ErrorKind::Privilege, message).with_stderr_tail(tail.as_bytes())
}

fn one_line(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
