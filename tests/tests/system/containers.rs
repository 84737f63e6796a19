//! The containers that other tests use.

/// `cargo xtask test --no-docker` leaves modules of this name out.
mod with_docker {
    use std::env;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};
    use std::thread;

    use hostlink_tests::cli::{
        code, command, run, send_signal, stderr, stdout, wait_for_exit, wait_until,
    };
    use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
    use hostlink_tests::engine::Engine;
    use hostlink_tests::ssh_container::SshContainer;

    /// The variable that names an engine, for the program that is killed.
    const DOOMED: &str = "HOSTLINK_TEST_DOOMED";

    /// What that program prints before the name of its container.
    const STARTED: &str = "started ";

    #[test]
    fn a_container_runs_commands() {
        for engine in Engine::ALL {
            for image in [DEBIAN, BUSYBOX] {
                let container = Container::start_on(engine, image, &[]);
                assert_eq!(code(&run(container.command(["true"]))), 0);
                assert_eq!(code(&run(container.command(["sh", "-c", "exit 7"]))), 7);
            }
        }
    }

    #[test]
    fn a_dropped_container_is_gone() {
        for engine in Engine::ALL {
            let container = Container::start_on(engine, BUSYBOX, &[]);
            let name = container.name().to_owned();
            assert_eq!(engine.list(&name), [name.as_str()]);
            let other = Engine::ALL.into_iter().find(|it| *it != engine).unwrap();
            assert!(other.list(&name).is_empty(), "it is on one engine");
            drop(container);
            assert!(engine.list(&name).is_empty());
        }
    }

    #[test]
    fn busybox_is_alone_in_its_image() {
        let container = Container::start(BUSYBOX);
        let output = run(container.command(["bash", "-c", "true"]));
        assert_ne!(code(&output), 0);
        assert!((stdout(&output) + &stderr(&output)).contains("not found"), "{output:?}");
        assert_eq!(code(&run(container.command(["ash", "-c", "true"]))), 0);
    }

    #[test]
    fn debian_has_what_tests_of_it_need() {
        let container = Container::start(DEBIAN);
        assert!(container.shell("tar --version").contains("GNU tar"));
        assert!(container.shell("rsync --version").contains("protocol version"));
        assert!(container.shell("locale -a").lines().any(|it| it == "de_DE.utf8"));
        assert_eq!(container.shell("ls /etc/ssh").matches("host_").count(), 0, "no key is shared");
        let by = |user, words: &str| container.shell(&format!("su {user} -c '{words} id -un'"));
        assert_eq!(by("trusted", "sudo -n"), "root\n");
        assert_eq!(by("trusted", "doas -n"), "root\n");
        assert_eq!(by("plain", "sudo -n true ||"), "plain\n");
        assert_eq!(by("plain", "doas -n true ||"), "plain\n");
    }

    #[test]
    fn sudo_asks_for_the_password_that_a_test_has_set() {
        let container = Container::start(DEBIAN);
        container.set_password("sudoer", "secret");
        let sudo = |password| {
            container.shell(&format!("echo {password} | su sudoer -c 'sudo -S id -un' || echo no"))
        };
        assert_eq!(sudo("secret"), "root\n");
        assert_eq!(sudo("wrong"), "no\n");
    }

    #[test]
    fn process_1_reaps() {
        for engine in Engine::ALL {
            let container = Container::start_on(engine, BUSYBOX, &[]);
            // The inner shell ends first, so its child ends as a child of process 1.
            let id = container.shell("sh -c 'sleep 0.1 >/dev/null & echo $!'");
            let id = id.trim();
            let gone = format!("[ -e /proc/{id} ] || echo gone");
            wait_until("the orphan is gone, and no zombie", || container.shell(&gone) == "gone\n");
        }
    }

    #[test]
    fn a_file_is_written_with_its_mode() {
        for engine in Engine::ALL {
            let container = Container::start_on(engine, BUSYBOX, &[]);
            container.write_file("/etc/file", "640", b"content");
            let said = container.shell("cat /etc/file; stat -c ' %a %u' /etc/file");
            assert_eq!(said, "content 640 0\n");
        }
    }

    #[test]
    fn options_of_the_engine_are_passed_on() {
        for engine in Engine::ALL {
            let container = Container::start_on(engine, BUSYBOX, &["--tmpfs=/small:size=1m"]);
            assert!(container.shell("mount").contains("tmpfs on /small"));
        }
    }

    #[test]
    #[should_panic(expected = "No such image: no-such-image")]
    fn a_start_that_fails_says_why() {
        let _container = Container::start("no-such-image");
    }

    #[test]
    fn eight_start_together() {
        Engine::ALL.into_iter().for_each(eight_start_together_on);
    }

    fn eight_start_together_on(engine: Engine) {
        let start = || {
            let container = Container::start_on(engine, BUSYBOX, &[]);
            (container.address(), container)
        };
        let started: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let mut addresses: Vec<_> = started.iter().map(|(address, _)| address).collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 8);
    }

    #[test]
    fn plain_ssh_logs_in_as_each_user() {
        let ssh = SshContainer::start();
        for user in ["root", "plain", "sudoer", "trusted"] {
            let output = run(ssh.ssh(user, ["id", "-un"]));
            assert_eq!(stdout(&output), format!("{user}\n"), "{}", stderr(&output));
            assert!(ssh.logs().contains(&format!("Accepted publickey for {user} ")));
        }
        let output = run(ssh.ssh("trusted", ["LC_ALL=de_DE.UTF-8", "cat", "/missing"]));
        assert!(stderr(&output).contains("Datei oder Verzeichnis nicht gefunden"), "{output:?}");
    }

    #[test]
    fn sshd_is_reached_by_the_address_and_by_a_published_port_if_there_is_one() {
        for engine in Engine::ALL {
            let plain = SshContainer::start_on(engine, "", &[]);
            assert_eq!(plain.published(), None);
            assert_eq!(stdout(&run(plain.ssh("plain", ["id", "-un"]))), "plain\n");
            let ssh = SshContainer::start_published(engine);
            let published = ssh.published().unwrap();
            assert!(published.ip().is_loopback() && published.port() != 22, "{published}");
            let output = run(ssh.ssh_at(published, "plain", ["hostname"]));
            assert_eq!(stdout(&output), ssh.container().shell("hostname"), "{}", stderr(&output));
        }
    }

    #[test]
    fn sshd_heeds_the_settings_of_a_test() {
        let ssh = SshContainer::start_with("DenyUsers plain", &[]);
        assert_eq!(code(&run(ssh.ssh("plain", ["true"]))), 255);
        assert_eq!(code(&run(ssh.ssh("trusted", ["true"]))), 0);
    }

    #[test]
    fn a_host_with_another_key_is_refused() {
        let (ssh, other) = (SshContainer::start(), SshContainer::start());
        assert_ne!(ssh.host_key(), other.host_key());
        let text = format!("{} {}\n", ssh.address().ip(), other.host_key());
        std::fs::write(ssh.known_hosts(), text).unwrap();
        let output = run(ssh.ssh("plain", ["true"]));
        assert!(stderr(&output).contains("Host key verification failed"), "{output:?}");
    }

    #[test]
    fn a_killed_test_leaves_no_container() {
        if let Ok(name) = env::var(DOOMED) {
            start_and_wait_for_ever(&name);
        }
        for engine in Engine::ALL {
            for whole_group in [false, true] {
                let (mut program, name) = start_doomed(engine);
                assert_eq!(engine.list(&name), [name.as_str()], "the control: it is there");
                if whole_group {
                    kill_group(&program);
                } else {
                    send_signal(&program, "KILL");
                }
                wait_for_exit(&mut program);
                wait_until("the container is gone", || engine.list(&name).is_empty());
            }
        }
    }

    /// Starts this program in its own process group, to run only the test that is killed.
    fn start_doomed(engine: Engine) -> (Child, String) {
        let this: PathBuf = env::current_exe().unwrap();
        let test = "containers::with_docker::a_killed_test_leaves_no_container";
        let mut program = command(&this, ["--exact", test, "--nocapture"]);
        program.env(DOOMED, engine.to_string()).process_group(0).stderr(Stdio::inherit());
        let mut program = program.spawn().unwrap();
        let output = BufReader::new(program.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let name = lines.find_map(|line| Some(line.split_once(STARTED)?.1.to_owned()));
        (program, name.expect("it says what it has started"))
    }

    fn start_and_wait_for_ever(engine: &str) -> ! {
        let engine = Engine::ALL.into_iter().find(|it| it.to_string() == engine).unwrap();
        let container = Container::start_on(engine, BUSYBOX, &[]);
        println!("{STARTED}{}", container.name());
        loop {
            thread::park();
        }
    }

    fn kill_group(program: &Child) {
        let group = format!("-{}", program.id());
        assert!(
            Command::new("kill").args(["-s", "KILL", "--", &group]).status().unwrap().success()
        );
    }
}
