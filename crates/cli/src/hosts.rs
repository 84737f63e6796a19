//! The hosts that TARGETS names, each with its data and arguments.

use hostlink::connect::ResolvedTarget;
use hostlink::inventory::Inventory;
use hostlink::run::make_unix_command;
use hostlink::{ConnectorArguments, Context, Registry, Result, StringCommand};

use crate::explain::usage;
use crate::host::Host;
use crate::invocation::{Action, Invocation};
use crate::{data, flags};

/// Returns the hosts of an invocation, with their groups and data. It queries connectors that list
/// hosts, and connects to no host.
pub(crate) async fn inventory(
    registry: &Registry,
    invocation: &Invocation,
    context: &Context,
) -> Result<Inventory> {
    data::check_keys(&invocation.data, registry)?;
    let mut builder = Inventory::builder().targets(&invocation.targets)?;
    builder = builder.override_data(&invocation.data);
    // Other actions use the login data to log in; this one shows it.
    if let Action::Inventory { .. } = &invocation.action {
        builder = builder.override_data(invocation.login.given());
    }
    for path in &invocation.group_data {
        builder = builder.group_data(path);
    }
    let (limit, exclude) = (&invocation.limit, &invocation.exclude);
    let chosen = limit.is_some() || exclude.is_some();
    for pattern in limit.iter().cloned() {
        builder = builder.limit(pattern);
    }
    for pattern in exclude.iter().cloned() {
        builder = builder.exclude(pattern);
    }
    let inventory = builder.build(registry, context).await?;
    if inventory.hosts().len() == 0 {
        return Err(usage(match chosen {
            true => "--limit and --exclude leave no host",
            false => "TARGETS names no host",
        }));
    }
    Ok(inventory)
}

/// Resolves and checks all targets, and connects to none.
pub(crate) async fn resolve(
    registry: &Registry,
    invocation: &Invocation,
    context: &Context,
) -> Result<Vec<Host>> {
    let inventory = inventory(registry, invocation, context).await?;
    if let Some(word) = invocation.action.only_one()
        && inventory.hosts().len() > 1
    {
        let count = inventory.hosts().len();
        return Err(usage(format!("{word} is for one target, but TARGETS names {count}")));
    }
    let mut hosts = Vec::with_capacity(inventory.hosts().len());
    for found in inventory.hosts() {
        hosts.push(host(found.target().await?, invocation, context)?);
    }
    invocation.login.check(&hosts)?;
    Ok(hosts)
}

fn host(target: ResolvedTarget, invocation: &Invocation, context: &Context) -> Result<Host> {
    let target = invocation.login.apply(target);
    target.check(context)?;
    let arguments =
        arguments(&target, invocation).map_err(|error| error.with_target(&target.name))?;
    Ok(Host { target, arguments })
}

/// Merges the arguments: the command line's take precedence, then host data's, then the
/// environment's.
fn arguments(target: &ResolvedTarget, invocation: &Invocation) -> Result<ConnectorArguments> {
    let of_host = ConnectorArguments::from_data(&target.data)?;
    let said = invocation.arguments.clone().or(&of_host);
    let mut environment = invocation.environment.clone();
    if said.use_sudo_password == Some(true) {
        environment.sudo_password = None;
    }
    let arguments = said.or_passwords(&environment);
    if invocation.arguments.sudo_password.is_some() && arguments.sudo.is_none() {
        return Err(usage("--sudo-password-file: has no effect without --sudo"));
    }
    if invocation.same_sudo_password && arguments.sudo.is_none() {
        return Err(usage("--same-sudo-password: has no effect without --sudo"));
    }
    let any = StringCommand::shell("true");
    let command = match &invocation.action {
        Action::Exec { command, .. } | Action::Shell { command } => command,
        Action::Put(_)
        | Action::Get(_)
        | Action::Rsync(_)
        | Action::Forward(_)
        | Action::Inventory { .. } => &any,
    };
    // Faults of the command line are reported by the names of its flags.
    make_unix_command(command, &invocation.arguments.clone().or(&arguments.tools_only()))
        .map_err(flags::with_flag_names)?;
    make_unix_command(command, &arguments)?;
    Ok(arguments)
}
