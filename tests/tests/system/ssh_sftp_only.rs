//! Directories on accounts that have SFTP, and start no command (`ForceCommand internal-sftp`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use hostlink::transfer::{GetOptions, PutOptions, Route, Source, TEMPORARY_MARK};
use hostlink::{ErrorKind, Link};
use hostlink_tests::cli::{becomes_true, code, hostlink, run, stderr, stdout};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::{Sshd, Subsystem};
use hostlink_tests::user::TestUser;
use serde_json::Value;
use tokio::task::spawn_blocking;

/// An account for SFTP alone; `more` are further lines of its `Match` block.
fn account(user: &TestUser, more: &str) -> SshTarget {
    let forced = format!("ForceCommand internal-sftp\n{more}");
    let builder = Sshd::builder()
        .subsystem(Subsystem::InternalSftp)
        .config_where(&format!("User {}", user.name()), &forced);
    SshTarget::as_user(user.name(), builder)
}

/// Makes a directory with files of every kind, one of them large.
fn tree() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("tree");
    fs::create_dir_all(root.join("sub/deep")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::create_dir(root.join("read-only")).unwrap();
    fs::write(root.join("read-only/file"), "kept").unwrap();
    fs::write(root.join("sub/deep/it's Ümläut"), vec![7; 9 << 20]).unwrap();
    for number in 0..40 {
        fs::write(root.join(format!("sub/{number}")), format!("content {number}")).unwrap();
    }
    fs::write(root.join(".hidden"), "").unwrap();
    symlink("/etc/passwd", root.join("sub/link")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    let made = Command::new("mkfifo").arg(root.join("fifo")).status().unwrap();
    assert!(made.success());
    set(&root.join(".hidden"), 0o600);
    set(&root.join("sub/1"), 0o755);
    set(&root.join("sub"), 0o750);
    set(&root.join("read-only"), 0o555);
    set(&root, 0o711);
    (place, root)
}

fn set(path: &Path, mode: u32) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    File::open(path).unwrap().set_modified(time).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Returns all that is in a directory, and the directory itself. Some of it may vanish meanwhile.
fn walk(root: &Path) -> Vec<(PathBuf, Metadata)> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(name) = pending.pop() {
        let Ok(metadata) = root.join(&name).symlink_metadata() else { continue };
        if metadata.is_dir() {
            let entries = fs::read_dir(root.join(&name)).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| name.join(entry.file_name())));
        }
        found.push((name, metadata));
    }
    found
}

/// Returns the mode, the time, which is 0 for symlinks, and the content of all but FIFOs.
fn listed(root: &Path) -> Listed {
    let of = |(name, found): (PathBuf, Metadata)| {
        let path = root.join(&name);
        let value = match found.file_type() {
            kind if kind.is_fifo() => return None,
            kind if kind.is_dir() => (found.mode(), found.mtime(), Vec::new()),
            kind if kind.is_symlink() => {
                (0, 0, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
            }
            _ => (found.mode(), found.mtime(), fs::read(&path).unwrap()),
        };
        Some((name, value))
    };
    walk(root).into_iter().filter_map(of).collect()
}

type Listed = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

/// Fails with the names of what differs.
fn expect_same(found: &Listed, wanted: &Listed) {
    let names: BTreeSet<_> = found.keys().chain(wanted.keys()).collect();
    let differ = |name: &&&PathBuf| found.get(**name) != wanted.get(**name);
    let names: Vec<_> = names.iter().filter(differ).collect();
    assert!(names.is_empty(), "{names:?}");
}

/// Returns the hidden files and directories of hostlink's below `root`.
fn leftovers(root: &Path) -> Vec<PathBuf> {
    let names = walk(root).into_iter().map(|(name, _)| name);
    names.filter(|name| name.to_string_lossy().contains(TEMPORARY_MARK)).collect()
}

async fn put(link: &Link, from: &Path, to: &Path) -> hostlink::Result<Route> {
    let options = PutOptions::default().with_preserve(true);
    let put = link.put_dir(from, to.to_str().unwrap(), &options).await;
    put.map(|done| done.route)
}

#[tokio::test]
async fn a_directory_goes_there_and_back_as_it_is() {
    let user = TestUser::create("/bin/sh");
    let (_place, tree) = tree();
    let target = account(&user, "");
    let link = target.connect().await;
    let there = user.home().join("there");
    assert_eq!(put(&link, &tree, &there).await.unwrap(), Route::Sftp);
    expect_same(&listed(&there), &listed(&tree));
    assert_eq!(fs::metadata(there.join("sub")).unwrap().uid(), user.uid());

    let back = tempfile::tempdir().unwrap();
    let back = back.path().join("back");
    let path = there.to_str().unwrap();
    let got = link.get_dir(path, &back, &GetOptions::default().with_preserve(true)).await.unwrap();
    let size: usize = listed(&tree).values().filter(|it| it.0 != 0).map(|it| it.2.len()).sum();
    assert_eq!((got.route, got.bytes), (Route::Sftp, size as u64));
    expect_same(&listed(&back), &listed(&tree));
    let home = user.home();
    assert!(leftovers(&home).is_empty(), "{:?}", leftovers(&home));
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_there_is_merged_with_nothing_passed_through_a_symlink() {
    let user = TestUser::create("/bin/sh");
    let (_place, tree) = tree();
    let target = account(&user, "");
    let link = target.connect().await;
    let (there, elsewhere) = (user.home().join("there"), user.home().join("elsewhere"));
    for directory in [&there, &elsewhere, &there.join("sub")] {
        fs::create_dir(directory).unwrap();
        chown(directory, Some(user.uid()), None).unwrap();
    }
    symlink(&elsewhere, there.join("empty")).unwrap();
    fs::write(there.join("sub/1"), "old").unwrap();
    fs::write(there.join("sub/other"), "stays").unwrap();
    set(&there, 0o700);

    let mut before = listed(&user.home());
    let error = put(&link, &tree, &there).await.unwrap_err();
    assert!(error.to_string().contains("there/empty has something else in the way"), "{error}");
    let mut after = listed(&user.home());
    // A hidden directory was made in it.
    let there_before = before.remove(Path::new("there")).unwrap();
    assert_eq!(after.remove(Path::new("there")).unwrap().0, there_before.0);
    expect_same(&after, &before);

    fs::remove_file(there.join("empty")).unwrap();
    // A symlink is replaced by a file, and not followed.
    fs::write(elsewhere.join("file"), "elsewhere").unwrap();
    symlink(elsewhere.join("file"), there.join("sub/2")).unwrap();
    set(&there, 0o700);
    set(&there.join("sub"), 0o700);
    assert_eq!(put(&link, &tree, &there).await.unwrap(), Route::Sftp);
    assert_eq!(fs::read(elsewhere.join("file")).unwrap(), b"elsewhere");
    let (mut wanted, mut found) = (listed(&tree), listed(&there));
    assert_eq!(found.remove(Path::new("sub/other")).unwrap().2, b"stays");
    for (name, mode) in [("", 0o700), ("sub", 0o700)] {
        // A directory that is there keeps its mode, and its time is new.
        let name = Path::new(name);
        assert_eq!(found.remove(name).unwrap().0 & 0o777, mode);
        wanted.remove(name);
    }
    expect_same(&found, &wanted);

    // The same directory by the name of a symlink.
    let by_link = user.home().join("by-link");
    symlink(&there, &by_link).unwrap();
    fs::remove_file(there.join("sub/1")).unwrap();
    set(&there.join("read-only"), 0o755);
    assert_eq!(put(&link, &tree, &by_link).await.unwrap(), Route::Sftp);
    assert!(by_link.is_symlink());
    assert_eq!(fs::read(there.join("sub/1")).unwrap(), b"content 1");
    assert!(leftovers(&user.home()).is_empty(), "{:?}", leftovers(&user.home()));
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn the_umask_applies_unless_modes_are_preserved() {
    let user = TestUser::create("/bin/sh");
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("sub/file"), "content").unwrap();
    for (name, mode) in [("sub/file", 0o666), ("sub", 0o777), ("", 0o777)] {
        set(&tree.join(name), mode);
    }
    let forced = "ForceCommand internal-sftp -u 0027";
    let builder = Sshd::builder()
        .subsystem(Subsystem::InternalSftp)
        .config_where(&format!("User {}", user.name()), forced);
    let target = SshTarget::as_user(user.name(), builder);
    let link = target.connect().await;
    let plain = PutOptions::default();
    for (options, modes) in [
        (plain.clone(), [0o640, 0o750, 0o750]),
        (plain.clone().with_mode(0o707), [0o640, 0o750, 0o707]),
        (plain.with_preserve(true), [0o666, 0o777, 0o777]),
    ] {
        let there = user.home().join("there");
        link.put_dir(&tree, there.to_str().unwrap(), &options).await.unwrap();
        let found = ["sub/file", "sub", ""].map(|name| {
            let found = fs::metadata(there.join(name)).unwrap();
            assert_eq!(found.mtime(), 1_234_567_890, "{name}");
            found.mode() & 0o7777
        });
        assert_eq!(found, modes);
        fs::remove_dir_all(there).unwrap();
    }
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_user_that_is_confined_to_a_directory_has_both_ways() {
    let user = TestUser::create("/usr/sbin/nologin");
    let (_place, tree) = tree();
    // Owned by root all the way, as sshd requires.
    let mut builder = tempfile::Builder::new();
    let open = builder.prefix("hlt-").permissions(Permissions::from_mode(0o755));
    let root = open.tempdir_in("/var/lib").unwrap();
    let upload = root.path().join("upload");
    fs::create_dir(&upload).unwrap();
    chown(&upload, Some(user.uid()), None).unwrap();
    let chroot = format!("ChrootDirectory {}", root.path().display());
    let target = account(&user, &chroot);
    let link = target.connect().await;

    assert_eq!(put(&link, &tree, Path::new("/upload")).await.unwrap(), Route::Sftp);
    assert_eq!(put(&link, &tree, Path::new("/upload/new")).await.unwrap(), Route::Sftp);
    let mut found = listed(&upload);
    found.retain(|name, _| !name.starts_with("new") && name != Path::new(""));
    let mut wanted = listed(&tree);
    expect_same(&listed(&upload.join("new")), &wanted);
    wanted.remove(Path::new(""));
    expect_same(&found, &wanted);

    let back = tempfile::tempdir().unwrap();
    let copy = back.path().join("copy");
    let options = GetOptions::default().with_preserve(true);
    link.get_dir("/upload/new", &copy, &options).await.unwrap();
    expect_same(&listed(&copy), &listed(&tree));

    for (path, kind) in [
        ("/not-here", ErrorKind::PermissionDenied),
        ("/nowhere/new", ErrorKind::NotFound),
        ("/upload/.hidden", ErrorKind::Transfer),
    ] {
        let error = put(&link, &tree, Path::new(path)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
    }
    for (path, says) in [("/nowhere", "is not there"), ("/upload/sub/1", "is not a directory")] {
        let error = link.get_dir(path, back.path(), &GetOptions::default()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{path}: {error}");
    }
    assert!(leftovers(root.path()).is_empty(), "{:?}", leftovers(root.path()));
    link.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_dropped_leaves_nothing() {
    let user = TestUser::create("/bin/sh");
    let (_place, tree) = tree();
    // More than a test can move.
    File::create(tree.join("sub/huge")).unwrap().set_len(1 << 40).unwrap();
    let target = account(&user, "");
    let link = target.connect().await;
    let home = user.home();
    let is_under_way = |root: PathBuf| async move {
        let size = move || walk(&root).iter().map(|(_, found)| found.len()).sum::<u64>();
        spawn_blocking(move || becomes_true(|| size() > 20 << 20)).await.unwrap()
    };
    for existing in [false, true] {
        let there = home.join("there");
        if existing {
            fs::create_dir(&there).unwrap();
            chown(&there, Some(user.uid()), None).unwrap();
        }
        tokio::select! {
            put = put(&link, &tree, &there) => panic!("{put:?}"),
            moves = is_under_way(home.clone()) => assert!(moves, "the control: it moves"),
        }
        let nothing_is_left = || leftovers(&home).is_empty();
        assert!(tokio::task::block_in_place(|| becomes_true(nothing_is_left)), "{existing}");
        assert_eq!(there.exists(), existing);
        assert!(!existing || fs::read_dir(&there).unwrap().count() == 0);
    }

    let from = home.join("from");
    fs::create_dir(&from).unwrap();
    File::create(from.join("huge")).unwrap().set_len(1 << 40).unwrap();
    let here = tempfile::tempdir().unwrap();
    let (path, copy) = (from.to_str().unwrap().to_owned(), here.path().join("copy"));
    let options = GetOptions::default();
    tokio::select! {
        got = link.get_dir(&path, &copy, &options) => panic!("{got:?}"),
        moves = is_under_way(here.path().to_owned()) => assert!(moves, "the control: it moves"),
    }
    link.disconnect().await.unwrap();
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_else_is_refused_keeps_its_reason() {
    // Neither a shell nor SFTP, which needs the shell here.
    let user = TestUser::create("/usr/sbin/nologin");
    let (_place, tree) = tree();
    let target = SshTarget::as_user(user.name(), Sshd::builder());
    let link = target.connect().await;
    let error = put(&link, &tree, &user.home().join("there")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(error.to_string().contains("not available"), "{error}");
    let here = tempfile::tempdir().unwrap();
    let got = link.get_dir("/etc", here.path().join("copy"), &GetOptions::default()).await;
    assert_eq!(got.unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    link.disconnect().await.unwrap();

    // A file that grows or a name that is not UTF-8 is no reason to hang or to leave something.
    let user = TestUser::create("/bin/sh");
    let target = account(&user, "");
    let link = target.connect().await;
    let name = OsStr::from_bytes(b"\xff");
    fs::write(tree.join(name), "x").unwrap();
    let error = put(&link, &tree, &user.home().join("there")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    fs::create_dir(user.home().join("from")).unwrap();
    fs::write(user.home().join("from").join(name), "x").unwrap();
    let from = user.home().join("from").display().to_string();
    let got = link.get_dir(&from, here.path().join("copy"), &GetOptions::default()).await;
    assert_eq!(got.unwrap_err().kind(), ErrorKind::Unsupported);
    let put = link.put_file(Source::bytes("x"), "file", &PutOptions::default()).await;
    assert_eq!(put.unwrap().route, Route::Sftp, "the session goes on");
    assert!(leftovers(&user.home()).is_empty(), "{:?}", leftovers(&user.home()));
    link.disconnect().await.unwrap();
}

#[test]
fn the_command_says_which_route_it_took() {
    let user = TestUser::create("/bin/sh");
    let (_place, tree) = tree();
    let target = account(&user, "");
    let there = user.home().join("there").display().to_string();
    let with = |words: &[&str]| {
        let mut all = target.words();
        all.splice(0..0, words[..1].iter().map(|it| (*it).to_owned()));
        all.extend(words[1..].iter().map(|it| (*it).to_owned()));
        run(hostlink(all))
    };
    let tree = tree.to_str().unwrap();
    let output = with(&["--json", "put", "-r", tree, &there]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let object: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&object["route"], &object["success"]), (&"sftp".into(), &true.into()), "{object}");
    assert!(stderr(&output).contains("fifo is no file and is left out"), "{}", stderr(&output));

    let here = tempfile::tempdir().unwrap();
    let copy = here.path().join("copy").display().to_string();
    let output = with(&["-v", "get", "-r", &there, &copy]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for said in ["no shell there: the directory goes file by file", " bytes over SFTP\n"] {
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}
