//! Removes what is left of a test whose keeper was killed too, or whose machine was switched off.
//!
//! A keeper (`tests/src/keeper.rs`) has a directory `hl-XXXXXXXX`. It stores its identity there,
//! and a script that removes what it made: users, namespaces, rules.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use xshell::{Shell, cmd};

/// A keeper has stored its identity long before this age.
const YOUNG: Duration = Duration::from_secs(3600);

/// Sweeps, as root. Does nothing for other users.
///
/// # Errors
///
/// If something stale cannot be removed.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    if cmd!(sh, "id -u").quiet().read().context("cannot get the user ID")? != "0" {
        return Ok(());
    }
    for dir in stale_directories(&env::temp_dir()) {
        remove(sh, &dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        println!("provision: removed {}, which a test left", dir.display());
    }
    let passwd = sh.read_file("/etc/passwd").context("cannot read the list of users")?;
    for user in stale_users(&passwd) {
        // A user with processes is still in use; pgrep's exit status shows it.
        if cmd!(sh, "pgrep -u {user}").quiet().ignore_stdout().run().is_err() {
            cmd!(sh, "userdel -f {user}").quiet().ignore_stderr().run()?;
            println!("provision: removed the user {user}, whom a test left");
        }
    }
    Ok(())
}

/// Runs the undo script. It is root's own: no other user can have written to the directory.
fn remove(sh: &Shell, dir: &Path) -> anyhow::Result<()> {
    for pid in processes_of(dir) {
        cmd!(sh, "kill -KILL {pid}").quiet().ignore_status().run()?;
    }
    let undo = dir.join("undo");
    if undo.exists() {
        cmd!(sh, "sh {undo}").quiet().run()?;
    }
    Ok(fs::remove_dir_all(dir)?)
}

fn stale_directories(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let named = entries.filter(|it| it.file_name().to_str().is_some_and(is_fixture_name));
    named.map(|it| it.path()).filter(|dir| is_stale(dir)).collect()
}

fn is_stale(dir: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(dir) else { return false };
    let is_ours = metadata.is_dir() && metadata.uid() == 0 && metadata.mode() & 0o022 == 0;
    let age = metadata.modified().ok().and_then(|it| it.elapsed().ok()).unwrap_or_default();
    is_ours
        && match fs::read_to_string(dir.join("keeper")) {
            Ok(keeper) => !is_running(&keeper),
            Err(_) => age > YOUNG,
        }
}

/// `keeper` has a process ID and the time of its start.
fn is_running(keeper: &str) -> bool {
    let Some((pid, start)) = keeper.trim().split_once(' ') else { return false };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    is_alive_since(&stat, start)
}

/// State and start are fields 3 and 22 of proc(5)'s `stat`. In a container, process 1 may not reap
/// zombies.
fn is_alive_since(stat: &str, start: &str) -> bool {
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split(' ').collect();
    fields.first() != Some(&"Z") && fields.get(19) == Some(&start)
}

/// Returns the servers themselves: their arguments name a file of the directory. sshd shows its
/// arguments as one.
fn processes_of(dir: &Path) -> Vec<String> {
    let inside = format!("{}/", dir.display());
    let names_it = |pid: &String| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&inside)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|it| it.file_name().into_string().ok());
    pids.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())).filter(names_it).collect()
}

/// Returns users of tests whose home directory is gone.
fn stale_users(passwd: &str) -> Vec<&str> {
    let users = passwd.lines().filter_map(|line| {
        let [name, _, _, _, _, home, _] = line.split(':').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some((name, Path::new(home).parent()?))
    });
    let stale = users.filter(|(name, dir)| is_fixture_name(name) && !dir.exists());
    stale.map(|(name, _)| name).collect()
}

/// Returns whether a name is `hl-` and eight hexadecimal digits.
fn is_fixture_name(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.strip_prefix("hl-").is_some_and(|it| it.len() == 8 && it.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_fixtures_are_touched() {
        assert!(is_fixture_name("hl-0123abcd"));
        for other in
            ["hl-", "hl-0123abc", "hl-0123abcde", "hl-0123abcx", "xhl-0123abcd", "HL-0123abcd"]
        {
            assert!(!is_fixture_name(other), "{other}");
        }
    }

    #[test]
    fn a_keeper_runs_if_its_number_and_its_start_are_those_of_a_process() {
        let me = std::process::id();
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap();
        assert!(is_running(&format!("{me} {start}\n")));
        assert!(!is_running(&format!("{me} 1{start}\n")));
        assert!(!is_running("nonsense"));
        let (name, rest) = stat.rsplit_once(") ").unwrap();
        assert!(!is_alive_since(&format!("{name}) Z{}", &rest[1..]), start));
    }

    #[test]
    fn a_user_is_stale_if_the_directory_of_its_home_is_gone() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\
                      hl-00000001:x:1001:1001::/nowhere/hl-1/home:/bin/sh\n\
                      hl-00000002:x:1002:1002::/etc/home:/bin/sh\n\
                      hl-somebody:x:1003:1003::/nowhere/hl-3/home:/bin/sh\n";
        assert_eq!(stale_users(passwd), ["hl-00000001"]);
    }

    #[test]
    fn a_process_that_names_a_file_of_the_directory_is_found() {
        let dir = Path::new("/nowhere/hostlink-xtask-sweep");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "echo; read x"]).arg(dir.join("file"));
        let pipe = std::process::Stdio::piped;
        let mut child = command.stdin(pipe()).stdout(pipe()).spawn().unwrap();
        // Its first byte shows that it is a shell by now, with a shell's arguments.
        std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut [0]).unwrap();
        assert_eq!(processes_of(dir), [child.id().to_string()]);
        assert!(processes_of(Path::new("/nowhere/hostlink-xtask")).is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
