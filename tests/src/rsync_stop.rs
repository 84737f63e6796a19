//! Checks of `hostlink TARGET rsync`: nothing is left when it is ended, and it takes little memory.
//! The targets of these checks must be this machine, since its processes are checked.

#![expect(clippy::unwrap_used, reason = "these are checks of tests")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output};

use crate::cli::{code, send_signal, stderr, wait_for_exit, wait_until};
use crate::rsync::{Far, FarDirectory};

/// Checks that a signal in the middle of a copy ends all processes of both sides, and leaves
/// neither a temporary file nor a socket.
///
/// # Panics
///
/// If something is left.
pub fn a_signal_leaves_nothing(far: &Far) {
    for (send, expected) in
        [(interrupt as fn(&Child), 130), (terminate, 143), (press_control_c, 130)]
    {
        for direction in [Direction::There, Direction::Back] {
            let scene = Scene::start(far, direction);
            send(&scene.child);
            let (scene, output) = scene.ended();
            assert_eq!(code(&output), expected, "{direction:?}: {}", stderr(&output));
            scene.is_clean(direction);
            assert_eq!(count(&scene.temporary), 0, "{direction:?}: the socket's directory is left");
        }
    }
}

fn interrupt(child: &Child) {
    send_signal(child, "INT");
}

fn terminate(child: &Child) {
    send_signal(child, "TERM");
}

/// Sends SIGINT to the whole foreground group, as a terminal does: hostlink, its rsync, and the
/// relay.
fn press_control_c(child: &Child) {
    let group = format!("-{}", child.id());
    let sent = Command::new("kill").args(["-s", "INT", "--", &group]).status();
    assert!(sent.unwrap().success());
}

/// Checks that SIGKILL, which hostlink cannot handle, leaves no process.
///
/// # Panics
///
/// If something is left.
pub fn a_kill_leaves_nothing_running(far: &Far) {
    for direction in [Direction::There, Direction::Back] {
        let scene = Scene::start(far, direction);
        send_signal(&scene.child, "KILL");
        let (scene, output) = scene.ended();
        assert_eq!(output.status.code(), None);
        scene.is_clean(direction);
    }
}

/// Checks that the end of the local rsync ends the rest, and that the exit status reports it.
///
/// # Panics
///
/// If something is left.
pub fn a_killed_rsync_ends_the_other_side(far: &Far) {
    for direction in [Direction::There, Direction::Back] {
        let scene = Scene::start(far, direction);
        let [rsync] = children(&scene.child)[..] else { panic!("one child: the local rsync") };
        signal(rsync, "KILL");
        let (scene, output) = scene.ended();
        assert_eq!(code(&output), 128 + 9, "{direction:?}: {}", stderr(&output));
        scene.nothing_runs();
        assert_eq!(count(&scene.temporary), 0, "{direction:?}");
    }
}

/// Checks that a signal works also when only the local rsync is left.
///
/// # Panics
///
/// If something is left.
pub fn a_signal_reaches_an_rsync_that_is_left_alone(far: &Far) {
    let scene = Scene::start(far, Direction::There);
    let [rsync] = children(&scene.child)[..] else { panic!("one child: the local rsync") };
    // A stopped process notices nothing.
    signal(rsync, "STOP");
    for server in scene.rest().servers() {
        signal(server, "KILL");
    }
    wait_until("the relay has its reply", || scene.rest().running() == 2);
    interrupt(&scene.child);
    let (scene, output) = scene.ended();
    assert_eq!(code(&output), 130, "{}", stderr(&output));
    scene.nothing_runs();
    assert_eq!(count(&scene.temporary), 0);
}

/// Checks that a timeout ends everything too, with the exit status of a timeout.
///
/// # Panics
///
/// If something is left.
pub fn a_time_out_leaves_nothing(far: &Far) {
    let far = far.clone().with_options(["--timeout", "3"]);
    for direction in [Direction::There, Direction::Back] {
        // It may come before anything has moved.
        let (scene, output) = Scene::spawn(&far, direction).ended();
        assert_eq!(code(&output), 124, "{direction:?}: {}", stderr(&output));
        scene.nothing_runs();
        assert_eq!(count(&scene.temporary), 0, "{direction:?}");
    }
}

/// Checks that memory use does not grow with what is copied.
///
/// # Panics
///
/// If it does.
pub fn memory_stays_flat(far: &Far) {
    const MUCH: u64 = 256 << 20;
    const LIMIT_KIB: u64 = 48 * 1024;
    let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
    let big = here.path().join("big");
    fs::File::create(&big).unwrap().set_len(MUCH).unwrap();
    let back = here.path().join("back");
    let copies = [(big.into_os_string(), there.at("big")), (there.at("big"), back.clone().into())];
    for (source, destination) in copies {
        let mut child = far.rsync(source, destination, &["-W"]).spawn().unwrap();
        let mut peak = 0;
        wait_until("it is copied", || {
            peak = peak_memory_kib(child.id()).unwrap_or(peak);
            child.try_wait().unwrap().is_some()
        });
        assert_eq!(code(&child.wait_with_output().unwrap()), 0);
        assert!((1..LIMIT_KIB).contains(&peak), "{peak} KiB");
    }
    assert_eq!(fs::metadata(back).unwrap().len(), MUCH);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Direction {
    There,
    Back,
}

/// A copy in progress that would take hours.
struct Scene {
    child: Child,
    rest: Option<Rest>,
}

/// The state to check after the end.
struct Rest {
    here: tempfile::TempDir,
    there: FarDirectory,
    temporary: tempfile::TempDir,
}

impl Scene {
    /// Waits until the copy makes progress.
    fn start(far: &Far, direction: Direction) -> Self {
        let scene = Self::spawn(far, direction);
        let rest = scene.rest();
        // The controls: what must vanish is visible before.
        wait_until("the copy is under way", || rest.partial(direction) == 1);
        assert!(
            rest.running() >= 3,
            "hostlink, the local rsync, its relay or the rsync of the target"
        );
        // The connector may have its own directory there.
        assert!(count(&rest.temporary) >= 1, "the socket's directory");
        scene
    }

    fn spawn(far: &Far, direction: Direction) -> Self {
        let (here, there) = (tempfile::tempdir().unwrap(), far.directory());
        let temporary = tempfile::tempdir().unwrap();
        let source = tempfile::tempdir_in(here.path()).unwrap().keep();
        // The user whom the target's rsync runs as must be able to read it.
        for path in [here.path(), &source] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let big = source.join("big");
        fs::File::create(&big).unwrap().set_len(1 << 30).unwrap();
        let to = here.path().join("to");
        fs::create_dir(&to).unwrap();
        let flags = ["-W", "--bwlimit=16"];
        let mut command = match direction {
            Direction::There => far.rsync(&big, there.at(""), &flags),
            Direction::Back => {
                let mut remote = std::ffi::OsString::from(":");
                remote.push(&big);
                far.rsync(remote, to.join(""), &flags)
            }
        };
        // In its own process group, as a shell starts it.
        let child = command.env("TMPDIR", temporary.path()).process_group(0).spawn().unwrap();
        let rest = Rest { here, there, temporary };
        Self { child, rest: Some(rest) }
    }

    fn rest(&self) -> &Rest {
        self.rest.as_ref().expect("only `ended` takes it")
    }

    fn ended(mut self) -> (Rest, Output) {
        let status = wait_for_exit(&mut self.child);
        let [mut stdout, mut stderr] = [Vec::new(), Vec::new()];
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        (self.rest.take().unwrap(), Output { status, stdout, stderr })
    }
}

/// A failed check also leaves nothing running.
impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(rest) = &self.rest {
            rest.lines().into_iter().for_each(|(id, _)| signal(id, "KILL"));
            let _ = self.child.wait();
        }
    }
}

impl Rest {
    /// Returns how many unfinished files there are.
    fn partial(&self, direction: Direction) -> usize {
        let directory = match direction {
            Direction::There => Path::new(self.there.path()).to_owned(),
            Direction::Back => self.here.path().join("to"),
        };
        fs::read_dir(directory).unwrap().count()
    }

    fn is_clean(&self, direction: Direction) {
        self.nothing_runs();
        assert_eq!(self.partial(direction), 0, "{direction:?}: an unfinished file is left");
    }

    fn nothing_runs(&self) {
        wait_until("nothing is left running", || self.running() == 0);
    }

    fn running(&self) -> usize {
        self.lines().len()
    }

    /// Returns the rsyncs that were started for a target.
    fn servers(&self) -> Vec<u32> {
        let lines = self.lines().into_iter();
        let servers = lines.filter(|(_, line)| line.starts_with("rsync\0--server\0"));
        servers.map(|(id, _)| id).collect()
    }

    /// Returns the processes whose command line names one of the directories: their IDs and command
    /// lines.
    fn lines(&self) -> Vec<(u32, String)> {
        let [here, there] = [self.here.path().to_str().unwrap(), self.there.path()];
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            Some((id, String::from_utf8_lossy(&line).into_owned()))
        });
        lines.filter(|(_, line)| line.contains(here) || line.contains(there)).collect()
    }
}

fn count(directory: &tempfile::TempDir) -> usize {
    fs::read_dir(directory.path()).unwrap().count()
}

/// Returns the IDs of a process's children (proc(5), `ppid` of stat) that are named rsync.
fn children(parent: &Child) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let parent = parent.id().to_string();
    stats
        .filter_map(|stat| {
            let (id, rest) = stat.split_once(" (rsync) ")?;
            let is_child = rest.split(' ').nth(1) == Some(&parent);
            is_child.then(|| id.parse().unwrap())
        })
        .collect()
}

fn signal(id: u32, signal: &str) {
    // It may have ended already.
    let _ = Command::new("kill").args(["-s", signal, &id.to_string()]).output();
}

fn peak_memory_kib(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}
