//! Where the engine is looked for, and the errors if it is not there.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;

use hostlink::ErrorKind;
use hostlink_tests::cli::{code, hostlink, run, stderr, stdout};
use hostlink_tests::container::{BUSYBOX, Container};
use hostlink_tests::docker_target::{DockerTarget, ran};
use hostlink_tests::keeper::{run_tool, unique_name};
use hostlink_tests::own_engine::OwnEngine;
use hostlink_tests::user::TestUser;

/// Runs a container of this name on an engine.
fn container_on(engine: &OwnEngine) -> String {
    engine.load(BUSYBOX);
    let name = unique_name();
    let words = ["run", "--detach", "--interactive", "--net=none", "--name", &name, BUSYBOX, "cat"];
    let _ = engine.docker(words);
    name
}

async fn works(target: &DockerTarget) {
    let link = target.connect().await;
    assert_eq!(ran(&link, "echo there").await.stdout(), b"there\n");
    link.disconnect().await.unwrap();
}

async fn refused(target: &DockerTarget, kind: ErrorKind, words: &[&str]) {
    let error = target.try_connect().await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?}: {text}");
    }
    assert!(!text.contains('\n'), "{text}");
}

#[tokio::test]
async fn data_goes_before_the_environment_and_that_before_the_context() {
    let engine = OwnEngine::start();
    let name = container_on(&engine);
    let target = DockerTarget::new(&name);
    let nowhere = "unix:///nowhere/docker.sock";
    works(&target.clone().with("docker_host", engine.host()).with_variable("DOCKER_HOST", nowhere))
        .await;
    works(&target.clone().with_variable("DOCKER_HOST", engine.host())).await;

    // docker's own command makes the context.
    let config = tempfile::tempdir().unwrap();
    let dir = config.path().to_str().unwrap();
    let host = format!("host={}", engine.host());
    run_tool("docker", &["--config", dir, "context", "create", "other", "--docker", &host]);
    let in_config = target.clone().with_variable("DOCKER_CONFIG", dir);
    works(&in_config.clone().with_variable("DOCKER_CONTEXT", "other")).await;
    refused(&in_config.clone(), ErrorKind::NotFound, &["no container or image"]).await;
    run_tool("docker", &["--config", dir, "context", "use", "other"]);
    works(&in_config).await;
    let elsewhere = in_config.clone().with_variable("DOCKER_HOST", nowhere);
    refused(&elsewhere, ErrorKind::Connect, &["/nowhere/docker.sock (DOCKER_HOST)"]).await;
    let misspelt = in_config.clone().with_variable("DOCKER_CONTEXT", "othr");
    refused(&misspelt, ErrorKind::Data, &["no Docker context \"othr\"", "did you mean other?"])
        .await;
    let mut at_home = target;
    at_home.context.home = Some(config.path().join("home"));
    fs::create_dir_all(config.path().join("home")).unwrap();
    fs::rename(config.path().join("config.json"), config.path().join("home/config.json")).unwrap();
    refused(&at_home, ErrorKind::NotFound, &["no container or image"]).await;
}

#[tokio::test]
async fn sudo_reaches_the_engine_that_the_environment_says_if_it_is_on_this_machine() {
    let engine = OwnEngine::start();
    let target = DockerTarget::new(&container_on(&engine)).with("docker_sudo", true);
    // The control: the default engine does not have it.
    refused(&target, ErrorKind::NotFound, &["no container or image"]).await;
    works(&target.clone().with_variable("DOCKER_HOST", engine.host())).await;
    let elsewhere = target.with_variable("DOCKER_HOST", "tcp://127.0.0.1:2375");
    let words = ["docker_sudo is for sockets of this machine", "127.0.0.1:2375 (DOCKER_HOST)"];
    refused(&elsewhere, ErrorKind::Data, &words).await;
}

#[tokio::test]
async fn tls_wants_certificates_that_fit() {
    let engine = OwnEngine::start_with_tls();
    let name = container_on(&engine);
    let certificates = engine.certificates().to_str().unwrap();
    let target = DockerTarget::new(&name).with_variable("DOCKER_HOST", engine.host());
    let verified = target.clone().with_variable("DOCKER_TLS_VERIFY", "1");
    works(&verified.clone().with_variable("DOCKER_CERT_PATH", certificates)).await;
    let link = verified.clone().with_variable("DOCKER_CERT_PATH", certificates).connect().await;
    let command = hostlink::StringCommand::shell("wc -c");
    let arguments = hostlink::ConnectorArguments::new().with_stdin(vec![7; 3_000_000]);
    let output = link.run_shell_command(&command, &arguments).await.unwrap();
    assert_eq!(output.stdout(), b"3000000\n", "the end of input passes through TLS");
    link.disconnect().await.unwrap();

    // A context includes its certificates.
    let config = tempfile::tempdir().unwrap();
    let dir = config.path().to_str().unwrap();
    let endpoint = format!(
        "host={},ca={certificates}/ca.pem,cert={certificates}/cert.pem,key={certificates}/key.pem",
        engine.host()
    );
    run_tool("docker", &["--config", dir, "context", "create", "safe", "--docker", &endpoint]);
    let of_context = DockerTarget::new(&name).with_variable("DOCKER_CONFIG", dir);
    works(&of_context.with_variable("DOCKER_CONTEXT", "safe")).await;

    refused(&target, ErrorKind::Connect, &["DOCKER_HOST"]).await;
    let nowhere = verified.clone().with_variable("DOCKER_CERT_PATH", "/nowhere");
    refused(&nowhere, ErrorKind::Data, &["/nowhere/ca.pem"]).await;
    let other = OwnEngine::start_with_tls();
    let others = other.certificates().to_str().unwrap();
    let others = verified.clone().with_variable("DOCKER_CERT_PATH", others);
    refused(&others, ErrorKind::Connect, &["TLS with 10.", "failed"]).await;
    let alone = tempfile::tempdir().unwrap();
    fs::copy(engine.certificates().join("ca.pem"), alone.path().join("ca.pem")).unwrap();
    let alone = verified.with_variable("DOCKER_CERT_PATH", alone.path().to_str().unwrap());
    refused(&alone, ErrorKind::Connect, &["ertificate"]).await;
}

#[tokio::test]
async fn what_is_not_there_names_the_nearest() {
    let container = Container::start(BUSYBOX);
    let name = container.name();
    let misspelt = format!("{}x", &name[..name.len() - 1]);
    refused(&DockerTarget::new(&misspelt), ErrorKind::NotFound, &["no container or image", name])
        .await;
    let by_id = DockerTarget::new(&misspelt).with("docker_container_id", misspelt.as_str());
    refused(&by_id, ErrorKind::NotFound, &["there is no container", name]).await;
    let image =
        DockerTarget::new("hostlink-test-busibox").with("docker_image", "hostlink-test-busibox");
    refused(&image, ErrorKind::NotFound, &["no image", BUSYBOX, "cannot be pulled"]).await;
    let platform = DockerTarget::new(BUSYBOX).with("docker_architecture", "s390x");
    refused(&platform, ErrorKind::NotFound, &[BUSYBOX]).await;
}

#[tokio::test]
async fn an_engine_that_is_not_there_says_where_it_was_looked_for() {
    let target = DockerTarget::new("c").with("docker_host", "unix:///nowhere/docker.sock");
    refused(
        &target,
        ErrorKind::Connect,
        &["no Docker engine answers", "/nowhere/docker.sock (docker_host)"],
    )
    .await;
    for (host, words) in [
        ("ssh://me@web1", "@dockerssh/web1:CONTAINER or @ssh/web1/@docker/CONTAINER"),
        ("web1:2375", "is not an engine address"),
        ("npipe:////./pipe/docker", "npipe:// is not supported"),
    ] {
        let target = DockerTarget::new("c").with_variable("DOCKER_HOST", host);
        refused(&target, ErrorKind::Data, &[words, "DOCKER_HOST"]).await;
        refused(&DockerTarget::new("c").with("docker_host", host), ErrorKind::Data, &[words]).await;
    }
    // A listener that never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    let mut silent = DockerTarget::new("c").with("docker_host", host);
    silent.context.connect_timeout = std::time::Duration::from_secs(2);
    refused(&silent, ErrorKind::Connect, &["no answer in time"]).await;
}

#[test]
fn a_user_who_may_not_open_the_socket_gets_advice() {
    let user = TestUser::create("/bin/sh");
    let program = Path::new("/tmp").join(unique_name());
    fs::copy(hostlink_tests::binary(), &program).unwrap();
    let mut command = hostlink_tests::cli::command(&program, ["@docker/c", "exec", "--", "true"]);
    command.uid(user.uid()).gid(user.uid()).current_dir("/").env("HOME", "/");
    let output = run(command);
    fs::remove_file(&program).unwrap();
    assert_ne!(code(&output), 0, "{}", stdout(&output));
    let told = stderr(&output);
    for said in ["join the group docker, or set docker_sudo=true", "--data docker_sudo=VALUE"] {
        assert!(told.contains(said), "{told}");
    }
    let output = run(hostlink(["@docker/a b", "exec", "--", "true"]));
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}
