//! Many commands on one login, many hosts through one bastion.

#![expect(clippy::unwrap_used, reason = "these are tests, and so is what they share")]

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hostlink::transfer::PutOptions;
use hostlink::{
    ConnectorArguments, Context, Data, ErrorKind, Link, Result, StringCommand, builtin_registry,
};
use hostlink_tests::cli::{
    code, count_running, hostlink, run, stderr, stdout, unique_seconds, wait_until,
};
use hostlink_tests::ssh_target::{SshTarget, said};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::users_master::UsersMaster;
use tokio::task::JoinSet;

/// More simultaneous logins than a test makes.
const NO_LIMIT: &str = "2000:30:2000";

/// Runs this many commands at the same time. Returns how many channels were refused.
async fn share_one_login(channels: usize, count: u32) -> usize {
    let target = SshTarget::start(Sshd::builder().max_sessions(channels));
    let link = target.connect().await;
    // SFTP keeps a channel from now on.
    let file = target.sshd.dir().join("file").display().to_string();
    link.put_file(b"content".to_vec(), &file, &PutOptions::default()).await.unwrap();
    let mut commands = JoinSet::new();
    for number in 0..count {
        let link = link.clone();
        commands.spawn(async move {
            assert_eq!(said(&link, &format!("echo {number}")).await, format!("{number}\n"));
        });
    }
    while let Some(done) = commands.join_next().await {
        done.unwrap();
    }
    let refused = target.sshd.log().matches("no more sessions").count();
    println!("MaxSessions {channels}: {refused} refused");
    assert_eq!(said(&link, &format!("cat {file}")).await, "content");
    assert_eq!(target.sshd.logins(), 1);
    link.disconnect().await.unwrap();
    refused
}

#[tokio::test]
async fn two_hundred_commands_share_one_login() {
    share_one_login(10, 200).await;
}

#[tokio::test]
async fn two_hundred_commands_on_few_channels_learn_how_many_there_are() {
    for channels in [1, 2] {
        // The first few, and then some because the server has not closed the channel before, or to
        // find out whether more are available. Otherwise each command would be refused many times.
        let refused = share_one_login(channels, 200).await;
        assert!((1..200).contains(&refused), "{refused}");
    }
}

#[tokio::test]
async fn a_host_that_allows_no_session_says_so_in_time() {
    let target = SshTarget::start(Sshd::builder().max_sessions(0));
    let (link, begun) = (target.connect().await, Instant::now());
    // However many are started together, they wait together.
    let errors: JoinSet<_> = (0..10)
        .map(|_| {
            let (link, command) = (link.clone(), StringCommand::shell("echo x"));
            async move { link.run_shell_command(&command, &ConnectorArguments::new()).await }
        })
        .collect();
    let errors = tokio::time::timeout(Duration::from_secs(60), errors.join_all()).await;
    for error in errors.expect("they do not hang") {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(error.to_string().contains("MaxSessions 0"), "{error}");
    }
    println!("commands: {:.1?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let (begun, options) = (Instant::now(), PutOptions::default());
    let put = link.put_file(b"x".to_vec(), "/nowhere/file", &options);
    let put = tokio::time::timeout(Duration::from_secs(60), put).await;
    let error = put.expect("it does not hang").unwrap_err();
    println!("put: {:.1?}", begun.elapsed());
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    link.disconnect().await.unwrap();
}

/// Runs this many commands into a timeout together. Returns false if too few had started by then.
async fn time_out_together(channels: usize, commands: usize, at_once: usize, limit: u64) -> bool {
    let target = SshTarget::start(Sshd::builder().max_sessions(channels));
    let link = target.connect().await;
    let most = time_out_on(&link, commands, limit).await;
    link.disconnect().await.unwrap();
    println!("MaxSessions {channels}: {most} ran");
    most == at_once
}

/// Returns how many ran at the same time. All of them are killed.
async fn time_out_on(link: &Link, commands: usize, limit: u64) -> usize {
    let seconds = unique_seconds();
    let arguments = ConnectorArguments::new().with_timeout(Duration::from_secs(limit));
    let mut running = JoinSet::new();
    for _ in 0..commands {
        let (link, arguments) = (link.clone(), arguments.clone());
        let command = StringCommand::shell(format!("sleep {seconds}; :"));
        running.spawn(async move { link.run_shell_command(&command, &arguments).await });
    }
    let (mut most, mut confirmed) = (0, 0);
    while !running.is_empty() {
        let next = tokio::time::timeout(Duration::from_millis(50), running.join_next());
        if let Ok(Some(ended)) = next.await {
            let error = ended.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            confirmed += usize::from(error.kill_confirmed() == Some(true));
        }
        most = most.max(count_running("sleep", &seconds));
    }
    println!("{confirmed} kills were confirmed immediately");
    wait_until("all are killed", || count_running("sleep", &seconds) == 0);
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_time_out_together_are_all_killed() {
    // Eight run at the same time on one login: one channel is kept for files and one for kills.
    for (channels, commands, at_once) in [(10, 10, 8), (2, 2, 2)] {
        let mut ran = false;
        // A busy machine takes longer to start them.
        for limit in [3, 10, 30, 60] {
            ran = ran || time_out_together(channels, commands, at_once, limit).await;
        }
        assert!(ran, "the control: {at_once} of them run");
    }
}

async fn over(master: &UsersMaster) -> Link {
    builtin_registry().connect("127.0.0.1", &master.data(), &Context::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_on_a_master_of_the_users_are_all_killed() {
    for (channels, at_once) in [(10, 8), (3, 2), (2, 1)] {
        let target = SshTarget::start(Sshd::builder().max_sessions(channels));
        let master = UsersMaster::start(&target.sshd, &target.key, &target.sshd.dir().join("s"));
        let link = over(&master).await;
        let mut ran = false;
        for limit in [3, 10, 30, 60] {
            if !ran {
                let most = time_out_on(&link, 10, limit).await;
                println!("MaxSessions {channels}: {most} ran");
                assert!(most <= at_once);
                ran = most == at_once;
            }
        }
        assert!(ran, "the control: {at_once} of them run");
        assert_eq!(said(&link, "echo after").await, "after\n");
        link.disconnect().await.unwrap();
        assert_eq!(target.sshd.logins(), 1);
    }
}

/// One channel is enough for a command, if not for its kill.
#[tokio::test]
async fn a_master_of_the_users_with_one_channel_runs_commands_one_after_the_other() {
    let target = SshTarget::start(Sshd::builder().max_sessions(1));
    let master = UsersMaster::start(&target.sshd, &target.key, &target.sshd.dir().join("s"));
    let link = over(&master).await;
    let said: JoinSet<_> = (0..20)
        .map(|_| {
            let link = link.clone();
            async move { said(&link, "echo here").await }
        })
        .collect();
    assert_eq!(said.join_all().await, vec!["here\n"; 20]);
    link.disconnect().await.unwrap();
}

/// Connects to all these hosts at the same time, and runs a command on each.
async fn reach(names: Vec<(String, Data)>) -> Vec<Result<Link>> {
    let registry = std::sync::Arc::new(builtin_registry());
    let mut logins = JoinSet::new();
    for (name, data) in names {
        let registry = registry.clone();
        logins.spawn(async move {
            let link = registry.connect(&name, &data, &Context::default()).await?;
            assert_eq!(said(&link, "echo here").await, "here\n");
            Ok(link)
        });
    }
    logins.join_all().await
}

async fn all_arrive(names: Vec<(String, Data)>) {
    let (count, begun) = (names.len(), Instant::now());
    let reached = reach(names).await;
    println!("{count} hosts in {:.1?}", begun.elapsed());
    let failed: Vec<_> = reached.iter().filter_map(|link| link.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed[0]);
    let mut ends = JoinSet::new();
    for link in reached.into_iter().flatten() {
        ends.spawn(async move { link.disconnect().await });
    }
    ends.join_all().await.into_iter().for_each(|ended| ended.unwrap());
}

/// Returns the addresses 127.0.1.1, 127.0.1.2 …, at which one server answers that listens
/// everywhere.
fn hosts(count: usize, data: &Data) -> Vec<(String, Data)> {
    (0..count).map(|n| (format!("127.0.{}.{}", 1 + n / 200, 1 + n % 200), data.clone())).collect()
}

/// Two servers with one known_hosts file and one key: the first is the bastion, the second the
/// hosts.
struct Bastion {
    bastion: Sshd,
    hosts: SshTarget,
}

impl Bastion {
    fn start() -> Self {
        let hosts = Sshd::builder().listen("0.0.0.0").max_startups(NO_LIMIT);
        let (bastion, hosts) = (Sshd::builder().start(), SshTarget::start(hosts));
        bastion.authorize(&hosts.key.public());
        let known_hosts = hosts.sshd.dir().join("both");
        let lines = [&bastion, &hosts.sshd].map(|it| fs::read_to_string(it.known_hosts()).unwrap());
        fs::write(&known_hosts, lines.concat()).unwrap();
        let path = known_hosts.display().to_string();
        Self { bastion, hosts: hosts.with("ssh_known_hosts_file", path) }
    }

    fn jump(&self) -> String {
        format!("root@{}:{}", self.bastion.address(), self.bastion.port())
    }

    /// Returns the data for logins on the hosts, with a configuration that has the bastion's key
    /// and these lines.
    fn data(&self, lines: &str) -> Data {
        let key = self.hosts.key.path().display();
        let text = format!("Host 127.0.0.1\nIdentityFile {key}\n{lines}\n");
        let config = self.hosts.sshd.dir().join("ssh_config");
        fs::write(&config, text).unwrap();
        self.hosts.data.clone().with("ssh_config_file", config.display().to_string())
    }
}

#[tokio::test]
async fn two_hundred_hosts_through_one_bastion() {
    let it = Bastion::start();
    let data = it.data("").with("ssh_proxy_jump", it.jump());
    all_arrive(hosts(200, &patient(&data))).await;
    assert_eq!((it.bastion.logins(), it.hosts.sshd.logins()), (200, 200));
}

#[tokio::test]
async fn two_hundred_hosts_through_a_bastion_of_the_users_configuration() {
    let it = Bastion::start();
    let data = it.data(&format!("Host 127.0.1.*\nProxyJump {}", it.jump()));
    all_arrive(hosts(200, &patient(&data))).await;
    assert_eq!((it.bastion.logins(), it.hosts.sshd.logins()), (200, 200));
}

/// Allows slow logins: dozens are made at the same time.
fn patient(data: &Data) -> Data {
    data.clone().with("ssh_connect_timeout", 100)
}

#[tokio::test]
async fn a_server_that_turns_logins_away_takes_them_all_in_the_end() {
    let builder = Sshd::builder().listen("0.0.0.0").max_startups("3:50:6");
    let target = SshTarget::start(builder);
    all_arrive(hosts(60, &patient(&target.data))).await;
    assert_eq!(target.sshd.logins(), 60);
    // As one host under many names, they share one login limit.
    let data = patient(&target.data).with("ssh_hostname", "127.0.0.1");
    all_arrive((0..60).map(|n| (format!("web{n}"), data.clone())).collect()).await;
    assert_eq!(target.sshd.logins(), 120);
}

/// The connect timeout counts only the time that the host takes: most of these connections wait
/// longer than that before they are tried.
#[tokio::test]
async fn two_hundred_targets_on_one_server_wait_for_a_login_without_a_timeout() {
    let target = SshTarget::start(Sshd::builder());
    let limit = Duration::from_secs(3);
    let data = target.data.clone().with("ssh_hostname", "127.0.0.1");
    let data = data.with("ssh_connect_timeout", limit.as_secs_f64());
    // More on a machine that is that fast.
    for count in [200, 600, 1800] {
        let begun = Instant::now();
        all_arrive((0..count).map(|n| (format!("web{n}"), data.clone())).collect()).await;
        if begun.elapsed() > limit {
            return;
        }
    }
    panic!("the control: some wait longer than the limit");
}

#[test]
fn the_command_reaches_many_hosts() {
    let target = SshTarget::start(Sshd::builder().listen("0.0.0.0"));
    let mut words = target.words();
    *words.last_mut().unwrap() =
        hosts(30, &target.data).into_iter().map(|it| it.0).collect::<Vec<_>>().join(",");
    words.extend(["exec", "--connect-timeout", "100s", "--", "echo here"].map(String::from));
    let output = run(hostlink(words));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    assert_eq!(stdout(&output).matches("] here\n").count(), 30);
    assert_eq!(target.sshd.logins(), 30);
}

/// Keeps processors busy while it lives.
struct Busy(Vec<Child>);

impl Busy {
    fn start(count: usize) -> Self {
        let mut busy = Command::new("sh");
        busy.args(["-c", "while :; do :; done"]);
        Self((0..count).map(|_| busy.spawn().unwrap()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What has succeeded stays a success, however late the end of its login is seen.
#[test]
fn two_hundred_hosts_succeed_on_a_busy_machine() {
    let known = tempfile::NamedTempFile::new().unwrap();
    let target = SshTarget::start(Sshd::builder().listen("0.0.0.0").max_startups(NO_LIMIT))
        .with("ssh_known_hosts_file", known.path().display().to_string())
        .with("ssh_strict_host_key_checking", "accept-new");
    let mut words = target.words();
    *words.last_mut().unwrap() =
        (1..=200).map(|n| format!("127.0.3.{n}")).collect::<Vec<_>>().join(",");
    let all_at_once = ["exec", "--parallel", "200", "--connect-timeout", "300s"];
    words.extend(all_at_once.into_iter().chain(["--", "echo here"]).map(String::from));
    let _busy = Busy::start(4);
    let output = run(hostlink(words));
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    assert_eq!(stdout(&output).matches("] here\n").count(), 200);
    assert_eq!(target.sshd.logins(), 200);
}
