//! The hosts for tests of engines over SSH: each has the access that its name says.

/// `cargo xtask test --no-docker` leaves modules of this name out.
mod with_docker {
    use hostlink_tests::cli::{stderr, stdout};
    use hostlink_tests::docker_host::{DOCKER_SOCKET, DockerHost};

    /// The routes to the engine that a user has.
    #[derive(Debug, PartialEq, Eq)]
    struct Ways {
        socket: bool,
        forwarding: bool,
        command: bool,
        dial: bool,
        sudo_dial: bool,
    }

    /// Checks each route, which is the control for those that are closed.
    fn ways(host: &DockerHost) -> Ways {
        assert_eq!(stdout(&host.ssh("id -un")), format!("{}\n", host.user()), "the control");
        let ping = r"printf 'GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n'";
        let dial = |prefix: &str| {
            let line = format!("{ping} | {prefix}docker system dial-stdio");
            stdout(&host.ssh(&line)).starts_with("HTTP/1.0 200 OK")
        };
        Ways {
            socket: host.can(&format!("test -w {DOCKER_SOCKET}")),
            forwarding: host.ping_through_forwarded_socket().starts_with("HTTP/1.0 200 OK"),
            command: host.can("command -v docker"),
            dial: dial(""),
            sudo_dial: dial("sudo -n "),
        }
    }

    #[test]
    fn root_has_every_way() {
        let ways = ways(&DockerHost::root());
        let all =
            Ways { socket: true, forwarding: true, command: true, dial: true, sudo_dial: true };
        assert_eq!(ways, all);
    }

    #[test]
    fn a_member_needs_no_sudo_and_has_none() {
        let ways = ways(&DockerHost::member());
        let all =
            Ways { socket: true, forwarding: true, command: true, dial: true, sudo_dial: false };
        assert_eq!(ways, all);
    }

    #[test]
    fn a_sudoer_has_nothing_but_dialling_as_root() {
        let ways = ways(&DockerHost::sudoer());
        let only =
            Ways { socket: false, forwarding: false, command: true, dial: false, sudo_dial: true };
        assert_eq!(ways, only);
    }

    #[test]
    fn a_stranger_has_a_command_that_is_refused() {
        let host = DockerHost::stranger();
        let none =
            Ways { socket: false, forwarding: false, command: true, dial: false, sudo_dial: false };
        assert_eq!(ways(&host), none);
        let output = host.ssh("docker version");
        assert!(stderr(&output).contains("permission denied"), "{output:?}");
    }

    #[test]
    fn without_a_command_there_is_the_socket() {
        let host = DockerHost::without_command();
        let only =
            Ways { socket: true, forwarding: true, command: false, dial: false, sudo_dial: false };
        assert_eq!(ways(&host), only);
        assert!(host.can("tar --version && sudo -V && test -x \"$(command -v sh)\""), "the rest");
    }

    #[test]
    fn without_forwarding_there_is_dialling() {
        let ways = ways(&DockerHost::without_forwarding());
        let only =
            Ways { socket: true, forwarding: false, command: true, dial: true, sudo_dial: false };
        assert_eq!(ways, only);
    }

    #[test]
    fn every_login_is_counted() {
        let host = DockerHost::member();
        assert_eq!(host.sshd().logins(), 0);
        assert!(host.can("docker version"));
        assert_eq!(host.sshd().logins(), 1);
        assert!(host.ping_through_forwarded_socket().contains("200 OK"));
        assert_eq!(host.sshd().logins(), 2);
    }

    #[test]
    fn users_and_rules_go_with_the_test() {
        let host = DockerHost::sudoer();
        let user = host.user().to_owned();
        let rule = format!("/etc/sudoers.d/{user}");
        assert!(std::fs::exists(&rule).unwrap(), "the control: it is there");
        drop(host);
        assert!(!std::fs::exists(&rule).unwrap());
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        assert!(!passwd.contains(&user));
        let groups = std::fs::read_to_string("/etc/group").unwrap();
        assert!(!groups.contains(&user));
    }
}
