//! The hosts that TARGETS stands for, each with its data and arguments.

use std::collections::HashSet;

use hostlink::{
    ConnectorArguments, Context, Registry, ResolvedTarget, Result, StringCommand, make_unix_command,
};

use crate::explain::usage;
use crate::invocation::{Action, Invocation};
use crate::{data, flags};

/// A host that something is to be done on.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) target: ResolvedTarget,
    pub(crate) arguments: ConnectorArguments,
}

/// Resolves and checks everything, and connects to nothing.
pub(crate) async fn resolve(
    registry: &Registry,
    invocation: &Invocation,
    context: &Context,
) -> Result<Vec<Host>> {
    data::check_keys(&invocation.data, registry)?;
    let mut known = HashSet::new();
    let mut hosts = Vec::new();
    for name in &invocation.targets {
        let targets = registry.resolve(name, context).await?;
        for target in targets.into_iter().filter(|target| known.insert(target.name.clone())) {
            hosts.push(host(target, invocation, context)?);
        }
    }
    if let Some(word) = invocation.action.only_one()
        && hosts.len() > 1
    {
        let count = hosts.len();
        return Err(usage(format!("{word} is for one target, and TARGETS stands for {count}")));
    }
    if hosts.is_empty() {
        return Err(usage("TARGETS stands for no host at all"));
    }
    invocation.login.check(&hosts)?;
    Ok(hosts)
}

fn host(target: ResolvedTarget, invocation: &Invocation, context: &Context) -> Result<Host> {
    let target = invocation.login.apply(target.with_data(&invocation.data));
    target.check(context)?;
    let arguments =
        arguments(&target, invocation).map_err(|error| error.with_target(&target.name))?;
    Ok(Host { target, arguments })
}

/// The command line's words, then host data's, then the environment's.
fn arguments(target: &ResolvedTarget, invocation: &Invocation) -> Result<ConnectorArguments> {
    let of_host = ConnectorArguments::from_data(&target.data)?;
    let said = invocation.arguments.clone().or(&of_host);
    let mut environment = invocation.environment.clone();
    // It is there for every invocation, also for those without su.
    environment.su_password = environment.su_password.filter(|_| said.su_user.is_some());
    let arguments = said.or(&environment);
    let any = StringCommand::shell("true");
    let command = match &invocation.action {
        Action::Exec { command, .. } | Action::Shell { command } => command,
        Action::Put(_) | Action::Get(_) | Action::Rsync(_) | Action::Forward(_) => &any,
    };
    // What the command line itself has wrong is named as it is there.
    let ConnectorArguments { sudo, su_user, doas, dzdo, .. } = arguments.clone();
    let tools = ConnectorArguments { sudo, su_user, doas, dzdo, ..ConnectorArguments::default() };
    make_unix_command(command, &invocation.arguments.clone().or(&tools))
        .map_err(|error| flags::with_flag_names(&error))?;
    make_unix_command(command, &arguments)?;
    Ok(arguments)
}
