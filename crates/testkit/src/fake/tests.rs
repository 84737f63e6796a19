use std::sync::Arc;
use std::time::Duration;

use hostlink_core::transfer::{GetOptions, PutOptions, Source};
use hostlink_core::{ConnectorArguments, Context, Data, ErrorKind, Link, Registry, StringCommand};
use regex::Regex;

use super::{Answer, FakeConnector};

fn registry(fake: &FakeConnector) -> Registry {
    let mut registry = Registry::new();
    registry.register(Arc::new(fake.clone()));
    registry
}

async fn connect(fake: &FakeConnector) -> Link {
    registry(fake).connect("@fake/a", &Data::new(), &Context::default()).await.unwrap()
}

#[tokio::test]
async fn an_argument_lists_targets() {
    let registry = registry(&FakeConnector::new());
    let resolved = registry.resolve("@fake/a,b", &Context::default()).await.unwrap();
    let names: Vec<_> = resolved.iter().map(|target| &*target.name).collect();
    assert_eq!(names, ["@fake/a", "@fake/b"]);
    let alone = registry.resolve("@fake", &Context::default()).await.unwrap();
    assert_eq!(alone[0].name, "@fake");
}

#[tokio::test]
async fn the_first_rule_that_matches_answers() {
    let answer = Answer::new().with_stdout("out").with_stderr("err").with_exit_code(3);
    let fake = FakeConnector::new()
        .with_rule(Regex::new("^sh -c 'apt(-get)? ").unwrap(), answer)
        .with_rule("apt", Answer::new().with_exit_code(9));
    let link = connect(&fake).await;
    let run =
        async |line: &str| link.run_shell_command(line, &ConnectorArguments::new()).await.unwrap();
    let output = run("apt-get update").await;
    assert_eq!(output.exit_code(), Some(3));
    assert_eq!(
        (output.stdout_lines(), output.stderr_lines()),
        (vec!["out".into()], vec!["err".into()])
    );
    assert_eq!(run("sudo apt").await.exit_code(), Some(9));
    let other = run("true").await;
    assert!(other.success() && other.combined_lines().is_empty());
    assert_eq!(
        fake.commands("@fake/a"),
        ["sh -c 'apt-get update'", "sh -c 'sudo apt'", "sh -c true"]
    );
    assert!(fake.commands("@fake/b").is_empty());
}

#[tokio::test]
async fn commands_are_written_down_with_secrets_masked() {
    let fake = FakeConnector::new();
    let command = StringCommand::new().arg("login").secret("hunter2");
    connect(&fake).await.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    assert_eq!(fake.commands("@fake/a"), ["sh -c 'login ***'"]);
}

#[tokio::test]
async fn a_delay_runs_into_a_timeout() {
    let answer = Answer::new().with_delay(Duration::from_secs(60));
    let fake = FakeConnector::new().with_rule("sleep", answer);
    let arguments = ConnectorArguments::new().with_timeout(Duration::from_millis(10));
    let result = connect(&fake).await.run_shell_command("sleep 60", &arguments).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn files_are_kept_in_memory() {
    let fake = FakeConnector::new();
    let link = connect(&fake).await;
    link.put_file(b"text".to_vec(), "/etc/x", &PutOptions::default()).await.unwrap();
    assert_eq!(fake.file("@fake/a", "/etc/x").as_deref(), Some(&b"text"[..]));
    let mut buffer = Vec::new();
    link.get_file("/etc/x", &mut buffer, &GetOptions::default()).await.unwrap();
    assert_eq!(buffer, b"text");
    let missing = link.get_file("/etc/y", &mut buffer, &GetOptions::default()).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_source_of_another_length_is_not_stored() {
    let fake = FakeConnector::new();
    let source = Source::sized_reader(&b"abc"[..], 4);
    let put = connect(&fake).await.put_file(source, "/x", &PutOptions::default()).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Transfer);
    assert_eq!(fake.file("@fake/a", "/x"), None);
}
