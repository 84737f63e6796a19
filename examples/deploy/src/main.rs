//! Deploys a configuration file to the hosts of an inventory, and restarts the service of it.

use std::process::ExitCode;

use futures::StreamExt;
use hostlink::transfer::PutOptions;
use hostlink::{ConnectorArguments, Context, Host, Inventory, Result, builtin_registry};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [targets, template, path, restart] = words.as_slice() else {
        eprintln!("usage: deploy TARGETS TEMPLATE PATH RESTART_COMMAND");
        return ExitCode::from(2);
    };
    let template = match std::fs::read_to_string(template) {
        Ok(template) => template,
        Err(error) => return failed(&error, 2),
    };
    let inventory = match load(targets).await {
        Ok(inventory) => inventory,
        Err(error) => return failed(&error, 2),
    };
    let status = tokio::select! {
        status = deploy_all(&inventory, &template, path, restart) => status,
        // Dropping the work kills what runs on the hosts.
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
    };
    // Waits until what was killed is dead.
    inventory.disconnect().await.map_or_else(|error| failed(&error, 1), |()| status)
}

async fn load(targets: &str) -> Result<Inventory> {
    Inventory::builder().targets(targets)?.build(&builtin_registry(), &Context::from_env()).await
}

async fn deploy_all(hosts: &Inventory, template: &str, path: &str, restart: &str) -> ExitCode {
    let mut results = hosts.on_each(|host| deploy(host, template, path, restart));
    let mut status = ExitCode::SUCCESS;
    while let Some((host, result)) = results.next().await {
        match result {
            Ok(()) => println!("{}: deployed", host.name()),
            Err(error) => status = failed(&error, 1),
        }
    }
    status
}

async fn deploy(host: &Host, template: &str, path: &str, restart: &str) -> Result<()> {
    let as_root = ConnectorArguments::new().with_sudo(true);
    let text = template.replace("{host}", host.name()).into_bytes();
    host.put_file(text, path, &PutOptions::default().with_arguments(as_root.clone())).await?;
    let restarted = host.run_shell_command(restart, &as_root).await?;
    restarted.check().map(drop).map_err(|error| error.with_target(host.name()))
}

fn failed(error: &dyn std::error::Error, status: u8) -> ExitCode {
    eprintln!("deploy: {error}");
    ExitCode::from(status)
}
