//! Keeps what a test starts, and undoes it when the test ends, also after SIGKILL.
//!
//! `hostlink-keeper DIR` makes DIR, and reads lines. At `make` it runs `sh DIR/make` to its end,
//! even if the test is killed meanwhile, and answers with the exit status. At `run` it starts `sh
//! DIR/run` and answers with its process ID; when that process ends, `DIR/ended` has its status.
//! The output of both is in `DIR/log`. At the end of its input, which comes when the test has ended
//! in any way, it kills all descendants of these scripts, runs `sh DIR/undo`, removes DIR, and
//! answers with the errors.
//!
//! It is a subreaper (prctl(2)), so that it finds a process that left its session and its parent.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hostlink_tests::processes::{descendants_of, process, signal};
use rustix::process::{Signal, WaitOptions, getpid, set_child_subreaper, setsid, wait};

/// A process that survives SIGKILL for this long is stuck in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: hostlink-keeper DIR");
        return ExitCode::from(2);
    };
    let mut keeper = Keeper { dir, main: Arc::default(), reapers: Vec::new() };
    if let Err(error) = keeper.prepare() {
        // The directory may belong to another program.
        answer(&error.to_string());
        return ExitCode::FAILURE;
    }
    let faults = [keeper.serve().map_err(|it| it.to_string()), keeper.end()];
    for fault in faults.into_iter().filter_map(Result::err) {
        answer(&fault);
    }
    ExitCode::SUCCESS
}

/// Writes an answer. Its reader may be gone.
fn answer(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

struct Keeper {
    dir: PathBuf,
    /// The process of the last `run`.
    main: Arc<AtomicU32>,
    reapers: Vec<JoinHandle<()>>,
}

impl Keeper {
    fn prepare(&self) -> io::Result<()> {
        // Neither Ctrl-C nor a signal to the tests' process group may reach it.
        setsid()?;
        set_child_subreaper(Some(getpid()))?;
        std::env::set_current_dir("/")?;
        DirBuilder::new().mode(0o755).create(&self.dir)?;
        let me = process(std::process::id()).ok_or_else(|| io::Error::other("no /proc"))?;
        fs::write(self.dir.join("keeper"), format!("{} {}\n", me.pid, me.start))?;
        answer("ready");
        Ok(())
    }

    fn serve(&mut self) -> io::Result<()> {
        for line in io::stdin().lines() {
            match line?.as_str() {
                "make" => self.make()?,
                "run" => self.run()?,
                other => return Err(io::Error::other(format!("unknown command: {other}"))),
            }
        }
        Ok(())
    }

    fn make(&self) -> io::Result<()> {
        // A reaper would take the exit status away.
        if !self.reapers.iter().all(JoinHandle::is_finished) {
            return Err(io::Error::other("make after run"));
        }
        answer(&self.shell("make")?.status()?.to_string());
        Ok(())
    }

    fn run(&mut self) -> io::Result<()> {
        let child = self.shell("run")?.spawn()?;
        self.main.store(child.id(), Ordering::SeqCst);
        let (main, ended) = (Arc::clone(&self.main), self.dir.join("ended"));
        self.reapers.push(thread::spawn(move || reap(&main, &ended)));
        answer(&child.id().to_string());
        Ok(())
    }

    fn shell(&self, script: &str) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(self.dir.join("log"))?;
        let mut command = Command::new("sh");
        command.arg(self.dir.join(script)).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// Kills, undoes and removes. A failed step does not skip the next one.
    fn end(self) -> Result<(), String> {
        let mut faults = self.kill_all();
        faults.push_str(&undo(&self.dir.join("undo")));
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                faults.push_str(&format!("{}: {error}\n", self.dir.display()));
            }
            _ => {}
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn kill_all(&self) -> String {
        let deadline = Instant::now() + KILL_LIMIT;
        loop {
            let left = descendants_of(std::process::id());
            // Once the reaper has ended, it cannot reap the undo script's process.
            if left.is_empty() && self.reapers.iter().all(JoinHandle::is_finished) {
                return String::new();
            }
            if Instant::now() > deadline {
                return format!("still running: {left:?}\n");
            }
            for it in left.iter().filter(|it| it.state != 'Z') {
                signal(it.pid, Signal::KILL);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits for the main process and for adopted orphans, until there are none.
fn reap(main: &AtomicU32, ended: &Path) {
    while let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
        if u32::try_from(pid.as_raw_pid()) == Ok(main.load(Ordering::SeqCst)) {
            // The directory may be gone; then nothing reads the status.
            let _ = fs::write(ended, format!("{status:?}\n"));
        }
    }
}

/// Runs the script if there is one. Returns its output, which is empty on success.
fn undo(script: &Path) -> String {
    if !script.exists() {
        return String::new();
    }
    match Command::new("sh").arg(script).stdin(Stdio::null()).output() {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into(),
        Err(error) => format!("{}: {error}\n", script.display()),
    }
}
