//! Runs that are measured in turns, and the table of the results.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::Failure;

/// Measurements of one program.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

/// The unit of a [`Series`].
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Time, added as seconds.
    Seconds,
    /// Memory.
    Mebibytes,
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// The work that is measured.
    pub work: String,
    /// The other program.
    pub peer: &'static str,
    /// The values of hostlink.
    pub ours: Series,
    /// The values of the peer.
    pub theirs: Series,
    /// The unit of both.
    pub unit: Unit,
    /// The highest ratio that we aim for.
    pub aim: Option<f64>,
}

/// Another program that does the same work, and measures its own time.
pub struct Peer<'a> {
    name: &'static str,
    aim: Option<f64>,
    run: Box<dyn FnMut() -> Result<Duration, Failure> + 'a>,
}

impl fmt::Debug for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("name", &self.name)
            .field("aim", &self.aim)
            .finish_non_exhaustive()
    }
}

impl<'a> Peer<'a> {
    /// The name is Markdown.
    pub fn new(name: &'static str, run: impl FnMut() -> Result<Duration, Failure> + 'a) -> Self {
        Self { name, aim: None, run: Box::new(run) }
    }

    /// Sets the highest ratio of our time to this one's that we aim for.
    #[must_use]
    pub fn aim(self, ratio: f64) -> Self {
        Self { aim: Some(ratio), ..self }
    }
}

/// Runs ours and the peers in turns, this many times, and makes a row for each peer.
///
/// # Errors
///
/// Fails if one of them fails; the error names the program and the work.
pub async fn in_turns(
    work: &str,
    rounds: usize,
    mut ours: impl AsyncFnMut() -> Result<Duration, Failure>,
    mut peers: Vec<Peer<'_>>,
) -> Result<Vec<Row>, Failure> {
    eprintln!("{work} …");
    let mut our_times = Series::default();
    let mut their_times = vec![Series::default(); peers.len()];
    for _ in 0..rounds {
        our_times.push(ours().await.map_err(|error| format!("{work}: hostlink: {error}"))?);
        for (peer, times) in peers.iter_mut().zip(&mut their_times) {
            times.push((peer.run)().map_err(|error| format!("{work}: {}: {error}", peer.name))?);
        }
    }
    let rows = peers.iter().zip(their_times).map(|(peer, theirs)| Row {
        work: work.to_owned(),
        peer: peer.name,
        ours: our_times.clone(),
        theirs,
        unit: Unit::Seconds,
        aim: peer.aim,
    });
    Ok(rows.collect())
}

impl Series {
    /// Adds a time.
    pub fn push(&mut self, time: Duration) {
        self.add(time.as_secs_f64());
    }

    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// Returns the median.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// Returns the minimum: other work on the machine only ever adds to a value.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0[0]
    }

    /// From the first decile to the last: with few runs, all of them.
    fn spread(&self) -> (f64, f64) {
        let last = self.0.len() - 1;
        let tenth = self.0.len() / 10;
        (self.0[tenth], self.0[last - tenth])
    }

    /// Returns the median, with the spread if there are several values.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[must_use]
    pub fn shown(&self, unit: Unit) -> String {
        let (least, most) = self.spread();
        let median = Shown(self.median(), unit);
        if self.0.len() == 1 {
            return median.to_string();
        }
        format!("{median} ({}–{})", Shown(least, unit), Shown(most, unit))
    }
}

struct Shown(f64, Unit);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(value, Unit::Mebibytes) => write!(f, "{value:.0} MiB"),
            Self(value, Unit::Seconds) if *value < 0.1 => write!(f, "{:.2} ms", value * 1000.0),
            Self(value, Unit::Seconds) if *value < 1.0 => write!(f, "{:.0} ms", value * 1000.0),
            Self(value, Unit::Seconds) => write!(f, "{value:.2} s"),
        }
    }
}

/// Returns the table as Markdown; empty without rows.
///
/// # Panics
///
/// If a series has no measurements.
#[must_use]
pub fn render(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = "| work | hostlink | peer | ratio | aim |\n|---|---|---|---|---|\n".to_owned();
    for Row { work, peer, ours, theirs, unit, aim } in rows {
        let (ratio, unit) = (ours.median() / theirs.median(), *unit);
        let aim = match aim {
            Some(aim) if ratio <= *aim => format!("≤ {aim:.1}: met"),
            Some(aim) => format!("≤ {aim:.1}: missed"),
            None => String::new(),
        };
        let (ours, theirs) = (ours.shown(unit), theirs.shown(unit));
        writeln!(text, "| {work} | {ours} | {peer} {theirs} | {ratio:.2} × | {aim} |")
            .expect("writing to a String cannot fail");
    }
    text
}
