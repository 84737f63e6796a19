//! The outputs and resources that were read, kept for the names of one run.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hostlink_core::{Context, NameData, Reporter, Result, holds_secret};
use hostlink_local::{is_readable_by_others, warn_of_readable};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::document::{self, Snapshot};
use crate::outputs::Outputs;
use crate::process;
use crate::source::Source;

/// The questions of contexts and their clones, with the answers.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Vec<Known>>);

#[derive(Debug)]
struct Known {
    /// A context and its clones share one reporter, which identifies them.
    run: Weak<dyn Reporter>,
    readings: Arc<Readings>,
}

/// The outputs and resources of one source, read at the first use and kept.
pub(crate) struct Readings {
    source: Source,
    environment: BTreeMap<String, String>,
    outputs: OnceCell<Outputs>,
    snapshot: OnceCell<Snapshot>,
    /// Set when it has been warned of.
    warned: OnceCell<()>,
}

impl Cache {
    /// Returns the readings of a source for this context. Nothing is read yet.
    pub(crate) fn readings(&self, source: Source, context: &Context) -> Arc<Readings> {
        let mut known = self.0.lock();
        known.retain(|it| it.run.strong_count() > 0);
        let of_this_run = |it: &&Known| {
            std::ptr::addr_eq(it.run.as_ptr(), Arc::as_ptr(&context.reporter))
                && it.readings.source == source
                && it.readings.environment == context.environment
        };
        if let Some(found) = known.iter().find(of_this_run) {
            return found.readings.clone();
        }
        let readings = Arc::new(Readings::new(source, context));
        let run = Arc::downgrade(&context.reporter);
        known.push(Known { run, readings: readings.clone() });
        readings
    }
}

impl Readings {
    fn new(source: Source, context: &Context) -> Self {
        let environment = context.environment.clone();
        let (outputs, snapshot, warned) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { source, environment, outputs, snapshot, warned }
    }

    /// Returns the source.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The outputs.
    ///
    /// # Errors
    ///
    /// They cannot be read. A failure is not kept: the next one who asks tries again.
    pub(crate) async fn outputs(&self) -> Result<&Outputs> {
        match &self.source {
            Source::File(_) => Ok(&self.snapshot().await?.outputs),
            Source::Directory { .. } => {
                self.outputs
                    .get_or_try_init(|| self.read(&["output", "-json"], Outputs::read))
                    .await
            }
        }
    }

    /// Outputs and resources.
    ///
    /// # Errors
    ///
    /// As [`outputs`](Self::outputs).
    pub(crate) async fn snapshot(&self) -> Result<&Snapshot> {
        self.snapshot.get_or_try_init(|| self.read(&["show", "-json"], Snapshot::read)).await
    }

    /// Warns once of a file that holds a secret of these hosts and that others can read.
    pub(crate) fn warn_of_readable(&self, hosts: &[NameData], context: &Context) {
        let Source::File(path) = &self.source else { return };
        let mut data = hosts.iter().flat_map(|host| host.data.iter());
        if data.any(|(key, value)| holds_secret(key, value))
            && is_readable_by_others(path)
            && self.warned.set(()).is_ok()
        {
            warn_of_readable(path, "", context);
        }
    }

    async fn read<T>(
        &self,
        words: &[&str],
        understand: impl FnOnce(hostlink_core::Value, &Source) -> Result<T>,
    ) -> Result<T> {
        let value = match &self.source {
            Source::File(path) => document::of_file(path).await?,
            Source::Directory { directory, program } => {
                let words = [words, &["-no-color"]].concat();
                let written =
                    process::output(program, &words, directory, &self.environment).await?;
                document::of_program(&written, &self.source)?
            }
        };
        understand(value, &self.source)
    }
}

/// States hold secrets, and so does an environment.
impl std::fmt::Debug for Readings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readings").field("source", &self.source).finish_non_exhaustive()
    }
}
