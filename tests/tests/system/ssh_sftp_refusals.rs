//! Single files on an account that has SFTP and starts no command: what is told where SFTP leaves a
//! file to a command, or the server refuses it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use hostlink::ErrorKind;
use hostlink::transfer::{GetOptions, PutOptions, TEMPORARY_MARK};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::{Sshd, Subsystem};
use hostlink_tests::user::TestUser;

/// Fills a home with what cannot be stored to, or read.
fn fill(home: &Path) {
    let owner = fs::metadata(home).unwrap();
    for name in ["dir", "shut"] {
        fs::create_dir(home.join(name)).unwrap();
    }
    fs::write(home.join("file"), "old").unwrap();
    fs::write(home.join("secret"), "").unwrap();
    fs::set_permissions(home.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, home.join("pipe"), 0o666.into()).unwrap();
    for (name, to) in [("link", "file"), ("loop", "loop"), ("dangling", "none")] {
        symlink(to, home.join(name)).unwrap();
    }
    chown(home.join("file"), Some(owner.uid()), Some(owner.gid())).unwrap();
}

#[tokio::test]
async fn the_first_cause_is_told_of_a_file() {
    let user = TestUser::create("/bin/sh");
    fill(&user.home());
    let builder = Sshd::builder()
        .subsystem(Subsystem::InternalSftp)
        .config_where(&format!("User {}", user.name()), "ForceCommand internal-sftp");
    let target = SshTarget::as_user(user.name(), builder);
    let link = target.connect().await;
    let path = |name: &str| user.home().join(name).display().to_string();
    let told = |error: hostlink::Error, name: &str, kind: ErrorKind, says: &str| {
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{name}: {text}");
        assert!(text.contains(&path(name)) && text.contains(says), "{name}: {text}");
        assert!(!text.contains("shell") && !text.contains(TEMPORARY_MARK), "{name}: {text}");
    };
    for (name, kind, says) in [
        ("shut/new", ErrorKind::PermissionDenied, "Permission denied"),
        ("none/new", ErrorKind::NotFound, "the directory of"),
        ("dir", ErrorKind::IsADirectory, "is a directory"),
        ("pipe", ErrorKind::Transfer, "is not a regular file"),
        ("secret", ErrorKind::Unsupported, "otherwise its owner or group could change"),
        ("link", ErrorKind::Unsupported, "is a symlink, and only commands follow one there"),
    ] {
        let put = link.put_file(b"new".to_vec(), &path(name), &PutOptions::default()).await;
        told(put.unwrap_err(), name, kind, says);
    }
    for (name, kind, says) in [
        ("none", ErrorKind::NotFound, "is not there"),
        ("dir", ErrorKind::IsADirectory, "is a directory"),
        ("pipe", ErrorKind::Transfer, "is not a regular file"),
        ("secret", ErrorKind::PermissionDenied, "Permission denied"),
        ("loop", ErrorKind::NotFound, "is a symlink that leads to no regular file"),
        ("dangling", ErrorKind::NotFound, "is a symlink that leads to no regular file"),
    ] {
        let mut got = Vec::new();
        let error = link.get_file(&path(name), &mut got, &GetOptions::default()).await.unwrap_err();
        told(error, name, kind, says);
    }
    let options = PutOptions::default();
    link.put_file(b"new".to_vec(), &path("file"), &options).await.expect("the control");
    let mut got = Vec::new();
    link.get_file(&path("link"), &mut got, &GetOptions::default()).await.expect("the control");
    assert_eq!(got, b"new");
    let names = fs::read_dir(user.home()).unwrap().map(|it| it.unwrap().file_name());
    let hidden = names.filter(|name| name.to_string_lossy().contains(TEMPORARY_MARK)).count();
    assert_eq!(hidden, 0);
    link.disconnect().await.unwrap();
}
