//! Files to containers and back: every kind of place, every kind of user, and what goes wrong midway.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

/// The name tells `cargo xtask test --no-docker` to leave them out.
mod with_docker {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use hostlink::transfer::{GetOptions, PutOptions, Sink, Source};
    use hostlink::{
        ConnectorArguments, Context, Data, Error, ErrorKind, Link, StringCommand, builtin_registry,
    };
    use hostlink_tests::cli::{becomes_true, command, run_with_input, stdout};
    use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
    use hostlink_tests::engine::{Engine, PODMAN_SOCKET};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::spawn_blocking;
    use tokio::time::{sleep, timeout};

    /// What does not come to an end within this hangs.
    const LIMIT: Duration = Duration::from_secs(60);

    async fn connect(container: &Container) -> Link {
        connect_with(container, Data::new()).await
    }

    async fn connect_as(container: &Container, user: &str) -> Link {
        connect_with(container, Data::new().with("docker_user", user)).await
    }

    async fn connect_with(container: &Container, data: Data) -> Link {
        let engine = container.engine();
        let data = match engine {
            Engine::Docker => data,
            Engine::Podman => data.with("podman_socket", PODMAN_SOCKET),
        };
        let target = format!("@{engine}/{}", container.name());
        builtin_registry().connect(&target, &data, &Context::default()).await.unwrap()
    }

    fn random(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        getrandom::fill(&mut bytes).unwrap();
        bytes
    }

    fn puts() -> PutOptions {
        PutOptions::default()
    }

    fn with_sudo(user: Option<&str>) -> PutOptions {
        let arguments = ConnectorArguments::new().with_sudo(true);
        puts().with_arguments(match user {
            Some(user) => arguments.with_sudo_user(user),
            None => arguments,
        })
    }

    async fn put_text(link: &Link, text: &str, path: &str, options: &PutOptions) -> bool {
        let source = Source::bytes(text.as_bytes().to_vec());
        link.put_file(source, path, options).await.unwrap().in_place
    }

    async fn get(link: &Link, path: &str) -> Vec<u8> {
        let mut got = Vec::new();
        link.get_file(path, &mut got, &GetOptions::default()).await.unwrap();
        got
    }

    /// The error is of this kind, and one line that names the file.
    fn assert_error(error: &Error, kind: ErrorKind, path: &str) {
        let line = error.to_string();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(line.contains(path) && !line.contains('\n'), "{line}");
    }

    /// The temporaries of ours in the container, wherever they are.
    fn temporaries(container: &Container) -> String {
        container.shell("find / -path /proc -prune -o -name '*.hostlink-*' -print")
    }

    /// Owner, group and mode.
    fn owned(container: &Container, path: &str) -> String {
        container.shell(&format!("stat -c '%u:%g %a' {path}")).trim().to_owned()
    }

    async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
        timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{what} hangs"))
    }

    #[tokio::test]
    async fn a_hundred_mebibytes_go_through_a_command_as_they_are() {
        let container = Container::start(DEBIAN);
        let link = connect(&container).await;
        let input = random(100 << 20);
        let sum = stdout(&run_with_input(command(Path::new("sha256sum"), [""; 0]), &input));
        let arguments = ConnectorArguments::new().with_stdin(input);
        let line = StringCommand::shell("cat | sha256sum");
        let output = link.run_shell_command(&line, &arguments).await.unwrap().check().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout()), sum);
        assert!(sum.len() > 64, "the control: {sum}");
        link.disconnect().await.unwrap();
    }

    /// Longer than any limit of an HTTP call: bollard's is 120 s.
    #[tokio::test]
    async fn a_put_may_take_two_hundred_seconds() {
        const PIECES: usize = 20;
        const PIECE: usize = 1 << 20;
        let container = Container::start(DEBIAN);
        let link = connect(&container).await;
        let content = random(PIECES * PIECE);
        let (mut slow, near) = duplex(PIECE);
        let sent = content.clone();
        let sending = tokio::spawn(async move {
            for piece in sent.chunks(PIECE) {
                sleep(Duration::from_secs(10)).await;
                slow.write_all(piece).await.unwrap();
            }
        });
        let begun = Instant::now();
        link.put_file(Source::reader(near), "/var/tmp/slow", &puts()).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(200), "{:?}", begun.elapsed());
        sending.await.unwrap();
        assert!(get(&link, "/var/tmp/slow").await == content);
        link.disconnect().await.unwrap();
    }

    #[tokio::test]
    async fn files_go_wherever_something_is_mounted() {
        for engine in Engine::ALL {
            let here = tempfile::tempdir().unwrap();
            let bind = format!("--volume={}:/bind", here.path().display());
            let options = ["--tmpfs=/memory", "--volume=/volume", &bind];
            for image in [DEBIAN, BUSYBOX] {
                let container = Container::start_on(engine, image, &options);
                let mounts = container.shell("cat /proc/mounts");
                let link = connect(&container).await;
                for place in ["/memory", "/volume", "/bind"] {
                    assert!(mounts.contains(&format!(" {place} ")), "the control: {mounts}");
                    let (path, content) = (format!("{place}/file"), random(3_000_000));
                    link.put_file(content.clone(), &path, &puts()).await.unwrap();
                    assert!(get(&link, &path).await == content, "{engine}: {path}");
                    let length = container.shell(&format!("wc -c <{path}; ls -A {place}"));
                    assert_eq!(length.trim(), "3000000\nfile", "{engine}: {path}");
                }
                assert_eq!(fs::metadata(here.path().join("file")).unwrap().len(), 3_000_000);
                fs::remove_file(here.path().join("file")).unwrap();
                link.disconnect().await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn directories_go_to_a_tmpfs_too() {
        let here = tempfile::tempdir().unwrap();
        let (from, back) = (here.path().join("from"), here.path().join("back"));
        fs::create_dir_all(from.join("below")).unwrap();
        let content = random(200_000);
        fs::write(from.join("below/file"), &content).unwrap();
        for image in [DEBIAN, BUSYBOX] {
            let container = Container::start_with(image, &["--tmpfs=/memory"]);
            let link = connect(&container).await;
            link.put_dir(&from, "/memory/tree", &puts()).await.unwrap();
            link.get_dir("/memory/tree", &back, &GetOptions::default()).await.unwrap();
            assert!(fs::read(back.join("below/file")).unwrap() == content);
            assert_eq!(container.shell("ls -A /memory; ls /memory/tree"), "tree\nbelow\n");
            fs::remove_dir_all(&back).unwrap();
            link.disconnect().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_root_that_is_read_only_is_refused_and_its_tmpfs_is_not() {
        for engine in Engine::ALL {
            for image in [DEBIAN, BUSYBOX] {
                let options = ["--read-only", "--tmpfs=/memory"];
                let container = Container::start_on(engine, image, &options);
                let link = connect(&container).await;
                let before = container.shell("ls -A / /etc; cat /etc/passwd");
                for path in ["/etc/new", "/etc/passwd"] {
                    let put = link.put_file(b"new\n".to_vec(), path, &puts()).await;
                    let error = put.unwrap_err();
                    assert_error(&error, ErrorKind::PermissionDenied, path);
                    let tail = error.stderr_tail().unwrap_or_default();
                    assert!(tail.contains("Read-only file system"), "{tail}");
                }
                assert_eq!(container.shell("ls -A / /etc; cat /etc/passwd"), before);
                assert!(!put_text(&link, "new\n", "/memory/file", &puts()).await);
                assert_eq!(container.shell("cat /memory/file"), "new\n", "the control");
                assert_eq!(temporaries(&container), "");
                link.disconnect().await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_is_a_mount_is_written_in_place() {
        for engine in Engine::ALL {
            let container = Container::start_on(engine, DEBIAN, &[]);
            assert!(container.shell("cat /proc/mounts").contains(" /etc/hosts "), "the control");
            let link = connect(&container).await;
            let state = || container.shell("stat -c '%i %u:%g %a' /etc/hosts; ls -A /etc");
            let before = state();
            // Longer than the old one, then shorter: nothing of it may stay.
            for text in ["127.0.0.1 localhost\n10.0.0.1 one\n".repeat(100).as_str(), "short\n"] {
                assert!(put_text(&link, text, "/etc/hosts", &puts()).await, "in place");
                assert_eq!(container.shell("cat /etc/hosts"), text);
                assert_eq!(state(), before, "{engine}");
            }
            assert!(!put_text(&link, "x\n", "/etc/hosts2", &puts()).await, "the control");
            assert_eq!(temporaries(&container), "");
            link.disconnect().await.unwrap();
        }
    }

    #[tokio::test]
    async fn files_belong_to_the_user_that_commands_run_as() {
        for engine in Engine::ALL {
            let container = Container::start_on(engine, DEBIAN, &[]);
            let id = |flag: &str| container.shell(&format!("id {flag} plain")).trim().to_owned();
            let plain = format!("{}:{}", id("-u"), id("-g"));
            assert_ne!(plain, "0:0", "the control");
            for (user, owner) in [
                ("plain", plain.as_str()),
                (plain.as_str(), plain.as_str()),
                // Nobody's name.
                ("12345:54321", "12345:54321"),
                ("0", "0:0"),
                ("root", "0:0"),
            ] {
                let link = connect_as(&container, user).await;
                let _ = container.shell("rm -rf /var/tmp/file /var/tmp/tree");
                let said = |what: &str| format!("{owner} {what}");
                put_text(&link, "x", "/var/tmp/file", &puts()).await;
                assert_eq!(owned(&container, "/var/tmp/file"), said("644"), "{engine}: {user}");
                put_text(&link, "y", "/var/tmp/file", &puts().with_mode(0o4750)).await;
                assert_eq!(owned(&container, "/var/tmp/file"), said("4750"), "{engine}: {user}");
                let here = tempfile::tempdir().unwrap();
                fs::write(here.path().join("inner"), "x").unwrap();
                link.put_dir(here.path(), "/var/tmp/tree", &puts()).await.unwrap();
                for path in ["/var/tmp/tree", "/var/tmp/tree/inner"] {
                    let owned = owned(&container, path);
                    assert!(owned.starts_with(&format!("{owner} ")), "{user}: {path}: {owned}");
                }
                link.disconnect().await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn sudo_in_the_container_gives_files_their_owners() {
        let container = Container::start(DEBIAN);
        let id = container.shell("echo $(id -u plain):$(id -g plain)").trim().to_owned();
        let link = connect_as(&container, "trusted").await;
        put_text(&link, "x", "/root/file", &with_sudo(None).with_mode(0o600)).await;
        assert_eq!(owned(&container, "/root/file"), "0:0 600");
        put_text(&link, "x", "/var/tmp/file", &with_sudo(Some("plain"))).await;
        assert_eq!(owned(&container, "/var/tmp/file"), format!("{id} 644"));
        // An existing file keeps its owner and mode, whoever writes it.
        let _ = container
            .shell("echo old >/srv/file; chown plain:plain /srv/file; chmod 640 /srv/file");
        put_text(&link, "new\n", "/srv/file", &with_sudo(None)).await;
        assert_eq!(owned(&container, "/srv/file"), format!("{id} 640"));
        assert_eq!(container.shell("cat /srv/file"), "new\n");
        // What only root may read comes with sudo, and not without.
        let options = GetOptions::default().with_arguments(with_sudo(None).arguments);
        let mut got = Vec::new();
        link.get_file("/root/file", &mut got, &options).await.unwrap();
        assert_eq!(got, b"x");
        let refused = link.get_file("/root/file", &mut got, &GetOptions::default()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(temporaries(&container), "");
        link.disconnect().await.unwrap();
    }

    #[tokio::test]
    async fn a_directory_of_roots_takes_nothing_from_somebody_else() {
        let container = Container::start(DEBIAN);
        for user in ["plain", "trusted", "12345"] {
            let link = connect_as(&container, user).await;
            let before = container.shell("ls -A /srv /etc; cat /etc/passwd");
            for path in ["/srv/new", "/etc/passwd"] {
                let put = link.put_file(b"new\n".to_vec(), path, &puts()).await;
                assert_error(&put.unwrap_err(), ErrorKind::PermissionDenied, path);
            }
            let here = tempfile::tempdir().unwrap();
            fs::write(here.path().join("inner"), "x").unwrap();
            let put = link.put_dir(here.path(), "/srv/tree", &puts()).await;
            assert_error(&put.unwrap_err(), ErrorKind::PermissionDenied, "/srv/tree");
            assert_eq!(container.shell("ls -A /srv /etc; cat /etc/passwd"), before);
            link.disconnect().await.unwrap();
        }
        let link = connect_as(&container, "plain").await;
        let put = link.put_file(b"new\n".to_vec(), "/srv/new", &with_sudo(None)).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Privilege, "plain may not use sudo");
        assert_eq!(container.shell("ls -A /srv"), "");
        link.disconnect().await.unwrap();
        let link = connect_as(&container, "trusted").await;
        put_text(&link, "new\n", "/srv/new", &with_sudo(None)).await;
        assert_eq!(container.shell("cat /srv/new"), "new\n", "the control");
        link.disconnect().await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_leaves_the_old_file_whole() {
        for engine in Engine::ALL {
            for image in [DEBIAN, BUSYBOX] {
                let container = Container::start_on(engine, image, &["--tmpfs=/small:size=1m"]);
                let link = connect(&container).await;
                let _ = container.shell("echo old >/small/file");
                let large = random(4 << 20);
                let sources = [
                    Source::bytes(large.clone()),
                    Source::reader(std::io::Cursor::new(large.clone())),
                ];
                for source in sources {
                    let error = link.put_file(source, "/small/file", &puts()).await.unwrap_err();
                    assert_full(&error, "/small/file");
                    assert_eq!(container.shell("ls -A /small; cat /small/file"), "file\nold\n");
                }
                let here = tempfile::tempdir().unwrap();
                fs::write(here.path().join("inner"), &large).unwrap();
                let put = link.put_dir(here.path(), "/small/tree", &puts()).await;
                assert_full(&put.unwrap_err(), "/small/tree");
                assert_eq!(container.shell("ls -A /small"), "file\n");
                put_text(&link, "new\n", "/small/file", &puts()).await;
                assert_eq!(container.shell("cat /small/file"), "new\n", "the control");
                link.disconnect().await.unwrap();
            }
        }
    }

    fn assert_full(error: &Error, path: &str) {
        assert_error(error, ErrorKind::Transfer, path);
        let tail = error.stderr_tail().unwrap_or_default();
        assert!(tail.contains("No space left on device"), "{tail}");
    }

    /// The end of a get that takes what comes when it is told to go on.
    async fn drain(mut near: DuplexStream, mut got: Vec<u8>) -> Vec<u8> {
        near.read_to_end(&mut got).await.unwrap();
        got
    }

    #[tokio::test]
    async fn a_file_that_is_removed_while_it_is_read_comes_whole_and_then_is_not_there() {
        const LENGTH: usize = 64 << 20;
        let container = Container::start(DEBIAN);
        let link = connect(&container).await;
        let content = random(LENGTH);
        link.put_file(content.clone(), "/var/tmp/file", &puts()).await.unwrap();
        let (mut far, mut near) = duplex(64 * 1024);
        let getting = {
            let link = link.clone();
            tokio::spawn(async move {
                let sink = Sink::Writer(&mut far);
                link.get_file("/var/tmp/file", sink, &GetOptions::default()).await
            })
        };
        let mut first = vec![0; 1 << 20];
        near.read_exact(&mut first).await.unwrap();
        assert!(!getting.is_finished(), "the control: it is under way");
        assert_eq!(container.shell("rm /var/tmp/file; ls -A /var/tmp"), "");
        let got = within("the rest", drain(near, first)).await;
        assert_eq!(getting.await.unwrap().unwrap().bytes, LENGTH as u64);
        assert!(got == content);
        let again = link.get_file("/var/tmp/file", &mut Vec::new(), &GetOptions::default()).await;
        assert_error(&again.unwrap_err(), ErrorKind::NotFound, "/var/tmp/file");
        link.disconnect().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_container_that_is_removed_during_a_put_is_a_link_that_is_lost() {
        for engine in Engine::ALL {
            for image in [DEBIAN, BUSYBOX] {
                let container = Container::start_on(engine, image, &[]);
                let link = connect(&container).await;
                let putting = {
                    let link = link.clone();
                    tokio::spawn(async move {
                        let source = Source::reader(tokio::io::repeat(b'x'));
                        link.put_file(source, "/root/file", &puts()).await
                    })
                };
                let container = wait_for_put(container).await;
                remove(&container).await;
                let error = within("the put", putting).await.unwrap().unwrap_err();
                assert_lost(&error, &container);
                within("the end", link.disconnect()).await.unwrap();
            }
        }
    }

    async fn wait_for_put(container: Container) -> Container {
        let filled = move || {
            const SIZE: &str = "du -k /root | tail -n 1 | cut -f 1";
            let is_filled = || container.shell(SIZE).trim().parse::<u64>().unwrap() > 1024;
            (becomes_true(is_filled), container)
        };
        let (is_filled, container) = spawn_blocking(filled).await.unwrap();
        assert!(is_filled, "the control: it moves");
        container
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_container_that_is_removed_during_a_get_is_a_link_that_is_lost() {
        for engine in Engine::ALL {
            for image in [DEBIAN, BUSYBOX] {
                let container = Container::start_on(engine, image, &[]);
                let _ = container.shell("truncate -s 1T /root/file");
                let link = connect(&container).await;
                let here = tempfile::tempdir().unwrap();
                let to = here.path().join("file");
                fs::write(&to, "old").unwrap();
                let getting = {
                    let (link, to) = (link.clone(), to.clone());
                    tokio::spawn(async move {
                        link.get_file("/root/file", to, &GetOptions::default()).await
                    })
                };
                let directory: PathBuf = here.path().to_owned();
                let filled = move || {
                    let entries = fs::read_dir(&directory).unwrap().flatten();
                    entries.filter_map(|it| it.metadata().ok()).any(|it| it.len() > 1 << 20)
                };
                let moves = spawn_blocking(|| becomes_true(filled)).await.unwrap();
                assert!(moves, "the control: it moves");
                remove(&container).await;
                let error = within("the get", getting).await.unwrap().unwrap_err();
                assert_lost(&error, &container);
                assert_eq!(fs::read_to_string(&to).unwrap(), "old");
                assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
                within("the end", link.disconnect()).await.unwrap();
            }
        }
    }

    async fn remove(container: &Container) {
        let (engine, name) = (container.engine(), container.name().to_owned());
        spawn_blocking(move || engine.say(["rm", "--force", &name])).await.unwrap();
    }

    fn assert_lost(error: &Error, container: &Container) {
        assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
        let line = error.to_string();
        assert!(line.contains(container.name()) && !line.contains('\n'), "{line}");
    }
}
