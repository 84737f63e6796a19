//! A target that the first case starts, and that all cases of its column share.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hostlink::{Context, Data, Error, ErrorKind, Link, Registry, Result, Value, builtin_registry};
use hostlink_testkit::{Fixture, Lack, Signals, WithoutFastPaths};
use tokio::task::JoinError;

/// The variable by which a child of the test program learns its parent's target.
const PLACE: &str = "HOSTLINK_TESTS_PLACE";

/// A target, and the values that keep it alive.
pub(crate) struct Place {
    /// The target's name.
    name: String,
    data: Data,
    _kept: Box<dyn Any + Send + Sync>,
}

impl Place {
    /// Returns the target of this name, which lives as long as `kept`.
    pub(crate) fn new(name: String, data: Data, kept: impl Any + Send + Sync) -> Self {
        Self { name, data, _kept: Box::new(kept) }
    }

    /// Parses a target that another process describes and keeps alive.
    fn described(text: &str) -> Self {
        let (name, data) = text.split_once('\n').expect("a description has two lines");
        let data: BTreeMap<String, Value> = serde_json::from_str(data).expect("data are JSON");
        Self::new(name.to_owned(), data.into_iter().collect(), ())
    }

    fn description(&self) -> String {
        let data = serde_json::to_string(&self.data).expect("data can be JSON");
        format!("{}\n{data}", self.name)
    }
}

/// A column of the suite.
pub(crate) struct PlaceFixture {
    name: &'static str,
    start: fn() -> Place,
    place: Arc<Mutex<Option<Arc<Place>>>>,
    registry: Registry,
    signals: Signals,
    fast_paths: bool,
    lacks: Vec<Lack>,
}

impl PlaceFixture {
    /// Returns the column `name`, whose target `start` makes.
    pub(crate) fn new(name: &'static str, signals: Signals, start: fn() -> Place) -> Self {
        Self {
            name,
            start,
            place: Arc::default(),
            registry: builtin_registry(),
            signals,
            fast_paths: true,
            lacks: Vec::new(),
        }
    }

    /// Hides the connection's own file transfer: files go through commands.
    pub(crate) fn without_fast_paths(self) -> Self {
        Self { fast_paths: false, ..self }
    }

    /// Declares abilities that the target lacks, in addition to earlier ones.
    pub(crate) fn lacking(mut self, lacks: &[Lack]) -> Self {
        self.lacks.extend_from_slice(lacks);
        self
    }

    async fn place(&self) -> Result<Arc<Place>> {
        let (place, start) = (self.place.clone(), self.start);
        let find = move || {
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            place.get_or_insert_with(|| Arc::new(described().unwrap_or_else(start))).clone()
        };
        tokio::task::spawn_blocking(find).await.map_err(does_not_start)
    }
}

fn described() -> Option<Place> {
    std::env::var(PLACE).ok().map(|text| Place::described(&text))
}

/// Returns the error of a test server that panics because it does not start.
fn does_not_start(error: JoinError) -> Error {
    let panic = error.try_into_panic().ok();
    let text = panic.and_then(|panic| {
        let text = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
    });
    Error::new(ErrorKind::Connect, text.unwrap_or_else(|| "it was ended".to_owned()))
}

#[async_trait]
impl Fixture for PlaceFixture {
    fn name(&self) -> &str {
        self.name
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let place = self.place().await?;
        let link = self.registry.connect(&place.name, &place.data, context).await?;
        if self.fast_paths {
            return Ok(link);
        }
        Ok(Link::new(Box::new(WithoutFastPaths::new(link)), self.name, context.clone()))
    }

    fn replace(&self) {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping it may block.
        tokio::task::spawn_blocking(move || drop(place));
    }

    fn signals(&self) -> Signals {
        self.signals
    }

    fn child_environment(&self) -> Vec<(String, String)> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.iter().map(|place| (PLACE.to_owned(), place.description())).collect()
    }

    fn lacks(&self) -> &[Lack] {
        &self.lacks
    }
}
