//! The hosts of an inventory, connected for real.

use std::time::Duration;

use futures::StreamExt;
use hostlink::inventory::{Config, Definition, Format, HostDefinition, Inventory};
use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{ConnectorArguments, Context, ErrorKind, StringCommand, builtin_registry};
use hostlink_tests::cli::{count_running, unique_seconds};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::ssh_target::{Details, SshTarget, Traces};
use hostlink_tests::sshd::Sshd;

/// Returns a host on this server.
fn on(target: &SshTarget, name: &str) -> HostDefinition {
    let mut host = HostDefinition::new(name).with_target(target.name());
    host.data = target.data.clone();
    host
}

async fn said(host: &hostlink::inventory::Host, line: &str) -> hostlink::Result<String> {
    let command = StringCommand::shell(line);
    let output = host.run_shell_command(&command, &ConnectorArguments::new()).await?.check()?;
    Ok(String::from_utf8(output.stdout()).unwrap())
}

#[tokio::test]
async fn a_host_connects_says_why_runs_moves_files_and_disconnects() {
    let (target, traces, details) =
        (SshTarget::start(Sshd::builder()), Traces::new(), Details::default());
    let context =
        Context { runtime_directory: Some(traces.path().to_owned()), ..details.context() };
    let arguments = ConnectorArguments::new().with_chdir("/usr");
    let inventory = Inventory::builder()
        .host(on(&target, "web1").with_data("_env", env("ROLE", "web")))
        .config(Config { arguments, ..Config::default() });
    let inventory = inventory.build(&builtin_registry(), &context).await.unwrap();
    let host = inventory.host("web1").unwrap();
    assert!(!host.is_connected().await);
    host.connect("to look around").await.unwrap();
    host.connect("again").await.unwrap();
    assert!(host.is_connected().await);
    assert_eq!(details.with("connecting (to look around)").len(), 1);
    assert_eq!(said(host, "echo $ROLE; pwd").await.unwrap(), "web\n/usr\n");
    let over = ConnectorArguments::new().with_chdir("/");
    let output = host.run_shell_command(&StringCommand::shell("pwd"), &over).await.unwrap();
    assert_eq!(output.stdout(), b"/\n");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file").display().to_string();
    host.put_file(b"text".to_vec(), &path, &PutOptions::default()).await.unwrap();
    let mut got = Vec::new();
    host.get_file(&path, &mut got, &GetOptions::default()).await.unwrap();
    assert_eq!(got, b"text");
    assert_eq!(target.sshd.logins(), 1);
    inventory.disconnect().await.unwrap();
    assert!(!host.is_connected().await);
    // Nothing of the link is left; before, the counters found it.
    assert!(traces.is_empty(), "{:?} {:?}", traces.files(), traces.processes());
    assert_eq!(said(host, "echo back").await.unwrap(), "back\n");
    assert!(!traces.is_empty());
    inventory.disconnect().await.unwrap();
}

#[tokio::test]
async fn whether_a_host_is_connected_is_known_at_once() {
    let target = SshTarget::start(Sshd::builder());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let builder = Inventory::builder()
        .host(on(&target, "web1"))
        .host(on(&target, "silent").with_data("ssh_port", u64::from(port)));
    let inventory = builder.build(&builtin_registry(), &Context::default()).await.unwrap();
    let [web1, under_way] = ["web1", "silent"].map(|name| inventory.host(name).unwrap());
    let at_once = async |host: &hostlink::inventory::Host| {
        let limit = Duration::from_secs(5);
        tokio::time::timeout(limit, host.is_connected()).await.expect("it does not wait")
    };
    tokio::select! {
        connected = under_way.connect("") => panic!("{connected:?}"),
        () = async {
            let _stream = silent.accept().await.unwrap();
            assert!(!at_once(under_way).await, "its login is under way");
        } => {}
    }
    web1.connect("").await.unwrap();
    assert!(at_once(web1).await, "the control");
    target.sshd.stop();
    assert!(!at_once(web1).await, "its server answers nothing");
    target.sshd.cont();
    assert!(at_once(web1).await, "the control");
    target.sshd.kill_sessions();
    assert!(!at_once(web1).await, "its link is lost");
    inventory.disconnect().await.unwrap();
}

fn env(name: &str, value: &str) -> hostlink::Value {
    hostlink::Value::Map([(name, value)].into_iter().collect())
}

#[tokio::test]
async fn a_host_over_ssh_connects_again_after_a_lost_link() {
    let target = SshTarget::start(Sshd::builder());
    let builder = Inventory::builder().host(on(&target, "web1"));
    let inventory = builder.build(&builtin_registry(), &Context::default()).await.unwrap();
    let host = inventory.host("web1").unwrap();
    assert_eq!(said(host, "echo 1").await.unwrap(), "1\n");
    let seconds = unique_seconds();
    let line = format!("sleep {seconds}");
    let (lost, ()) = tokio::join!(said(host, &line), async {
        while count_running("sleep", &seconds) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        target.sshd.kill_sessions();
    });
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::LinkLost);
    assert_eq!(said(host, "echo 2").await.unwrap(), "2\n");
    assert!(target.sshd.logins() >= 2);
    inventory.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_container_that_is_started_again_is_connected_to_again_with_docker() {
    let container = Container::start(DEBIAN);
    let target = format!("@docker/{}", container.name());
    let builder = Inventory::builder().host(HostDefinition::new("db").with_target(target));
    let inventory = builder.build(&builtin_registry(), &Context::default()).await.unwrap();
    let host = inventory.host("db").unwrap();
    assert_eq!(said(host, "echo 1").await.unwrap(), "1\n");
    container.engine().say(["restart", "--time=0", container.name()]);
    // The command that detects the loss may fail, and is not run again.
    if let Err(error) = said(host, "echo 2").await {
        assert_eq!(error.kind(), ErrorKind::LinkLost, "{error}");
    }
    assert_eq!(said(host, "echo 3").await.unwrap(), "3\n");
    inventory.disconnect().await.unwrap();
    // It no longer ends with the client that started it.
    container.engine().say(["rm", "--force", container.name()]);
}

#[tokio::test]
async fn work_on_all_hosts_comes_back_in_their_order() {
    let text = "hosts: [{name: c, target: '@local'}, {name: a, target: '@local'}, {name: b, target: '@local'}]";
    let definition = Definition::read(text, Format::Yaml, "inline").unwrap();
    let builder = Inventory::builder()
        .definition(definition, "inline")
        .config(Config { parallel: 2, ..Config::default() });
    let inventory = builder.build(&builtin_registry(), &Context::default()).await.unwrap();
    let said = inventory
        .on_all(async |host| {
            let late = if host.name() == "c" { "sleep 0.2; " } else { "" };
            said(host, &format!("{late}echo {}", host.name())).await.unwrap()
        })
        .await;
    assert_eq!(said, ["c\n", "a\n", "b\n"]);
    inventory.disconnect().await.unwrap();
}

/// The closures and functions that users pass, in tasks that may move between threads.
#[tokio::test]
async fn results_come_as_they_are_there_also_in_a_task() {
    async fn name_late(host: &hostlink::inventory::Host) -> String {
        let late = if host.name() == "slow" { "sleep 1; " } else { "" };
        said(host, &format!("{late}echo {}", host.name())).await.unwrap()
    }

    let text = "hosts: [{name: slow, target: '@local'}, {name: a, target: '@local'}, {name: b, target: '@local'}]";
    let definition = Definition::read(text, Format::Yaml, "inline").unwrap();
    let builder = Inventory::builder()
        .definition(definition, "inline")
        .config(Config { parallel: 2, ..Config::default() });
    let inventory = builder.build(&builtin_registry(), &Context::default()).await.unwrap();
    let inventory = std::sync::Arc::new(inventory);
    let shared = inventory.clone();
    let by_function = tokio::spawn(async move {
        let results: Vec<_> = shared.on_each(name_late).collect().await;
        results.into_iter().map(|(host, said)| (host.name().to_owned(), said)).collect::<Vec<_>>()
    });
    let came = by_function.await.unwrap();
    // Two at a time: the slow one does not hold up the third.
    assert_eq!(came.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["a", "b", "slow"]);
    let (shared, word) = (inventory.clone(), "hello".to_owned());
    let by_closure = tokio::spawn(async move {
        shared.on_all(async |host| said(host, &format!("echo {word}")).await.unwrap()).await
    });
    assert_eq!(by_closure.await.unwrap(), ["hello\n", "hello\n", "hello\n"]);
    let shared = inventory.clone();
    let by_block =
        tokio::spawn(async move { shared.on_all(|host| async move { host.name().len() }).await });
    assert_eq!(by_block.await.unwrap(), [4, 1, 1]);
    inventory.disconnect().await.unwrap();
}
