//! Commands in a container.

mod ended;
mod frames;
mod stdin;

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
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

pub(crate) use self::frames::frames;
use self::stdin::Stdin;
use crate::container::Container;
use crate::engine::{CALL_LIMIT, Engine, status, told};

/// How long a terminal may take to be there to be told its size.
const RESIZE_LIMIT: Duration = Duration::from_secs(5);

/// Starts a script in the container.
///
/// # Errors
///
/// The engine refuses: the container is gone, or does not run.
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
    let id = create(container, text, options.terminal).await?;
    let path = format!("/exec/{id}/start");
    let tty = options.terminal.is_some();
    let started = container.engine.hijack(&path, &json!({ "Detach": false, "Tty": tty })).await;
    let stream = match started {
        Ok(stream) => stream,
        Err(error) => return Err(refused(container, "cannot start a command", error).await),
    };
    let (read, write) = tokio::io::split(stream);
    let (over, is_over) = oneshot::channel();
    let output = if tty { chunks(Stream::Stdout, read) } else { frames(read) };
    let exec = Exec { container: container.clone(), id };
    if let Some(size) = options.terminal {
        let exec = exec.clone();
        // An engine knows the terminal a moment after it has said that the command is started.
        tokio::spawn(async move { exec.resize_soon(size).await });
    }
    let control: Box<dyn ProcessControl> =
        if tty { Box::new(Window(exec.clone())) } else { Box::new(NoControl) };
    Ok(Process {
        stdin: Some(Box::pin(Stdin::new(write, tty))),
        output: telling_its_end(output, over),
        exit: ended::ended(exec, is_over),
        control,
    })
}

async fn create(
    container: &Arc<Container>,
    script: &str,
    terminal: Option<TerminalSize>,
) -> Result<String> {
    // The size would come a moment too late for what looks at it first.
    let sized = terminal.map(|TerminalSize { rows, columns }| {
        format!("stty rows {rows} cols {columns} 2>/dev/null\n{script}")
    });
    let settings = &container.settings;
    let mut body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": terminal.is_none(),
        "Tty": terminal.is_some(),
        "Cmd": ["sh", "-c", sized.as_deref().unwrap_or(script)],
    });
    if let Some(user) = &settings.user {
        body["User"] = json!(user);
    }
    if let Some(workdir) = &settings.workdir {
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

/// Why the engine starts nothing: the container is not there any more, or does not run.
async fn refused(container: &Container, doing: &str, error: bollard::errors::Error) -> Error {
    match status(&error) {
        None => container.engine.does_not_answer(error),
        Some(404 | 409) => match ended::what_became_of(container).await {
            Some(gone) => Error::new(ErrorKind::LinkLost, gone).with_source(error),
            None => told(doing, error).with_kind(ErrorKind::Connect),
        },
        Some(_) => told(doing, error),
    }
}

/// One command that was started.
#[derive(Clone)]
struct Exec {
    container: Arc<Container>,
    id: String,
}

impl Exec {
    fn engine(&self) -> &Engine {
        &self.container.engine
    }

    async fn resize(&self, size: TerminalSize) -> Result<(), bollard::errors::Error> {
        let size = ResizeExecOptions { h: size.rows.into(), w: size.columns.into() };
        self.engine().api().resize_exec(&self.id, size).await
    }

    async fn resize_soon(&self, size: TerminalSize) {
        let deadline = Instant::now() + RESIZE_LIMIT;
        while self.resize(size).await.is_err() && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
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
        self.0.resize(size).await.map_err(|error| {
            told("the terminal's size cannot be set", error).with_kind(ErrorKind::Unsupported)
        })
    }
}

/// Output that says when it has ended, or nobody reads it any more.
fn telling_its_end(
    output: BoxStream<'static, std::io::Result<Chunk>>,
    over: oneshot::Sender<()>,
) -> BoxStream<'static, std::io::Result<Chunk>> {
    let end = async move {
        // Nobody may wait for it.
        let _ = over.send(());
        None
    };
    let end = futures::stream::once(end).filter_map(std::future::ready);
    output.chain(end).boxed()
}
