//! Owners of files, by the user that commands run as.

use std::fs;
use std::time::Duration;

use hostlink::ErrorKind;
use hostlink::transfer::{GetOptions, PutOptions};
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::engine::Engine;

use super::{assert_error, connect, connect_as, put_text, puts, temporaries, with_sudo};

/// Returns owner, group and mode.
fn owned(container: &Container, path: &str) -> String {
    container.shell(&format!("stat -c '%u:%g %a' {path}")).trim().to_owned()
}

#[tokio::test]
async fn files_belong_to_the_user_that_commands_run_as() {
    let container = Container::start(DEBIAN);
    let id = |flag: &str| container.shell(&format!("id {flag} plain")).trim().to_owned();
    let plain = format!("{}:{}", id("-u"), id("-g"));
    assert_ne!(plain, "0:0", "the control");
    for (user, owner) in [
        ("plain", plain.as_str()),
        (plain.as_str(), plain.as_str()),
        // IDs without a name.
        ("12345:54321", "12345:54321"),
        ("0", "0:0"),
        ("root", "0:0"),
    ] {
        let link = connect_as(&container, user).await;
        let _ = container.shell("rm -rf /var/tmp/file /var/tmp/tree");
        let said = |what: &str| format!("{owner} {what}");
        put_text(&link, "x", "/var/tmp/file", &puts()).await;
        assert_eq!(owned(&container, "/var/tmp/file"), said("644"), "{user}");
        put_text(&link, "y", "/var/tmp/file", &puts().with_mode(0o4750)).await;
        assert_eq!(owned(&container, "/var/tmp/file"), said("4750"), "{user}");
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("inner"), "x").unwrap();
        link.put_dir(here.path(), "/var/tmp/tree", &puts()).await.unwrap();
        for path in ["/var/tmp/tree", "/var/tmp/tree/inner"] {
            let owned = owned(&container, path);
            assert!(owned.starts_with(&format!("{owner} ")), "{user}: {path}: {owned}");
        }
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn sudo_in_the_container_gives_files_their_owners() {
    let container = Container::start(DEBIAN);
    let id = container.shell("echo $(id -u plain):$(id -g plain)").trim().to_owned();
    let link = connect_as(&container, "trusted").await;
    put_text(&link, "x", "/opt/file", &with_sudo(None).with_mode(0o600)).await;
    assert_eq!(owned(&container, "/opt/file"), "0:0 600");
    put_text(&link, "x", "/var/tmp/file", &with_sudo(Some("plain"))).await;
    assert_eq!(owned(&container, "/var/tmp/file"), format!("{id} 644"));
    // An existing file keeps its owner and mode, whichever user writes it.
    let _ =
        container.shell("echo old >/srv/file; chown plain:plain /srv/file; chmod 640 /srv/file");
    put_text(&link, "new\n", "/srv/file", &with_sudo(None)).await;
    assert_eq!(owned(&container, "/srv/file"), format!("{id} 640"));
    assert_eq!(container.shell("cat /srv/file"), "new\n");
    // A file that only root may read is got with sudo, and not without.
    put_text(&link, "x", "/srv/secret", &with_sudo(None).with_mode(0o600)).await;
    let options = GetOptions::default().with_arguments(with_sudo(None).arguments);
    let mut got = Vec::new();
    link.get_file("/srv/secret", &mut got, &options).await.unwrap();
    assert_eq!(got, b"x");
    let refused = link.get_file("/srv/secret", &mut got, &GetOptions::default()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(temporaries(&container), "");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_directory_of_roots_accepts_nothing_of_other_users() {
    let container = Container::start(DEBIAN);
    for user in ["plain", "trusted", "12345"] {
        let link = connect_as(&container, user).await;
        let before = container.shell("ls -A /srv /etc; cat /etc/passwd");
        for path in ["/srv/new", "/etc/passwd"] {
            let put = link.put_file(b"new\n".to_vec(), path, &puts()).await;
            assert_error(&put.unwrap_err(), ErrorKind::PermissionDenied, path);
        }
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("inner"), "x").unwrap();
        let put = link.put_dir(here.path(), "/srv/tree", &puts()).await;
        assert_error(&put.unwrap_err(), ErrorKind::PermissionDenied, "/srv/tree");
        assert_eq!(container.shell("ls -A /srv /etc; cat /etc/passwd"), before);
        link.disconnect().await.unwrap();
    }
    let link = connect_as(&container, "plain").await;
    let put = link.put_file(b"new\n".to_vec(), "/srv/new", &with_sudo(None)).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Privilege, "plain may not use sudo");
    assert_eq!(container.shell("ls -A /srv"), "");
    link.disconnect().await.unwrap();
    let link = connect_as(&container, "trusted").await;
    put_text(&link, "new\n", "/srv/new", &with_sudo(None)).await;
    assert_eq!(container.shell("cat /srv/new"), "new\n", "the control");
    link.disconnect().await.unwrap();
}

/// On a terminal the words of a script come only at its end: nothing may wait for them.
#[tokio::test]
async fn files_are_put_by_sudo_on_a_terminal() {
    for engine in [Engine::Docker, Engine::Podman] {
        let container = Container::start_on(engine, DEBIAN, &[]);
        let link = connect(&container).await;
        let arguments =
            with_sudo(None).arguments.with_get_pty(true).with_timeout(Duration::from_secs(60));
        let options = PutOptions::default().with_arguments(arguments);
        put_text(&link, "x", "/srv/plain", &options).await;
        let mut named = options.clone();
        named.remote_temp_filename = Some("/srv/temporary".to_owned());
        put_text(&link, "y", "/srv/named", &named).await;
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), "z").unwrap();
        link.put_dir(tree.path(), "/srv/tree", &options).await.unwrap();
        let read = "cat /srv/plain /srv/named /srv/tree/file; ls -A /srv";
        assert_eq!(container.shell(read), "xyznamed\nplain\ntree\n", "{engine}");
        link.disconnect().await.unwrap();
    }
}
