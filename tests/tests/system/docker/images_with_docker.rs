//! Containers that are made from images, and images that are committed from them.

use std::fs;

use hostlink::{ConnectorArguments, StringCommand};
use hostlink_tests::cli::{becomes_true, code, hostlink, run, stderr, stdout};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::docker_target::{
    DockerTarget, ForeignContainer, RemovedImage, docker, labelled, ran,
};
use hostlink_tests::keeper::unique_name;
use tokio::task::spawn_blocking;

/// Returns the containers that hostlink has made from an image.
fn made_of(image: &str) -> Vec<String> {
    let filters = ["--filter", "label=hostlink.owner", "--filter", &format!("ancestor={image}")];
    let fixed = ["container", "ls", "--all", "--no-trunc", "--quiet"];
    docker(fixed.into_iter().chain(filters)).lines().map(str::to_owned).collect()
}

/// Makes a new image, so that no other test makes containers from it.
fn image_with(changes: &[&str]) -> RemovedImage {
    let name = format!("{}:1", unique_name());
    let container = docker(["create", BUSYBOX, "true"]);
    let changes = changes.iter().flat_map(|change| ["--change", change]);
    let words = ["commit"].into_iter().chain(changes).chain([&*container, &name]);
    docker(words);
    docker(["rm", &container]);
    RemovedImage(name)
}

fn config_of(image: &str) -> String {
    docker(["image", "inspect", "--format", "{{json .Config}}", image])
}

#[tokio::test]
async fn an_image_is_run_and_committed_with_its_configuration() {
    let origin = image_with(&[
        r#"ENTRYPOINT ["/bin/echo","entry"]"#,
        r#"CMD ["word"]"#,
        "USER 1000:1000",
        "WORKDIR /srv",
        "ENV KEY=value",
        "LABEL theirs=yes",
        "EXPOSE 80/tcp",
        "VOLUME /data",
    ]);
    let tag = format!("{}/made:2", unique_name());
    let target = DockerTarget::new(&origin.0).with("docker_tag", tag.as_str());
    let link = target.connect().await;
    let made = made_of(&origin.0);
    assert_eq!(made.len(), 1);
    let labels = docker(["inspect", "--format", "{{json .Config.Labels}}", &made[0]]);
    assert!(
        labels.contains(r#""hostlink.owner":""#) && labels.contains(r#""hostlink":""#),
        "{labels}"
    );
    assert_eq!(ran(&link, "id -u; pwd; echo $KEY").await.stdout(), b"1000\n/srv\nvalue\n");
    assert!(ran(&link, "echo change >/tmp/change").await.success());
    link.disconnect().await.unwrap();
    link.disconnect().await.unwrap();

    let committed = RemovedImage(target.committed().unwrap());
    assert!(committed.0.starts_with("sha256:"), "{committed:?}");
    assert_eq!(docker(["image", "inspect", "--format", "{{.Id}}", &tag]), committed.0);
    assert_eq!(config_of(&committed.0), config_of(&origin.0));
    let words = ["run", "--rm", "--entrypoint", "cat", &tag, "/tmp/change"];
    assert_eq!(docker(words), "change");
    assert_eq!(docker(["run", "--rm", &tag]), "entry word");
    assert!(labelled("hostlink.owner").iter().all(|(id, _)| *id != made[0]));
    // Other tests have theirs for a moment.
    let half_made = || docker(["image", "ls", "--quiet", "--filter", "label=hostlink.half-made"]);
    assert!(spawn_blocking(move || becomes_true(|| half_made().is_empty())).await.unwrap());
    let told = [
        format!("committed to {}", committed.0),
        "files in volumes are not in the image: /data".to_owned(),
        format!("named {tag}"),
    ];
    assert_eq!(target.told(), told);
}

#[tokio::test]
async fn options_for_images_have_no_effect_on_a_container_and_warn() {
    let container = Container::start(BUSYBOX);
    let name = container.name();
    let target = DockerTarget::new(name).with("docker_platform", "linux/amd64");
    let tagged = target.clone().with("docker_tag", "x:1").with("docker_commit", "on-success");
    for (target, keys, it) in [
        (DockerTarget::new(name).with("docker_tag", "x:1"), "docker_tag does", "it"),
        (tagged, "docker_platform, docker_commit and docker_tag do", "them"),
    ] {
        target.connect().await.disconnect().await.unwrap();
        let told = format!(
            "{keys} nothing, since {name} is an existing container: leave {it} out, or name an image with docker_image"
        );
        assert_eq!(target.told(), [told]);
    }
    let never = DockerTarget::new(name).with("docker_commit", "never");
    never.connect().await.disconnect().await.unwrap();
    assert!(never.told().is_empty(), "it is what happens: {:?}", never.told());

    // The warning comes before anything is done, so that it is seen even if that fails.
    let paused = ForeignContainer::new(&[BUSYBOX, "cat"]);
    docker(["pause", &paused.0]);
    let target = DockerTarget::new(&paused.0).with("docker_tag", "x:1");
    let error = target.try_connect().await.unwrap_err().to_string();
    assert!(error.contains("is paused") && target.told().len() == 1, "{error}");
    docker(["unpause", &paused.0]);
}

#[tokio::test]
async fn labels_of_ours_in_an_image_are_not_handed_on() {
    let origin = image_with(&["LABEL hostlink.owner=m/b/1/2", "LABEL theirs=yes"]);
    let target = DockerTarget::new(&origin.0);
    let link = target.connect().await;
    assert!(ran(&link, "echo x >/x").await.success());
    link.disconnect().await.unwrap();
    let committed = RemovedImage(target.committed().unwrap());
    let labels = docker(["image", "inspect", "--format", "{{json .Config.Labels}}", &committed.0]);
    assert!(labels.contains(r#""theirs":"yes""#) && !labels.contains("hostlink.owner"), "{labels}");
}

#[test]
fn a_tag_that_the_engine_refuses_fails_and_names_the_image() {
    let origin = image_with(&[]);
    let target = format!("@docker/{}", origin.0);
    // Docker reserves this name, which no grammar says.
    let words = ["--data", "docker_tag=sha256:1", &target, "exec", "--", "echo done; echo x >/x"];
    let output = run(hostlink(words));
    let told = stderr(&output);
    let (_, id) = told.split_once("committed to ").unwrap();
    let committed = RemovedImage(id.lines().next().unwrap().to_owned());
    assert_eq!((code(&output), stdout(&output)), (1, "done\n".to_owned()), "{told}");
    let refused = format!("the image {} was made, but cannot be named sha256:1", committed.0);
    assert!(told.contains(&refused), "{told}");
    assert_eq!(docker(["run", "--rm", &committed.0, "cat", "/x"]), "x");
    assert!(made_of(&origin.0).is_empty());
}

#[test]
fn a_name_that_no_image_can_have_is_refused_before_anything_connects() {
    for tag in ["rvw:.a", "rvw:a:b"] {
        let data = format!("docker_tag={tag}");
        let mut command = hostlink(["--data", &data, "@docker/a", "exec", "--", "true"]);
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        let output = run(command);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("docker_tag"), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn what_cannot_be_committed_is_said_to_be_lost() {
    let origin = image_with(&[]);
    let target = DockerTarget::new(&origin.0);
    let link = target.connect().await;
    docker(["rm", "--force", &made_of(&origin.0)[0]]);
    let error = link.disconnect().await.unwrap_err().to_string();
    assert!(error.contains("cannot commit the container, so its changes are lost"), "{error}");
    assert!(target.told().is_empty(), "{:?}", target.told());
}

#[tokio::test]
async fn an_image_with_nothing_but_busybox_keeps_its_empty_configuration() {
    for image in [BUSYBOX, DEBIAN] {
        let target = DockerTarget::new(image).with("docker_image", image);
        let link = target.connect().await;
        assert!(ran(&link, "echo x >/x").await.success());
        link.disconnect().await.unwrap();
        let committed = RemovedImage(target.committed().unwrap());
        assert_eq!(config_of(&committed.0), config_of(image));
    }
}

#[tokio::test]
async fn what_failed_is_not_committed_on_success() {
    let origin = image_with(&[]);
    for (line, is_committed) in [("true", true), ("exit 3", false)] {
        let target = DockerTarget::new(&origin.0).with("docker_commit", "on-success");
        let link = target.connect().await;
        ran(&link, line).await;
        link.disconnect().await.unwrap();
        let committed = target.committed().map(RemovedImage);
        assert_eq!(committed.is_some(), is_committed, "{line}: {:?}", target.told());
        assert!(made_of(&origin.0).is_empty());
    }
    // A failed put counts as a failure too.
    let target = DockerTarget::new(&origin.0).with("docker_commit", "on-success");
    let link = target.connect().await;
    let source = tempfile::NamedTempFile::new().unwrap();
    fs::write(source.path(), "x").unwrap();
    let put = hostlink::transfer::PutOptions::default();
    let put = link.put_file(source.path(), "/nowhere/there/x", &put).await;
    assert!(put.is_err());
    link.disconnect().await.unwrap();
    let committed = target.committed().map(RemovedImage);
    assert!(committed.is_none(), "{:?}", target.told());
}

#[tokio::test]
async fn what_failed_in_a_root_within_is_not_committed_either() {
    let target = DockerTarget::new(BUSYBOX).with("docker_image", BUSYBOX);
    let link = target.connect().await;
    assert!(ran(&link, "mkdir /r && cp -a /bin /r/").await.success());
    link.disconnect().await.unwrap();
    let origin = RemovedImage(target.committed().unwrap());
    for (line, is_committed) in [("true", true), ("exit 3", false)] {
        let mut target = DockerTarget::new(&origin.0).with("docker_commit", "on-success");
        target.name.push_str("/@chroot//r");
        let link = target.connect().await;
        ran(&link, line).await;
        link.disconnect().await.unwrap();
        let committed = target.committed().map(RemovedImage);
        assert_eq!(committed.is_some(), is_committed, "{line}: {:?}", target.told());
    }
}

#[tokio::test]
async fn nothing_is_committed_if_it_never_is() {
    let origin = image_with(&[]);
    let target = DockerTarget::new(&origin.0).with("docker_commit", "never");
    let link = target.connect().await;
    assert!(ran(&link, "true").await.success());
    assert_eq!(made_of(&origin.0).len(), 1);
    link.disconnect().await.unwrap();
    assert!(made_of(&origin.0).is_empty());
    assert!(target.told().is_empty(), "{:?}", target.told());
}

#[tokio::test]
async fn a_link_that_is_dropped_leaves_neither_container_nor_image() {
    let origin = image_with(&[]);
    let target = DockerTarget::new(&origin.0);
    let link = target.connect().await;
    assert!(ran(&link, "true").await.success());
    assert_eq!(made_of(&origin.0).len(), 1);
    drop(link);
    let gone = {
        let name = origin.0.clone();
        move || becomes_true(|| made_of(&name).is_empty())
    };
    assert!(spawn_blocking(gone).await.unwrap());
    assert!(target.told().is_empty(), "{:?}", target.told());
}

#[tokio::test]
async fn zombies_are_reaped_in_a_container_of_an_image() {
    let link = DockerTarget::new(BUSYBOX).with("docker_commit", "never").connect().await;
    let line = "(sleep 0.1 &) ; sleep 0.5; for it in /proc/[0-9]*/stat; do read -r x <$it; case $x in *') Z '*) echo $x;; esac; done";
    assert_eq!(ran(&link, line).await.stdout(), b"");
    link.disconnect().await.unwrap();
}

#[test]
fn the_command_reports_the_new_image_and_leaves_no_container() {
    let origin = image_with(&[]);
    let output = run(hostlink([&format!("@docker/{}", origin.0), "exec", "--", "echo x >/x"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stderr(&output);
    let (_, id) = told.trim().split_once("committed to ").unwrap();
    let committed = RemovedImage(id.to_owned());
    assert_eq!(docker(["run", "--rm", &committed.0, "cat", "/x"]), "x");
    assert!(made_of(&origin.0).is_empty());
}

#[tokio::test]
async fn a_secret_is_in_no_argument_of_an_exec() {
    let link = DockerTarget::new(BUSYBOX).with("docker_commit", "never").connect().await;
    let look = r#"cat /proc/[0-9]*/cmdline | tr '\0' '\n'"#;
    let command = StringCommand::shell(format!(": marker; {look}; : ")).secret("hunter2");
    let output = link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    let shown = String::from_utf8(output.stdout()).unwrap();
    assert!(shown.contains("sh") && !shown.contains("hunter2"), "{shown}");
    link.disconnect().await.unwrap();
}
