//! The whole command line of hostlink, with third-party connectors.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let mut registry = hostlink::builtin_registry();
    registry.register(Arc::new(hostlink_example_netns::NetnsConnector));
    registry.register(Arc::new(hostlink_example_cloud::CloudConnector));
    hostlink_cli::main_with(registry)
}
