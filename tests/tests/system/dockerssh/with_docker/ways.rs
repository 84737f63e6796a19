//! How users with different rights reach the engine of a host.

use std::sync::Arc;

use async_trait::async_trait;
use hostlink::connect::Prompter;
use hostlink::{
    ConnectorArguments, Context, Data, ErrorKind, Result, Secret, StringCommand, builtin_registry,
};
use hostlink_tests::cli::{code, stderr, stdout};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::docker_host::DockerHost;
use hostlink_tests::engine::Engine;
use hostlink_tests::ssh_target::said;
use hostlink_tests::sudoer::Sudoer;
use hostlink_tests::{cli, user::TestUser};

use super::scene::{connect, hostlink, on, refused, run};

/// Answers with a password.
#[derive(Debug)]
struct Answers(&'static str);

#[async_trait]
impl Prompter for Answers {
    async fn ask_secret(&self, _target: &str, _question: &str) -> Result<Secret> {
        Ok(self.0.into())
    }
}

/// Checks that a command runs in the container, through a single login.
async fn is_reached(host: &DockerHost, data: &Data) {
    let container = Container::start(DEBIAN);
    let link = connect(&on(host, container.name()), data).await;
    let hostname = container.shell("hostname");
    assert_eq!(said(&link, "hostname").await, hostname);
    link.disconnect().await.unwrap();
    assert_eq!(host.sshd().logins(), 1);
}

#[tokio::test]
async fn root_reaches_it() {
    let host = DockerHost::root();
    is_reached(&host, &host.data()).await;
}

#[tokio::test]
async fn a_member_of_the_group_reaches_it() {
    let host = DockerHost::member();
    is_reached(&host, &host.data()).await;
}

#[tokio::test]
async fn a_user_without_the_command_reaches_it_by_the_socket() {
    let host = DockerHost::without_command();
    is_reached(&host, &host.data()).await;
}

#[tokio::test]
async fn a_user_without_forwarding_reaches_it_by_the_command() {
    let host = DockerHost::without_forwarding();
    is_reached(&host, &host.data()).await;
}

#[tokio::test]
async fn a_sudoer_reaches_it_as_root() {
    let host = DockerHost::sudoer();
    is_reached(&host, &host.data().with("docker_sudo", true)).await;
}

/// A socket in the data is the host's, and the docker command gets it too.
#[tokio::test]
async fn the_engines_place_is_that_on_the_host() {
    for host in [DockerHost::member(), DockerHost::without_forwarding()] {
        is_reached(&host, &host.data().with("docker_host", "unix:///run/docker.sock")).await;
    }
    let host = DockerHost::root();
    let data = host.data().with("docker_host", "unix:///nowhere/docker.sock");
    let error = refused(&on(&host, "c"), &data).await;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("/nowhere/docker.sock (docker_host)"), "{error}");
}

#[tokio::test]
async fn a_stranger_is_referred_to_docker_sudo() {
    let host = DockerHost::stranger();
    let error = refused(&on(&host, "c"), &host.data()).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let text = error.to_string();
    for part in ["docker_sudo", "/var/run/docker.sock", "docker system dial-stdio"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("@dockerssh/").count(), 1, "the target is named once: {text}");
    // Without sudo rights, the error says so.
    let data = host.data().with("docker_sudo", true).with("docker_sudo_password", "wrong");
    let error = refused(&on(&host, "c"), &data).await;
    assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
}

#[tokio::test]
async fn a_stranger_without_the_command_is_referred_to_docker_sudo() {
    let host = DockerHost::without_command();
    let stranger = TestUser::create("/bin/bash");
    let data = host.data().with("ssh_user", stranger.name());
    let error = refused(&on(&host, "c"), &data).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let text = error.to_string();
    assert!(text.contains("docker_sudo") && text.contains("sock: permission denied"), "{text}");
}

#[tokio::test]
async fn a_host_without_an_engine_says_where_it_was_looked_for() {
    // Podman's service has another address, and this user has none.
    let host = DockerHost::without_command();
    let name = format!("@podmanssh/{}:c", host.address());
    let error = refused(&name, &host.data()).await;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let text = error.to_string();
    for part in [
        "no Podman engine answers",
        "/run/podman/podman.sock",
        "podman system dial-stdio",
        "podman_socket",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("there is no such socket"), "{text}");
    assert!(text.contains("not found"), "what the command said: {text}");
    assert_eq!(text.matches("@podmanssh/").count(), 1, "the target is named once: {text}");
}

#[tokio::test]
async fn a_password_for_sudo_is_given_or_refused_quickly() {
    let host = DockerHost::stranger();
    let user = host.user().to_owned();
    let password = "correct horse";
    let set = cli::run_with_input(
        cli::command("chpasswd".as_ref(), [""; 0]),
        format!("{user}:{password}\n").as_bytes(),
    );
    assert_eq!(code(&set), 0, "{}", stderr(&set));
    let _sudoer = Sudoer::with_password(&user);
    let data = host.data().with("docker_sudo", true);
    let wrong = data.clone().with("docker_sudo_password", "wrong");
    let of_container = data.clone().with("_sudo_password", password);
    let wanted = "docker_sudo without docker_sudo_password";
    for (data, why) in [
        (&data, "a password is required"),
        (&data, wanted),
        (&of_container, wanted),
        (&wrong, "password was not accepted"),
        (&wrong, "with docker_sudo_password"),
    ] {
        let error = refused(&on(&host, "c"), data).await;
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
        assert!(error.to_string().contains("sudo docker system dial-stdio"), "{error}");
        assert!(!error.to_string().contains(password), "{error}");
    }
    let container = Container::start(DEBIAN);
    let name = on(&host, container.name());
    let asked = Context { prompter: Arc::new(Answers(password)), ..Context::default() };
    let data_and_password = data.clone().with("docker_sudo_password", password);
    for (data, context) in [(&data_and_password, &Context::default()), (&data, &asked)] {
        let link = builtin_registry().connect(&name, data, context).await.unwrap();
        assert_eq!(said(&link, "id -u").await, "0\n");
        link.disconnect().await.unwrap();
    }
    // sudo in the container has its own password, and gets no other.
    container.set_password("sudoer", "another one");
    let data = data_and_password.with("docker_user", "sudoer");
    let both = data.clone().with("_sudo_password", "another one");
    let output = cli::run(hostlink(&both, &["--sudo", &name, "exec", "--", "id -un"]));
    assert_eq!((code(&output), &*stdout(&output)), (0, "root\n"), "{}", stderr(&output));
    let link = connect(&name, &data).await;
    let (command, sudo) = (StringCommand::shell("id"), ConnectorArguments::new().with_sudo(true));
    let error = link.run_shell_command(&command, &sudo).await.unwrap_err();
    assert!(error.to_string().contains("the password for sudo is required"), "{error}");
    link.disconnect().await.unwrap();
}

/// Both names make the same link, and report the same.
#[tokio::test]
async fn the_short_name_and_the_chain_are_the_same() {
    let (host, container) = (DockerHost::member(), Container::start(DEBIAN));
    let data = host.data().with("docker_user", "plain").with("docker_workdir", "/usr/share");
    let short = on(&host, container.name());
    let chain = format!("@ssh/{}/@docker/{}", host.address(), container.name());
    let line = "id -un; pwd; hostname; echo error >&2; exit 3";
    let mut outputs = Vec::new();
    for name in [&short, &chain] {
        let link = connect(name, &data).await;
        assert_eq!(link.name(), name);
        let output = run(&link, line).await.unwrap();
        outputs.push((output.stdout(), output.stderr(), output.exit_code()));
        link.disconnect().await.unwrap();
    }
    let expected = format!("plain\n/usr/share\n{}", container.shell("hostname"));
    assert_eq!(outputs[0], (expected.into_bytes(), b"error\n".to_vec(), Some(3)));
    assert_eq!(outputs[0], outputs[1]);
    let context = Context::default();
    let registry = builtin_registry();
    let short_ones = registry.resolve(&short, &context).await.unwrap();
    assert_eq!(short_ones[0].groups, ["@dockerssh"]);
    let chained = registry.resolve(&chain, &context).await.unwrap();
    assert_eq!(chained[0].groups, ["@docker"]);
    let fields = |targets: &[hostlink::connect::ResolvedTarget]| -> Vec<&str> {
        targets[0].data_fields().map(|field| field.key).collect()
    };
    assert_eq!(fields(&short_ones), fields(&chained));
    for name in [&short, &chain] {
        let output = cli::run(hostlink(&data, &["--json", name, "exec", "--", line]));
        let object: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!((&object["host"], &object["exit_code"]), (&name.as_str().into(), &3.into()));
        assert_eq!(object["error"], serde_json::Value::Null);
    }
}

#[tokio::test]
async fn an_unknown_container_is_reported_with_the_nearest_name() {
    let (host, container) = (DockerHost::member(), Container::start(DEBIAN));
    let known = container.name();
    let name = on(&host, &format!("{known}x"));
    let error = refused(&name, &host.data()).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.target(), Some(&*name));
    assert!(error.to_string().contains(&format!("did you mean {known}")), "{error}");
    assert_eq!(Engine::Docker.list(known).len(), 1, "the control");
}
