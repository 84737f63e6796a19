//! Time and memory by format, by size, and by kind of work.

use hostlink_tests::bench::Failure;
use hostlink_tests::bench::table::{Series, Unit};

use crate::World;
use crate::load::{self, Work};
use crate::written::Layout;

const FORMATS: [Layout; 4] = [Layout::Yaml, Layout::Toml, Layout::Json, Layout::Ini];

/// The limit for loading 100,000 hosts.
const MAX_SECONDS: f64 = 1.0;
const MOST_BYTES: f64 = 200e6;
/// The limit for a host relative to one of an inventory of a tenth of the size: tables double, and
/// caches do not grow. A cost that grows faster than the hosts would be far above.
const MAX_GROWTH: f64 = 1.5;

/// The lines of one table.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<String>);

impl Table {
    /// Returns the text below the rows: the table, and how to read it.
    pub(crate) fn notes(self) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let head = "| work | hosts | format | time | peak memory | a host | aim |\n|---|---|---|---|---|---|---|";
        let table = format!("{head}\n{}", self.0.join("\n"));
        let about = "100 groups: 90 with hosts, in 10 others. Half of the hosts have two keys of data, a fifth are in two groups. \
                     Every host is resolved, over ssh. Each measurement is a process of its own; its peak of memory counts from the \
                     start of the process, and what a host takes is that of the best run, in memory without what the same process takes for 90 hosts.";
        vec![table, about.to_owned()]
    }
}

/// The cost of one kind of work with one inventory.
struct Measured {
    times: Series,
    peaks: Series,
    chosen: usize,
}

fn measured(
    world: &World,
    work: Work,
    hosts: usize,
    layout: Layout,
    rounds: usize,
) -> Result<Measured, Failure> {
    let path = world.inventory(hosts, layout)?;
    eprintln!("{}: {hosts} hosts, {} …", work.name(), layout.ending());
    let mut measured = Measured { times: Series::default(), peaks: Series::default(), chosen: 0 };
    for _ in 0..rounds {
        let taken = load::measure(work, &path)?;
        measured.times.push(taken.time);
        measured.peaks.add(taken.peak);
        measured.chosen = taken.hosts;
    }
    let wanted = if work == Work::Limit { hosts / 75 } else { hosts };
    if measured.chosen < wanted / 2 || (work != Work::Limit && measured.chosen != hosts) {
        return Err(format!("{} hosts of {hosts} were chosen", measured.chosen).into());
    }
    Ok(measured)
}

/// Returns the seconds and bytes per host, in the best run.
fn of_a_host(
    world: &World,
    it: &Measured,
    hosts: usize,
    layout: Layout,
) -> Result<(f64, f64), Failure> {
    let few = load::measure(Work::Load, &world.inventory(90, layout)?)?;
    let count = hosts as f64;
    Ok((it.times.min() / count, (it.peaks.min() - few.peak) / count))
}

fn line(
    world: &World,
    work: Work,
    hosts: usize,
    layout: Layout,
    rounds: usize,
    aim: impl FnOnce(&Measured, (f64, f64)) -> String,
) -> Result<(String, (f64, f64)), Failure> {
    let it = measured(world, work, hosts, layout, rounds)?;
    let one = of_a_host(world, &it, hosts, layout)?;
    let aim = aim(&it, one);
    let (work, format) = (work.name(), layout.ending());
    let (time, peak) = (it.times.shown(Unit::Seconds), it.peaks.median() / 1e6);
    let (micros, bytes) = (one.0 * 1e6, one.1);
    let line = format!(
        "| {work} | {hosts} | {format} | {time} | {peak:.0} MB | {micros:.2} µs, {bytes:.0} bytes | {aim} |"
    );
    Ok((line, one))
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// The same inventory in every format.
pub(crate) fn formats(world: &World, table: &mut Table) -> Result<(), Failure> {
    for layout in FORMATS {
        let aim = |it: &Measured, _| {
            let (seconds, bytes) = (it.times.median(), it.peaks.median());
            format!(
                "< {MAX_SECONDS:.0} s: {}; < {:.0} MB: {}",
                verdict(seconds < MAX_SECONDS),
                MOST_BYTES / 1e6,
                verdict(bytes < MOST_BYTES)
            )
        };
        table
            .0
            .push(line(world, Work::Load, world.sizes.hosts, layout, world.sizes.rounds, aim)?.0);
    }
    Ok(())
}

/// Measures ten times as many hosts, and ten times as many again.
pub(crate) fn growth(world: &World, table: &mut Table) -> Result<(), Failure> {
    for layout in FORMATS {
        let mut before: Option<(f64, f64)> = None;
        for hosts in world.sizes.growth {
            let aim = |_: &Measured, now: (f64, f64)| match before {
                None => String::new(),
                Some(before) => {
                    let (time, memory) = (now.0 / before.0, now.1 / before.1);
                    let is_met = time <= MAX_GROWTH && memory <= MAX_GROWTH;
                    let verdict = verdict(is_met);
                    format!(
                        "a host ≤ {MAX_GROWTH} × of the line above: {time:.2} × time, {memory:.2} × memory: {verdict}"
                    )
                }
            };
            let (line, one) =
                line(world, Work::Load, hosts, layout, world.sizes.growth_rounds, aim)?;
            table.0.push(line);
            before = Some(one);
        }
    }
    Ok(())
}

/// Measures the other kinds of work.
pub(crate) fn work(world: &World, table: &mut Table) -> Result<(), Failure> {
    for work in [Work::Data, Work::Limit] {
        let aim = |_: &Measured, _| String::new();
        table
            .0
            .push(line(world, work, world.sizes.hosts, Layout::Yaml, world.sizes.rounds, aim)?.0);
    }
    Ok(())
}
