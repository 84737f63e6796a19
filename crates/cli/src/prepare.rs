//! Everything that can fail before anything is connected.

use hostlink::inventory::plain_secrets;
use hostlink::{Context, Registry, Result};

use crate::host::Host;
use crate::hosts;
use crate::input::{Input, Prepared};
use crate::invocation::{Action, Invocation};
use crate::job::{Job, Output, Task};
use crate::messages::Messages;
use crate::results::Results;
use crate::stop::Stop;
use crate::transfer::{Get, Put};

/// Returns the hosts of an invocation, and the work for each.
pub(crate) async fn prepare(
    registry: &Registry,
    invocation: Invocation,
    context: &Context,
    messages: &Messages,
    results: &Results,
    stop: &Stop,
) -> Result<(Vec<Host>, Job)> {
    let hosts = hosts::resolve(registry, &invocation, context).await?;
    if let Some(key) = plain_secrets(&invocation.data, registry).first() {
        messages.line(format_args!(
            "--data {key}: every user of this machine can read a secret there while hostlink runs; \
             {key}_file, {key}_env and {key}_command take it from elsewhere"
        ));
    }
    let hosts = invocation.login.ask(hosts, context).await?;
    let output = match hosts.len() {
        _ if invocation.json => Output::Json,
        1 => Output::Plain,
        _ => Output::Prefixed,
    };
    let job = Job {
        task: task(invocation.action, &hosts, output, context).await?,
        output,
        results: results.clone(),
        messages: messages.clone(),
        stop: stop.clone(),
        verbose: invocation.verbose,
    };
    Ok((hosts, job))
}

async fn task(action: Action, hosts: &[Host], output: Output, context: &Context) -> Result<Task> {
    match action {
        Action::Exec { command, stdin } => {
            let stdin = exec_stdin(stdin, hosts).await?;
            Ok(Task::Exec { command, stdin })
        }
        Action::Rsync(rsync) => Ok(Task::Rsync(rsync)),
        Action::Put(put) => put_task(put, hosts.len()).await,
        Action::Get(get) => {
            check_destinations(&get, hosts, output)?;
            Ok(Task::Get(get))
        }
        Action::Shell { command } => {
            let terminal_kind = context.environment.get("TERM").cloned();
            Ok(Task::Shell { command, terminal_kind })
        }
        Action::Forward(forwards) => Ok(Task::Forward(forwards)),
        Action::Inventory { .. } => unreachable!("it is shown before anything is prepared"),
    }
}

async fn exec_stdin(input: Option<Input>, hosts: &[Host]) -> Result<Option<Prepared>> {
    let Some(input) = input else { return Ok(None) };
    // A retry reads its input again.
    let retried = hosts.iter().any(|host| host.arguments.retries.unwrap_or(0) > 0);
    let readers = hosts.len() + usize::from(retried);
    input.prepare(readers).await.map(Some)
}

async fn put_task(put: Put, readers: usize) -> Result<Task> {
    let (destination, options) = (put.destination, put.options);
    match put.source {
        Input::File(source) if put.recursive => {
            Ok(Task::PutDirectory { source, destination, options })
        }
        input => {
            let source = input.prepare(readers).await?;
            Ok(Task::PutFile { source, destination, options })
        }
    }
}

fn check_destinations(get: &Get, hosts: &[Host], output: Output) -> Result<()> {
    if output == Output::Json {
        get.refuse_standard_output()?;
    }
    let names: Vec<&str> = hosts.iter().map(|host| host.target.name.as_str()).collect();
    get.check_destinations(&names)
}
