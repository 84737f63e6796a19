//! One measurement, in its own process.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use hostlink::{Context, builtin_registry};
use hostlink_inventory::{Inventory, Pattern};
use hostlink_tests::bench::{Failure, memory};

use crate::written::HOSTS_GROUP;

/// The flag that makes this program a measurement: `--load WORK PATH`.
pub(crate) const FLAG: &str = "--load";

/// The work that is done with an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reads it, connects its groups, and resolves every host.
    Load,
    /// Also merges the data of each host.
    Data,
    /// Loads it with a limit to one group.
    Limit,
}

impl Work {
    pub(crate) const ALL: [Self; 3] = [Self::Load, Self::Data, Self::Limit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Data => "load, and merge every host's data",
            Self::Limit => "load with a limit to one group",
        }
    }
}

/// The cost of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// From the path to the inventory.
    pub(crate) time: Duration,
    /// The peak of the whole process, in bytes.
    pub(crate) peak: f64,
    /// The number of hosts that were chosen.
    pub(crate) hosts: usize,
}

/// Measures in a new process.
pub(crate) fn measure(work: Work, path: &Path) -> Result<Taken, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args([FLAG, work.name()]).arg(path).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [seconds, mebibytes, hosts] = words[..] else {
        return Err(format!("{}: {}", work.name(), output.status).into());
    };
    let time = Duration::from_secs_f64(seconds.parse()?);
    let peak = mebibytes.parse::<f64>()? * 1024.0 * 1024.0;
    Ok(Taken { time, peak, hosts: hosts.parse()? })
}

/// Runs the new process: prints seconds, peak MiB, and the number of hosts.
pub(crate) async fn child(work: &str, path: &str) -> ExitCode {
    match measured(work, path).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measured(work: &str, path: &str) -> Result<String, Failure> {
    let work =
        Work::ALL.into_iter().find(|known| known.name() == work).ok_or("there is no such work")?;
    let start = Instant::now();
    let (registry, context) = (builtin_registry(), Context::default());
    let mut builder = Inventory::builder().path(path);
    if work == Work::Limit {
        builder = builder.limit(Pattern::parse(HOSTS_GROUP)?);
    }
    let inventory = builder.build(&registry, &context).await?;
    if work == Work::Data {
        let keys: usize = inventory.hosts().map(|host| host.data().iter().count()).sum();
        if keys < inventory.hosts().len() {
            return Err("there are hosts without data".into());
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!("{seconds} {} {}", memory::peak()?, inventory.hosts().len()))
}
