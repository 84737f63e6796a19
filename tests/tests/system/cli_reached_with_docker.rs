//! The command with containers and other targets: the exit status where they are not reached, and
//! files that go into directories.

use std::path::Path;

use hostlink_tests::chroot::Root;
use hostlink_tests::cli::{code, command, hostlink, run, stderr, stdout};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;

fn docker(words: &[&str]) {
    let output = run(command(Path::new("docker"), words));
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
}

/// A container whose state was changed, and is changed back so that it can be removed.
struct Changed(Container, &'static str);

impl Drop for Changed {
    fn drop(&mut self) {
        docker(&[self.1, self.0.name()]);
    }
}

#[test]
fn a_container_that_cannot_be_entered_is_not_reached() {
    let paused = Changed(Container::start(DEBIAN), "unpause");
    docker(&["pause", paused.0.name()]);
    let without_shell = Container::start(DEBIAN);
    let _ = without_shell.shell("rm /bin/sh /usr/bin/sh 2>/dev/null; true");
    let without_directory = Container::start_with(DEBIAN, &["--workdir", "/srv/app"]);
    let _ = without_directory.shell("cd / && rmdir /srv/app");
    let targets = [
        format!("@docker/{}", paused.0.name()),
        format!("@docker/{}", without_shell.name()),
        format!("@docker/{}", without_directory.name()),
        "@docker/there-is-no-such-container".to_owned(),
        "@podman/there-is-no-such-container".to_owned(),
        "@chroot//there/is/no/such/directory".to_owned(),
    ];
    let there = Container::start(DEBIAN);
    for target in targets {
        let output = run(hostlink([&target, "exec", "--", "true"]));
        let line = stderr(&output);
        assert_eq!((code(&output), line.lines().count()), (255, 1), "{line}");
        let is_without_directory = target.ends_with(without_directory.name());
        assert_eq!(line.contains("set docker_workdir=/\n"), is_without_directory, "{line}");
        let both = format!("{target},@docker/{}", there.name());
        let output = run(hostlink([&both, "exec", "--", "echo in"]));
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        assert_eq!(stdout(&output), format!("[@docker/{}] in\n", there.name()));
    }
    let put = run(hostlink(["@docker/there-is-no-such-container", "put", "/etc/hostname", "/x"]));
    assert_eq!(code(&put), 255, "{}", stderr(&put));
}

#[test]
fn each_step_to_a_container_is_reported() {
    let container = Container::start(DEBIAN);
    let target = format!("@docker/{}", container.name());
    let output = run(hostlink(["-v", &target, "exec", "--", "true"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stderr(&output);
    let runs = format!("hostlink: {target}: the container {} runs\n", container.name());
    for step in [": connecting\n", ": the engine at /", " answers\n", &runs, ": connected\n"] {
        assert_eq!(told.matches(step).count(), 1, "{step}: {told}");
    }
    let output = run(hostlink([&target, "exec", "--", "true"]));
    assert_eq!(stderr(&output), "", "the control");
}

#[test]
fn a_file_goes_into_a_directory() {
    let here = tempfile::tempdir().unwrap();
    let path = |name: &str| here.path().join(name).display().to_string();
    for name in ["source", "there", "back"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("source/new.conf"), "text").unwrap();
    let container = Container::start(DEBIAN);
    let _ = container.shell("mkdir -p /srv/there && ln -s there /srv/link");
    let ssh = SshTarget::start(Sshd::builder());
    let docker = vec![format!("@docker/{}", container.name())];
    let of_podman = Container::start_on(Engine::Podman, DEBIAN, &[]);
    let _ = of_podman.shell("mkdir -p /srv/there");
    let socket = format!("podman_socket={PODMAN_SOCKET}");
    let podman = vec!["--data".to_owned(), socket, format!("@podman/{}", of_podman.name())];
    let (root, local) = (Root::debian(), vec!["@local".to_owned()]);
    std::fs::create_dir(root.path("srv/there")).unwrap();
    for (target, directory) in [
        (local, path("there")),
        (ssh.words(), path("there")),
        (docker.clone(), "/srv/there".to_owned()),
        (docker, "/srv/link".to_owned()),
        (podman, "/srv/there".to_owned()),
        (vec![root.target()], "/srv/there".to_owned()),
    ] {
        let succeeds = |words: &[&str]| {
            let words: Vec<&str> =
                target.iter().map(String::as_str).chain(words.iter().copied()).collect();
            let output = run(hostlink(&words));
            assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{words:?}");
            stdout(&output)
        };
        let there = format!("{directory}/new.conf");
        for form in [directory.clone(), format!("{directory}/")] {
            succeeds(&["put", &path("source/new.conf"), &form]);
            assert_eq!(succeeds(&["exec", "--", "cat", &there]), "text", "{form}");
            succeeds(&["exec", "--", "rm", &there]);
        }
        succeeds(&["put", &path("source/new.conf"), &directory]);
        for form in [path("back"), path("back/")] {
            succeeds(&["get", &there, &form]);
            assert_eq!(std::fs::read(path("back/new.conf")).unwrap(), b"text");
            std::fs::remove_file(path("back/new.conf")).unwrap();
        }
        succeeds(&["exec", "--", "rm", &there]);
    }
    // With many hosts each needs a place of its own.
    let both = format!("@local,@docker/{}", container.name());
    let output = run(hostlink([&both, "get", "/etc/hostname", &path("back")]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("put {host} into DEST"), "{}", stderr(&output));
    let each = path("each-{host}/");
    let output = run(hostlink([&both, "get", "/etc/hostname", &each]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(here.path().join("each-@local/hostname").is_file());
    // No directory is made for one file, and no file that looks like one.
    let output = run(hostlink(["@local", "put", "/etc/hostname", &path("missing/")]));
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let output = run(hostlink(["@local", "get", "/etc/hostname", &path("missing/")]));
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(!here.path().join("missing").exists());
}
