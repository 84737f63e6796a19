//! Everything that can fail before anything is connected.

use hostlink::inventory::{Inventory, plain_secrets};
use hostlink::{ConnectorArguments, Context, Registry, Result, StringCommand};

use crate::arguments::Arguments;
use crate::input::{Input, Prepared};
use crate::invocation::{Action, Invocation};
use crate::job::{Job, Output, Task};
use crate::messages::Messages;
use crate::outcome::Targets;
use crate::prompt::{ALL_TARGETS, Policy, TerminalPrompter};
use crate::results::Results;
use crate::stop::Stop;
use crate::transfer::{Get, Put};
use crate::{descriptors, hosts};

/// Returns the hosts of an invocation, and the work for each.
pub(crate) async fn prepare(
    registry: &Registry,
    invocation: Invocation,
    context: &Context,
    prompter: &TerminalPrompter,
    messages: &Messages,
    results: &Results,
    stop: &Stop,
) -> Result<(Inventory, Job)> {
    let inventory = hosts::inventory(registry, &invocation, context).await?;
    let targets = hosts::check(registry, &invocation, &inventory)?;
    let arguments = check_hosts(&inventory, &invocation, context).await?;
    invocation.login.check(&inventory)?;
    if let Some(key) = plain_secrets(&invocation.data, registry).first() {
        messages.line(format_args!(
            "--data {key}: every user of this machine can read a secret there while hostlink runs; \
             {key}_file, {key}_env and {key}_command take it from elsewhere"
        ));
    }
    let policy = match (invocation.batch, targets) {
        (true, _) => Policy::Batch,
        (_, Targets::Many) => Policy::SeveralTargets,
        (_, Targets::One) => Policy::Ask,
    };
    invocation.login.ask(&inventory, context).await?;
    if policy != Policy::Batch {
        let names = asking_for_sudo(&inventory, &arguments, &invocation.arguments);
        prompter.ask_for_sudo(names).await?;
    }
    prompter.set_policy(policy);
    descriptors::make_room_for(inventory.config().parallel.min(inventory.hosts().len()));
    let output = match targets {
        _ if invocation.json => Output::Json,
        Targets::One => Output::Plain,
        Targets::Many => Output::Prefixed,
    };
    let job = Job {
        task: task(invocation.action, &inventory, &arguments, output, context).await?,
        arguments: invocation.arguments,
        targets,
        output,
        results: results.clone(),
        messages: messages.clone(),
        stop: stop.clone(),
        verbosity: invocation.verbosity,
    };
    Ok((inventory, job))
}

/// Checks the data and arguments of all hosts, connects to none, and returns the arguments.
async fn check_hosts(
    inventory: &Inventory,
    invocation: &Invocation,
    context: &Context,
) -> Result<Vec<ConnectorArguments>> {
    let any = StringCommand::shell("true");
    let command = match &invocation.action {
        Action::Exec { command, .. } | Action::Shell { command } => command,
        _ => &any,
    };
    let mut all = Vec::with_capacity(inventory.hosts().len());
    for host in inventory.hosts() {
        let checked = async { host.target().await?.check(context) };
        checked.await.map_err(|error| invocation.login.with_flag_names(error))?;
        all.push(invocation.arguments.checked(host, command).await?);
    }
    Ok(all)
}

/// Returns the targets whose password for sudo is asked for first: those whose arguments say so, or
/// all together if they have one password.
fn asking_for_sudo<'a>(
    inventory: &'a Inventory,
    arguments: &[ConnectorArguments],
    given: &Arguments,
) -> Vec<&'a str> {
    let asks = |arguments: &ConnectorArguments| {
        let asks = given.same_sudo_password || arguments.use_sudo_password == Some(true);
        asks && arguments.sudo == Some(true) && arguments.sudo_password.is_none()
    };
    let hosts = inventory.hosts().zip(arguments).filter(|(_, arguments)| asks(arguments));
    let names: Vec<&str> = hosts.map(|(host, _)| host.name()).collect();
    match given.same_sudo_password && !names.is_empty() {
        true => vec![ALL_TARGETS],
        false => names,
    }
}

async fn task(
    action: Action,
    inventory: &Inventory,
    arguments: &[ConnectorArguments],
    output: Output,
    context: &Context,
) -> Result<Task> {
    match action {
        Action::Exec { command, stdin } => {
            let stdin = exec_stdin(stdin, arguments).await?;
            Ok(Task::Exec { command, stdin })
        }
        Action::Rsync(rsync) => Ok(Task::Rsync(rsync)),
        Action::Put(put) => put_task(put, arguments.len()).await,
        Action::Get(get) => {
            check_destinations(&get, inventory, output)?;
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

async fn exec_stdin(
    input: Option<Input>,
    arguments: &[ConnectorArguments],
) -> Result<Option<Prepared>> {
    let Some(input) = input else { return Ok(None) };
    // A retry reads its input again.
    let retried = arguments.iter().any(|arguments| arguments.retries.unwrap_or(0) > 0);
    let readers = arguments.len() + usize::from(retried);
    input.prepare(readers).await.map(Some)
}

async fn put_task(put: Put, readers: usize) -> Result<Task> {
    let (destination, options) = (put.destination, put.options);
    match put.source {
        Input::File(source) if put.recursive => {
            Ok(Task::PutDirectory { source, destination, options })
        }
        input => {
            let name = input.file_name();
            // If the destination is a directory, the source is read twice.
            let source = input.prepare(readers).await?;
            Ok(Task::PutFile { source, name, destination, options })
        }
    }
}

fn check_destinations(get: &Get, inventory: &Inventory, output: Output) -> Result<()> {
    if output == Output::Json {
        get.refuse_standard_output()?;
    }
    let names: Vec<&str> = inventory.hosts().map(|host| host.name()).collect();
    get.check_destinations(&names)
}
