//! The cases of one fixture: how many run at the same time, and what happens after one has broken
//! the target.

use std::sync::{Arc, Mutex, PoisonError};

use hostlink_core::{Context, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::ability::Ability;
use crate::fixture::Fixture;
use crate::witness::Witness;

/// The number of cases of one fixture that run at the same time.
const WIDTH: u32 = 4;

/// A fixture, and the turns of the cases that use it.
pub(crate) struct Lane {
    fixture: Arc<dyn Fixture>,
    turns: Arc<Semaphore>,
    /// They check what cases did. A case has one to itself, and returns it at the end.
    witnesses: Mutex<Vec<Witness>>,
    /// The case that may have broken the target.
    suspect: Mutex<Option<String>>,
}

/// The right to use a fixture, for one case.
pub(crate) struct Turn {
    lane: Arc<Lane>,
    _permit: OwnedSemaphorePermit,
}

impl Lane {
    pub(crate) fn new(fixture: Arc<dyn Fixture>) -> Self {
        let turns = Arc::new(Semaphore::new(WIDTH as usize));
        Self { fixture, turns, witnesses: Mutex::default(), suspect: Mutex::default() }
    }

    pub(crate) fn fixture(&self) -> &Arc<dyn Fixture> {
        &self.fixture
    }

    /// Starts the target by opening a first link.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        let link = self.fixture.connect(&Context::default()).await?;
        lock(&self.witnesses).push(Witness::new(link));
        Ok(())
    }

    /// Closes the remaining links when there are no more cases, and stops the target, which may
    /// take seconds.
    pub(crate) async fn finish(self: Arc<Self>) -> anyhow::Result<()> {
        let left: Vec<_> = lock(&self.witnesses).drain(..).collect();
        for witness in left {
            witness.close().await?;
        }
        Ok(spawn_blocking(move || drop(self)).await?)
    }

    /// Waits until a case with these needs may use the fixture.
    ///
    /// A target that a case may have broken is replaced first, once no other case uses it.
    pub(crate) async fn turn(self: &Arc<Self>, needs: &[Ability]) -> Turn {
        let alone = needs.contains(&Ability::Alone);
        let mut permit = self.permit(if alone { WIDTH } else { 1 }).await;
        if lock(&self.suspect).is_some() {
            drop(permit);
            permit = self.permit(WIDTH).await;
            self.replace();
            if !alone {
                permit = permit.split(1).expect("it has them all");
            }
        }
        Turn { lane: self.clone(), _permit: permit }
    }

    async fn permit(&self, count: u32) -> OwnedSemaphorePermit {
        let permit = self.turns.clone().acquire_many_owned(count).await;
        permit.expect("the turns are never closed")
    }

    fn replace(&self) {
        // Another case that waited for its turn may have replaced it.
        let Some(case) = lock(&self.suspect).take() else { return };
        let name = self.fixture.name();
        println!("{name}: the target is replaced, as {name}::{case} has failed on it");
        lock(&self.witnesses).clear();
        self.fixture.replace();
    }

    /// Records that this case has failed and may have broken the target.
    pub(crate) fn suspect(&self, case: &str) {
        lock(&self.suspect).get_or_insert_with(|| case.to_owned());
    }
}

impl Turn {
    pub(crate) fn fixture(&self) -> &dyn Fixture {
        &*self.lane.fixture
    }

    /// Returns a witness that an earlier case returned, or a new one.
    pub(crate) async fn witness(&self) -> Result<Witness> {
        let kept = lock(&self.lane.witnesses).pop();
        match kept {
            Some(witness) => Ok(witness),
            None => Ok(Witness::new(self.lane.fixture.connect(&Context::default()).await?)),
        }
    }

    /// Keeps a witness for the next case.
    pub(crate) fn return_witness(&self, witness: Witness) {
        lock(&self.lane.witnesses).push(witness);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
