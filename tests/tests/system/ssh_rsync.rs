//! rsync over SSH as another user, whose sudo needs a password.

/// `cargo xtask test --no-docker` leaves modules of this name out.
mod with_docker {
    use std::fs;
    use std::process::Output;
    use std::time::{Duration, Instant};

    use hostlink_tests::cli::{code, run, stderr, wait_until};
    use hostlink_tests::rsync::Far;
    use hostlink_tests::ssh_container::SshContainer;
    use tempfile::TempDir;

    const RIGHT: &str = "it's the right one";

    /// A host on which `sudoer` may become root with a password, and files to copy.
    struct Scene {
        server: SshContainer,
        files: TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let server = SshContainer::start();
            server.container().set_password("sudoer", RIGHT);
            let files = tempfile::tempdir().unwrap();
            fs::create_dir_all(files.path().join("tree/below")).unwrap();
            fs::write(files.path().join("tree/a b"), "one").unwrap();
            fs::write(files.path().join("tree/below/c"), vec![b'x'; 3_000_000]).unwrap();
            Self { server, files }
        }

        /// Returns the target as `sudoer`, or as root with this password.
        fn far(&self, password: Option<&str>) -> Far {
            let mut words = Vec::new();
            for (key, value) in [
                ("ssh_user", "sudoer".to_owned()),
                ("ssh_key", self.server.identity().display().to_string()),
                ("ssh_known_hosts_file", self.server.known_hosts().display().to_string()),
                ("ssh_strict_host_key_checking", "yes".to_owned()),
                ("ssh_allow_agent", "false".to_owned()),
                ("ssh_config_file", "none".to_owned()),
            ] {
                words.extend(["--data".to_owned(), format!("{key}={value}")]);
            }
            if let Some(password) = password {
                let file = self.files.path().join("password");
                fs::write(&file, format!("{password}\n")).unwrap();
                let file = file.display().to_string();
                words.extend(["--sudo".to_owned(), "--sudo-password-file".to_owned(), file]);
            }
            Far::new(&self.server.address().ip().to_string()).with_options(words)
        }

        /// Copies the tree to the target.
        fn push(&self, password: Option<&str>) -> Output {
            let tree = self.files.path().join("tree/");
            run(self.far(password).rsync(tree, ":/srv/copy/", &["-a"]))
        }

        /// Returns the output of a line in root's shell on the target.
        fn said(&self, line: &str) -> String {
            self.server.container().shell(line)
        }

        fn rsyncs(&self) -> String {
            self.said("pgrep -x 'rsync|sudo' || :")
        }
    }

    #[test]
    fn with_sudo_s_password_rsync_has_the_rights_of_root() {
        let scene = Scene::new();
        let refused = scene.push(None);
        assert_ne!(code(&refused), 0, "the control: it takes root's rights");
        assert!(stderr(&refused).contains("Permission denied"), "{}", stderr(&refused));
        let copied = scene.push(Some(RIGHT));
        assert_eq!((code(&copied), stderr(&copied)), (0, String::new()));
        let owners = scene.said("find /srv/copy -printf '%U:%G %y %P\\n' | LC_ALL=C sort");
        assert_eq!(owners, "0:0 d \n0:0 d below\n0:0 f a b\n0:0 f below/c\n");
        assert_eq!(scene.said("cat '/srv/copy/a b'; wc -c </srv/copy/below/c"), "one3000000\n");

        // And back, a file that only root can read.
        scene.said("umask 077; echo secret >/srv/copy/secret");
        let back = scene.files.path().join("back");
        let pull = |password| run(scene.far(password).rsync(":/srv/copy/", &back, &["-rlt"]));
        assert_ne!(code(&pull(None)), 0, "the control");
        let copied = pull(Some(RIGHT));
        assert_eq!((code(&copied), stderr(&copied)), (0, String::new()));
        assert_eq!(fs::read(back.join("secret")).unwrap(), b"secret\n");
        assert_eq!(fs::read(back.join("below/c")).unwrap().len(), 3_000_000);
        wait_until("neither sudo nor rsync is left", || scene.rsyncs().is_empty());
    }

    #[test]
    fn a_wrong_password_is_an_error_of_its_own_and_leaves_nothing() {
        let scene = Scene::new();
        let begun = Instant::now();
        let refused = scene.push(Some("hunter2"));
        let (taken, told) = (begun.elapsed(), stderr(&refused));
        println!("{taken:.1?}: {told}");
        assert_eq!(code(&refused), 1, "{told}");
        assert!(taken < Duration::from_secs(20), "{taken:?}");
        // After rsync's own message about a lost peer.
        let own = told.lines().last().unwrap_or_default();
        let address = scene.server.address().ip();
        let expected = format!("hostlink: {address}: the password was not accepted");
        assert!(own.starts_with(&expected), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(scene.said("ls -A /srv ~sudoer /tmp | grep -e copy -e hostlink || :"), "");
        wait_until("neither sudo nor rsync is left", || scene.rsyncs().is_empty());
    }
}
