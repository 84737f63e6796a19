//! Mounts of a container outlive a transfer: a file that is a mount is written in place, whichever
//! way it goes.

use std::fs;
use std::path::Path;

use hostlink::transfer::{GetOptions, Source};
use hostlink::{ErrorKind, Link};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::engine::Engine;

use super::{assert_error, connect, puts, temporaries};

/// A container with files of this machine mounted: alone, read-only, and inside another mount.
struct Mounted {
    here: tempfile::TempDir,
    container: Container,
}

const MOUNTED: [&str; 5] =
    ["/srv/app.conf", "/volume/app.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"];

impl Mounted {
    fn start(engine: Engine, image: &str) -> Self {
        let here = tempfile::tempdir().unwrap();
        let volume = |name: &str, at: &str, options: &str| {
            let path = here.path().join(name);
            fs::write(&path, "old\n").unwrap();
            format!("--volume={}:{at}{options}", path.display())
        };
        let inner = here.path().join("volume");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("app.conf"), "covered\n").unwrap();
        let options = [
            volume("alone", "/srv/app.conf", ""),
            volume("read-only", "/srv/ro.conf", ":ro"),
            format!("--volume={}:/volume", inner.display()),
            volume("nested", "/volume/app.conf", ""),
        ];
        let container = Container::start_on(engine, image, &options.each_ref().map(|it| &**it));
        Self { here, container }
    }

    /// The lines of the container's mount table.
    fn mounts(&self) -> String {
        let mounts = self.container.shell("cat /proc/self/mountinfo");
        for place in MOUNTED.iter().chain(&["/srv/ro.conf"]) {
            assert!(mounts.contains(&format!(" {place} ")), "{place}: {mounts}");
        }
        mounts
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.here.path().join(name)).unwrap()
    }

    fn source(&self, content: &str) -> std::path::PathBuf {
        let path = self.here.path().join("source");
        fs::write(&path, content).unwrap();
        path
    }
}

async fn put_both_ways(link: &Link, source: &Path, path: &str) {
    let bytes = fs::read(source).unwrap();
    for source in [Source::path(source), Source::bytes(bytes)] {
        let done = link.put_file(source, path, &puts()).await.unwrap();
        assert!(done.in_place, "{path}");
    }
}

#[tokio::test]
async fn a_put_keeps_the_mount_that_it_writes() {
    for (engine, image) in
        [(Engine::Docker, DEBIAN), (Engine::Docker, BUSYBOX), (Engine::Podman, DEBIAN)]
    {
        let mounted = Mounted::start(engine, image);
        let link = connect(&mounted.container).await;
        let before = mounted.mounts();
        for path in MOUNTED {
            let text = format!("new {path}\n");
            put_both_ways(&link, &mounted.source(&text), path).await;
            assert_eq!(mounted.container.shell(&format!("cat {path}")), text, "{engine}");
        }
        assert_eq!(mounted.mounts(), before);
        assert_eq!(mounted.read("alone"), "new /srv/app.conf\n");
        assert_eq!(mounted.read("nested"), "new /volume/app.conf\n");
        assert_eq!(mounted.read("volume/app.conf"), "covered\n");
        let done = link.put_file(Source::path(mounted.source("x")), "/srv/x", &puts()).await;
        assert!(!done.unwrap().in_place, "the control");
        assert_eq!(temporaries(&mounted.container), "");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn a_read_only_mount_is_refused() {
    let mounted = Mounted::start(Engine::Docker, DEBIAN);
    let link = connect(&mounted.container).await;
    let before = mounted.mounts();
    for source in [Source::path(mounted.source("new")), Source::bytes("new")] {
        let error = link.put_file(source, "/srv/ro.conf", &puts()).await.unwrap_err();
        assert_error(&error, ErrorKind::PermissionDenied, "/srv/ro.conf");
    }
    // A symlink to a mount is a way to it; that a link is itself replaced changes no mount.
    let _ = mounted.container.shell("ln -s app.conf /srv/link; ln -s ro.conf /srv/ro");
    put_both_ways(&link, &mounted.source("through\n"), "/srv/link").await;
    let error = link.put_file(Source::path(mounted.source("x")), "/srv/ro", &puts()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!((&*mounted.read("alone"), &*mounted.read("read-only")), ("through\n", "old\n"));
    let mut got = Vec::new();
    link.get_file("/srv/ro.conf", &mut got, &GetOptions::default()).await.unwrap();
    assert_eq!(got, b"old\n");
    assert_eq!(mounted.mounts(), before);
    assert_eq!(temporaries(&mounted.container), "");
    link.disconnect().await.unwrap();
}
#[tokio::test]
async fn a_tree_keeps_the_mounts_that_it_is_merged_into() {
    for image in [DEBIAN, BUSYBOX] {
        let mounted = Mounted::start(Engine::Docker, image);
        let link = connect(&mounted.container).await;
        let before = mounted.mounts();
        let tree = tempfile::tempdir().unwrap();
        for name in ["app.conf", "other"] {
            fs::write(tree.path().join(name), format!("{name} of the tree\n")).unwrap();
        }
        for place in ["/srv", "/volume"] {
            link.put_dir(tree.path(), place, &puts()).await.unwrap();
            let text = mounted.container.shell(&format!("cd {place} && cat app.conf other"));
            assert_eq!(text, "app.conf of the tree\nother of the tree\n");
        }
        fs::write(tree.path().join("ro.conf"), "x").unwrap();
        let error = link.put_dir(tree.path(), "/srv", &puts()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
        assert_eq!(mounted.mounts(), before);
        assert_eq!((&*mounted.read("alone"), &*mounted.read("nested")), {
            let text = "app.conf of the tree\n";
            (text, text)
        });
        assert_eq!(mounted.read("read-only"), "old\n");
        assert_eq!(temporaries(&mounted.container), "");
        let back = mounted.here.path().join("back");
        link.get_dir("/srv", &back, &GetOptions::default()).await.unwrap();
        assert_eq!(mounted.read("back/ro.conf"), "old\n");
        link.disconnect().await.unwrap();
    }
}
