//! What the tests of logins share: data without credentials, and checks of links and errors.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hostlink::connect::Prompter;
use hostlink::{
    ConnectorArguments, Context, Data, Error, ErrorKind, Link, Result, Secret, StringCommand,
    Value, builtin_registry,
};
use hostlink_tests::cli;
use hostlink_tests::keys::{Key, KeyType, Keys};
use hostlink_tests::sshd::Sshd;
use tempfile::NamedTempFile;

/// The limit where nothing should be slow, for a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// How late an error may come on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Returns the data that reach this server as this user, without credentials.
pub(crate) fn on(sshd: &Sshd, user: &str) -> Data {
    at(sshd.port(), user, &sshd.known_hosts())
}

/// Returns the data for a port and a file of host keys.
pub(crate) fn at(port: u16, user: &str, known_hosts: &Path) -> Data {
    believing(known_hosts)
        .with("ssh_user", user)
        .with("ssh_port", i64::from(port))
        .with("ssh_config_file", "none")
}

/// Returns data that leave everything to ssh's configuration, with only these host keys.
pub(crate) fn believing(known_hosts: &Path) -> Data {
    Data::new()
        .with("ssh_known_hosts_file", text(known_hosts))
        .with("ssh_strict_host_key_checking", "yes")
        .with("ssh_look_for_keys", false)
        .with("ssh_allow_agent", false)
}

/// Returns a path as data.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Makes a key that this server accepts for every user.
pub(crate) fn key_of(sshd: &Sshd) -> Key {
    let key = Keys::new().make(KeyType::Ed25519);
    sshd.authorize(&key.public());
    key
}

/// Returns the host keys of all these servers.
pub(crate) fn known_to(servers: &[&Sshd]) -> NamedTempFile {
    let read = |sshd: &&Sshd| fs::read_to_string(sshd.known_hosts()).unwrap();
    file(&servers.iter().map(read).collect::<String>())
}

/// Makes a private file.
pub(crate) fn file(content: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    file
}

/// A context without an agent.
pub(crate) fn context() -> Context {
    with_agent(Path::new(""))
}

/// Returns a context with the agent at this socket.
pub(crate) fn with_agent(socket: &Path) -> Context {
    let environment = [("SSH_AUTH_SOCK".to_owned(), text(socket))].into();
    Context { connect_timeout: LIMIT, environment, ..Context::default() }
}

/// Connects without an agent, at the server's own address.
pub(crate) async fn connect(sshd: &Sshd, data: &Data) -> Link {
    connect_to(&sshd.address().to_string(), data, &context()).await
}

/// Connects, and must succeed.
pub(crate) async fn connect_to(target: &str, data: &Data, context: &Context) -> Link {
    let connected = builtin_registry().connect(target, data, context).await;
    connected.unwrap_or_else(|error| panic!("{error}\n{error:?}"))
}

/// Returns the output of a line of shell, without the last newline.
pub(crate) async fn says(link: &Link, line: &str) -> String {
    let arguments = ConnectorArguments::new();
    let output = link.run_shell_command(&StringCommand::shell(line), &arguments).await.unwrap();
    assert!(output.success(), "{line}: {:?}", output.stderr_lines());
    output.stdout_lines().join("\n")
}

/// Returns the user that a link is logged in as.
pub(crate) async fn user_of(link: &Link) -> String {
    says(link, "id -un").await
}

/// Returns the error without an agent, at the server's own address.
pub(crate) async fn refusal(sshd: &Sshd, data: &Data) -> Error {
    refusal_of(&sshd.address().to_string(), data, &context()).await
}

/// Returns the error of connecting, which must come in time, name the target and be one line.
pub(crate) async fn refusal_of(target: &str, data: &Data, context: &Context) -> Error {
    let limit = match data.get("ssh_connect_timeout") {
        Some(Value::Int(seconds)) => Duration::from_secs(u64::try_from(*seconds).unwrap()),
        _ => context.connect_timeout,
    };
    let start = Instant::now();
    let connected = builtin_registry().connect(target, data, context).await;
    let took = start.elapsed();
    let error = connected.map(|link| link.name().to_owned()).expect_err("it is refused");
    println!("{} after {:.2} s: {error}", error.kind(), took.as_secs_f64());
    assert!(took < limit + Duration::from_secs(1) + SLACK, "{took:?}: {error}");
    assert_eq!(error.target(), Some(target));
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
    error
}

/// Checks an error's kind and parts of its message.
pub(crate) fn assert_says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is missing: {error}");
    }
}

/// Answers prompts that contain a text, and records all prompts.
#[derive(Debug, Default)]
pub(crate) struct Knows {
    answers: Vec<(String, String)>,
    asked: Mutex<Vec<String>>,
}

impl Knows {
    /// Returns a prompter with these answers.
    pub(crate) fn new(answers: &[(&str, &str)]) -> Arc<Self> {
        let own = |(part, answer): &(&str, &str)| ((*part).to_owned(), (*answer).to_owned());
        let answers = answers.iter().map(own).collect();
        Arc::new(Self { answers, asked: Mutex::default() })
    }

    /// Returns the prompts so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Prompter for Knows {
    async fn ask_secret(&self, _target: &str, question: &str) -> Result<Secret> {
        self.asked.lock().unwrap().push(question.to_owned());
        let known = self.answers.iter().find(|(part, _)| question.contains(part));
        let nobody = || Error::new(ErrorKind::Auth, format!("no answer to {question}"));
        known.map(|(_, answer)| Secret::from(answer.as_str())).ok_or_else(nobody)
    }
}

/// Returns a context with this prompter.
pub(crate) fn asking(prompter: &Arc<Knows>) -> Context {
    Context { prompter: prompter.clone(), ..context() }
}

/// Returns the command `hostlink` for these targets with this data, ready to `exec` a line.
pub(crate) fn hostlink(targets: &str, data: &Data, line: &str) -> Command {
    let mut words = vec![format!("--connect-timeout={}", LIMIT.as_secs())];
    words.extend(data.iter().map(|(key, value)| format!("--data={key}={}", shown(value))));
    let line = [targets, "exec", "--", line].map(str::to_owned);
    let mut command = cli::hostlink(words.into_iter().chain(line));
    command.env("SSH_AUTH_SOCK", "");
    command
}

/// Formats a value for `--data`.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            serde_json::to_string(&items).unwrap()
        }
        other => other.to_string(),
    }
}

/// Runs the command, which must fail with this exit status and one line, and returns the line.
pub(crate) fn one_line_of(command: Command, status: i32) -> String {
    let output = cli::run(command);
    let line = cli::stderr(&output);
    assert_eq!((cli::code(&output), cli::stdout(&output)), (status, String::new()), "{line}");
    let line = line.strip_suffix('\n').expect("a line").to_owned();
    assert!(!line.contains(char::is_control), "{line:?}");
    println!("{line}");
    line
}
