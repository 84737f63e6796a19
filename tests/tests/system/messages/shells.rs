//! dash, bash and busybox as the target's `sh`.

use std::sync::Arc;

use hostlink::{ConnectorArguments, Context, Data, Registry};
use hostlink_testkit::SpawnOnlyConnector;

use super::{Table, failed};

#[tokio::test]
async fn of_shells() {
    let mut table = Table::new("shells.txt");
    let kept = tempfile::tempdir().unwrap();
    let directory = kept.path().display().to_string();
    std::fs::write(format!("{directory}/file"), "").unwrap();
    table.mask("@spawnonly", "TARGET");
    table.mask(&directory, "/srv");
    for (shell, connector) in [
        ("dash", SpawnOnlyConnector::with_sh("/bin/dash")),
        ("bash", SpawnOnlyConnector::with_sh("/bin/bash")),
        ("busybox", SpawnOnlyConnector::busybox()),
    ] {
        let mut registry = Registry::new();
        registry.register(Arc::new(connector));
        let link = registry.connect("@spawnonly", &Data::new(), &Context::default()).await.unwrap();
        let plain = ConnectorArguments::new;
        let name = link.run_shell_command("echo \"$0\"", &plain()).await.unwrap();
        table.mask(name.stdout_lines()[0].clone(), "sh");
        for (situation, cause, line, arguments) in [
            ("a command that is not there", "not found", "no-such-command", plain()),
            ("a path that is not there", "/no/such/command", "/no/such/command", plain()),
            (
                "a file that may not be run",
                "ermission denied",
                &format!("{directory}/file"),
                plain(),
            ),
            ("a directory that is run", "/srv", &directory, plain()),
            ("a line that is no shell", "yntax error", "if true; then", plain()),
            ("a variable that is not set", "NOWHERE", "set -u; echo $NOWHERE", plain()),
            ("a signal", "signal 15", "kill -TERM $$", plain()),
            ("an exit code", "exit code 3", "exit 3", plain()),
            (
                "an exit code after words on standard error",
                "the reason",
                "echo the reason >&2; exit 3",
                plain(),
            ),
            (
                "a directory that is not there",
                "/no/such/directory",
                "true",
                plain().with_chdir("/no/such/directory"),
            ),
            (
                "a file as directory",
                "/srv/file",
                "true",
                plain().with_chdir(format!("{directory}/file")),
            ),
            (
                "another shell that is not there",
                "/no/such/shell",
                "true",
                plain().with_shell_executable("/no/such/shell"),
            ),
        ] {
            let error = failed(&link, line, &arguments).await;
            table.add(&format!("{shell}: {situation}"), cause, &error);
        }
        link.disconnect().await.unwrap();
    }
    table.compare();
}
