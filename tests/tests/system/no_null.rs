//! Targets without `/dev/null`: nothing of hostlink's makes a file of that name, which later
//! programs of other users could not write.

use std::fs;
use std::time::Duration;

use hostlink::builtin_registry;
use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{ConnectorArguments, Context, Data, ErrorKind, Link, StringCommand};
use hostlink_tests::chroot::Root;

fn plain() -> ConnectorArguments {
    ConnectorArguments::new()
}

async fn has_none(link: &Link, when: &str) {
    let look = StringCommand::shell("[ ! -e /dev/null ] && [ ! -h /dev/null ]");
    let looked = link.run_shell_command(&look, &plain()).await.unwrap();
    assert!(looked.success(), "{when}");
}

async fn runs(link: &Link, line: &str, arguments: &ConnectorArguments) {
    let ran = link.run_shell_command(&StringCommand::shell(line), arguments).await.unwrap();
    assert!(ran.success(), "{ran:?}");
    has_none(link, line.get(..40).unwrap_or(line)).await;
}

/// Every script of hostlink's.
async fn everything_works(link: &Link) {
    has_none(link, "the control").await;
    let su = plain().with_su_user("root");
    for arguments in [plain(), plain().with_get_pty(true), su.clone()] {
        runs(link, "echo x", &arguments).await;
        if arguments.get_pty != Some(true) {
            runs(link, &format!("echo {}", "x".repeat(200_000)), &arguments).await;
        }
        let unread = arguments.clone().with_stdin(hostlink::run::Stdin::bytes("x".repeat(300_000)));
        runs(link, "true", &unread).await;
        let limited = arguments.with_timeout(Duration::from_secs(1));
        let line = StringCommand::shell("sleep 4242 & sleep 4242");
        let error = link.run_shell_command(&line, &limited).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        has_none(link, "a kill").await;
    }
    let here = tempfile::tempdir().unwrap();
    let (tree, back) = (here.path().join("tree"), here.path().join("back"));
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("sub/file"), "content").unwrap();
    for arguments in [plain(), su] {
        let puts = PutOptions::default().with_arguments(arguments.clone());
        let gets = GetOptions::default().with_arguments(arguments);
        for source in [Source::bytes("content"), Source::reader(&b"content"[..])] {
            link.put_file(source, "/srv/file", &puts).await.unwrap();
            has_none(link, "put").await;
        }
        link.get_file("/srv/file", back.join("file"), &gets).await.unwrap_err();
        link.get_file("/srv/file", here.path().join("file"), &gets).await.unwrap();
        assert!(link.get_file("/srv/missing", here.path().join("file"), &gets).await.is_err());
        assert!(link.put_file(Source::bytes("x"), "/missing/file", &puts).await.is_err());
        has_none(link, "get").await;
        for _ in 0..2 {
            link.put_dir(&tree, "/srv/tree", &puts).await.unwrap();
            has_none(link, "put -r").await;
        }
        link.get_dir("/srv/tree", &back, &gets).await.unwrap();
        assert_eq!(fs::read(back.join("sub/file")).unwrap(), b"content");
        fs::remove_dir_all(&back).unwrap();
        has_none(link, "get -r").await;
    }
}

#[tokio::test]
async fn a_root_directory_without_devices_gets_none() {
    for root in [Root::debian(), Root::busybox()] {
        let _ = fs::remove_dir_all(root.path("dev"));
        fs::create_dir(root.path("dev")).unwrap();
        let registry = builtin_registry();
        let context = Context::default();
        let link = registry.connect(&root.target(), &Data::new(), &context).await.unwrap();
        everything_works(&link).await;
        link.disconnect().await.unwrap();
        assert_eq!(fs::read_dir(root.path("dev")).unwrap().count(), 0);
    }
}
