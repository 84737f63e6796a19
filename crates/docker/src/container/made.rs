//! A container that we make from an image. It lives as long as a stream that this process holds.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use hostlink_core::{Chunk, Error, ErrorKind, Result, Stream};
use serde_json::{Value, json};
use tokio::io::WriteHalf;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::found::Image;
use super::owner::{OWNER_LABEL, Owner, RUN_LABEL};
use crate::engine::{CALL_LIMIT, Engine, Hijacked, api_error, in_time, message_of, status};
use crate::frames::frames;

/// The command of the first process: it reports that it runs, and waits for the end of its input.
const HOLD: &str = "echo hostlink; while read -r x; do :; done";

/// Time limit for the first process to start; images from a slow disk take seconds.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Time limit for a container to be gone.
const REMOVAL_LIMIT: Duration = Duration::from_secs(60);

/// The maximum output of a failed first process in an error, in bytes.
const MAX_SHOWN: usize = 2000;

/// Returns the name of a run's container. Unlike labels, names are not inherited by images.
pub(super) fn name(run: &str) -> String {
    format!("hostlink-{run}")
}

/// A running container. The engine removes it when this is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: String,
    /// Keeps reading, so that a process in the container cannot block.
    output: JoinHandle<()>,
    _input: WriteHalf<Hijacked>,
}

impl Drop for Made {
    fn drop(&mut self) {
        self.output.abort();
    }
}

impl Made {
    /// Makes a container and starts it.
    ///
    /// # Errors
    ///
    /// If the engine refuses, or the image has no `sh`. Nothing is left.
    pub(super) async fn new(
        engine: &Engine,
        image: &Image,
        platform: Option<&str>,
        run: &str,
        owner: Option<&Owner>,
    ) -> Result<Self> {
        match Self::start(engine, image, platform, run, owner, true).await {
            // Not every engine has the program that reaps zombies.
            Err(error) if is_about_init(&error) => {
                Self::start(engine, image, platform, run, owner, false).await
            }
            made => made,
        }
    }

    async fn start(
        engine: &Engine,
        image: &Image,
        platform: Option<&str>,
        run: &str,
        owner: Option<&Owner>,
        init: bool,
    ) -> Result<Self> {
        let owner = owner.map(Owner::label).unwrap_or_default();
        let body = json!({
            "Image": image.id,
            "Entrypoint": ["sh", "-c", HOLD],
            "Labels": { RUN_LABEL: run, OWNER_LABEL: owner },
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
            "OpenStdin": true, "StdinOnce": true,
            "HostConfig": { "AutoRemove": true, "Init": init, "LogConfig": { "Type": "none" } },
        });
        let platform = platform.map(|it| format!("&platform={}", it.replace('/', "%2F")));
        let path = format!("/containers/create?name={}{}", name(run), platform.unwrap_or_default());
        let made = engine.post(&path, &body, CALL_LIMIT).await;
        let made = made.map_err(|error| api_error("cannot make a container", error))?;
        let Some(id) = made["Id"].as_str().map(str::to_owned) else {
            return Err(Error::new(
                ErrorKind::Connect,
                "the engine made a container without an ID",
            ));
        };
        let started = Self::start_attached(engine, id.clone()).await;
        if started.is_err() {
            let _ = remove(engine, &id).await;
        }
        started
    }

    /// Attaches to its input, then starts it: in the other order it could end before.
    async fn start_attached(engine: &Engine, id: String) -> Result<Self> {
        let path = format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1");
        let attached = engine.hijack(&path, &Value::Null).await;
        let attached =
            attached.map_err(|error| api_error("cannot attach to the container", error))?;
        let (read, input) = tokio::io::split(attached);
        let started = in_time(CALL_LIMIT, engine.api().start_container(&id, None)).await;
        started.map_err(|error| api_error("cannot start the container", error))?;
        let output = frames(read, engine.is_here());
        let output = match timeout(START_LIMIT, first_words(output)).await {
            Ok(said) => said?,
            Err(_) => {
                let message = format!("the container does not start within {START_LIMIT:?}");
                return Err(Error::new(ErrorKind::Connect, message));
            }
        };
        let output = tokio::spawn(output.for_each(|_| std::future::ready(())));
        Ok(Self { id, output, _input: input })
    }
}

type Output = BoxStream<'static, std::io::Result<Chunk>>;

/// Waits for the first line of the first process. Later output is discarded.
async fn first_words(mut output: Output) -> Result<Output> {
    let mut said = Vec::new();
    while let Some(chunk) = output.next().await {
        match chunk {
            Ok(Chunk { stream: Stream::Stdout, bytes }) if bytes.starts_with(b"hostlink") => {
                return Ok(output);
            }
            Ok(chunk) => {
                let room = MAX_SHOWN.saturating_sub(said.len()).min(chunk.bytes.len());
                said.extend_from_slice(&chunk.bytes[..room]);
            }
            Err(_) => break,
        }
    }
    let message = "the container ended immediately: does the image have a sh?";
    Err(Error::new(ErrorKind::Connect, message).with_stderr_tail(&said))
}

fn is_about_init(error: &Error) -> bool {
    ["docker-init", "catatonit", "init binary"].iter().any(|it| error.message().contains(it))
}

/// Removes a container with its volumes, and waits until it is gone.
///
/// # Errors
///
/// If it still exists.
pub(super) async fn remove(engine: &Engine, id: &str) -> Result<()> {
    let deadline = Instant::now() + REMOVAL_LIMIT;
    let options = || bollard::query_parameters::RemoveContainerOptions {
        force: true,
        v: true,
        ..Default::default()
    };
    loop {
        let error =
            match in_time(CALL_LIMIT, engine.api().remove_container(id, Some(options()))).await {
                Ok(()) => return Ok(()),
                Err(error) if status(&error) == Some(404) => return Ok(()),
                Err(error) => error,
            };
        // 409: it is being removed already.
        if status(&error) != Some(409) || Instant::now() > deadline {
            let message =
                format!("cannot remove the container {}: {}", super::short(id), message_of(&error));
            return Err(Error::new(ErrorKind::Connect, message).with_source(error));
        }
        sleep(Duration::from_millis(20)).await;
    }
}
