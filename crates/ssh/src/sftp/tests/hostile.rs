//! Servers that say what they may not.

use std::fs;

use hostlink_core::ErrorKind;
use hostlink_core::transfer::FileTransfer;

use super::server::Lie;
use super::{LIMIT, Policy, SFTP_SERVER, Scene, bytes, content};

/// Greets, takes the first request, and answers with this, with the request's number in
/// the middle.
fn answers(head: &str, body: &str) -> String {
    let hello = r"\0\0\0\5\2\0\0\0\3";
    let answer = format!("printf '{head}'; head -c 4; printf '{body}'");
    format!("printf '{hello}'; head -c 14 >/dev/null; {answer}; exec cat >/dev/null")
}

#[tokio::test]
async fn counts_and_lengths_that_cannot_be_end_the_session_alone() {
    for (head, body) in [
        // Four billion names.
        (r"\0\0\0\11\150", r"\377\377\377\377"),
        // A status, and a handle, with text of 4 GiB.
        (r"\0\0\0\15\145", r"\0\0\0\4\377\377\377\377"),
        (r"\0\0\0\11\146", r"\377\377\377\377"),
    ] {
        let scene = Scene::with(&answers(head, body));
        let error = scene.get(&scene.path("file"), &mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LinkLost, "{head}: {error}");
        assert!(error.message().contains("does not speak SFTP"), "{head}: {error}");
    }
}

#[tokio::test]
async fn a_refusal_in_another_charset_is_a_refusal() {
    let refusal = answers(r"\0\0\0\26\145", r"\0\0\0\4\0\0\0\5no \351\350\0\0\0\0");
    let scene = Scene::with(&refusal);
    let error = scene.get(&scene.path("file"), &mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transfer, "{error}");
    assert_eq!(error.stderr_tail(), Some("no \u{fffd}\u{fffd}"));
    assert_eq!(scene.server.sessions(), 1);
}

#[tokio::test]
async fn a_symlink_to_a_name_that_is_not_utf_8_is_left_to_the_command_and_harms_no_other_file() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    let target = std::ffi::OsStr::from_bytes(b"\xff");
    std::os::unix::fs::symlink(target, scene.path("link")).unwrap();
    let [other, _] = super::faults::endless();
    let puts = async {
        let begun = || async { !scene.leftovers().is_empty() };
        super::until("the other file is under way", begun).await;
        for name in ["link", "link"] {
            assert_eq!(scene.put(bytes("new"), name).await.unwrap(), None);
        }
        scene.put(bytes("new"), "file").await.unwrap().unwrap();
    };
    tokio::select! {
        put = scene.put(other, "other") => panic!("it ended: {put:?}"),
        () = puts => {}
    }
    scene.sftp.settle().await;
    scene.expect_no_leftovers();
    assert_eq!(scene.server.sessions(), 1);
}

const ATTRS: u8 = 105;
const DATA: u8 = 103;

/// Content of no bytes.
const NO_BYTES: Lie = |packet| match packet {
    [DATA, request @ .., _, _, _, _] if request.len() >= 4 => {
        [&[DATA], &request[..4], &[0; 4]].concat()
    }
    packet => packet.to_vec(),
};

/// Half of the content.
const HALF: Lie = |packet| {
    let [DATA, rest @ ..] = packet else { return packet.to_vec() };
    let (request, content) = (&rest[..4], &rest[8..]);
    let half = &content[..content.len().div_ceil(2)];
    [&[DATA], request, &u32::try_from(half.len()).unwrap().to_be_bytes(), half].concat()
};

/// Files of twice their size.
const DOUBLE: Lie = |packet| {
    let mut packet = packet.to_vec();
    if packet[0] == ATTRS && packet[8] & 1 == 1 {
        let size: &mut [u8; 8] = (&mut packet[9..17]).try_into().unwrap();
        *size = (u64::from_be_bytes(*size) * 2).to_be_bytes();
    }
    packet
};

fn lying(policy: Policy, lie: Lie) -> Scene {
    let scene = Scene::with_policy(SFTP_SERVER, policy, LIMIT);
    scene.server.lies(lie);
    scene
}

#[tokio::test]
async fn a_server_that_sends_no_bytes_is_never_taken_for_the_end_of_a_file() {
    for policy in [Policy::Auto, Policy::Sftp] {
        for size in [1, 1000, 3_000_000] {
            let scene = lying(policy, NO_BYTES);
            let there = scene.plant("there", content(size), 0o644);
            let to = scene.plant("to", "old", 0o644);
            let error = scene.get(&there, &*to).await.unwrap_err();
            assert!(error.message().contains("content of no bytes"), "{size}: {error}");
            assert_eq!(fs::read(&to).unwrap(), b"old");
            scene.expect_no_leftovers();
        }
    }
}

#[tokio::test]
async fn a_file_that_ends_before_its_size_is_never_taken_for_whole() {
    for (policy, size) in
        [(Policy::Sftp, 1000), (Policy::Sftp, 3_000_000), (Policy::Auto, 3_000_000)]
    {
        let scene = lying(policy, DOUBLE);
        let there = scene.plant("there", content(size), 0o644);
        let to = scene.plant("to", "old", 0o644);
        let error = scene.get(&there, &*to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transfer, "{size}: {error}");
        assert!(error.message().contains(&format!("{size} bytes came")), "{error}");
        assert_eq!(fs::read(&to).unwrap(), b"old");
        scene.expect_no_leftovers();
    }
    // A small one may be a file of /sys: a command tells.
    let scene = lying(Policy::Auto, DOUBLE);
    let (there, mut buffer) = (scene.plant("there", content(1000), 0o644), Vec::new());
    assert_eq!(scene.get(&there, &mut buffer).await.unwrap(), None);
    assert!(buffer.is_empty());
}

#[tokio::test]
async fn a_put_that_has_another_size_there_is_an_error() {
    let scene = lying(Policy::Auto, DOUBLE);
    scene.plant("file", "old", 0o644);
    let error = scene.put(content(1000), "file").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transfer, "{error}");
    assert_eq!(fs::read(scene.path("file")).unwrap(), b"old");
    scene.sftp.settle().await;
    scene.expect_no_leftovers();
}

#[tokio::test]
async fn answers_with_less_than_was_asked_for_make_a_whole_file() {
    let scene = lying(Policy::Auto, HALF);
    for size in [1, 1000, 3_000_000] {
        let (there, mut buffer) = (scene.plant("there", content(size), 0o644), Vec::new());
        scene.get(&there, &mut buffer).await.unwrap().unwrap();
        assert!(buffer == content(size), "{size}");
    }
}

/// Attributes with a name and a value of the server's own.
const EXTENDED: Lie = |packet| {
    let mut packet = packet.to_vec();
    if packet[0] == ATTRS {
        packet[5] |= 0x80;
        packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, b'n', 0, 0, 0, 1, 0xff]);
    }
    packet
};

#[tokio::test]
async fn attributes_of_the_servers_own_are_passed_over() {
    let scene = lying(Policy::Sftp, EXTENDED);
    scene.put(bytes("new"), "file").await.unwrap().unwrap();
    let mut buffer = Vec::new();
    scene.get(&scene.path("file"), &mut buffer).await.unwrap().unwrap();
    assert_eq!(buffer, b"new");
    assert_eq!(scene.server.sessions(), 1);
}
