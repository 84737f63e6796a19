//! A program that reaches this machine with the local connector alone.

use std::sync::Arc;

use hostlink_core::{ConnectorArguments, Context, Data, Registry, Result, StringCommand};
use hostlink_local::LocalConnector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut registry = Registry::new();
    registry.register(Arc::new(LocalConnector));
    let local = registry.connect("@local", &Data::new(), &Context::default()).await?;
    let command = StringCommand::from_words(["uname", "-s"]);
    let output = local.run_shell_command(&command, &ConnectorArguments::new()).await?.check()?;
    println!("{}", output.stdout_lines().join("\n"));
    local.disconnect().await
}
