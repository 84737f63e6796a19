//! Client programs, and their cost with all processes that they start.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use hostlink::Value;
use hostlink_tests::bench::Failure;
use hostlink_tests::processes::descendants_of;
use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};

use super::world::World;

/// The flag that makes this program the starter of a client: see [`serve()`].
pub(crate) const FLAG: &str = "--client";

/// The cost of one run of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// The CPU time of all its processes.
    pub(crate) cpu: Duration,
}

/// Runs a client, becomes the parent of processes that it leaves (prctl(2),
/// PR_SET_CHILD_SUBREAPER), and waits for those too: only children that were waited for are
/// counted. Writes the two times in milliseconds.
pub(crate) fn serve(words: &[String]) -> ExitCode {
    match run(words) {
        Ok((wall, cpu)) => {
            println!("{} {}", wall.as_millis(), cpu.as_millis());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<(Duration, Duration), Failure> {
    let (program, words) = words.split_first().ok_or("no command")?;
    set_child_subreaper(Some(getpid()))?;
    let start = Instant::now();
    let mut command = Command::new(program);
    let status = command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let wall = start.elapsed();
    if !status.success() {
        return Err(status.to_string().into());
    }
    while wait(WaitOptions::empty()).is_ok() {}
    Ok((wall, waited_for()?))
}

/// Fields 16 and 17 of proc(5)'s `stat`, cutime and cstime, in ticks of 10 ms.
fn waited_for() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, tail) = stat.rsplit_once(") ").ok_or("no stat")?;
    let ticks: Result<Vec<u64>, _> = tail.split(' ').skip(13).take(2).map(str::parse).collect();
    Ok(Duration::from_millis(ticks?.iter().sum::<u64>() * 10))
}

/// Returns the cost of a client, which must succeed.
pub(crate) fn cost(command: &Command) -> Result<Cost, Failure> {
    let output = starter(command)?.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut numbers =
        text.split_whitespace().map(|number| number.parse().map(Duration::from_millis));
    match (numbers.next(), numbers.next()) {
        (Some(wall), Some(cpu)) => Ok(Cost { wall: wall?, cpu: cpu? }),
        _ => Err(format!("{command:?} failed").into()),
    }
}

/// Returns the peak of the memory that a client's processes have together, in MiB, each page
/// counted once.
pub(crate) fn peak_memory(command: &Command) -> Result<f64, Failure> {
    let mut starter = starter(command)?.spawn()?;
    let mut peak = 0;
    while starter.try_wait()?.is_none() {
        let processes = descendants_of(starter.id());
        peak = peak.max(processes.iter().filter_map(|it| proportional_set(it.pid)).sum());
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut said = String::new();
    starter.stdout.take().ok_or("no output")?.read_to_string(&mut said)?;
    if said.is_empty() {
        Err(format!("{command:?} failed").into())
    } else {
        Ok(peak as f64 / 1024.0)
    }
}

/// Returns the size in KiB, or `None` if the process has just ended.
fn proportional_set(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn starter(command: &Command) -> Result<Command, Failure> {
    let mut starter = Command::new(std::env::current_exe()?);
    starter.arg(FLAG).arg(command.get_program()).args(command.get_args());
    starter.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(starter)
}

/// Returns the path of the command `hostlink` of the same build.
pub(crate) fn hostlink() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name("hostlink");
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

/// Returns the host data for a login, as arguments of the command `hostlink`.
pub(crate) fn data_words(world: &World) -> Vec<String> {
    let word = |(key, value): (&str, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        ["--data".to_owned(), format!("{key}={text}")]
    };
    world.host.data().iter().flat_map(word).collect()
}
