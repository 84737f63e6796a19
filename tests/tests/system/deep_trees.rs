//! Directories that are deep: copies neither recurse nor hold each level open.

use std::path::Path;

use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{Context, Data, builtin_registry};
use hostlink_tests::keeper::Keeper;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

/// More than a process may hold open, and than fit on a thread's stack.
const LEVELS: usize = 1_600;

fn open(directory: impl std::os::fd::AsFd, path: &Path) -> std::os::fd::OwnedFd {
    openat(directory, path, OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn plant(path: &Path, levels: usize) {
    std::fs::create_dir(path).unwrap();
    let mut directory = open(CWD, path);
    for _ in 0..levels {
        mkdirat(&directory, "d", Mode::RWXU).unwrap();
        directory = open(&directory, Path::new("d"));
    }
}

fn depth(path: &Path) -> usize {
    let mut directory = open(CWD, path);
    for level in 0.. {
        match openat(&directory, "d", OFlags::DIRECTORY, Mode::empty()) {
            Ok(below) => directory = below,
            Err(_) => return level,
        }
    }
    unreachable!("it has an end")
}

#[tokio::test]
async fn a_deep_directory_goes_there_and_back() {
    let mut keeper = Keeper::start();
    let path = |name: &str| keeper.dir().join(name);
    let (from, there, back) = (path("from"), path("there"), path("back"));
    let undo = format!("rm -rf {} {} {}", from.display(), there.display(), back.display());
    assert!(keeper.make(":", &undo));
    plant(&from, LEVELS);
    let registry = builtin_registry();
    let link = registry.connect("@local", &Data::new(), &Context::default()).await.unwrap();
    link.put_dir(&*from, there.to_str().unwrap(), &PutOptions::default()).await.unwrap();
    assert_eq!(depth(&there), LEVELS);
    // The second time it is merged.
    for _ in 0..2 {
        let options = GetOptions::default();
        link.get_dir(there.to_str().unwrap(), &*back, &options).await.unwrap();
        assert_eq!(depth(&back), LEVELS);
    }
    link.disconnect().await.unwrap();
}
