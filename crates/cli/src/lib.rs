#![doc = include_str!("../README.md")]

mod arguments;
mod complete;
mod connectors;
mod context;
mod data;
mod descriptors;
mod escapes;
mod exit;
mod explain;
mod flag_names;
mod flags;
mod fleet;
mod forward;
mod grammar;
mod hosts;
mod input;
mod invocation;
mod job;
mod levels;
mod listing;
mod login;
mod messages;
mod outcome;
mod passwords;
mod prepare;
mod prompt;
mod record;
mod results;
mod rsync;
mod shell;
mod sink;
mod stop;
mod telling;
mod transfer;
mod tty;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use hostlink::{Registry, Result};
use tokio::runtime::Runtime;

use crate::invocation::{Invocation, Request};
use crate::messages::{Messages, Verbosity};
use crate::results::Results;
use crate::stop::Stop;

/// Runs the command line of this process with the connectors of `registry`: the whole program
/// `hostlink`.
///
/// Call it from `main`, outside of any async runtime: it starts its own, and takes over standard
/// input and output, SIGINT and SIGTERM. Do nothing before it that must not happen twice: for
/// `rsync`, rsync starts the program a second time.
#[must_use]
pub fn main_with(registry: Registry) -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(status) = rsync::relay(&words) {
        return status;
    }
    if complete::answer(&registry, &words) {
        return ExitCode::SUCCESS;
    }
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return exit::without_runtime(&error),
    };
    let status = runtime.block_on(run(&registry, words));
    // A thread may be blocked in reading standard input or in writing to a pipe.
    runtime.shutdown_background();
    // A task that was abandoned may not have restored them.
    tty::restore();
    ExitCode::from(status)
}

async fn run(registry: &Registry, words: Vec<OsString>) -> u8 {
    let messages = Messages::start();
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            messages.line(format_args!("signals cannot be handled: {error}"));
            messages.flush().await;
            return exit::FAILED;
        }
    };
    let results = match Results::new(stop.clone()) {
        Ok(results) => results,
        Err(error) => {
            messages.line(format_args!("standard output is not available: {error}"));
            messages.flush().await;
            return exit::FAILED;
        }
    };
    let request = Invocation::parse(words);
    let verbosity = match &request {
        Ok(Request::Run(invocation)) => invocation.verbosity,
        _ => Verbosity::Quiet,
    };
    let outcome = match request {
        Ok(request) => obey(registry, request, &messages, &results, &stop).await,
        Err(error) => Err(error),
    };
    let status = match outcome {
        Ok(status) => status,
        Err(error) => {
            if stop.cause().is_none() {
                telling::tell_error(&messages, &error, verbosity);
            }
            exit::of_error(&error, exit::Work::Command)
        }
    };
    tokio::select! {
        () = messages.flush() => {}
        () = impatience(&stop) => {}
    }
    stop.cause().map_or(status, |cause| cause.exit_status())
}

/// Time limit for the last messages after an order to stop: standard error may have no reader.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Resolves [`LAST_WORDS`] after the order to stop.
async fn impatience(stop: &Stop) {
    stop.requested().await;
    tokio::time::sleep(LAST_WORDS).await;
}

/// Handles the request. An error means that nothing was started.
async fn obey(
    registry: &Registry,
    request: Request,
    messages: &Messages,
    results: &Results,
    stop: &Stop,
) -> Result<u8> {
    match request {
        Request::Show(text) => results.show(text.as_bytes(), stop).await,
        Request::Connectors { name, format } => {
            let text = connectors::describe(registry, name.as_deref(), format)?;
            results.show(text.as_bytes(), stop).await
        }
        Request::Schema => {
            let schema = hostlink::inventory::schema(registry);
            results.show(format!("{schema:#}\n").as_bytes(), stop).await
        }
        Request::Completions { shell } => {
            results.show(complete::script(&shell)?.as_bytes(), stop).await
        }
        Request::Run(invocation) => {
            fleet::run(registry, *invocation, messages, results, stop).await
        }
    }
}
