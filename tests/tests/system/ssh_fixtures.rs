//! Each SSH server of the tests answers OpenSSH's own client as its documentation says.

use std::fs;
use std::net::{IpAddr, TcpStream};
use std::process::Output;
use std::time::Duration;

use hostlink_tests::busybox::BusyboxOnly;
use hostlink_tests::cli::{code, run, stderr, stdout, wait_until};
use hostlink_tests::dropbear::Dropbear;
use hostlink_tests::keys::{Agent, Key, KeyType, Keys};
use hostlink_tests::network::Network;
use hostlink_tests::ssh_client::SshClient;
use hostlink_tests::sshd::{Sshd, SshdBuilder, Subsystem};
use hostlink_tests::unreachable::{Blackhole, Full, Silent};
use hostlink_tests::user::TestUser;

/// Returns a client with a new key that this server accepts.
fn client_of(sshd: &Sshd) -> (SshClient, Key) {
    let key = Keys::new().make(KeyType::Ed25519);
    sshd.authorize(&key.public());
    (SshClient::new().knows(&sshd.known_hosts()).key(&key), key)
}

fn login(client: &SshClient, sshd: &Sshd, user: &str, line: &str) -> Output {
    run(client.run(user, sshd.address(), sshd.port(), line))
}

#[test]
fn a_key_logs_in_and_exit_codes_come_back() {
    let sshd = Sshd::builder().start();
    let (client, _key) = client_of(&sshd);
    let output = login(&client, &sshd, "root", "true");
    assert_eq!(code(&output), 0, "{}\n{}", stderr(&output), sshd.log());
    assert_eq!(code(&login(&client, &sshd, "root", "exit 3")), 3);
    assert_eq!(sshd.logins(), 2);
    let stranger =
        SshClient::new().knows(&sshd.known_hosts()).key(&Keys::new().make(KeyType::Ed25519));
    assert_eq!(code(&login(&stranger, &sshd, "root", "true")), 255);
    sshd.wait_until_idle();
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (2, 0));
}

#[test]
fn one_server_is_many_hosts_with_several_host_keys() {
    let types = [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa];
    let sshd = Sshd::builder().listen("0.0.0.0").host_keys(&types).start();
    for (address, algorithm) in [
        ("127.0.1.1", "ssh-ed25519"),
        ("127.0.1.2", "ecdsa-sha2-nistp256"),
        ("127.0.1.3", "rsa-sha2-256"),
    ] {
        let (client, _key) = client_of(&sshd);
        let client = client.set("HostKeyAlgorithms", algorithm);
        let output = run(client.run("root", address.parse().unwrap(), sshd.port(), "true"));
        assert_eq!(code(&output), 0, "{address}: {}", stderr(&output));
    }
}

#[test]
fn passwords_with_spaces_and_quotes_work_without_and_with_pam() {
    let password = r#" it's "a  $HOME\ pass` word: "#;
    let user = TestUser::create("/bin/bash");
    user.set_password(password);
    for builder in [
        Sshd::builder().passwords(),
        Sshd::builder().passwords().pam(),
        Sshd::builder().keyboard_interactive(),
    ] {
        let sshd = builder.start();
        let client = SshClient::new().knows(&sshd.known_hosts()).answer("assword:", password);
        let output = login(&client, &sshd, user.name(), "pwd; echo $SHELL");
        assert_eq!(code(&output), 0, "{}\n{}", stderr(&output), sshd.log());
        assert_eq!(stdout(&output), format!("{}\n/bin/bash\n", user.home().display()));
        let wrong = SshClient::new().knows(&sshd.known_hosts()).answer("assword:", "wrong");
        assert_eq!(code(&login(&wrong, &sshd, user.name(), "true")), 255);
        sshd.wait_until_idle();
        assert_eq!((sshd.logins(), sshd.refused_passwords()), (1, 1), "{}", sshd.log());
    }
}

#[test]
fn two_questions_have_two_answers() {
    let user = TestUser::create("/bin/sh");
    user.set_password("first answer");
    let second = user.second_factor();
    let sshd = Sshd::builder().two_prompts().start();
    let client = || SshClient::new().knows(&sshd.known_hosts()).answer("assword:", "first answer");
    // The answer is valid for more than one login.
    for _ in 0..2 {
        let right = client().answer("Verification code:", &second);
        let output = login(&right, &sshd, user.name(), "true");
        assert_eq!(code(&output), 0, "{}\n{}", stderr(&output), sshd.log());
    }
    let digits: u32 = second.parse().unwrap();
    let other = format!("{:06}", (digits + 500_000) % 1_000_000);
    for wrong in [client(), client().answer("Verification code:", &other)] {
        assert_eq!(code(&login(&wrong, &sshd, user.name(), "true")), 255);
    }
    sshd.wait_until_idle();
    assert_eq!((sshd.logins(), sshd.refused_passwords()), (2, 2), "{}", sshd.log());
}

#[test]
fn keys_of_all_kinds_an_agent_and_a_certificate_are_accepted() {
    let (sshd, keys) = (Sshd::builder().start(), Keys::new());
    let client = || SshClient::new().knows(&sshd.known_hosts());
    for key_type in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let key = keys.make_with_passphrase(key_type, "pass phrase");
        sshd.authorize(&key.public());
        let asked = client().key(&key).answer("Enter passphrase for key", "pass phrase");
        assert_eq!(code(&login(&asked, &sshd, "root", "true")), 0, "{key_type:?}");
        assert_eq!(code(&login(&client().key(&key), &sshd, "root", "true")), 255);
    }

    let many: Vec<Key> = (0..5).map(|_| keys.make(KeyType::Ed25519)).collect();
    let agent = Agent::start(&many.iter().collect::<Vec<_>>());
    sshd.authorize(&many[4].public());
    let socket = agent.socket();
    let with_agent = client().set("IdentityAgent", socket.display()).set("IdentitiesOnly", "no");
    let output = login(&with_agent, &sshd, "root", "true");
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    let (authority, key) = (keys.make(KeyType::Ed25519), keys.make(KeyType::Ed25519));
    sshd.trust_authority(&authority.public());
    assert!(key.certify(&authority, &["nobody-else"]).exists());
    assert_eq!(code(&login(&client().key(&key), &sshd, "root", "true")), 255);
    assert!(key.certify(&authority, &["root", "somebody"]).exists());
    assert_eq!(code(&login(&client().key(&key), &sshd, "root", "true")), 0, "{}", sshd.log());
}

#[test]
fn keys_of_one_user_and_own_settings_count() {
    let user = TestUser::create("/bin/sh");
    let sshd = Sshd::builder()
        .config("PermitRootLogin no")
        .config_where(&format!("User {}", user.name()), "ForceCommand echo forced")
        .max_sessions(2)
        .max_startups("3:50:10")
        .start();
    let key = Keys::new().make(KeyType::Ed25519);
    sshd.authorize_user(user.name(), &key.public());
    let client = SshClient::new().knows(&sshd.known_hosts()).key(&key);
    assert_eq!(stdout(&login(&client, &sshd, user.name(), "true")), "forced\n");
    assert_eq!(code(&login(&client, &sshd, "root", "true")), 255);
}

#[test]
fn sftp_is_what_was_asked_for() {
    let works = |builder: SshdBuilder| {
        let sshd = builder.start();
        let (client, _key) = client_of(&sshd);
        let mut command = client.command("sftp");
        command.args(["-q", "-b", "/dev/null", "-P", &sshd.port().to_string(), "root@127.0.0.1"]);
        code(&run(command)) == 0
    };
    let with = |subsystem| Sshd::builder().subsystem(subsystem);
    assert!(works(Sshd::builder()));
    assert!(works(with(Subsystem::InternalSftp)));
    assert!(!works(with(Subsystem::Command("/bin/false".into()))));
    assert!(!works(with(Subsystem::None)));
}

#[test]
fn a_stopped_server_is_silent_and_a_killed_connection_ends() {
    let user = TestUser::create("/bin/sh");
    let sshd = Sshd::builder().start();
    let (client, _key) = client_of(&sshd);
    let start = || client.run(user.name(), sshd.address(), sshd.port(), "echo here; sleep 4711");
    let mut child = start().spawn().unwrap();
    wait_until("it is there", || sshd.descendants().iter().any(|it| it.name == "sleep"));
    assert_eq!(sshd.session_pids().len(), 2, "a monitor and the user's half");

    sshd.stop();
    let states =
        || sshd.descendants().into_iter().filter(|it| it.name == "sshd").map(|it| it.state);
    assert!(states().all(|state| state == 'T'));
    let mut stuck = client.run("root", sshd.address(), sshd.port(), "true");
    let mut stuck = stuck.spawn().unwrap();
    assert!(stuck.try_wait().unwrap().is_none());
    sshd.cont();
    assert!(stuck.wait().unwrap().success());

    sshd.kill_sessions();
    assert_eq!(child.wait().unwrap().code(), Some(255));
    assert!(sshd.session_pids().is_empty());
    assert_eq!(code(&login(&client, &sshd, "root", "true")), 0);
}

#[test]
fn behind_a_bastion_are_hosts_that_this_machine_does_not_reach() {
    let network = Network::two();
    let start =
        |namespace, address: &str| Sshd::builder().in_namespace(namespace).listen(address).start();
    let (first, second) = (network.first(), network.second());
    let bastion = start(first, &first.address().to_string());
    let inner = start(first, "127.0.0.1");
    let middle = start(second, &second.address().to_string());
    let last = start(second, "127.0.0.1");

    let key = Keys::new().make(KeyType::Ed25519);
    let all = [&bastion, &inner, &middle, &last];
    for sshd in all {
        sshd.authorize(&key.public());
    }
    let client_through = |hops: &str| {
        let client = SshClient::new().key(&key).flags(&["-J", hops]);
        all.iter().fold(client, |client, sshd| client.knows(&sshd.known_hosts()))
    };
    let hop = |sshd: &Sshd| format!("root@{}:{}", sshd.address(), sshd.port());
    let ours = fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    for (target, hops) in [
        (&bastion, "none".to_owned()),
        (&inner, hop(&bastion)),
        (&middle, hop(&bastion)),
        (&last, format!("{},{}", hop(&bastion), hop(&middle))),
    ] {
        let output = login(&client_through(&hops), target, "root", "readlink /proc/self/ns/net");
        assert_eq!(code(&output), 0, "{hops}: {}", stderr(&output));
        assert_ne!(stdout(&output).trim(), ours);
    }
    assert_eq!(all.map(Sshd::logins), [4, 1, 2, 1]);
    for sshd in [&inner, &middle, &last] {
        let reached = TcpStream::connect_timeout(
            &(sshd.address(), sshd.port()).into(),
            Duration::from_millis(100),
        );
        assert!(reached.is_err(), "{}", sshd.address());
    }
}

#[test]
fn dropbear_lets_a_user_in_with_a_key() {
    let (server, user) = (Dropbear::start(), TestUser::create("/bin/bash"));
    let key = Keys::new().make(KeyType::Ed25519);
    user.authorize(&key.public());
    let client = SshClient::new().knows(&server.known_hosts()).key(&key);
    let output = run(client.run(user.name(), server.address(), server.port(), "id -un; exit 7"));
    assert_eq!(code(&output), 7, "{}\n{}", stderr(&output), server.log());
    assert_eq!(stdout(&output), format!("{}\n", user.name()));
    assert_eq!(server.logins(), 1);
}

#[test]
fn the_busybox_machine_has_only_busybox() {
    let machine = BusyboxOnly::start();
    let (server, key) = (machine.server(), Keys::new().make(KeyType::Ed25519));
    machine.authorize(&key.public());
    let ask = |flags: &[&str], line: &str| {
        let client = SshClient::new().knows(&server.known_hosts()).key(&key).flags(flags);
        run(client.run("root", server.address(), server.port(), line))
    };
    let output = ask(
        &[],
        "ls /bin | grep -c bash; ls -d /usr/bin /usr/lib/openssh /home; echo $$ >/tmp/pid",
    );
    assert_eq!(stdout(&output), "0\n", "{}\n{}", stderr(&output), server.log());
    let output = ask(
        &[],
        "ls -l /bin | grep -vc 'bin/busybox$'; tty; head -c 5 /dev/urandom | wc -c; test -d /proc/self",
    );
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "2\nnot a tty\n5\n"));
    assert!(stdout(&ask(&["-tt"], "tty")).starts_with("/dev/pts/0"));
    assert!(fs::read_to_string(machine.path("/tmp/pid")).is_ok());
    assert_eq!(server.logins(), 3);
}

#[test]
fn unreachable_hosts_are_that_each_in_its_way() {
    let connects = |address: IpAddr, port: u16| {
        let stream =
            TcpStream::connect_timeout(&(address, port).into(), Duration::from_millis(300));
        stream.map_err(|error| error.kind())
    };
    let timed_out = Err(std::io::ErrorKind::TimedOut);
    let (hole, full, silent) = (Blackhole::new(), Full::start(), Silent::start());
    assert_eq!(connects(hole.address(), 22).map(drop), timed_out);
    assert_eq!(connects(full.address().ip(), full.address().port()).map(drop), timed_out);
    let stream = connects(silent.address().ip(), silent.address().port()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let read = std::io::Read::read(&mut &stream, &mut [0]);
    assert_eq!(read.map_err(|it| it.kind()), Err(std::io::ErrorKind::WouldBlock));

    let sshd = Sshd::builder().start();
    assert!(connects(sshd.address(), sshd.port()).is_ok());
    let cut = Blackhole::cut(sshd.address(), sshd.port());
    assert_eq!(connects(sshd.address(), sshd.port()).map(drop), timed_out);
    drop(cut);
    assert!(connects(sshd.address(), sshd.port()).is_ok());
}
