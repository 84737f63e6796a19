//! The root directories that tests of `chroot` use.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Stdio};
use std::thread;

use hostlink_tests::cli::{command, send_signal, wait_for_exit, wait_until};
use hostlink_tests::container::{BUSYBOX, DEBIAN};
use hostlink_tests::rootfs::Rootfs;

/// The variable for the program that is killed.
const DOOMED: &str = "HOSTLINK_TEST_DOOMED_ROOT";

/// What that program prints before the path of its root.
const STARTED: &str = "started ";

#[test]
fn a_root_of_debian_has_what_the_image_has() {
    let root = Rootfs::of(DEBIAN);
    for tool in ["bash", "dash", "tar", "sudo", "doas", "stat", "su"] {
        assert!(root.succeeds(&format!("command -v {tool}")), "{tool}");
    }
    assert_eq!(root.shell("su plain -c 'id -un'"), "plain\n");
    assert!(root.shell("tar --version").contains("GNU tar"));
}

#[test]
fn a_root_of_busybox_has_only_busybox() {
    let root = Rootfs::of(BUSYBOX);
    assert!(root.succeeds("command -v ash"), "the control");
    for tool in ["bash", "sudo", "perl"] {
        assert!(!root.succeeds(&format!("command -v {tool}")), "{tool}");
    }
    assert_eq!(root.shell("id -un"), "root\n");
}

#[test]
fn a_root_has_devices_and_a_folder_for_all_and_no_proc() {
    for image in [DEBIAN, BUSYBOX] {
        let root = Rootfs::of(image);
        assert_eq!(root.shell("echo x >/dev/null; head -c 3 /dev/zero | wc -c").trim(), "3");
        assert_eq!(root.shell("stat -c %a /tmp"), "1777\n");
        assert!(!root.succeeds("[ -e /proc/self ]"));
    }
}

#[test]
fn roots_are_apart_and_what_they_are_made_of_stays() {
    let (one, other) = (Rootfs::of(DEBIAN), Rootfs::of(DEBIAN));
    assert_ne!(one.path(), other.path());
    assert_eq!(
        one.shell("rm /bin/tar; echo changed >/etc/hostname; cat /etc/hostname"),
        "changed\n"
    );
    assert!(!one.at("/bin/tar").exists());
    let third = Rootfs::of(DEBIAN);
    for root in [&other, &third] {
        assert!(root.at("/bin/tar").exists());
        assert!(!root.succeeds("grep changed /etc/hostname"));
    }
}

#[test]
fn a_trap_detects_a_link_that_was_followed_out_of_the_root() {
    for link in ["/etc/x", "/etc/x-up", "/srv-link/file", "/srv-link/new"] {
        let root = Rootfs::of(BUSYBOX);
        let trap = root.trap("untouched");
        // Inside, the links lead to nothing.
        assert!(!root.succeeds(&format!("cat {link}")), "{link}");
        assert!(trap.is_untouched(), "{link}");
        // What a bug would do, done here from outside.
        fs::write(root.at(link), "touched").unwrap();
        assert!(!trap.is_untouched(), "{link}");
    }
}

#[test]
fn a_root_and_its_mounts_are_gone_after_the_test() {
    let root = Rootfs::of(BUSYBOX);
    let path = root.path().display().to_string();
    assert_eq!(mounts_of(&path), 1, "the control: there is one");
    let parent = root.path().parent().unwrap().to_owned();
    // A process that is still inside does not keep it.
    let mut inside = command("sleep".as_ref(), ["1000"]).current_dir(root.path()).spawn().unwrap();
    drop(root);
    assert_eq!(mounts_of(&path), 0);
    assert!(!parent.exists());
    inside.kill().unwrap();
    inside.wait().unwrap();
}

#[test]
fn a_killed_test_leaves_no_root() {
    if env::var_os(DOOMED).is_some() {
        start_and_wait_for_ever();
    }
    let (mut program, path) = start_doomed();
    assert_eq!(mounts_of(&path), 1, "the control: there is one");
    assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
    send_signal(&program, "KILL");
    wait_for_exit(&mut program);
    wait_until("the root is gone", || mounts_of(&path) == 0 && fs::metadata(&path).is_err());
}

/// Returns how many file systems are mounted at this path.
fn mounts_of(path: &str) -> usize {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.split(' ').nth(4) == Some(path)).count()
}

/// Starts this program, to run only the test that is killed.
fn start_doomed() -> (Child, String) {
    let this = env::current_exe().unwrap();
    let mut program =
        command(&this, ["--exact", "rootfs::a_killed_test_leaves_no_root", "--nocapture"]);
    let mut program = program.env(DOOMED, "1").stderr(Stdio::inherit()).spawn().unwrap();
    let output = BufReader::new(program.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    let path = lines.find_map(|line| Some(line.split_once(STARTED)?.1.to_owned()));
    (program, path.expect("it says what it has started"))
}

fn start_and_wait_for_ever() -> ! {
    let root = Rootfs::of(BUSYBOX);
    println!("{STARTED}{}", root.path().display());
    loop {
        thread::park();
    }
}
