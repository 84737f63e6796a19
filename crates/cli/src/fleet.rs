//! Many targets concurrently: connect, run the job, disconnect, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use hostlink::inventory::{Host, Inventory};
use hostlink::{Context, Registry, Result};

use crate::invocation::{Action, Invocation};
use crate::job::Job;
use crate::messages::Messages;
use crate::outcome::{Failure, Outcome};
use crate::prepare::prepare;
use crate::prompt::TerminalPrompter;
use crate::results::Results;
use crate::stop::Stop;
use crate::{context, exit, explain, hosts, listing, prompt, rsync};

/// Time limit for ending everything after the order to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Runs the invocation and returns the exit status. An error means that nothing was started.
pub(crate) async fn run(
    registry: &Registry,
    invocation: Invocation,
    messages: &Messages,
    results: &Results,
    stop: &Stop,
) -> Result<u8> {
    if matches!(invocation.action, Action::Rsync(_)) && !rsync::is_installed() {
        messages.line("this machine has no rsync: install it here");
        return Ok(exit::NO_PROGRAM);
    }
    // A password that is typed ahead of its question is not shown.
    let silence = invocation.asks_first().then(prompt::silence);
    let prompter = Arc::new(TerminalPrompter::default());
    let context = context::of(&invocation, prompter.clone(), messages);
    if let Action::Inventory { graph } = invocation.action {
        return tokio::select! {
            shown = show(registry, &invocation, graph, &context, results, stop) => shown,
            () = stop.requested() => Ok(exit::FAILED),
        };
    }
    let preparing = prepare(registry, invocation, &context, &prompter, messages, results, stop);
    let (inventory, job) = tokio::select! {
        prepared = preparing => prepared?,
        () = stop.requested() => return Ok(exit::FAILED),
    };
    drop(silence);
    let (work, targets) = (job.work(), job.targets);
    // A task, because a thread of the runtime is quicker than this one, which only waits.
    let all = tokio::spawn(serve_all(inventory, job));
    tokio::select! {
        outcomes = all => match outcomes {
            Ok(outcomes) => Ok(exit::of_all(&outcomes, work, targets)),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        },
        () = overtime(stop) => {
            messages.line("not everything could be ended in time; processes may still be running");
            Ok(exit::FAILED)
        }
    }
}

/// Shows the hosts without connecting.
async fn show(
    registry: &Registry,
    invocation: &Invocation,
    graph: bool,
    context: &Context,
    results: &Results,
    stop: &Stop,
) -> Result<u8> {
    let inventory = hosts::inventory(registry, invocation, context).await?;
    match () {
        () if invocation.json => results.show_lines(listing::json(&inventory), stop).await,
        () if graph => results.show_lines(listing::graph(&inventory), stop).await,
        () => results.show(listing::table(&inventory).as_bytes(), stop).await,
    }
}

/// Resolves when the time after the order to stop is over.
async fn overtime(stop: &Stop) {
    stop.requested().await;
    tokio::select! {
        () = tokio::time::sleep(STOP_LIMIT) => {}
        () = stop.at_once() => {}
    }
}

/// Returns the outcomes of the targets that finished.
async fn serve_all(inventory: Inventory, job: Job) -> Vec<Outcome> {
    let mut served = inventory.on_each(|host| serve(host, &job));
    let mut outcomes = Vec::new();
    while let Some((_, outcome)) = served.next().await {
        outcomes.extend(outcome);
    }
    outcomes
}

/// Serves one target; `None` if the order to stop came first.
async fn serve(host: &Host, job: &Job) -> Option<Outcome> {
    let start = Instant::now();
    let connected = tokio::select! {
        biased;
        () = job.stop.requested() => return None,
        connected = host.connect("") => connected,
    };
    let outcome = match connected {
        Ok(()) => tokio::select! {
            biased;
            () = job.stop.requested(), if !job.stops_itself() => None,
            // Boxed: its state would be copied on the way through all that waits for it.
            outcome = Box::pin(job.run(host)) => Some(outcome),
        },
        Err(error) => Some(Err(Failure::to_connect(error))),
    };
    // The job's future is dropped by now: this waits until its command is killed.
    let closed = host.disconnect().await;
    if let Err(error) = &closed {
        job.messages.line(explain::one_line(error));
    }
    let outcome = outcome?;
    tokio::select! {
        biased;
        () = job.stop.requested() => None,
        told = job.tell(host.name(), outcome, start.elapsed()) => {
            Some(exit::with_end(told, closed))
        }
    }
}
