//! The tools that the benchmarks share: measuring programs in turns, the table, and the page around
//! it.

pub mod memory;
pub mod table;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;

use self::table::Row;

/// Why something cannot be measured.
pub type Failure = Box<dyn std::error::Error>;

/// The arguments of a benchmark with several parts: `[--quick] [PART…]`.
#[derive(Debug)]
pub struct Wanted {
    /// Small sizes, which prove nothing.
    pub is_quick: bool,
    parts: Vec<&'static str>,
    load: String,
}

impl Wanted {
    /// Parses the arguments, and reads the load of the machine before anything is measured.
    ///
    /// # Errors
    ///
    /// Fails on an unknown flag or part.
    pub fn read(words: &[String], known: &[&'static str]) -> Result<Self, Failure> {
        let (flags, parts): (Vec<_>, Vec<_>) =
            words.iter().cloned().partition(|word| word.starts_with("--"));
        if let Some(wrong) = flags.iter().find(|flag| *flag != "--quick") {
            return Err(format!("there is no flag {wrong}; there is --quick").into());
        }
        if let Some(wrong) = parts.iter().find(|part| !known.contains(&part.as_str())) {
            return Err(format!("there is no part {wrong}; there are {}", known.join(", ")).into());
        }
        let is_wanted = |part: &&str| parts.is_empty() || parts.iter().any(|it| it == part);
        let parts = known.iter().copied().filter(is_wanted).collect();
        Ok(Self { is_quick: !flags.is_empty(), parts, load: load()? })
    }

    /// Returns the parts to measure, in the order of the table: those that are named, by default
    /// all.
    pub fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().copied()
    }

    /// Prints the table, the notes, and the load of the machine.
    ///
    /// # Errors
    ///
    /// The machine's load cannot be read.
    pub fn print(&self, rows: &[Row], notes: &[String]) -> Result<(), Failure> {
        println!("{}", table::render(rows));
        for note in notes {
            println!("{note}\n");
        }
        if self.is_quick {
            println!("These are the small sizes of `--quick`, which prove nothing.\n");
        }
        println!("Load average at the start {}, at the end {}.", self.load, load()?);
        Ok(())
    }
}

/// The rows of a table, and the notes below it.
pub type Measured = (Vec<Row>, Vec<String>);

/// Runs a benchmark with several parts as a program: measures the parts that `words` name, and
/// prints the result.
pub async fn program(
    name: &str,
    words: &[String],
    parts: &[&'static str],
    measure: impl AsyncFnOnce(&Wanted) -> Result<Measured, Failure>,
) -> ExitCode {
    let work = async {
        let wanted = Wanted::read(words, parts)?;
        let (rows, notes) = measure(&wanted).await?;
        wanted.print(&rows, &notes)
    };
    match work.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the load over one minute. A run on a busy machine is no measurement.
fn load() -> Result<String, Failure> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

/// Returns how long a command takes, which must succeed; its standard output is discarded.
///
/// # Errors
///
/// Fails if the command does not start or fails.
pub fn time(command: &mut Command) -> Result<Duration, Failure> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if status.success() {
        Ok(start.elapsed())
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

/// Returns how long a line of shell takes, which must succeed.
///
/// # Errors
///
/// Fails if the line fails.
pub fn time_shell(line: &str) -> Result<Duration, Failure> {
    time(Command::new("sh").args(["-c", line]))
}

/// A path as text, for a command line.
///
/// # Errors
///
/// It is not UTF-8.
pub fn shown(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()).into())
}

/// Writes a new file of this many random bytes.
///
/// # Errors
///
/// It cannot be written.
pub fn write_random(path: &Path, length: u64) -> Result<(), Failure> {
    time_shell(&format!("head -c {length} /dev/urandom >'{}'", path.display())).map(drop)
}

/// Makes a directory of this many files of 1 KiB.
///
/// # Errors
///
/// Fails if the directory exists or cannot be written.
pub fn write_tree(path: &Path, files: usize) -> Result<(), Failure> {
    fs::create_dir(path)?;
    for index in 0..files {
        fs::write(path.join(format!("file-{index}")), [b'x'; 1024])?;
    }
    Ok(())
}

/// Removes a file, and checks that it has arrived whole.
///
/// # Errors
///
/// Fails if the file does not exist or has a different length.
pub fn take_file(path: &Path, length: u64) -> Result<(), Failure> {
    let arrived = fs::metadata(path)?.len();
    if arrived != length {
        return Err(format!("{arrived} bytes arrived").into());
    }
    Ok(fs::remove_file(path)?)
}

/// Removes a directory, and checks that all its files have arrived.
///
/// # Errors
///
/// Fails if the directory does not exist or has a different number of files.
pub fn take_tree(path: &Path, files: usize) -> Result<(), Failure> {
    let arrived = fs::read_dir(path)?.count();
    if arrived != files {
        return Err(format!("{arrived} files arrived").into());
    }
    Ok(fs::remove_dir_all(path)?)
}

/// Returns why two copies of a file of this size do not fit in a directory; `None` if they do.
///
/// # Errors
///
/// Fails if the free space is unknown.
pub fn too_large_for(directory: &Path, size: u64) -> Result<Option<String>, Failure> {
    let it = statvfs(directory)?;
    let (free, needed) = (it.f_bavail * it.f_frsize, size + size / 2);
    let (shown_free, shown_needed) = (free >> 20, needed >> 20);
    Ok((free < needed).then(|| {
        format!(
            "Memory was not measured: {shown_free} MiB free on the disk, {shown_needed} wanted."
        )
    }))
}
