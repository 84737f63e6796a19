//! Commands in a container.

mod ahead;
mod ended;
mod stdin;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::query_parameters::ResizeExecOptions;
use futures::stream::{BoxStream, StreamExt};
use hostlink_core::streams::chunks;
use hostlink_core::{
    Chunk, Error, ErrorKind, NoControl, Process, ProcessControl, Result, Script, SpawnOptions,
    Stream, TerminalSize,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, sleep};

use self::stdin::Stdin;
use crate::brand::Brand;
use crate::container::Container;
use crate::engine::{CALL_LIMIT, Engine, api_error, in_time, status};
use crate::frames::frames;

/// Time limit for a terminal to accept its size.
const RESIZE_LIMIT: Duration = Duration::from_secs(5);

/// Starts a script in the container.
///
/// # Errors
///
/// If the engine refuses: the container is gone, or does not run.
pub(crate) async fn start(
    container: &Arc<Container>,
    script: &Script,
    options: &SpawnOptions,
) -> Result<Process> {
    let text = std::str::from_utf8(script.argument()).map_err(|_| {
        Error::new(
            ErrorKind::Unsupported,
            "on a terminal, the engine takes no command that is not UTF-8",
        )
    })?;
    let id = create(container, text, options).await?;
    let path = format!("/exec/{id}/start");
    let tty = options.terminal.is_some();
    let started = container.engine.hijack(&path, &json!({ "Detach": false, "Tty": tty })).await;
    let stream = match started {
        Ok(stream) => stream,
        Err(error) => return Err(refused(container, "cannot start a command", error).await),
    };
    let (read, write) = tokio::io::split(stream);
    let (over, is_over) = oneshot::channel();
    let output = match tty {
        true => chunks(Stream::Stdout, read),
        false => frames(read, container.engine.is_here()),
    };
    let exec = Exec::new(container.clone(), id, tty);
    if let Some(size) = options.terminal
        && exec.engine().brand() == Brand::Docker
    {
        let exec = exec.clone();
        // An engine knows the terminal a moment after it reports the start. If Podman gets the size
        // of a command that is just ending, it reports exit code 0.
        let turn = exec.resizing.clone().lock_owned().await;
        tokio::spawn(async move {
            exec.resize_soon(size).await;
            drop(turn);
        });
    }
    let control: Box<dyn ProcessControl> =
        if tty { Box::new(Window(exec.clone())) } else { Box::new(NoControl) };
    let stdin = Stdin::new(write, tty, exec.engine().brand());
    Ok(Process {
        stdin: Some(Box::pin(stdin)),
        output: ahead::read(exec.clone(), with_remedy(output), over),
        exit: ended::ended(exec, is_over),
        control,
        terminal: None,
    })
}

/// The words of runc, instead of a script's announcement, if the directory that commands start in
/// is gone. Podman does not always pass them on.
const GONE: &str = "chdir to cwd";

const REMEDY: &str = ": if the container's WORKDIR is gone, set docker_workdir=/";

/// Adds to an engine's message what to do.
fn with_remedy(
    output: BoxStream<'static, io::Result<Chunk>>,
) -> BoxStream<'static, io::Result<Chunk>> {
    let mut is_first = true;
    let mut explained = move |chunk: Chunk| {
        let text = std::str::from_utf8(&chunk.bytes).unwrap_or_default();
        if !is_first || !text.contains(GONE) {
            is_first &= chunk.bytes.is_empty();
            return chunk;
        }
        is_first = false;
        Chunk { bytes: format!("{}{REMEDY}\n", text.trim_end()).into(), ..chunk }
    };
    output.map(move |chunk| chunk.map(&mut explained)).boxed()
}

async fn create(
    container: &Arc<Container>,
    script: &str,
    options: &SpawnOptions,
) -> Result<String> {
    let terminal = options.terminal;
    // A later resize would be too late for a program that reads the size first.
    let sized = terminal.map(|TerminalSize { rows, columns }| {
        format!("stty rows {rows} cols {columns} 2>&-\n{script}")
    });
    let settings = &container.settings;
    let mut body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": terminal.is_none(),
        "Tty": terminal.is_some(),
        "Cmd": ["sh", "-c", sized.as_deref().unwrap_or(script)],
    });
    if let Some(user) = &settings.given.user {
        body["User"] = json!(user);
    }
    // The image's directory may be gone.
    let anywhere = options.starts_anywhere.then_some("/");
    if let Some(workdir) = anywhere.or(settings.given.workdir.as_deref()) {
        body["WorkingDir"] = json!(workdir);
    }
    let path = format!("/containers/{}/exec", container.id);
    let created = match container.engine.post(&path, &body, CALL_LIMIT).await {
        Ok(created) => created,
        Err(error) => return Err(refused(container, "cannot start a command", error).await),
    };
    created["Id"].as_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Connect, "cannot start a command: the engine gave it no ID")
    })
}

/// Returns why the engine starts no command: the container is gone, or does not run.
async fn refused(container: &Container, doing: &str, error: bollard::errors::Error) -> Error {
    match status(&error) {
        None => container.engine.does_not_answer(error),
        // Podman returns 500 where Docker returns 409.
        Some(status) => match ended::describe_end(container).await {
            Some(gone) => Error::new(ErrorKind::LinkLost, gone).with_source(error),
            None if [404, 409].contains(&status) => {
                // It may run again after a restart.
                let before = container.known_life();
                let kind = match container.life().await {
                    now if before.is_some() && now != before => ErrorKind::LinkLost,
                    _ => ErrorKind::Connect,
                };
                api_error(doing, error).with_kind(kind)
            }
            None => api_error(doing, error),
        },
    }
}

/// A command that was started.
#[derive(Clone)]
struct Exec {
    container: Arc<Container>,
    id: String,
    tty: bool,
    life: Arc<parking_lot::Mutex<Life>>,
    /// Held while the terminal is resized: the first size must not be set last.
    resizing: Arc<Mutex<()>>,
}

impl Exec {
    fn new(container: Arc<Container>, id: String, tty: bool) -> Self {
        let life = Life { seen: Instant::now(), ended: None };
        Self { container, id, tty, life: Arc::new(life.into()), resizing: Arc::default() }
    }

    /// Inspects the command.
    async fn inspect(&self) -> Result<Value, bollard::errors::Error> {
        let asked = Instant::now();
        let state = self.engine().get(&format!("/exec/{}/json", self.id)).await?;
        self.life.lock().take(asked, &state);
        Ok(state)
    }

    /// Docker cuts off output that a background process holds open. It does not do so on terminals.
    fn is_cut_off_by_engine(&self) -> bool {
        !self.tty && self.engine().brand() == Brand::Docker
    }

    fn engine(&self) -> &Engine {
        &self.container.engine
    }

    async fn resize(&self, size: TerminalSize) -> Result<(), bollard::errors::Error> {
        let size = ResizeExecOptions { h: size.rows.into(), w: size.columns.into() };
        in_time(CALL_LIMIT, self.engine().api().resize_exec(&self.id, size)).await
    }

    async fn resize_soon(&self, size: TerminalSize) {
        let deadline = Instant::now() + RESIZE_LIMIT;
        while self.resize(size).await.is_err() && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The observed state of a command.
struct Life {
    /// When it was last inspected and running.
    seen: Instant,
    /// When it was first seen to have ended.
    ended: Option<Instant>,
}

impl Life {
    fn take(&mut self, asked: Instant, state: &Value) {
        if state["Running"] == json!(false) && state["ExitCode"].is_i64() {
            self.ended.get_or_insert_with(Instant::now);
        } else if self.ended.is_none() {
            self.seen = asked;
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Returns whether it may have ended this long ago, and is known to have ended for half of
    /// that.
    fn is_over_since(&self, time: Duration) -> bool {
        self.ended.is_some_and(|ended| ended.elapsed() >= time / 2) && self.seen.elapsed() >= time
    }
}

/// The terminal of a command.
struct Window(Exec);

#[async_trait]
impl ProcessControl for Window {
    fn kill(&self) -> Option<i32> {
        None
    }

    async fn resize(&self, size: TerminalSize) -> Result<()> {
        let _turn = self.0.resizing.lock().await;
        self.0.resize(size).await.map_err(|error| {
            api_error("the terminal's size cannot be set", error).with_kind(ErrorKind::Unsupported)
        })
    }
}
