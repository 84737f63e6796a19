//! Containers that are reached through another target.

use std::time::{Duration, Instant};

use hostlink::{ConnectorArguments, Context, ErrorKind, StringCommand, builtin_registry};
use hostlink_tests::container::{BUSYBOX, Container};
use hostlink_tests::docker_target::{docker, ran};
use hostlink_tests::keeper::Keeper;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;
use tokio::task::JoinSet;

#[tokio::test]
async fn over_ssh_one_login_carries_every_command() {
    let container = Container::start(BUSYBOX);
    let target = SshTarget::start(Sshd::builder());
    let name = format!("@ssh/{}/@docker/{}", target.name(), container.name());
    let link = builtin_registry().connect(&name, &target.data, &Context::default()).await.unwrap();
    let all: JoinSet<_> = (0..50)
        .map(|number| {
            let link = link.clone();
            async move {
                ran(&link, &format!("echo {number}")).await.stdout()
                    == format!("{number}\n").into_bytes()
            }
        })
        .collect();
    assert_eq!(all.join_all().await, vec![true; 50]);
    assert_eq!(target.sshd.logins(), 1);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn sudo_reaches_an_engine_by_its_command() {
    let container = Container::start(BUSYBOX);
    let user = TestUser::create("/bin/sh");
    user.set_password("hunter2");
    let (name, mut keeper) = (user.name(), Keeper::start());
    let file = format!("/etc/sudoers.d/{name}");
    let make = format!("umask 227; echo '{name} ALL=(ALL) ALL' >{file}");
    assert!(keeper.make(&make, &format!("rm -f {file}")), "{}", keeper.log());
    let target = SshTarget::as_user(user.name(), Sshd::builder());
    let name = format!("@ssh/{}/@docker/{}", target.name(), container.name());
    let refused = builtin_registry().connect(&name, &target.data, &Context::default()).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("docker_sudo"), "{error}");

    let target = target.with("docker_sudo", true).with("docker_sudo_password", "hunter2");
    let link = builtin_registry().connect(&name, &target.data, &Context::default()).await.unwrap();
    assert_eq!(ran(&link, "echo there").await.stdout(), b"there\n");
    // More commands than the login has channels.
    let all: JoinSet<_> = (0..20)
        .map(|number| {
            let link = link.clone();
            async move {
                ran(&link, &format!("sleep 0.5; exit {number}")).await.exit_code() == Some(number)
            }
        })
        .collect();
    assert_eq!(all.join_all().await, vec![true; 20]);
    let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(2));
    let all: JoinSet<_> = (0..6)
        .map(|_| {
            let (link, arguments) = (link.clone(), arguments.clone());
            async move {
                let command = StringCommand::shell("sleep 4242");
                link.run_shell_command(&command, &arguments).await.unwrap_err().kind()
            }
        })
        .collect();
    assert_eq!(all.join_all().await, [ErrorKind::Timeout; 6]);
    // A kill is a command too, and sudo may take longer than the limit of a kill.
    let deadline = Instant::now() + Duration::from_secs(20);
    while container.shell("ps").contains("4242") {
        assert!(Instant::now() < deadline, "{}", container.shell("ps"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (command, most) = (StringCommand::shell("wc -c"), 3_000_000);
    let input = ConnectorArguments::new().with_stdin(vec![1; most]);
    let output = link.run_shell_command(&command, &input).await.unwrap();
    assert_eq!(output.stdout(), format!("{most}\n").into_bytes());
    link.disconnect().await.unwrap();
    assert_eq!(target.sshd.logins(), 2, "one for each connection");
    target.sshd.wait_until_idle();
}

#[tokio::test]
async fn sudo_on_this_machine_needs_no_name_for_it() {
    let container = Container::start(BUSYBOX);
    let target = hostlink_tests::docker_target::DockerTarget::new(container.name());
    let link = target.with("docker_sudo", true).connect().await;
    assert_eq!(ran(&link, "echo there").await.stdout(), b"there\n");
    link.disconnect().await.unwrap();
    assert_eq!(docker(["inspect", "--format", "{{.State.Status}}", container.name()]), "running");
}

#[tokio::test]
async fn an_image_on_another_host_goes_with_the_link() {
    let target = SshTarget::start(Sshd::builder()).with("docker_commit", "never");
    let name = format!("@ssh/{}/@docker/{BUSYBOX}", target.name());
    let link = builtin_registry().connect(&name, &target.data, &Context::default()).await.unwrap();
    let id = String::from_utf8(ran(&link, "hostname").await.stdout()).unwrap();
    assert!(docker(["ps", "--quiet"]).contains(id.trim()), "{id}");
    link.disconnect().await.unwrap();
    assert!(!docker(["ps", "--all", "--quiet"]).contains(id.trim()), "{id}");
}
