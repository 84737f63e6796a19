use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use tempfile::TempDir;

use super::*;

fn keygen(directory: &TempDir, arguments: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "test"]).args(arguments.split(' ')).current_dir(directory);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
}

fn new_key(directory: &TempDir, name: &str, arguments: &str) -> PathBuf {
    keygen(directory, &format!("{arguments} -f {name}"));
    directory.path().join(name)
}

/// A directory with a key `k`, its public half, its certificate, and the authority `ca`.
fn with_certificate() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    keygen(&directory, "-t ed25519 -N  -f k");
    keygen(&directory, "-t ed25519 -N  -f ca");
    keygen(&directory, "-s ca -I test k.pub");
    directory
}

#[test]
fn every_format_of_a_private_key_is_one() {
    let directory = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("ed25519", "-t ed25519 -N "),
        ("locked", "-t ed25519 -N hunter2"),
        ("pem", "-t rsa -b 2048 -m PEM -N "),
        ("locked_pem", "-t ecdsa -m PEM -N hunter2"),
        ("pkcs8", "-t ecdsa -m PKCS8 -N "),
        ("locked_pkcs8", "-t ecdsa -m PKCS8 -N hunter2"),
    ] {
        let path = new_key(&directory, name, arguments);
        assert_eq!(key(&path), Ok(()), "{name}");
        assert!(certificate(&path).unwrap_err().starts_with("is a private key"), "{name}");
        let public = path.with_extension("pub");
        assert_eq!(key(&public), Ok(()), "{name}");
        assert!(is_public_key(&public) && !is_public_key(&path), "{name}");
        assert!(private_half(&public).ends_with("without .pub"), "{name}");
        assert!(certificate(&public).unwrap_err().starts_with("is a public key"), "{name}");
    }
}

#[test]
fn certificates_and_keys_are_distinguished() {
    let directory = with_certificate();
    let signed = directory.path().join("k-cert.pub");
    assert_eq!(certificate(&signed), Ok(()));
    assert!(key(&signed).unwrap_err().starts_with("is a certificate"));
}

#[test]
fn a_file_that_is_not_a_key_has_its_own_error() {
    let directory = tempfile::tempdir().unwrap();
    for (content, expected) in [
        ("", "is not a private key"),
        ("hello\n", "is not a private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "is a key of PuTTY"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\n", "is a public key: give the private one"),
        ("-----BEGIN PUBLIC KEY-----\n", "is a public key: give the private one"),
    ] {
        let path = directory.path().join("k");
        fs::write(&path, content).unwrap();
        let problem = key(&path).unwrap_err();
        assert!(problem.starts_with(expected), "{content:?}: {problem}");
    }
    for public in ["# mine\nssh-rsa AAAA me\n", "sk-ssh-ed25519@openssh.com AAAA me\n"] {
        fs::write(directory.path().join("k"), public).unwrap();
        assert!(is_public_key(&directory.path().join("k")), "{public}");
    }
    fs::write(directory.path().join("k"), [0xff, 0, 0xfe]).unwrap();
    assert!(certificate(&directory.path().join("k")).unwrap_err().starts_with("is not a cert"));
}

#[test]
fn an_unreadable_source_is_reported_with_its_cause() {
    let directory = tempfile::tempdir().unwrap();
    let ring = directory.path().join("ring");
    symlink(&ring, &ring).unwrap();
    for check in [key, certificate, readable] {
        assert_eq!(check(&directory.path().join("none")).unwrap_err(), "does not exist");
        assert_eq!(check(directory.path()).unwrap_err(), DIRECTORY);
        assert!(check(&ring).unwrap_err().starts_with("cannot be read: Too many levels"));
    }
    assert_eq!(key(Path::new("/dev/null")).unwrap_err(), "is not a regular file");
    assert_eq!(readable(Path::new("/dev/null")), Ok(()));
    assert_eq!(no_directory(&directory.path().join("none")), Ok(()));
    assert_eq!(no_directory(directory.path()).unwrap_err(), DIRECTORY);
    // Root reads what nobody may.
    if !rustix::process::geteuid().is_root() {
        let file = new_key(&directory, "k", "-t ed25519 -N ");
        fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
        assert!(key(&file).unwrap_err().starts_with("cannot be read: Permission denied"));
    }
}

/// ssh itself is asked, so that neither is stricter than the other.
#[test]
fn a_key_that_is_open_to_others_is_refused_where_ssh_refuses_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = new_key(&directory, "k", "-t ed25519 -N ");
    for mode in [0o600, 0o400, 0o700, 0o640, 0o604, 0o610, 0o644, 0o666] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let mut ssh_keygen = Command::new("ssh-keygen");
        let output = ssh_keygen.args(["-y", "-P", "", "-f"]).arg(&file).output().unwrap();
        let checked = key(&file);
        assert_eq!(checked.is_ok(), output.status.success(), "{mode:o}: {checked:?} {output:?}");
        if let Err(problem) = checked {
            assert!(problem.contains(&format!("mode {mode:o}")), "{problem}");
            assert!(problem.contains("chmod 600"), "{problem}");
        }
    }
}

#[test]
fn paths_are_absolute_and_literal() {
    let home = Path::new("/home/me");
    for (text, expected) in [
        ("/a b/%h\\c", "/a b/%h\\c"),
        ("~/.ssh/k", "/home/me/.ssh/k"),
        ("~//k", "/home/me/k"),
        ("~", "/home/me"),
        ("/a/~/b", "/a/~/b"),
    ] {
        assert_eq!(path(text, Some(home)).unwrap(), Path::new(expected), "{text}");
    }
    let here = std::env::current_dir().unwrap();
    assert_eq!(path("k", None).unwrap(), here.join("k"));
}

#[test]
fn paths_that_ssh_would_read_differently_are_refused() {
    let home = Some(Path::new("/home/me"));
    for (text, home, expected) in [
        ("", home, "is empty"),
        ("/a\nProxyCommand x", home, "contains a control character"),
        ("/a\"b", home, "contains a double quote"),
        ("${HOME}/k", home, "contains ${"),
        ("~root/k", home, "starts with ~user"),
        ("~/k", None, "the home directory is not known"),
    ] {
        let problem = path(text, home).unwrap_err();
        assert!(problem.contains(expected), "{text:?}: {problem}");
    }
}
