//! How often a wrong password is tried, since an account may be locked after three tries; and which
//! tool gets a right one.

use std::fs;
use std::path::Path;
use std::process::Output;

use hostlink_tests::chroot::Root;
use hostlink_tests::cli::{self, code, hostlink, run, stderr, stdout};

/// PAM passes each password that is tried to a program, which records it.
const SETUP: &str = r#"
useradd -u 70011 -m -s /bin/bash caller && useradd -u 70012 -m -s /bin/bash other
printf 'caller:right\nother:right\n' | chpasswd -c SHA512 -s 1000
echo 'caller ALL=(ALL:ALL) ALL' >/etc/sudoers.d/caller && chmod 440 /etc/sudoers.d/caller
printf 'permit nopass root as %s\n' caller root >/etc/doas.conf
printf '%s\n' '#!/bin/sh' 'tr -d "\000" >/srv/tried.$$; echo >>/srv/tried.$$; exit 0' >/usr/local/bin/note
chmod 755 /usr/local/bin/note && chmod 1777 /srv
for tool in sudo su; do
    sed -i '1i auth optional pam_exec.so expose_authtok quiet /usr/local/bin/note' /etc/pam.d/$tool
done
mkdir -m 777 /srv/tree && echo x >/srv/tree/file && chmod 666 /srv/tree/file
"#;

struct Scene {
    root: Root,
    files: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let root = Root::debian();
        let mut command = cli::command(Path::new("chroot"), [root.dir()]);
        command.args(["sh", "-eu", "-c", SETUP]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let made = run(command);
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        let files = tempfile::tempdir().unwrap();
        fs::create_dir(files.path().join("tree")).unwrap();
        fs::write(files.path().join("tree/file"), "x").unwrap();
        Self { root, files }
    }

    fn run(&self, tool: &str, password: &str, action: &[&str]) -> Output {
        let user = ["--doas", "--doas-user", "caller"];
        let options: &[&str] = match tool {
            "sudo" => &["--sudo", "--sudo-user", "other"],
            _ => &["--su-user", "other"],
        };
        let target = self.root.target();
        let words = ["--data", "chroot_mounts=true"].iter().chain(&user).chain(options);
        let mut command = hostlink(words.chain([&&*target]).chain(action));
        command.current_dir(self.files.path());
        command.env(format!("HOSTLINK_{}_PASSWORD", tool.to_uppercase()), password);
        run(command)
    }

    /// Returns the passwords that were tried since the last call.
    fn tried(&self) -> Vec<String> {
        let mut tried = Vec::new();
        for entry in fs::read_dir(self.root.path("/srv")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("tried.") {
                tried.push(fs::read_to_string(&path).unwrap().trim().to_owned());
                fs::remove_file(path).unwrap();
            }
        }
        // sudo prompts once more, finds the end of its input, and has PAM check an empty password.
        tried.retain(|password| !password.is_empty());
        tried
    }
}

#[test]
fn a_wrong_password_is_tried_only_once() {
    let scene = Scene::new();
    let actions: [&[&str]; 5] = [
        &["exec", "--", "id"],
        &["put", "tree/file", "/srv/x"],
        &["put", "-r", "tree", "/srv/new"],
        &["get", "/srv/tree/file", "got"],
        &["get", "-r", "/srv/tree", "got"],
    ];
    for tool in ["sudo", "su"] {
        for action in actions {
            let output = scene.run(tool, "wrong", action);
            assert_ne!(code(&output), 0, "{tool} {action:?}");
            assert_eq!(scene.tried(), ["wrong"], "{tool} {action:?}: {}", stderr(&output));
        }
        let output = scene.run(tool, "right", actions[1]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(scene.tried().contains(&"right".to_owned()), "the control");
    }
}

/// doas prompts on its own terminal, and here it has none.
#[test]
fn the_password_of_doas_goes_to_doas_alone() {
    let scene = Scene::new();
    let profile = scene.root.path("/home/other/.bash_profile");
    fs::write(profile, "printf 'Password: ' >&2; read -r p; echo \"<$p>\" >/srv/stolen\n").unwrap();
    let target = scene.root.target();
    let words = ["--data", "chroot_mounts=true", "--doas", "--su-user", "other", "--use-su-login"];
    let mut command = hostlink(words.into_iter().chain([&*target, "exec", "--", "id", "-un"]));
    command.env("HOSTLINK_DOAS_PASSWORD", "right");
    let output = run(command);
    assert_ne!(code(&output), 0, "something asked and got no answer: {}", stderr(&output));
    let stolen = fs::read_to_string(scene.root.path("/srv/stolen")).unwrap_or_default();
    assert!(!stolen.contains("right"), "{stolen}");

    // Both passwords: su gets its own, whether doas asks or not.
    let words = ["--data", "chroot_mounts=true", "--doas", "--doas-user", "caller"];
    let words =
        words.into_iter().chain(["--su-user", "other", &*target, "exec", "--", "id", "-un"]);
    let mut command = hostlink(words);
    command.env("HOSTLINK_DOAS_PASSWORD", "of doas").env("HOSTLINK_SU_PASSWORD", "right");
    let output = run(command);
    assert_eq!((code(&output), stdout(&output).trim()), (0, "other"), "{}", stderr(&output));
    assert_eq!(scene.tried(), ["right"]);
}
