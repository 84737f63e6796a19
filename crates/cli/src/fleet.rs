//! Many targets concurrently: connect, run the job, disconnect, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use hostlink::{ConnectorArguments, Context, Link, Registry, Result};

use crate::host::Host;
use crate::invocation::{Action, Invocation};
use crate::job::Job;
use crate::messages::Messages;
use crate::outcome::Outcome;
use crate::prepare::prepare;
use crate::results::Results;
use crate::stop::Stop;
use crate::{context, exit, explain, hosts, listing, rsync};

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
    let context = context::of(&invocation, messages);
    if let Action::Inventory { graph } = invocation.action {
        return tokio::select! {
            shown = show(registry, &invocation, graph, &context, results, stop) => shown,
            () = stop.requested() => Ok(exit::FAILED),
        };
    }
    let parallel = invocation.parallel;
    let prepared = tokio::select! {
        prepared = prepare(registry, invocation, &context, messages, results, stop) => prepared?,
        () = stop.requested() => return Ok(exit::FAILED),
    };
    let (hosts, job) = prepared;
    let work = job.work();
    let all = serve_all(hosts, Arc::new(job), parallel, context);
    tokio::select! {
        outcomes = all => Ok(exit::of_all(&outcomes, work)),
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
async fn serve_all(
    hosts: Vec<Host>,
    job: Arc<Job>,
    parallel: usize,
    context: Context,
) -> Vec<Outcome> {
    let context = Arc::new(context);
    let tasks = futures::stream::iter(hosts)
        .map(|host| tokio::spawn(serve(host, job.clone(), context.clone())));
    let ended = tasks.buffer_unordered(parallel).filter_map(|ended| match ended {
        Ok(outcome) => std::future::ready(outcome),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    });
    ended.collect().await
}

/// Serves one target; `None` if the order to stop came first.
async fn serve(host: Host, job: Arc<Job>, context: Arc<Context>) -> Option<Outcome> {
    let start = Instant::now();
    let Host { target, arguments } = host;
    let connected = tokio::select! {
        biased;
        () = job.stop.requested() => return None,
        connected = target.connect(&context) => connected,
    };
    let (outcome, closed) = match connected {
        Ok(link) => work(&job, link, arguments).await,
        Err(error) => (Some(Err(error)), Ok(())),
    };
    let outcome = outcome?;
    tokio::select! {
        biased;
        () = job.stop.requested() => None,
        told = job.tell(&target.name, outcome, start.elapsed()) => Some(exit::with_end(told, closed)),
    }
}

/// Runs the job, or a part of it, on one link, and closes the link.
async fn work(
    job: &Job,
    link: Link,
    arguments: ConnectorArguments,
) -> (Option<Outcome>, Result<()>) {
    let outcome = tokio::select! {
        biased;
        () = job.stop.requested(), if !job.stops_itself() => None,
        outcome = job.run(&link, arguments) => Some(outcome),
    };
    // The job's future is dropped by now: this waits until its command is killed.
    let closed = link.disconnect().await;
    if let Err(error) = &closed {
        job.messages.line(explain::one_line(error));
    }
    (outcome, closed)
}
