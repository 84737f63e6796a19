//! The SSH servers of the tests leave nothing behind, however the test ends, and start quickly.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostlink_tests::busybox::BusyboxOnly;
use hostlink_tests::cli::{code, count_running, run, stderr, unique_seconds, wait_until};
use hostlink_tests::dropbear::Dropbear;
use hostlink_tests::keys::{Agent, KeyType, Keys};
use hostlink_tests::network::Network;
use hostlink_tests::processes::processes;
use hostlink_tests::ssh_client::SshClient;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::unreachable::Blackhole;
use hostlink_tests::user::TestUser;

/// The variable for the child that is killed.
const CHILD: &str = "HOSTLINK_TEST_SECONDS";

/// One server of each kind, with processes in their own sessions that logins have left.
struct All {
    sshd: Sshd,
    inside: Sshd,
    agent: Agent,
    network: Network,
    hole: Blackhole,
    user: TestUser,
    dropbear: Dropbear,
    busybox: BusyboxOnly,
}

impl All {
    fn start(seconds: &str) -> Self {
        let (network, keys, user) = (Network::two(), Keys::new(), TestUser::create("/bin/sh"));
        let key = keys.make(KeyType::Ed25519);
        let all = Self {
            sshd: Sshd::builder().start(),
            inside: Sshd::builder().in_namespace(network.second()).start(),
            agent: Agent::start(&[&key]),
            hole: Blackhole::new(),
            dropbear: Dropbear::start(),
            busybox: BusyboxOnly::start(),
            network,
            user,
        };
        all.sshd.authorize(&key.public());
        all.user.authorize(&key.public());
        all.busybox.authorize(&key.public());
        let leave = format!("setsid sleep {seconds} >/dev/null 2>&1 </dev/null &");
        let (dropbear, busybox) = (&all.dropbear, all.busybox.server());
        for (user, address, port, known_hosts) in [
            (all.user.name(), all.sshd.address(), all.sshd.port(), all.sshd.known_hosts()),
            (all.user.name(), dropbear.address(), dropbear.port(), dropbear.known_hosts()),
            ("root", busybox.address(), busybox.port(), busybox.known_hosts()),
        ] {
            let client = SshClient::new().key(&key).knows(&known_hosts);
            let output = run(client.run(user, address, port, &leave));
            assert_eq!(code(&output), 0, "{}", stderr(&output));
        }
        wait_until("all have left one", || count_running("sleep", seconds) == 3);
        all
    }

    /// Returns the evidence that it exists, as lines.
    fn traces(&self) -> Vec<String> {
        let dir = |file: &Path| format!("path {}", file.parent().expect("it has one").display());
        let namespaces = [self.network.first(), self.network.second()];
        let mut traces = vec![
            format!("path {}", self.sshd.dir().display()),
            format!("path {}", self.inside.dir().display()),
            dir(&self.agent.socket()),
            dir(&self.dropbear.known_hosts()),
            dir(&self.busybox.server().known_hosts()),
            dir(&self.user.home()),
            format!("user {}", self.user.name()),
            format!("rule {}", self.hole.address()),
        ];
        traces.extend(namespaces.iter().map(|it| format!("path /run/netns/{}", it.name())));
        traces.extend(namespaces.iter().map(|it| format!("route {}", it.address())));
        traces
    }
}

/// Returns whether the object in this line exists.
fn is_there(trace: &str) -> bool {
    let said = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().expect("it is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    match trace.split_once(' ').expect("a line has two words") {
        ("path", path) => Path::new(path).exists(),
        ("user", name) => {
            let users = fs::read_to_string("/etc/passwd").expect("everyone may read it");
            users.contains(name)
        }
        ("rule", address) => said("iptables", &["-w", "-S", "INPUT"]).contains(address),
        ("route", address) => {
            let prefix = address.rsplit_once('.').expect("an IPv4 address").0;
            said("ip", &["-4", "route"]).contains(&format!("{prefix}."))
        }
        (other, _) => panic!("{other}"),
    }
}

/// Returns whether a process has a directory of these traces in an argument.
fn has_processes(traces: &[String]) -> bool {
    let dirs: Vec<&str> = traces.iter().filter_map(|it| it.strip_prefix("path ")).collect();
    let lines =
        processes().into_iter().filter_map(|it| fs::read(format!("/proc/{}/cmdline", it.pid)).ok());
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| dirs.iter().any(|dir| line.contains(dir)))
}

#[test]
fn a_drop_leaves_nothing() {
    let seconds = unique_seconds();
    let all = All::start(&seconds);
    let address = SocketAddr::new(all.sshd.address(), all.sshd.port());
    let traces = all.traces();
    assert!(has_processes(&traces));
    for trace in &traces {
        assert!(is_there(trace), "{trace}");
    }
    drop(all);
    // Without waiting: the caller of a drop may check immediately.
    for trace in &traces {
        assert!(!is_there(trace), "{trace}");
    }
    assert_eq!(count_running("sleep", &seconds), 0);
    assert!(!has_processes(&traces));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_killed_test_leaves_nothing() {
    if let Ok(seconds) = std::env::var(CHILD) {
        let all = All::start(&seconds);
        println!("\n{}\nend of traces", all.traces().join("\n"));
        // SIGKILL ends this process; the end of the input does so if the parent panics.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let seconds = unique_seconds();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "ssh_fixtures_end::a_killed_test_leaves_nothing", "--nocapture"])
        .env(CHILD, &seconds);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let lines = lines.take_while(|line| line != "end of traces");
    let first = ["path", "user", "rule", "route"];
    let traces: Vec<String> =
        lines.filter(|it| first.contains(&it.split(' ').next().unwrap())).collect();
    assert_eq!(traces.len(), 12, "{traces:?}");
    assert!(traces.iter().all(|it| is_there(it)) && has_processes(&traces));
    assert_eq!(count_running("sleep", &seconds), 3);

    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("all is gone", || {
        let left = traces.iter().any(|it| is_there(it)) || has_processes(&traces);
        !left && count_running("sleep", &seconds) == 0
    });
}

#[test]
fn servers_that_start_together_have_ports_of_their_own() {
    let address = IpAddr::from([127, 0, 0, 1]);
    let taken = Sshd::builder().start();
    let started = Instant::now();
    let threads: Vec<_> = (0..10).map(|_| std::thread::spawn(|| Sshd::builder().start())).collect();
    let servers: Vec<Sshd> = threads.into_iter().map(|it| it.join().unwrap()).collect();
    // Alone, one takes some 50 ms; this only detects a start that waits for something.
    assert!(started.elapsed() < Duration::from_secs(20));
    for sshd in servers.iter().chain([&taken]) {
        assert!(TcpStream::connect((address, sshd.port())).is_ok());
    }
    let mut ports: Vec<u16> = servers.iter().map(Sshd::port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 10);
    let again = std::thread::spawn(move || drop(Sshd::builder().port(taken.port()).start()));
    let said = again.join().unwrap_err();
    let said = said.downcast_ref::<String>().expect("a panic with a text");
    assert!(said.contains("Address already in use"), "{said}");
}

#[test]
fn users_are_made_and_removed_at_the_same_time() {
    let make = || std::thread::spawn(|| TestUser::create("/bin/sh").name().to_owned());
    let threads: Vec<_> = (0..8).map(|_| make()).collect();
    let names: Vec<String> = threads.into_iter().map(|it| it.join().unwrap()).collect();
    for name in names {
        assert!(!is_there(&format!("user {name}")));
    }
}
