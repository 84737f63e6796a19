//! `chroot_mounts`: the mounts that a command sees and the target does not.

use std::fs;
use std::os::unix::fs::symlink;

use hostlink::transfer::{PutOptions, Source};
use hostlink::{Data, ErrorKind, builtin_registry};
use hostlink_tests::chroot::{Root, with_mounts};
use hostlink_tests::cli::{
    count_running, hostlink, send_signal, unique_seconds, wait_for_exit, wait_until,
};
use hostlink_tests::processes::{processes, signal};
use hostlink_tests::ssh_target::{Details, said};
use rustix::process::Signal;

use crate::chroot::scene::{Somebody, connect, plain, refused, run};

/// Returns the lines of this machine's mount table for the root.
fn mounts_of(root: &Root) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(table.lines().count() > 2, "the table is read");
    let name = root.dir().display().to_string();
    table.lines().filter(|line| line.contains(&name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_command_has_what_programs_look_for() {
    let root = Root::debian();
    fs::write(root.path("etc/resolv.conf"), "of the root\n").unwrap();
    let link = connect(&root.target(), &with_mounts()).await.unwrap();
    let places = said(&link, "while read -r _ at _; do echo $at; done </proc/mounts").await;
    for place in ["/proc", "/sys", "/dev", "/etc/resolv.conf"] {
        assert!(places.lines().any(|line| line == place), "{place}: {places}");
    }
    let line = "echo gone >/dev/null; head -c 3 /dev/zero | od -An -tx1; cd /proc/self && echo inside; \
                [ -d /sys/kernel ] && ps -o pid= -p $$ | wc -l; mount | grep -c ' on /proc type proc'";
    assert_eq!(said(&link, line).await, " 00 00 00\ninside\n1\n1\n");
    assert_eq!(
        said(&link, "cat /etc/resolv.conf").await,
        fs::read_to_string("/etc/resolv.conf").unwrap()
    );
    let terminal = plain().with_get_pty(true);
    let output = run(&link, "tty", &terminal).await.unwrap();
    assert!(output.stdout().starts_with(b"/dev/pts/"), "{output:?}");
    // The control: without the mounts, none of this exists.
    let bare = connect(&root.target(), &Data::new()).await.unwrap();
    assert_eq!(
        said(&bare, "ls /proc /sys; cat /etc/resolv.conf").await,
        "/proc:\n\n/sys:\nof the root\n"
    );
    bare.disconnect().await.unwrap();
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn the_target_s_mount_table_never_changes() {
    let root = Root::debian();
    let link = connect(&root.target(), &with_mounts()).await.unwrap();
    let before = mounts_of(&root);
    assert!(!before.is_empty(), "the control: the root is a mount itself");
    let seconds = unique_seconds();
    let line = format!("mount -t tmpfs tmpfs /srv; sleep {seconds}");
    let arguments = plain();
    let (line, mut looked) = (line.as_str(), false);
    let running = run(&link, line, &arguments);
    let looking = async {
        while count_running("sleep", &seconds) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(mounts_of(&root), before);
        // The control: the command's own table has them.
        let pid = processes().into_iter().find(|it| {
            fs::read(format!("/proc/{}/cmdline", it.pid))
                .is_ok_and(|line| line == format!("sleep\0{seconds}\0").as_bytes())
        });
        let pid = pid.unwrap().pid;
        let table = fs::read_to_string(format!("/proc/{pid}/mounts")).unwrap();
        assert!(table.lines().any(|line| line.contains(" /srv tmpfs ")), "{table}");
        looked = true;
        signal(pid, Signal::KILL);
    };
    let (ended, ()) = tokio::join!(running, looking);
    assert!(ended.is_ok() && looked);
    assert_eq!(mounts_of(&root), before);
    assert_eq!(said(&link, "grep -c /srv /proc/mounts || :").await, "0\n", "each has its own");
    link.disconnect().await.unwrap();
}

/// SIGKILL leaves no time to clean up. The running command may live on, and keeps its mounts to
/// itself.
#[test]
fn a_hostlink_that_is_killed_leaves_no_mount() {
    let root = Root::debian();
    let (name, seconds, before) = (root.target(), unique_seconds(), mounts_of(&root));
    let line = format!("echo started; exec sleep {seconds}");
    let mut child =
        hostlink([&name, "--data", "chroot_mounts=true", "exec", "--", &line]).spawn().unwrap();
    wait_until("it runs", || count_running("sleep", &seconds) == 1);
    send_signal(&child, "KILL");
    wait_for_exit(&mut child);
    assert_eq!(mounts_of(&root), before);
    for it in processes().into_iter().filter(|it| it.name == "sleep") {
        let line = fs::read(format!("/proc/{}/cmdline", it.pid)).unwrap_or_default();
        if line == format!("sleep\0{seconds}\0").as_bytes() {
            signal(it.pid, Signal::KILL);
        }
    }
    wait_until("it is gone", || count_running("sleep", &seconds) == 0);
    assert_eq!(mounts_of(&root), before);
}

#[tokio::test]
async fn a_mount_point_that_is_missing_or_a_link_is_skipped_and_reported() {
    let root = Root::debian();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("etc")).unwrap();
    fs::write(outside.path().join("etc/resolv.conf"), "of the host").unwrap();
    fs::remove_dir(root.path("sys")).unwrap();
    fs::remove_dir(root.path("proc")).unwrap();
    symlink(outside.path(), root.path("proc")).unwrap();
    fs::remove_file(root.path("etc/resolv.conf")).unwrap();
    symlink(outside.path().join("etc/resolv.conf"), root.path("etc/resolv.conf")).unwrap();
    let details = Details::default();
    let registry = builtin_registry();
    let link = registry.connect(&root.target(), &with_mounts(), &details.context()).await.unwrap();
    for place in ["/proc", "/sys"] {
        assert_eq!(details.with(&format!("{place} is not mounted")).len(), 1, "{place}");
    }
    assert!(details.with("/dev").is_empty());
    let warnings = details.with("names may not resolve");
    assert!(matches!(&*warnings, [one] if one.contains("/etc/resolv.conf")), "{warnings:?}");
    let said = said(&link, "ls -d /dev/pts; [ ! -e /sys ] && [ ! -e /proc ] && echo none").await;
    assert_eq!(said, "/dev/pts\nnone\n");
    link.disconnect().await.unwrap();
    let names = fs::read_dir(outside.path()).unwrap().count();
    assert_eq!(names, 1, "nothing was mounted outside");
    assert_eq!(fs::read(outside.path().join("etc/resolv.conf")).unwrap(), b"of the host");
}

#[tokio::test]
async fn the_target_s_resolv_conf_cannot_be_written_from_inside() {
    let root = Root::debian();
    let link = connect(&root.target(), &with_mounts()).await.unwrap();
    let before = fs::read("/etc/resolv.conf").unwrap();
    let options = PutOptions::default();
    let put = link.put_file(Source::bytes("x"), "/etc/resolv.conf", &options).await;
    assert!(put.is_err(), "{put:?}");
    assert!(!run(&link, "echo x >>/etc/resolv.conf", &plain()).await.unwrap().success());
    assert_eq!(fs::read("/etc/resolv.conf").unwrap(), before);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_missing_right_to_mount_is_reported() {
    let (root, somebody) = (Root::debian(), Somebody::trusted());
    let name = somebody.target(&root);
    let mut data = somebody.ssh.data.clone();
    data.merge(&with_mounts());
    let error = refused(&name, &data).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("chroot_mounts"), "{error}");
    // The control: with the privileges, it works.
    let mut data = somebody.data();
    data.merge(&with_mounts());
    let link = connect(&name, &data).await.unwrap();
    assert_eq!(said(&link, "[ -e /proc/self/stat ] && echo yes").await, "yes\n");
    link.disconnect().await.unwrap();
}

/// As systemd-resolved makes it, absolute and relative.
#[tokio::test]
async fn a_link_at_resolv_conf_is_followed_inside_the_root() {
    for link_to in ["/run/systemd/resolve/stub.conf", "../run/systemd/resolve/stub.conf"] {
        let root = Root::debian();
        fs::create_dir_all(root.path("run/systemd/resolve")).unwrap();
        fs::write(root.path("run/systemd/resolve/stub.conf"), "of the root\n").unwrap();
        let _ = fs::remove_file(root.path("etc/resolv.conf"));
        symlink(link_to, root.path("etc/resolv.conf")).unwrap();
        let link = connect(&root.target(), &with_mounts()).await.unwrap();
        let ours = fs::read_to_string("/etc/resolv.conf").unwrap();
        assert_eq!(said(&link, "cat /etc/resolv.conf").await, ours);
        let options = PutOptions::default();
        assert!(link.put_file(Source::bytes("x"), "/etc/resolv.conf", &options).await.is_err());
        link.disconnect().await.unwrap();
        let inside = fs::read(root.path("run/systemd/resolve/stub.conf")).unwrap();
        assert_eq!((inside, fs::read_to_string("/etc/resolv.conf").unwrap()), {
            (b"of the root\n".to_vec(), ours)
        });
    }
}
