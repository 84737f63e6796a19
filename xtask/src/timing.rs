//! How long the parts of a chore take, in seconds and in CPU-seconds of the whole machine.

use std::fs;
use std::time::{Duration, Instant};

/// Measures parts of a chore, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    took: Duration,
    /// The CPU time of all processes of the machine: those of a container are not our children.
    cpu: Option<Duration>,
}

impl Timing {
    /// Runs some work, and records how long it took.
    pub(crate) fn of<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let (start, cpu) = (Instant::now(), cpu_time());
        let done = work();
        let used = cpu_time().zip(cpu).map(|(now, then)| now.saturating_sub(then));
        self.parts.push(Part { name: name.to_owned(), took: start.elapsed(), cpu: used });
        done
    }

    /// Returns a line for each part, and one for the sum.
    pub(crate) fn table(&self) -> String {
        let took = self.parts.iter().map(|part| part.took).sum();
        let cpu = self.parts.iter().map(|part| part.cpu).sum();
        let total = Part { name: "total".to_owned(), took, cpu };
        self.parts.iter().chain([&total]).map(Part::line).collect()
    }

    /// Returns the names of the parts, in their order.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<&str> {
        self.parts.iter().map(|part| &*part.name).collect()
    }
}

impl Part {
    fn line(&self) -> String {
        let seconds = self.took.as_secs_f64();
        let cpu = self.cpu.map(|cpu| format!("{:>8.0} CPU-s", cpu.as_secs_f64()));
        format!("{:<26}{seconds:>8.1} s{}\n", self.name, cpu.unwrap_or_default())
    }
}

/// Returns how long the processors have been busy since boot; `None` without proc(5).
fn cpu_time() -> Option<Duration> {
    busy(&fs::read_to_string("/proc/stat").ok()?)
}

/// Parses the line `cpu`, whose fourth and fifth numbers are idle time. A tick is a hundredth of a
/// second on every Linux (`USER_HZ`, time(7)).
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks = line.split_whitespace().enumerate().filter(|(number, _)| ![3, 4].contains(number));
    // The time of guests is included in that of users.
    let ticks = ticks.take(6).map(|(_, ticks)| ticks.parse::<u64>().ok());
    Some(Duration::from_millis(10 * ticks.sum::<Option<u64>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_with_the_sum() {
        let part = |name: &str, took, cpu| Part {
            name: name.to_owned(),
            took: Duration::from_millis(took),
            cpu: Some(Duration::from_millis(cpu)),
        };
        let timing = Timing { parts: vec![part("fmt", 500, 400), part("clippy", 61_200, 120_000)] };
        let expected = "fmt                            0.5 s       0 CPU-s\n\
                        clippy                        61.2 s     120 CPU-s\n\
                        total                         61.7 s     120 CPU-s\n";
        assert_eq!(timing.table(), expected);
    }

    #[test]
    fn idle_processors_are_not_busy() {
        let stat = "cpu  100 20 30 90000 8000 4 5 6 70 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy(stat), Some(Duration::from_millis(1650)));
        assert_eq!(busy("intr 1"), None);
    }
}
