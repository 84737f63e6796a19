//! `hostlink TARGET shell`: an interactive session on a terminal of the target.

use std::sync::Arc;

use hostlink::inventory::Host;
use hostlink::run::Window;
use hostlink::{ConnectorArguments, Error, ErrorKind, ExitStatus, Result, StringCommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::escapes::{Escape, Escapes, HELP};
use crate::explain::usage;
use crate::messages::Messages;
use crate::results::Results;
use crate::sink::LiveSink;
use crate::tty::{self, Changed, Resizes};

/// How many bytes may be typed ahead of a target that does not read. Beyond that, `~.` is no longer
/// seen.
const TYPED_AHEAD: usize = 1024 * 1024;

/// Refuses to run without a terminal on standard input.
pub(crate) fn check_terminal() -> Result<()> {
    if tty::is_stdin_terminal() {
        return Ok(());
    }
    Err(usage("shell needs a terminal on standard input: without one, write exec -- COMMAND"))
}

/// Runs the command until it ends, or the user leaves.
pub(crate) async fn run(
    host: &Host,
    command: &StringCommand,
    arguments: &ConnectorArguments,
    results: &Results,
    messages: &Messages,
) -> Result<ExitStatus> {
    let mut resizes = Resizes::new().map_err(unusable)?;
    let size = tty::size();
    let terminal = host.open_terminal(command, arguments, size).await?;
    let window = terminal.window();
    let _raw = Changed::raw(std::io::stdin()).map_err(unusable)?;
    let (typed, left) = start_typing(messages.clone());
    let mut sink = LiveSink::new(results.clone(), messages.clone(), None);
    let serving = async {
        let status = terminal.serve(typed, &mut sink).await;
        // A write error was reported already, or cannot be reported.
        let _ = sink.finish().await;
        status
    };
    tokio::select! {
        status = serving => status,
        () = follow(&mut resizes, &window) => unreachable!("sizes may always change"),
        () = left.wished.notified() => {
            Err(Error::new(ErrorKind::LinkLost, "left with ~.").with_target(host.name()))
        }
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::from_io("the terminal on standard input cannot be used", error)
}

/// Sends each new size to the target.
async fn follow(resizes: &mut Resizes, window: &Window) {
    loop {
        let size = resizes.next().await;
        // A lost link is reported by its command.
        let _ = window.resize(size).await;
    }
}

/// Forwards typed input until this is dropped.
struct Typing {
    wished: Arc<Notify>,
    reading: AbortHandle,
}

impl Drop for Typing {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reads standard input in a separate task, so that the user can also leave a target that does not
/// read.
fn start_typing(messages: Messages) -> (DuplexStream, Typing) {
    let (typed, mut sent) = tokio::io::duplex(TYPED_AHEAD);
    let wished = Arc::new(Notify::new());
    let leave = wished.clone();
    let reading = tokio::spawn(async move {
        let (mut stdin, mut escapes) = (tokio::io::stdin(), Escapes::new());
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = stdin.read(&mut buffer).await {
            let (bytes, wishes) = escapes.take(&buffer[..length]);
            for wish in wishes {
                match wish {
                    Escape::Help => messages.bytes(HELP.into()).await,
                    Escape::Leave => return leave.notify_one(),
                }
            }
            if sent.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    (typed, Typing { wished, reading: reading.abort_handle() })
}
