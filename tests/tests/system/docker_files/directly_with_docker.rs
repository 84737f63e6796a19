//! Files that root of this machine copies into a container and out of it without the engine.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostlink::transfer::{GetOptions, Route, Source, Transferred};
use hostlink::{ConnectorArguments, ErrorKind, Link, Result};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::docker_target::{DockerTarget, docker, ran};
use hostlink_tests::engine::Engine;
use hostlink_tests::keeper::unique_name;

use super::{assert_error, connect, connect_as, puts, random, temporaries};

/// A file of this machine.
struct Here {
    directory: tempfile::TempDir,
}

impl Here {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("from");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        path
    }

    async fn put(&self, link: &Link, content: &[u8], to: &str) -> Result<Transferred> {
        link.put_file(Source::path(self.write(content)), to, &puts()).await
    }

    async fn get(&self, link: &Link, from: &str) -> Result<Vec<u8>> {
        let to = self.path("to");
        link.get_file(from, &*to, &GetOptions::default()).await?;
        Ok(fs::read(&to).unwrap())
    }
}

/// Returns how many commands the engine has started in the container since then.
fn commands(container: &Container, since: &str) -> usize {
    let now = docker(["info", "--format", "{{.SystemTime}}"]);
    let by = format!("container={}", container.name());
    let events = docker([
        "events",
        "--since",
        since,
        "--until",
        &now,
        "--filter",
        "event=exec_create",
        "--filter",
        &by,
        "--format",
        "{{.Action}}",
    ]);
    // A script has several lines.
    events.lines().filter(|line| line.starts_with("exec_create")).count()
}

#[tokio::test]
async fn no_command_runs_for_a_file_that_root_can_copy() {
    let container = Container::start_with(DEBIAN, &["--tmpfs=/memory", "--volume=/volume"]);
    let link = connect(&container).await;
    let here = Here::new();
    for place in ["/memory", "/volume", "/srv"] {
        let (content, path) = (random(3_000_000), format!("{place}/file"));
        let since = docker(["info", "--format", "{{.SystemTime}}"]);
        let done = here.put(&link, &content, &path).await.unwrap();
        assert_eq!(done, Transferred { bytes: 3_000_000, in_place: false, route: Route::Copy });
        assert!(here.get(&link, &path).await.unwrap() == content);
        assert_eq!(commands(&container, &since), 0, "{place}");
        assert!(ran(&link, "true").await.success());
        assert_eq!(commands(&container, &since), 1, "the control");
        let owned = container.shell(&format!("stat -c '%u:%g %a' {path}; ls -A {place}"));
        assert_eq!(owned, "0:0 644\nfile\n", "the runtime's umask");
    }
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn files_of_podmans_containers_are_exact_whichever_way_they_go() {
    let container = Container::start_on(Engine::Podman, DEBIAN, &["--tmpfs=/memory"]);
    let (link, here) = (connect(&container).await, Here::new());
    for path in ["/memory/file", "/srv/file"] {
        let content = random(300_000);
        here.put(&link, &content, path).await.unwrap();
        assert!(here.get(&link, path).await.unwrap() == content);
    }
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn mode_owner_and_time_are_those_that_a_command_gives() {
    let container = Container::start(DEBIAN);
    let (link, here) = (connect(&container).await, Here::new());
    let _ = container.shell("echo old >/srv/file; chown 12:34 /srv/file; chmod 6751 /srv/file");
    here.put(&link, b"new\n", "/srv/file").await.unwrap();
    let state = container.shell("stat -c '%u:%g %a' /srv/file; cat /srv/file; ls -A /srv");
    assert_eq!(state, "12:34 6751\nnew\nfile\n");

    let from = here.write("kept");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    fs::File::options().write(true).open(&from).unwrap().set_modified(modified).unwrap();
    fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).unwrap();
    let options = puts().with_preserve(true);
    link.put_file(Source::path(&from), "/srv/kept", &options).await.unwrap();
    assert_eq!(container.shell("stat -c '%a %Y' /srv/kept"), "640 1234567890\n");
    let options = GetOptions::default().with_preserve(true);
    let to = here.path("back");
    link.get_file("/srv/kept", &*to, &options).await.unwrap();
    let found = fs::metadata(&to).unwrap();
    assert_eq!((found.mode() & 0o7777, found.mtime()), (0o640, 1_234_567_890));

    let options = puts().with_mode(0o4711);
    link.put_file(Source::path(&from), "/srv/mode", &options).await.unwrap();
    assert_eq!(container.shell("stat -c '%u:%g %a' /srv/mode"), "0:0 4711\n");
    link.disconnect().await.unwrap();
}

/// Symlinks in the container lead to its own files, however they are written.
#[tokio::test]
async fn no_symlink_leads_out_of_the_container() {
    let container = Container::start(DEBIAN);
    let (link, here) = (connect(&container).await, Here::new());
    let outside = Here::new();
    fs::write(outside.path("file"), "of this machine").unwrap();
    let theirs = outside.directory.path().display().to_string();
    let up = "../".repeat(40);
    let _ = container.shell(&format!(
        "mkdir -p {theirs} /srv/real; ln -s {theirs} /srv/absolute; ln -s {up}{theirs} /srv/up; \
         ln -s {theirs}/file /srv/file"
    ));
    for path in ["/srv/absolute/one", "/srv/up/two", "/srv/file"] {
        here.put(&link, b"theirs", path).await.unwrap();
        assert_eq!(here.get(&link, path).await.unwrap(), b"theirs");
    }
    let names = container.shell(&format!("cd {theirs} && ls -A && cat one two file"));
    assert_eq!(names, "file\none\ntwo\ntheirstheirstheirs");
    assert_eq!(fs::read(outside.path("file")).unwrap(), b"of this machine");
    assert_eq!(fs::read_dir(outside.directory.path()).unwrap().count(), 1);
    // A link is replaced if it is not to be followed.
    let from = here.write("plain");
    link.put_file(Source::path(&from), "/srv/file", &puts().with_follow(false)).await.unwrap();
    assert_eq!(container.shell("test -h /srv/file || cat /srv/file"), "plain");
    // /proc describes the process that reads it.
    let status = here.get(&link, "/proc/self/status").await.unwrap();
    let status = String::from_utf8(status).unwrap();
    assert!(status.contains("\nPPid:\t0\n"), "{status}");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn whoever_is_not_wholly_root_gets_no_more_than_a_command() {
    let here = Here::new();
    let weak = Container::start_with(DEBIAN, &["--cap-drop=DAC_OVERRIDE"]);
    let _ = weak.shell("mkdir -m 755 /srv/plains; chown plain:plain /srv/plains");
    let link = connect(&weak).await;
    let error = here.put(&link, b"x", "/srv/plains/file").await.unwrap_err();
    assert_error(&error, ErrorKind::PermissionDenied, "/srv/plains/file");
    link.disconnect().await.unwrap();

    let container = Container::start(DEBIAN);
    let _ = container.shell("echo secret >/srv/secret; chmod 600 /srv/secret");
    let link = connect_as(&container, "plain").await;
    let error = here.put(&link, b"x", "/srv/file").await.unwrap_err();
    assert_error(&error, ErrorKind::PermissionDenied, "/srv/file");
    let error = here.get(&link, "/srv/secret").await.unwrap_err();
    assert_error(&error, ErrorKind::PermissionDenied, "/srv/secret");
    link.disconnect().await.unwrap();
    let link = connect(&container).await;
    assert_eq!(here.get(&link, "/srv/secret").await.unwrap(), b"secret\n", "the control");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_copied_fails_as_a_command_does() {
    let options = ["--read-only", "--tmpfs=/small:size=1m"];
    let container = Container::start_with(DEBIAN, &options);
    let (link, here) = (connect(&container).await, Here::new());
    let _ = container.shell("echo old >/small/file; mkfifo /small/fifo");
    let error = here.put(&link, b"x", "/etc/passwd").await.unwrap_err();
    assert_error(&error, ErrorKind::PermissionDenied, "/etc/passwd");
    let error = here.put(&link, &random(4 << 20), "/small/file").await.unwrap_err();
    assert_error(&error, ErrorKind::Transfer, "/small/file");
    assert_eq!(container.shell("ls -A /small; cat /small/file"), "fifo\nfile\nold\n");
    for (path, kind) in [
        ("/small", ErrorKind::IsADirectory),
        ("/missing/file", ErrorKind::NotFound),
        ("/small/file/below", ErrorKind::NotFound),
    ] {
        let error = here.put(&link, b"x", path).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let error = here.get(&link, path).await.unwrap_err();
        assert!([kind, ErrorKind::NotFound].contains(&error.kind()), "{error}");
    }
    assert!(!Path::new(&here.path("to")).exists());
    assert_eq!(temporaries(&container), "");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn another_life_of_the_container_has_its_files_there() {
    let container = Detached::start(&["--tmpfs=/memory", BUSYBOX, "sleep", "4242"]);
    let (link, here) = (DockerTarget::new(&container.0).connect().await, Here::new());
    here.put(&link, b"first", "/memory/file").await.unwrap();
    docker(["restart", "--time=0", &container.0]);
    here.put(&link, b"second", "/memory/other").await.unwrap();
    assert_eq!(ran_text(&link, "ls -A /memory; cat /memory/other").await, "other\nsecond");
    docker(["pause", &container.0]);
    let error = here.put(&link, b"third", "/memory/third").await.unwrap_err();
    docker(["unpause", &container.0]);
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error}");
    assert_eq!(ran_text(&link, "ls -A /memory").await, "other\n");
    link.disconnect().await.unwrap();
}

/// If the first process has changed its root, commands do not.
#[tokio::test]
async fn files_go_where_commands_see_them() {
    let here = Here::new();
    let script = "mkdir -p /jail/etc; cp /bin/busybox /jail/; echo jail >/jail/etc/r; \
                  echo root >/etc/r; exec chroot /jail /busybox sleep 4242";
    let container = Detached::start(&[BUSYBOX, "sh", "-c", script]);
    let link = DockerTarget::new(&container.0).connect().await;
    let jailed = || ran_text(&link, "readlink /proc/1/root");
    while jailed().await != "/jail\n" {}
    assert_eq!(here.get(&link, "/etc/r").await.unwrap(), b"root\n");
    here.put(&link, b"new", "/etc/where").await.unwrap();
    assert_eq!(ran_text(&link, "cat /etc/where; ls /jail/etc").await, "newr\n");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_limit_of_memory_holds_for_files_in_memory() {
    let here = Here::new();
    let large = random(100 << 20);
    for (options, fits) in
        [(&["--memory=64m", "--tmpfs=/memory"][..], false), (&["--tmpfs=/memory"], true)]
    {
        let container = Container::start_with(DEBIAN, options);
        let link = connect(&container).await;
        let put = here.put(&link, &large, "/memory/file").await;
        assert_eq!(put.is_ok(), fits, "{put:?}");
        // A machine that is out of memory may fail here.
        let _ = link.disconnect().await;
    }
}

#[tokio::test]
async fn a_path_is_taken_as_it_is_written() {
    let container = Container::start(DEBIAN);
    let (link, here) = (connect(&container).await, Here::new());
    let _ = container.shell("echo old >/srv/file");
    for path in ["/srv/file/.", "/srv/file/..", "/srv/new/."] {
        assert!(here.put(&link, b"new", path).await.is_err(), "{path}");
    }
    assert_eq!(container.shell("cat /srv/file; ls -A /srv"), "old\nfile\n");
    here.put(&link, b"new", "//srv/.././srv//file").await.unwrap();
    assert_eq!(container.shell("cat /srv/file"), "new");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_copy_that_is_given_up_leaves_nothing() {
    let container = Container::start(DEBIAN);
    let (link, here) = (connect(&container).await, Here::new());
    let huge = here.path("huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let limited =
        puts().with_arguments(ConnectorArguments::new().with_timeout(Duration::from_secs(1)));
    let error = link.put_file(Source::path(&huge), "/srv/huge", &limited).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(temporaries(&container), "", "it is waited for");
    let options = puts();
    let put = link.put_file(Source::path(&huge), "/srv/huge", &options);
    assert!(tokio::time::timeout(Duration::from_millis(500), put).await.is_err());
    link.disconnect().await.unwrap();
    assert_eq!(temporaries(&container), "", "the end waits too");
    assert_eq!(container.shell("ls -A /srv"), "");
}

#[tokio::test]
async fn a_fifo_here_gets_a_file_once() {
    let container = Container::start(DEBIAN);
    let (link, here) = (connect(&container).await, Here::new());
    let content = random(100_000);
    here.put(&link, &content, "/srv/file").await.unwrap();
    let fifo = here.path("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reading = tokio::task::spawn_blocking({
        let fifo = fifo.clone();
        move || fs::read(fifo).unwrap()
    });
    link.get_file("/srv/file", &*fifo, &GetOptions::default()).await.unwrap();
    assert!(reading.await.unwrap() == content);
    link.disconnect().await.unwrap();
}

/// A container without a client, so that it can be started again.
struct Detached(String);

impl Detached {
    fn start(words: &[&str]) -> Self {
        let name = unique_name();
        let fixed = ["run", "--detach", "--label", "hostlink.test", "--name", &name];
        docker(fixed.iter().chain(words));
        Self(name)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        docker(["rm", "--force", "--volumes", &self.0]);
    }
}

async fn ran_text(link: &Link, line: &str) -> String {
    String::from_utf8(ran(link, line).await.stdout()).unwrap()
}
