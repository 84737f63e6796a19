//! Servers that say what they may not.

use hostlink_core::ErrorKind;
use hostlink_core::transfer::FileTransfer;

use super::{Scene, bytes};

/// Greets, takes the first request, and answers with this, where the request's number stands
/// between.
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
