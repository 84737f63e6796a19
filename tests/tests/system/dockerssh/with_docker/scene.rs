//! What these tests share.

use std::fs;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use hostlink::{
    CommandOutput, ConnectorArguments, Context, Data, Error, Link, Result, StringCommand, Value,
    builtin_registry,
};
use hostlink_tests::cli;
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::processes::processes;

/// The limit of a command or a connection that waits for nothing, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Connecting may take as long as a busy machine needs.
pub(crate) fn context() -> Context {
    Context { connect_timeout: Duration::from_secs(60), ..Context::default() }
}

/// Returns the name of a container or an image on the engine of a host.
pub(crate) fn on(host: &DockerHost, container: &str) -> String {
    format!("@dockerssh/{}:{container}", host.address())
}

pub(crate) async fn connect(name: &str, data: &Data) -> Link {
    let connected = builtin_registry().connect(name, data, &context()).await;
    connected.unwrap_or_else(|error| panic!("{error}\n{error:?}"))
}

/// Returns the error of a connection that must fail, in time and with one line.
pub(crate) async fn refused(name: &str, data: &Data) -> Error {
    let registry = builtin_registry();
    let context = context();
    let connected = within("refusal", registry.connect(name, data, &context)).await;
    let error = connected.map(|_| ()).expect_err("it is refused");
    println!("{}: {error}", error.kind());
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    error
}

pub(crate) async fn run(link: &Link, line: &str) -> Result<CommandOutput> {
    link.run_shell_command(&StringCommand::shell(line), &ConnectorArguments::new()).await
}

/// Returns the result of `work`, which must not take long.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = tokio::time::timeout(LIMIT, work).await;
    println!("{what}: {:.2?}", begun.elapsed());
    done.unwrap_or_else(|_| panic!("{what} hangs"))
}

/// Returns the command `hostlink` with this data.
pub(crate) fn hostlink(data: &Data, words: &[&str]) -> Command {
    let pairs = data.iter().map(|(key, value)| match value {
        Value::String(text) => format!("--data={key}={text}"),
        // A list is formatted as JSON.
        value => format!("--data={key}={value}"),
    });
    let all = pairs.chain(words.iter().map(|word| (*word).to_owned()));
    let mut command = cli::hostlink(["--connect-timeout=60".to_owned()].into_iter().chain(all));
    command.env("SSH_AUTH_SOCK", "");
    command
}

/// Returns the command lines of a user's processes.
pub(crate) fn processes_of(user: &str) -> Vec<String> {
    let uid = uid_of(user);
    let is_theirs = |pid: u32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|it| it.uid() == uid);
    let lines = processes().into_iter().filter(|it| is_theirs(it.pid)).map(|it| it.pid);
    let lines = lines.filter_map(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

fn uid_of(user: &str) -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with(&format!("{user}:")));
    line.unwrap().split(':').nth(2).unwrap().parse().unwrap()
}

/// Returns the processes that run for the logins on a host.
pub(crate) fn running_on(host: &DockerHost) -> Vec<String> {
    let line = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).ok();
    let lines = host.sshd().descendants().into_iter().filter_map(|it| line(it.pid));
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}
