//! No symlink in a root leads out of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink_tests::chroot::Root;
use hostlink_tests::ssh_target::said;

use crate::chroot::scene::{enter, plain, run};

/// A directory of this machine with a file, and a root with absolute and relative links to both.
struct Scene {
    root: Root,
    outside: tempfile::TempDir,
}

const LINKS: [&str; 2] = ["absolute", "relative"];

impl Scene {
    fn new() -> Self {
        let (root, outside) = (Root::busybox(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), "of the host").unwrap();
        let path = outside.path().to_str().unwrap();
        symlink(path, root.path("srv/absolute")).unwrap();
        symlink(format!("../../../../../../..{path}"), root.path("srv/relative")).unwrap();
        Self { root, outside }
    }

    /// Makes the same paths inside the root.
    fn with_place_inside(self) -> Self {
        fs::create_dir_all(self.inside()).unwrap();
        self
    }

    fn inside(&self) -> std::path::PathBuf {
        self.root.path(self.outside.path().to_str().unwrap())
    }

    fn host_is_untouched(&self) {
        let entries = fs::read_dir(self.outside.path()).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
        assert_eq!(fs::read(self.outside.path().join("file")).unwrap(), b"of the host");
        let mode = fs::metadata(self.outside.path()).unwrap().permissions();
        assert!(!mode.readonly());
    }
}

/// The control of all others: seen from outside, both links lead to the host's file.
#[test]
fn the_links_lead_out_for_those_who_follow_them_from_outside() {
    let scene = Scene::new();
    for link in LINKS {
        let path = scene.root.path(&format!("srv/{link}/file"));
        assert_eq!(fs::read(path).unwrap(), b"of the host");
    }
}

#[tokio::test]
async fn a_put_follows_links_as_they_lead_inside() {
    let scene = Scene::new().with_place_inside();
    let link = enter(&scene.root).await;
    for name in LINKS {
        let path = format!("/srv/{name}/file");
        link.put_file(Source::bytes("of the root"), &path, &PutOptions::default()).await.unwrap();
        assert_eq!(fs::read(scene.inside().join("file")).unwrap(), b"of the root");
        let mut got = Vec::new();
        link.get_file(&path, &mut got, &GetOptions::default()).await.unwrap();
        assert_eq!(got, b"of the root");
        fs::remove_file(scene.inside().join("file")).unwrap();
    }
    link.disconnect().await.unwrap();
    scene.host_is_untouched();
}

#[tokio::test]
async fn a_link_at_the_destination_leads_to_a_file_inside() {
    let scene = Scene::new().with_place_inside();
    let victim = scene.outside.path().join("file");
    symlink(&victim, scene.root.path("etc/x")).unwrap();
    let link = enter(&scene.root).await;
    let options = PutOptions::default().with_follow(true);
    link.put_file(Source::bytes("of the root"), "/etc/x", &options).await.unwrap();
    assert_eq!(fs::read(scene.inside().join("file")).unwrap(), b"of the root");
    let options = PutOptions::default().with_follow(false);
    link.put_file(Source::bytes("replaced"), "/etc/x", &options).await.unwrap();
    assert_eq!(fs::read(scene.root.path("etc/x")).unwrap(), b"replaced");
    link.disconnect().await.unwrap();
    scene.host_is_untouched();
}

#[tokio::test]
async fn what_a_link_leads_to_outside_is_missing_inside() {
    let scene = Scene::new();
    let link = enter(&scene.root).await;
    for name in LINKS {
        let path = format!("/srv/{name}/file");
        assert!(link.get_file(&path, &mut Vec::new(), &GetOptions::default()).await.is_err());
        let put = link.put_file(Source::bytes("x"), &path, &PutOptions::default()).await;
        assert!(put.is_err(), "{path}");
        let in_it = plain().with_chdir(format!("/srv/{name}"));
        assert!(!run(&link, "echo ran >file", &in_it).await.unwrap().success());
        let here = tempfile::tempdir().unwrap();
        let to = here.path().join("copy");
        let directory = format!("/srv/{name}");
        assert!(link.get_dir(&directory, &to, &GetOptions::default()).await.is_err());
        assert!(!to.exists());
    }
    link.disconnect().await.unwrap();
    scene.host_is_untouched();
}

#[tokio::test]
async fn directories_and_temporary_files_stay_inside() {
    let scene = Scene::new().with_place_inside();
    let link = enter(&scene.root).await;
    let from = tempfile::tempdir().unwrap();
    fs::create_dir(from.path().join("sub")).unwrap();
    fs::write(from.path().join("sub/new"), "new").unwrap();
    for name in LINKS {
        let into = format!("/srv/{name}/tree");
        link.put_dir(from.path(), &into, &PutOptions::default()).await.unwrap();
        assert_eq!(fs::read(scene.inside().join("tree/sub/new")).unwrap(), b"new");
        said(&link, &format!("rm -r {into}")).await;
        let elsewhere = plain().with_temp_dir(format!("/srv/{name}"));
        let options = PutOptions::default().with_arguments(elsewhere);
        link.put_file(Source::bytes("x"), "/srv/file", &options).await.unwrap();
        let in_it = plain().with_chdir(format!("/srv/{name}"));
        assert!(run(&link, "mkdir made && rmdir made", &in_it).await.unwrap().success());
    }
    link.disconnect().await.unwrap();
    scene.host_is_untouched();
}

#[tokio::test]
async fn no_number_of_dots_leads_out() {
    let scene = Scene::new();
    let link = enter(&scene.root).await;
    let up = "/srv/../../../../../../..";
    let path = format!("{up}{}/file", scene.outside.path().display());
    assert!(link.get_file(&path, &mut Vec::new(), &GetOptions::default()).await.is_err());
    let put = link.put_file(Source::bytes("x"), &format!("{up}/top"), &PutOptions::default()).await;
    put.unwrap();
    assert_eq!(fs::read(scene.root.path("top")).unwrap(), b"x");
    assert!(!Path::new("/top").exists());
    link.disconnect().await.unwrap();
    scene.host_is_untouched();
}
