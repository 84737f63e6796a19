//! The command `hostlink`, with every connector that is compiled in.

use std::process::ExitCode;

fn main() -> ExitCode {
    hostlink_cli::main_with(hostlink::builtin_registry())
}
