//! Files with another user's privileges, by sudo without a password: root acts as `nobody`, and as
//! itself.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{
    ConnectorArguments, Context, Data, ErrorKind, Link, StringCommand, builtin_registry,
};
use tempfile::TempDir;

const NOBODY: u32 = 65534;

/// A directory owned by `nobody`, in a directory that every user may enter.
struct Scene {
    link: Link,
    root: TempDir,
}

impl Scene {
    async fn open() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        let theirs = root.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(NOBODY), None).unwrap();
        let context = Context::default();
        let link = builtin_registry().connect("@local", &Data::new(), &context).await.unwrap();
        Self { link, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("theirs").join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn as_nobody() -> ConnectorArguments {
    ConnectorArguments::new().with_sudo(true).with_sudo_user("nobody")
}

fn put_as(arguments: ConnectorArguments) -> PutOptions {
    PutOptions::default().with_arguments(arguments)
}

fn sources() -> [Source; 2] {
    [Source::bytes("content"), Source::reader(&b"content"[..])]
}

#[tokio::test]
async fn a_file_belongs_to_the_user_it_was_put_as() {
    let scene = Scene::open().await;
    for source in sources() {
        let options = put_as(as_nobody()).with_mode(0o640);
        scene.link.put_file(source, &scene.text("file"), &options).await.unwrap();
        let found = fs::metadata(scene.path("file")).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (NOBODY, 0o640));
        assert_eq!(scene.names(), ["file"]);
        fs::remove_file(scene.path("file")).unwrap();
    }
}

#[tokio::test]
async fn a_replaced_file_keeps_its_owner() {
    let scene = Scene::open().await;
    for source in sources() {
        fs::write(scene.path("file"), "old").unwrap();
        chown(scene.path("file"), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(scene.path("file"), Permissions::from_mode(0o604)).unwrap();
        let options = put_as(ConnectorArguments::new().with_sudo(true));
        scene.link.put_file(source, &scene.text("file"), &options).await.unwrap();
        let found = fs::metadata(scene.path("file")).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (NOBODY, NOBODY, 0o604));
        assert_eq!(fs::read(scene.path("file")).unwrap(), b"content");
    }
}

#[tokio::test]
async fn a_planted_symlink_does_not_choose_the_file() {
    let scene = Scene::open().await;
    let victim = scene.root.path().join("victim");
    for source in sources() {
        fs::write(&victim, "old").unwrap();
        symlink(&victim, scene.path("file")).unwrap();
        let options = put_as(ConnectorArguments::new().with_sudo(true));
        scene.link.put_file(source, &scene.text("file"), &options).await.unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"old");
        assert_eq!(fs::read(scene.path("file")).unwrap(), b"content");
        fs::remove_file(scene.path("file")).unwrap();
    }
    // The control: with the option, it follows.
    symlink(&victim, scene.path("file")).unwrap();
    let options = put_as(ConnectorArguments::new().with_sudo(true)).with_follow(true);
    scene.link.put_file(b"new".to_vec(), &scene.text("file"), &options).await.unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"new");
}

/// The owner of the directory swaps the temporary for a symlink, as often as possible, while root
/// writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_temporary_does_not_choose_the_file() {
    let scene = Scene::open().await;
    let victim = scene.root.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    let swap = format!(
        "cd '{}' && while :; do for t in .[!.]*; do [ -h \"$t\" ] || [ ! -f \"$t\" ] || {{ mv \"$t\" moved; ln -s '{}' \"$t\"; }}; done; done",
        scene.text(""),
        victim.display()
    );
    let command = StringCommand::shell(swap);
    let arguments = as_nobody();
    let swapping = scene.link.run_shell_command(&command, &arguments);
    let putting = async {
        let mut refused = 0;
        for round in 0..60 {
            let options = put_as(ConnectorArguments::new().with_sudo(true)).with_mode(0o644);
            let path = scene.text(&format!("file-{round}"));
            let source = if round % 2 == 0 {
                Source::bytes(vec![b'x'; 300_000])
            } else {
                Source::reader(std::io::Cursor::new(vec![b'x'; 300_000]))
            };
            refused += usize::from(scene.link.put_file(source, &path, &options).await.is_err());
        }
        refused
    };
    tokio::select! {
        ended = swapping => panic!("the swapping ended: {ended:?}"),
        refused = putting => println!("{refused} of 60 puts were refused"),
    }
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(fs::metadata(&victim).unwrap().mode() & 0o7777, 0o600);
    let swapped = scene.names().iter().any(|name| name == "moved" || scene.path(name).is_symlink());
    assert!(swapped, "the control: nothing was swapped");
    scene.link.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_the_user_may_not_do_is_refused_and_leaves_nothing() {
    let scene = Scene::open().await;
    let secret = scene.root.path().join("secret");
    fs::write(&secret, "old").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let path = secret.to_str().unwrap();
    for source in sources() {
        let error = scene.link.put_file(source, path, &put_as(as_nobody())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    }
    let mut got = Vec::new();
    let options = GetOptions::default().with_arguments(as_nobody());
    let error = scene.link.get_file(path, &mut got, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(got.is_empty());
    assert_eq!(fs::read(&secret).unwrap(), b"old");
    // The control: root may read it.
    let options = GetOptions::default().with_arguments(ConnectorArguments::new().with_sudo(true));
    scene.link.get_file(path, &mut got, &options).await.unwrap();
    assert_eq!(got, b"old");
}

#[tokio::test]
async fn a_directory_that_takes_no_file_is_written_in_place_and_counted() {
    let scene = Scene::open().await;
    fs::write(scene.path("file"), "old and longer").unwrap();
    chown(scene.path("file"), Some(NOBODY), None).unwrap();
    fs::set_permissions(scene.path(""), Permissions::from_mode(0o555)).unwrap();
    for source in sources() {
        let done = scene.link.put_file(source, &scene.text("file"), &put_as(as_nobody())).await;
        assert!(done.unwrap().in_place);
        assert_eq!(fs::read(scene.path("file")).unwrap(), b"content");
    }
    let short = Source::sized_reader(&b"abc"[..], 10);
    let put = scene.link.put_file(short, &scene.text("file"), &put_as(as_nobody())).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Transfer);
}

#[tokio::test]
async fn a_tree_takes_no_owner_from_its_source() {
    let scene = Scene::open().await;
    let from = scene.root.path().join("from");
    fs::create_dir_all(from.join("sub")).unwrap();
    fs::write(from.join("sub/file"), "content").unwrap();
    for path in ["sub/file", "sub", ""] {
        chown(from.join(path), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let copies = ["there", "back"].map(|name| scene.root.path().join(name));
    let there = copies[0].to_str().unwrap();
    scene.link.put_dir(&from, there, &PutOptions::default()).await.unwrap();
    scene.link.get_dir(from.to_str().unwrap(), &copies[1], &GetOptions::default()).await.unwrap();
    let ours = fs::metadata(scene.root.path()).unwrap().uid();
    assert_ne!(ours, NOBODY, "the control: the copying user is a different one");
    for copy in copies {
        for path in ["sub/file", "sub", ""] {
            assert_eq!(fs::metadata(copy.join(path)).unwrap().uid(), ours, "{path}");
        }
    }
}

#[tokio::test]
async fn trees_go_there_and_back_as_another_user() {
    let scene = Scene::open().await;
    let from = scene.root.path().join("from");
    fs::create_dir_all(from.join("shut/inside")).unwrap();
    fs::write(from.join("shut/inside/file"), "content").unwrap();
    fs::set_permissions(from.join("shut"), Permissions::from_mode(0o555)).unwrap();
    for round in 0..2 {
        // The second round merges, and so moves new files into the existing directory.
        fs::create_dir_all(from.join(format!("new-{round}/shut"))).unwrap();
        fs::set_permissions(from.join(format!("new-{round}/shut")), Permissions::from_mode(0o555))
            .unwrap();
        let path = scene.text("tree");
        scene.link.put_dir(&from, &path, &put_as(as_nobody())).await.unwrap();
        let file = fs::metadata(scene.path("tree/shut/inside/file")).unwrap();
        assert_eq!(file.uid(), NOBODY);
        let shut = fs::metadata(scene.path(&format!("tree/new-{round}/shut"))).unwrap();
        assert_eq!(shut.mode() & 0o7777, 0o555);
        assert_eq!(scene.names(), ["tree"], "round {round}");
    }
    let back = scene.root.path().join("back");
    let options = GetOptions::default().with_arguments(as_nobody());
    scene.link.get_dir(&scene.text("tree"), &back, &options).await.unwrap();
    assert_eq!(fs::read(back.join("shut/inside/file")).unwrap(), b"content");
}
