//! Interactive sessions on a terminal.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::ensure;
use async_trait::async_trait;
use hostlink_core::{
    ConnectorArguments, ErrorKind, ExitStatus, OutputSink, Result, Stream, StringCommand, Terminal,
    TerminalSize, Window,
};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use crate::random;
use crate::scene::Scene;
use crate::settings::plain;
use crate::watch::until;

cases![
    a_session_carries_bytes_both_ways_and_nothing_else: Terminal,
    a_session_ends_with_the_exit_code_of_its_command: Terminal,
    a_resize_reaches_the_session: Terminal,
    a_dropped_session_leaves_no_process_behind: Terminal | SecondSession,
    a_session_of_the_login_shell_reads_lines: Terminal,
    a_session_that_cannot_start_is_an_error,
];

/// The output of a session.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Shown {
    fn text(&self) -> String {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    async fn wait_for(&self, text: &str) -> anyhow::Result<()> {
        let shows = || async { Ok(self.text().contains(text)) };
        until(text, shows).await.map_err(|error| error.context(self.text()))
    }
}

#[async_trait]
impl OutputSink for Shown {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    }
}

/// A user who types.
struct Typist {
    keyboard: DuplexStream,
    shown: Shown,
    window: Window,
}

impl Typist {
    async fn types(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.keyboard.write_all(text.as_bytes()).await?)
    }
}

const SIZE: TerminalSize = TerminalSize { rows: 20, columns: 70 };

async fn open(scene: &Scene, line: &str) -> Result<Terminal> {
    scene.link.open_terminal(line, &plain(), SIZE).await
}

/// Returns the session's future, and a user who types into it.
fn serve(terminal: Terminal) -> (impl Future<Output = Result<ExitStatus>>, Typist) {
    let (keyboard, typed) = duplex(1024);
    let shown = Shown::default();
    let typist = Typist { keyboard, shown: shown.clone(), window: terminal.window() };
    let mut sink = shown;
    (async move { terminal.serve(typed, &mut sink).await }, typist)
}

async fn a_session_carries_bytes_both_ways_and_nothing_else(scene: &Scene) -> anyhow::Result<()> {
    let terminal = open(scene, "stty raw -echo; printf 'go\\377'; head -c 4 | od -An -tx1").await?;
    let (serving, mut typist) = serve(terminal);
    let typing = async {
        typist.shown.wait_for("go").await?;
        anyhow::Ok(typist.keyboard.write_all(b"\x03\x00\xff\x04").await?)
    };
    let (status, typed) = tokio::join!(serving, typing);
    typed?;
    ensure!(status?.code() == Some(0));
    let shown = typist.shown.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(shown == b"go\xff 03 00 ff 04\n", "{:?}", String::from_utf8_lossy(&shown));
    Ok(())
}

async fn a_session_ends_with_the_exit_code_of_its_command(scene: &Scene) -> anyhow::Result<()> {
    for code in [0, 7, 255] {
        let (serving, typist) = serve(open(scene, &format!("echo last; exit {code}")).await?);
        let status = serving.await?;
        ensure!(status.code() == Some(code), "{code} arrived as {status}");
        ensure!(typist.shown.text() == "last\r\n", "{:?}", typist.shown.text());
    }
    Ok(())
}

async fn a_resize_reaches_the_session(scene: &Scene) -> anyhow::Result<()> {
    let wait = "until [ \"$(stty size)\" = '30 100' ]; do sleep 0.1; done; echo arrived";
    let (serving, typist) = serve(open(scene, &format!("stty size; {wait}")).await?);
    let resizing = async {
        typist.shown.wait_for("20 70\r\n").await?;
        Ok(typist.window.resize(TerminalSize { rows: 30, columns: 100 }).await?)
    };
    let (status, resized): (_, anyhow::Result<()>) = tokio::join!(serving, resizing);
    resized?;
    ensure!(status?.code() == Some(0));
    ensure!(typist.shown.text() == "20 70\r\narrived\r\n", "{:?}", typist.shown.text());
    // The session is over: a resize does nothing and succeeds.
    Ok(typist.window.resize(SIZE).await?)
}

/// A shell with job control puts each job into its own process group.
async fn a_dropped_session_leaves_no_process_behind(scene: &Scene) -> anyhow::Result<()> {
    let seconds = random::seconds();
    let line =
        format!("set -m; (trap '' HUP INT TERM; exec sleep {seconds}) & exec sleep {seconds}");
    let (serving, typist) = serve(open(scene, &line).await?);
    tokio::select! {
        ended = serving => anyhow::bail!("it ended: {ended:?}"),
        seen = scene.expect_processes(&seconds, 2) => seen?,
    }
    let gone = scene.expect_gone(&seconds).await;
    if gone.is_err() {
        scene.end_processes(&seconds).await?;
    }
    drop(typist);
    // A session that is not served yet is ended as well.
    let terminal = open(scene, &format!("sleep {seconds}; :")).await?;
    let seen = scene.expect_processes(&seconds, 2).await;
    drop(terminal);
    gone.and(seen).and(scene.expect_gone(&seconds).await)
}

async fn a_session_of_the_login_shell_reads_lines(scene: &Scene) -> anyhow::Result<()> {
    let command = StringCommand::login_shell();
    let terminal = scene.link.open_terminal(&command, &plain(), SIZE).await?;
    let (serving, mut typist) = serve(terminal);
    let typing = async {
        // The echo of the input shows the quotes, the output does not.
        typist.types("echo it-''works; exit 9\r").await?;
        typist.shown.wait_for("it-works").await
    };
    let (status, typed) = tokio::join!(serving, typing);
    typed?;
    ensure!(status?.code() == Some(9));
    Ok(())
}

async fn a_session_that_cannot_start_is_an_error(scene: &Scene) -> anyhow::Result<()> {
    let refused = ConnectorArguments::new().with_env_var("X", hostlink_core::Secret::new("s3cret"));
    let opened = scene.link.open_terminal("true", &refused, SIZE).await;
    let Err(error) = opened else { anyhow::bail!("a secret was accepted") };
    ensure!(error.kind() == ErrorKind::Unsupported, "{error:?}");
    Ok(())
}
