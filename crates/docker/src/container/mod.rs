//! The container of one connection: found or made, and left as it was.

mod commit;
mod found;
mod likeness;
mod made;
mod owner;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::StopContainerOptions;
use hostlink_core::{Context, Error, ErrorKind, Event, Outcome, Reporter, Result, random_hex};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use self::found::{Found, Image};
use self::made::Made;
use self::owner::Owner;
use crate::engine::{CALL_LIMIT, Engine, LONG_LIMIT, api_error, in_time};
use crate::settings::{CommitPolicy, Settings, Subject};

/// Time limit for a started container to be running.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The input for opening a container.
pub(crate) struct Opening<'a> {
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    /// The target's name.
    pub(crate) name: &'a str,
    pub(crate) context: &'a Context,
}

/// A container in which commands can run.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) engine: Engine,
    /// The whole ID.
    pub(crate) id: String,
    /// Its name in messages.
    pub(crate) shown: String,
    pub(crate) settings: Settings,
    /// The one that was seen last.
    life: parking_lot::Mutex<Option<String>>,
    target: String,
    reporter: Arc<dyn Reporter>,
    end: Mutex<Option<End>>,
}

/// The work at the end.
#[derive(Debug)]
enum End {
    /// Stop it: it was stopped before.
    Stop,
    /// Remove it: we made it.
    Remove { made: Made, origin: Origin, owner: Option<Owner> },
}

/// The image that a container was made from.
struct Origin(Image);

impl Image {
    /// Returns the directories that are volumes in each of its containers, which no commit
    /// includes.
    fn volumes(&self) -> Vec<&str> {
        let volumes = self.config["Volumes"].as_object();
        volumes.into_iter().flat_map(|all| all.keys().map(String::as_str)).collect()
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.id)
    }
}

/// Returns the prefix of an ID that docker prints.
fn short(id: &str) -> &str {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.get(..12).unwrap_or(id)
}

/// Finds or makes the container, and makes sure that it runs.
///
/// # Errors
///
/// If there is none, or it cannot run. Nothing of ours is left.
pub(crate) async fn open(opening: Opening<'_>) -> Result<Container> {
    let Opening { engine, settings, name, context } = opening;
    let owner = Owner::me();
    if let Some(owner) = &owner
        && let Err(error) = sweep::run(&engine, owner).await
    {
        let problem = api_error("cannot list what earlier runs have left", error);
        context.reporter.report(name, Event::Detail(&problem.to_string()));
    }
    let (id, shown, end) = match found::find(&engine, &settings).await? {
        Found::Container(found) => {
            let shown =
                found.name.as_deref().unwrap_or_default().trim_start_matches('/').to_owned();
            let id = found.id.clone().unwrap_or_else(|| shown.clone());
            warn_of_useless(&settings, &shown, name, context);
            let end = bring_up(&engine, &found, &id, &shown).await?;
            (id, shown, end)
        }
        Found::Image(image) => {
            let run = random_hex()?;
            let platform = settings.platform.as_deref();
            let made = Made::new(&engine, &image, platform, &run, owner.as_ref()).await?;
            let id = made.id.clone();
            let shown = format!("{} (of {})", short(&id), short(&image.id));
            (id, shown, Some(End::Remove { made, origin: Origin(image), owner }))
        }
    };
    let life = life(&engine, &id).await.into();
    Ok(Container {
        engine,
        id,
        shown,
        settings,
        life,
        target: name.to_owned(),
        reporter: context.reporter.clone(),
        end: Mutex::new(end),
    })
}

/// Returns the existing container that the data name, which is not an image.
///
/// # Errors
///
/// If there is none; the error has the nearest names.
pub(crate) async fn existing(
    engine: &Engine,
    settings: &Settings,
) -> Result<Box<ContainerInspectResponse>> {
    let (Subject::Container(name) | Subject::Either(name) | Subject::Image(name)) =
        &settings.subject;
    found::existing(engine, name).await
}

/// Warns of options without effect. The data may be that of a group with images, so this is not an
/// error.
pub(crate) fn warn_of_useless(settings: &Settings, shown: &str, target: &str, context: &Context) {
    let (keys, does, it) = match &settings.for_images[..] {
        [] => return,
        [key] => ((*key).to_owned(), "does", "it"),
        [keys @ .., last] => (format!("{} and {last}", keys.join(", ")), "do", "them"),
    };
    let message = format!(
        "{keys} {does} nothing, since {shown} is an existing container: leave {it} out, or name an image with docker_image"
    );
    context.reporter.report(target, Event::Warning(&message));
}

/// Has a container run that exists; returns what is to be done at the end.
async fn bring_up(
    engine: &Engine,
    found: &ContainerInspectResponse,
    id: &str,
    shown: &str,
) -> Result<Option<End>> {
    if is(found, |state| state.paused) {
        let message = format!(
            "the container {shown} is paused: `{} unpause {shown}` continues it",
            engine.brand().word()
        );
        return Err(Error::new(ErrorKind::Connect, message));
    }
    if is(found, |state| state.running) {
        return Ok(None);
    }
    if found.host_config.as_ref().and_then(|host| host.auto_remove).unwrap_or(false) {
        let word = engine.brand().word();
        let message = format!(
            "the container {shown} is stopped, and the engine removes it when it stops again (--rm): run `{word} start {shown}` first"
        );
        return Err(Error::new(ErrorKind::Connect, message));
    }
    let doing = || format!("cannot start the container {shown}");
    let started = in_time(CALL_LIMIT, engine.api().start_container(id, None)).await;
    started.map_err(|error| api_error(&doing(), error))?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let now = engine.container(id).await;
        let now = now.map_err(|error| api_error(&doing(), error))?;
        if is(&now, |state| state.running) {
            return Ok(Some(End::Stop));
        }
        let is_over = !is(&now, |state| state.restarting);
        if is_over || Instant::now() > deadline {
            let code = now.state.and_then(|state| state.exit_code).unwrap_or_default();
            let message = format!(
                "the container {shown} was stopped, and ends as soon as it is started (exit code {code})"
            );
            return Err(Error::new(ErrorKind::Connect, message));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the start time of the container, as the engine writes it. A different time means a new
/// life.
async fn life(engine: &Engine, id: &str) -> Option<String> {
    engine.container(id).await.ok()?.state?.started_at
}

/// Returns the options to stop a container: its first process has this long to end by itself, in
/// seconds. An interrupted command line waits twice as long.
fn soon() -> Option<StopContainerOptions> {
    Some(StopContainerOptions { t: Some(5), ..StopContainerOptions::default() })
}

/// Returns whether a container's state has a flag.
pub(crate) fn is(
    found: &ContainerInspectResponse,
    what: impl Fn(&bollard::models::ContainerState) -> Option<bool>,
) -> bool {
    found.state.as_ref().and_then(what).unwrap_or(false)
}

impl Container {
    /// Leaves it as it was, or makes an image of it and removes it. It may be called twice.
    /// `outcome` says how everything went that was done in it.
    ///
    /// # Errors
    ///
    /// Something is left, or there is no image that should be.
    pub(crate) async fn close(&self, outcome: Outcome) -> Result<()> {
        match self.end.lock().await.take() {
            None => Ok(()),
            Some(End::Stop) => self.stop().await,
            Some(End::Remove { made, origin, owner }) => {
                let committed = self.commit(&origin.0, owner.as_ref(), outcome).await;
                let removed = made::remove(&self.engine, &made.id).await;
                committed.and(removed)
            }
        }
    }

    /// Returns the life in which it was last seen.
    pub(crate) fn known_life(&self) -> Option<String> {
        self.life.lock().clone()
    }

    /// Queries its current life.
    pub(crate) async fn life(&self) -> Option<String> {
        let now = life(&self.engine, &self.id).await;
        if now.is_some() {
            self.life.lock().clone_from(&now);
        }
        now
    }

    async fn stop(&self) -> Result<()> {
        let found = self.engine.container(&self.id).await;
        if found.is_ok_and(|found| found.exec_ids.is_some_and(|execs| !execs.is_empty())) {
            let shown = &self.shown;
            let message = format!("the container {shown} was not stopped again: others use it");
            self.tell(Event::Warning(&message));
            return Ok(());
        }
        let stopped =
            in_time(LONG_LIMIT, self.engine.long_api().stop_container(&self.id, soon())).await;
        match stopped {
            Err(error) if crate::engine::status(&error) != Some(404) => {
                Err(api_error(&format!("cannot stop the container {} again", self.shown), error))
            }
            _ => Ok(()),
        }
    }

    async fn commit(&self, origin: &Image, owner: Option<&Owner>, outcome: Outcome) -> Result<()> {
        match self.settings.given.commit {
            CommitPolicy::Never => return Ok(()),
            CommitPolicy::OnSuccess if outcome == Outcome::Failure => {
                self.tell(Event::Notice("not committed, since something failed (docker_commit)"));
                return Ok(());
            }
            CommitPolicy::OnSuccess | CommitPolicy::Always => {}
        }
        let made = commit::commit(&self.engine, &self.id, origin, owner).await?;
        // First, so that the image can be found whatever happens next.
        self.tell(Event::Notice(&format!("committed to {}", made.id)));
        if made.has_labels {
            self.tell(Event::Warning(
                "the image has the empty labels hostlink and hostlink.owner, which this engine cannot remove",
            ));
        }
        let volumes = origin.volumes();
        if !volumes.is_empty() {
            self.tell(Event::Warning(&format!(
                "files in volumes are not in the image: {}",
                volumes.join(", ")
            )));
        }
        let named = match &self.settings.given.tag {
            None => Ok(()),
            Some(tag) => commit::name(&self.engine, &made, tag).await,
        };
        if let (Ok(()), Some((name, tag))) = (&named, &self.settings.given.tag) {
            self.tell(Event::Notice(&format!("named {name}:{tag}")));
        }
        if let Err(error) = commit::clear(&self.engine, &made).await {
            self.tell(Event::Warning(&format!("a half-made image is left: {}", error.message())));
        }
        named
    }

    /// Stops the container without waiting, if it would otherwise keep running. One that we made
    /// ends with its stream.
    fn release(&mut self) {
        let Some(End::Stop) = self.end.get_mut().take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (engine, id) = (self.engine.clone(), self.id.clone());
        runtime.spawn(async move { engine.long_api().stop_container(&id, soon()).await });
    }

    fn tell(&self, event: Event<'_>) {
        self.reporter.report(&self.target, event);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.release();
    }
}
