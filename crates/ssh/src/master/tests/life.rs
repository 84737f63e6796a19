//! Masters leave nothing behind, however they end, and many start at once.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::future::join_all;
use hostlink_core::Context;

use crate::master::{Master, Run};
use crate::settings::Settings;

use super::sshd::{Sshd, User, settings, start, start_in, until};

/// All processes that have this text among their arguments or in their environment.
fn processes_with(text: &str) -> Vec<String> {
    let has = |pid: &Path, file: &str| {
        let bytes = fs::read(pid.join(file)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let own = PathBuf::from(format!("/proc/{}", std::process::id()));
    let pids = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    pids.filter(|pid| *pid != own && (has(pid, "cmdline") || has(pid, "environ")))
        .map(|pid| pid.display().to_string())
        .collect()
}

fn is_gone(directory: &Path) -> bool {
    !directory.exists() && processes_with(&directory.display().to_string()).is_empty()
}

/// The directory of the whole run.
fn directory_of(master: &Master) -> PathBuf {
    master.directory().ancestors().nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn a_start_may_move_between_threads() {
    let sshd = Sshd::start("");
    let settings = sshd.with_key();
    let started = tokio::spawn(async move { start(&settings).await });
    let (_run, master) = started.await.unwrap().unwrap();
    master.close().await;
}

/// A process whose tracer is stopped ends, but its parent does not learn that before the tracer
/// does: ptrace(2).
#[tokio::test]
async fn a_master_that_ends_late_is_closed_all_the_same() {
    let sshd = Sshd::start("");
    let (_run, master) = start(&sshd.with_key()).await.unwrap();
    let pid = master.group.pid().unwrap().to_string();
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-e", "trace=none", "-p", &pid]).stderr(Stdio::null());
    let mut tracer = strace.spawn().unwrap();
    let traced = format!("TracerPid:\t{}\n", tracer.id());
    let status = format!("/proc/{pid}/status");
    until("it is traced", || fs::read_to_string(&status).unwrap().contains(&traced));
    let stop = Command::new("kill").args(["-STOP", &tracer.id().to_string()]).status().unwrap();
    let directory = master.directory().to_owned();
    // The clock leaps over the limit.
    tokio::time::pause();
    let closed = tokio::time::timeout(Duration::from_secs(3600), master.close()).await;
    let is_left = master.is_alive();
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    assert!(stop.success() && closed.is_ok());
    assert!(is_left, "the control: it had not been reaped");
    assert!(!directory.exists());
}

#[tokio::test]
async fn dropping_leaves_neither_process_nor_directory() {
    let sshd = Sshd::start("");
    let (run, master) = start(&sshd.with_key()).await.unwrap();
    let directory = directory_of(&master);
    let shown = directory.display().to_string();
    assert!(processes_with(&shown).len() >= 2, "the master and the watcher");
    drop(run);
    assert!(master.is_alive(), "the master holds the run");
    drop(master);
    assert!(!directory.exists());
    until("all is gone", || is_gone(&directory));
}

#[tokio::test]
async fn a_dropped_start_leaves_nothing() {
    let sshd = Sshd::start("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Some(listener.local_addr().unwrap().port());
    let context = Context::default();
    let run = Run::new(&context).unwrap();
    let settings = Settings { port, ..sshd.with_key() };
    let directory = run.make_master_directory().unwrap();
    let masters = directory.path().parent().unwrap().to_owned();
    drop(directory);
    let count = || processes_with(&masters.display().to_string()).len();
    let starting = async {
        let started =
            Master::start(&run, &settings, "host", &context, settings.connect_limit(&context))
                .await;
        panic!("nothing can have started: {started:?}");
    };
    let connected = async {
        while count() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! { () = starting => {} () = connected => {} }
    until("ssh is gone", || count() == 0);
    assert_eq!(fs::read_dir(&masters).unwrap().count(), 0);
}

const STARTER: &str = "HOSTLINK_TEST_STARTER";

/// The test runs itself as the process that is killed.
#[tokio::test]
async fn a_killed_starter_leaves_nothing() {
    if let Some(directory) = std::env::var_os(STARTER) {
        return be_the_starter(Path::new(&directory)).await;
    }
    let sshd = Sshd::start("");
    fs::write(sshd.path("port"), sshd.port.to_string()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "master::tests::life::a_killed_starter_leaves_nothing", "--nocapture"])
        .env(STARTER, sshd.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The harness may have begun a line of its own.
    let ready = lines.filter_map(|line| line.split_once("ready ").map(|(_, path)| path.to_owned()));
    let directory = PathBuf::from(ready.take(1).next().unwrap());
    assert!(processes_with(&directory.display().to_string()).len() >= 3, "two masters, a watcher");
    child.kill().unwrap();
    child.wait().unwrap();
    until("all is gone", || is_gone(&directory));
}

async fn be_the_starter(directory: &Path) {
    let port = fs::read_to_string(directory.join("port")).unwrap().parse().unwrap();
    let settings = Settings { key: Some(directory.join("user")), ..settings(directory, port) };
    let (run, master) = start(&settings).await.unwrap();
    let _other = Master::start(
        &run,
        &settings,
        "host",
        &Context::default(),
        settings.connect_limit(&Context::default()),
    )
    .await
    .unwrap();
    println!("ready {}", directory_of(&master).display());
    std::future::pending().await
}

/// The test runs itself as the process that is killed, at another moment each time.
#[tokio::test]
async fn a_starter_killed_while_it_starts_leaves_nothing() {
    if let Some(directory) = std::env::var_os(STARTER) {
        return start_many(Path::new(&directory)).await;
    }
    let sshd = Sshd::start("");
    fs::write(sshd.path("port"), sshd.port.to_string()).unwrap();
    let runtime = sshd.path("r");
    fs::create_dir(&runtime).unwrap();
    let shown = runtime.display().to_string();
    let is_clean =
        || fs::read_dir(&runtime).unwrap().count() == 0 && processes_with(&shown).is_empty();
    for round in 0..10 {
        let name = "master::tests::life::a_starter_killed_while_it_starts_leaves_nothing";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(STARTER, sshd.path(""))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("it has begun", || fs::read_dir(&runtime).unwrap().count() > 0);
        std::thread::sleep(Duration::from_millis(round * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        until("all is gone", is_clean);
    }
    assert!(is_clean());
}

async fn start_many(directory: &Path) {
    let port = fs::read_to_string(directory.join("port")).unwrap().parse().unwrap();
    let settings = Settings { key: Some(directory.join("user")), ..settings(directory, port) };
    let context = Context { runtime_directory: Some(directory.join("r")), ..Context::default() };
    let run = Run::new(&context).unwrap();
    let starts = (0..20).map(|_| {
        Master::start(&run, &settings, "host", &context, settings.connect_limit(&context))
    });
    let _masters = join_all(starts).await;
    std::future::pending().await
}

#[tokio::test]
async fn a_long_temporary_directory_is_not_used() {
    let sshd = Sshd::start("");
    let long = sshd.path(&"x".repeat(90));
    fs::create_dir(&long).unwrap();
    let context = Context { runtime_directory: Some(long), ..Context::default() };
    let (_run, master) = start_in(&sshd.with_key(), &context).await.unwrap();
    assert!(master.control_path().starts_with("/tmp"));
    let short = sshd.path("s");
    fs::create_dir(&short).unwrap();
    let context = Context { runtime_directory: Some(short.clone()), ..Context::default() };
    let (_run, master) = start_in(&sshd.with_key(), &context).await.unwrap();
    assert!(master.control_path().starts_with(&short));
}

#[tokio::test]
async fn a_hundred_new_hosts_together_give_a_hundred_whole_lines() {
    let sshd = Sshd::start("");
    let key = fs::read_to_string(sshd.path("host.pub")).unwrap();
    let odd = "# a remark\n\n@revoked *.gone ssh-ed25519 AAAA\nsomething odd without a key\nlast line, cut";
    let known = sshd.path("known_hosts");
    fs::write(&known, odd).unwrap();
    let context = Context::default();
    let run = Run::new(&context).unwrap();
    let hosts = (1..=100).map(|number| format!("127.0.1.{number}"));
    let settings: Vec<Settings> = hosts.map(|host| Settings { host, ..sshd.with_key() }).collect();
    let starts = settings
        .iter()
        .map(|host| Master::start(&run, host, "host", &context, host.connect_limit(&context)));
    let masters: Vec<Master> = join_all(starts).await.into_iter().map(Result::unwrap).collect();
    let text = fs::read_to_string(&known).unwrap();
    let added = text.strip_prefix(odd).and_then(|rest| rest.strip_prefix('\n')).unwrap();
    let blob = key.split_whitespace().nth(1).unwrap();
    let mut lines = HashSet::new();
    for line in added.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[1..], ["ssh-ed25519", blob], "{line:?}");
        lines.insert(words[0].to_owned());
    }
    assert_eq!(lines.len(), 100, "{added}");
    join_all(masters.iter().map(Master::close)).await;
}

#[tokio::test]
async fn concurrent_password_logins_each_get_their_answer() {
    let sshd = Sshd::start("KbdInteractiveAuthentication no");
    let user = User::new("the password");
    let context = Context::default();
    let run = Run::new(&context).unwrap();
    let settings = user.log_in(sshd.settings());
    let starts = (0..20).map(|_| {
        Master::start(&run, &settings, "host", &context, settings.connect_limit(&context))
    });
    let masters: Vec<Master> = join_all(starts).await.into_iter().map(Result::unwrap).collect();
    assert!(masters.iter().all(Master::is_alive));
    assert!(!sshd.log().contains("Failed password"), "{}", sshd.log());
}
