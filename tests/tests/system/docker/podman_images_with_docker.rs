//! Containers that are made from Podman's images, and images that are committed from them.

use std::fs;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use hostlink_tests::cli::{run, stderr, stdout};
use hostlink_tests::container::BUSYBOX;
use hostlink_tests::docker_target::{DockerTarget, ran};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::keeper::{Keeper, unique_name};
use tokio::time::timeout;

const PODMAN: Engine = Engine::Podman;

/// Removes an image when dropped.
struct RemovedImage(String);

impl Drop for RemovedImage {
    fn drop(&mut self) {
        let _ = run(PODMAN.command(["image", "rm", "--force", &self.0]));
    }
}

/// Makes a new image with its own layer, so that no other test makes containers from it: Podman
/// cannot inspect an image while another one of the same layers is written.
fn image_with(changes: &[&str]) -> RemovedImage {
    let name = format!("localhost/{}:1", unique_name());
    let line = format!("echo {name} >/own");
    let container = PODMAN.say(["create", BUSYBOX, "sh", "-c", &line]).trim().to_owned();
    PODMAN.say(["start", "--attach", &container]);
    let changes = changes.iter().flat_map(|change| ["--change", change]);
    PODMAN.say(["commit"].into_iter().chain(changes).chain([&*container, &name]));
    PODMAN.say(["rm", &container]);
    RemovedImage(name)
}

fn target(image: &str) -> DockerTarget {
    let mut target = DockerTarget::new(image).with("podman_socket", PODMAN_SOCKET);
    target.name = format!("@podman/{image}");
    target
}

/// Returns the settings of an image; empty values are removed in every spelling, and an empty
/// directory is the root.
fn behaviour(image: &str) -> Vec<(&'static str, String)> {
    let ask = |part| {
        let format = format!("{{{{json .Config.{part}}}}}");
        let said = PODMAN.say(["image", "inspect", "--format", &format, image]);
        let said = match said.trim() {
            "null" | "[]" | "{}" | r#""""# if part == "WorkingDir" => r#""/""#,
            "null" | "[]" | "{}" | r#""""# => "",
            said => said,
        };
        (part, said.to_owned())
    };
    ["Entrypoint", "Cmd", "User", "WorkingDir", "Volumes", "ExposedPorts", "Labels"].map(ask).into()
}

#[tokio::test]
async fn an_image_is_run_and_committed_with_its_configuration() {
    let entry = [
        r#"ENTRYPOINT ["/bin/echo","an entry & \"more\"=+%"]"#,
        r#"CMD ["word"]"#,
        "USER 1000:1000",
        "WORKDIR /srv",
        "ENV KEY=a value",
        "LABEL theirs=yes",
        "EXPOSE 80/tcp",
        "VOLUME /data",
    ];
    let command = [r#"CMD ["echo","word"]"#];
    for (changes, said) in [(&entry[..], "an entry & \"more\"=+% word\n"), (&command[..], "word\n")]
    {
        let has_all = changes.len() > 1;
        let origin = image_with(changes);
        let tag = format!("localhost/{}/made:2", unique_name());
        // Podman's socket works with either connector.
        let socket = format!("unix://{PODMAN_SOCKET}");
        let target = match has_all {
            true => target(&origin.0),
            false => DockerTarget::new(&origin.0).with("docker_host", socket),
        };
        let target = target.with("docker_tag", tag.as_str());
        let link = target.connect().await;
        assert!(ran(&link, "echo change >/tmp/change").await.success());
        link.disconnect().await.unwrap();

        let committed = RemovedImage(target.committed().unwrap());
        let mut made = behaviour(&committed.0);
        let labels = &mut made.last_mut().unwrap().1;
        let ours = r#""hostlink":"","hostlink.owner":"","#;
        assert!(labels.contains(ours), "{labels}");
        *labels = labels.replace(ours, "");
        assert_eq!(made, behaviour(&origin.0));
        let env = PODMAN.say(["run", "--rm", "--entrypoint", "env", &tag]);
        assert_eq!(env.contains("KEY=a value\n"), has_all, "{env}");
        let words = ["run", "--rm", "--entrypoint", "cat", &tag, "/tmp/change"];
        assert_eq!(PODMAN.say(words), "change\n");
        assert_eq!(PODMAN.say(["run", "--rm", &tag]), said);
        let told = target.told();
        assert!(told[1].contains("the empty labels"), "{told:?}");
        assert_eq!(told.iter().any(|it| it.ends_with("in the image: /data")), has_all, "{told:?}");
        assert_eq!(told.last(), Some(&format!("named {tag}")));
    }
}

/// Starts a second service, with its own configuration and storage, and returns its address.
fn service(keeper: &mut Keeper, config: &str, storage: &str) -> String {
    let config = keeper.write("containers.conf", 0o644, config).display().to_string();
    let socket = keeper.dir().join("podman.sock");
    let shown = socket.display().to_string();
    keeper.run(&format!(
        "CONTAINERS_CONF={config} exec podman {storage} system service --time=0 unix://{shown}"
    ));
    // The socket exists before there is a listener.
    let is_ready = keeper.wait_until_ready(|| UnixStream::connect(&socket).is_ok());
    assert!(is_ready, "{}", keeper.log());
    shown
}

/// Returns the configuration of the service that all tests use.
fn config() -> String {
    fs::read_to_string(PODMAN_SOCKET.replace("podman.sock", "containers.conf")).unwrap()
}

/// Starts a service on the same storage, which adds a variable to its containers.
fn odd_service() -> (Keeper, String) {
    let odd = config().replace("[containers]", "[containers]\nenv = [\"ODD=1\"]");
    assert_ne!(odd, config());
    let format = "--storage-driver {{.Store.GraphDriverName}} --root {{.Store.GraphRoot}} \
                  --runroot {{.Store.RunRoot}} --tmpdir {{.Store.RunRoot}}/libpod";
    let storage = PODMAN.say(["info", "--format", format]);
    let mut keeper = Keeper::start();
    let socket = service(&mut keeper, &odd, storage.trim());
    (keeper, socket)
}

#[tokio::test]
async fn an_image_that_is_not_like_the_one_it_came_from_is_removed_and_fails() {
    let origin = image_with(&[]);
    let (_service, socket) = odd_service();
    let target = target(&origin.0).with("podman_socket", socket);
    let link = target.connect().await;
    assert_eq!(ran(&link, "echo $ODD").await.stdout(), b"1\n", "the control");
    let error = link.disconnect().await.unwrap_err().to_string();
    assert!(
        error.contains("lost") && error.contains("(ENV); the new image was removed again"),
        "{error}"
    );
    assert_eq!(target.committed(), None);
    let (_, id) = error.split_once("sha256:").unwrap();
    let look =
        |image: &str| run(PODMAN.command(["image", "inspect", "--format", "{{.Id}}", image]));
    assert_eq!(stdout(&look(&id[..64])).trim(), "");
    assert_eq!(stdout(&look(&origin.0)).trim().len(), 64, "the control");
}

/// Two commands that commit the same do this.
#[tokio::test]
async fn an_image_that_is_being_written_is_waited_for() {
    let mut keeper = Keeper::start();
    let root = keeper.dir().join("storage");
    let shown = root.display();
    let storage =
        format!("--storage-driver vfs --root {shown} --runroot {shown}/run --tmpdir {shown}/tmp");
    let podman = format!("podman {storage}");
    let script = format!(
        "set -e
        podman --url unix://{PODMAN_SOCKET} save {BUSYBOX} | {podman} load
        container=$({podman} create {BUSYBOX} true)
        {podman} commit $container localhost/whole
        {podman} commit --change 'LABEL half=yes' $container localhost/half
        {podman} rm $container"
    );
    let undo = format!("{podman} rm --all --force --time 0");
    assert!(keeper.make(&script, &undo), "{}", keeper.log());
    let socket = service(&mut keeper, &config(), &storage);
    let say = |words: &[&str]| {
        let mut command = Command::new("podman");
        command.args(storage.split(' ')).args(words);
        run(command)
    };
    let half = stdout(&say(&["image", "inspect", "--format", "{{.Id}}", "localhost/half"]));
    let manifest = root.join("vfs-images").join(half.trim()).join("manifest");
    let aside = root.join("manifest");
    fs::rename(&manifest, &aside).unwrap();
    let refused = stderr(&say(&["image", "inspect", "localhost/whole"]));
    assert!(refused.contains("locating item named \"manifest\" for image"), "{refused}");

    let target = target("localhost/whole").with("podman_socket", socket);
    let mut connect = pin!(target.connect());
    let waits = timeout(Duration::from_secs(1), &mut connect).await;
    assert!(waits.is_err(), "it did not wait");
    fs::rename(&aside, &manifest).unwrap();
    let link = connect.await;
    assert_eq!(ran(&link, "echo there").await.stdout(), b"there\n");
    link.disconnect().await.unwrap();
}
