//! Where the private files are: not where programs cannot be run, and known to the watcher only
//! while they count.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostlink_core::{Context, ErrorKind, Secret};

use crate::master::{Master, Run};
use crate::settings::Settings;

use super::sshd::{LIMIT, Sshd, User, settings, start};

/// Where the test runs itself once more, with file systems of its own.
const MOUNTS: &str = "HOSTLINK_TEST_MOUNTS";

/// The test runs itself, since only then other programs do not see what it mounts.
fn with_own_mounts(name: &str, sshd: &Sshd, user: &User) {
    fs::write(sshd.path("port"), sshd.port.to_string()).unwrap();
    fs::write(sshd.path("name"), &user.name).unwrap();
    let ran = Command::new("unshare")
        .arg("-m")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("master::tests::places::{name}"), "--nocapture"])
        .env(MOUNTS, sshd.path(""))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

fn mount(options: &str, place: &Path) {
    let mut mount = Command::new("mount");
    let mounted = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place).status();
    assert!(mounted.unwrap().success());
}

/// What [`with_own_mounts`] left for the test in itself: a directory for mounts, and a login that
/// needs the password.
fn left_in(directory: &Path) -> (PathBuf, Settings) {
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let settings = Settings {
        user: Some(read("name")),
        password: Some(Secret::from("the password")),
        ..settings(directory, read("port").parse().unwrap())
    };
    let mounts = directory.join("m");
    fs::create_dir(&mounts).unwrap();
    (mounts, settings)
}

#[tokio::test]
async fn a_directory_without_programs_is_not_used() {
    let Some(directory) = std::env::var_os(MOUNTS) else {
        let (sshd, user) = (Sshd::start(""), User::new("the password"));
        return with_own_mounts("a_directory_without_programs_is_not_used", &sshd, &user);
    };
    let (mounts, settings) = left_in(Path::new(&directory));
    mount("noexec", &mounts);
    let context = Context { runtime_directory: Some(mounts.clone()), ..Context::default() };
    let run = Run::new(&context).unwrap();
    let master = Master::start(&run, &settings, "host", &context, settings.connect_limit(&context))
        .await
        .unwrap();
    assert!(!master.control_path().starts_with(&mounts));
}

#[tokio::test]
async fn an_askpass_that_cannot_be_run_is_reported() {
    let Some(directory) = std::env::var_os(MOUNTS) else {
        let (sshd, user) = (Sshd::start(""), User::new("the password"));
        return with_own_mounts("an_askpass_that_cannot_be_run_is_reported", &sshd, &user);
    };
    let directory = Path::new(&directory);
    let (mounts, settings) = left_in(directory);
    mount("exec", &mounts);
    let context = Context { runtime_directory: Some(mounts.clone()), ..Context::default() };
    let run = Run::new(&context).unwrap();
    mount("remount,noexec", &mounts);
    let failed = Master::start(&run, &settings, "host", &context, settings.connect_limit(&context))
        .await
        .unwrap_err();
    assert_eq!((failed.error.kind(), failed.retryable), (ErrorKind::Connect, false));
    let message = failed.error.message();
    assert!(message.starts_with("ssh asks for a secret, and cannot run "), "{message}");
    // What needs no secret works.
    let with_key = Settings {
        user: Some("root".into()),
        password: None,
        key: Some(directory.join("user")),
        ..settings
    };
    Master::start(&run, &with_key, "host", &context, with_key.connect_limit(&context))
        .await
        .unwrap();
}

fn registered(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("pid."))
        .collect()
}

#[tokio::test]
async fn only_processes_that_run_are_known_to_the_watcher() {
    let sshd = Sshd::start("");
    let user = User::new("of the bastion");
    let settings = Settings {
        host: "127.0.1.2".to_owned(),
        proxy_jump: Some(format!("{}@127.0.1.1:{}", user.name, sshd.port)),
        proxy_jump_password: Some(Secret::from("of the bastion")),
        ..sshd.with_key()
    };
    let (_run, master) = start(&settings).await.unwrap();
    assert_eq!(registered(master.directory()), ["pid.ssh"]);
    let parent = sshd.pid().to_string();
    assert!(Command::new("pkill").args(["-KILL", "-P", &parent]).status().unwrap().success());
    tokio::time::timeout(LIMIT, master.ended()).await.unwrap();
    assert_eq!(registered(master.directory()), [""; 0]);
}
