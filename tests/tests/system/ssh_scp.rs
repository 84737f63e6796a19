//! Files through the target's scp, where the user requests it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostlink::transfer::{GetOptions, PutOptions, Sink, Source};
use hostlink::{ConnectorArguments, ErrorKind, Link};
use hostlink_tests::cli::becomes_true;
use hostlink_tests::ssh_target::{Details, SshTarget, said};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

/// A server on which `scp` is this script. It may use `$SCP`, the real one, and `$LOG`, a file.
struct Scp {
    target: SshTarget,
    programs: TempDir,
}

/// The real scp, which adds a line per use.
const REAL: &str = "printf '%s\\n' \"$1 $2\" >>\"$LOG\"\nexec \"$SCP\" \"$@\"\n";

impl Scp {
    fn as_user(user: &str, script: &str) -> Self {
        let programs = tempfile::tempdir().unwrap();
        fs::set_permissions(programs.path(), Permissions::from_mode(0o755)).unwrap();
        let (scp, log) = (programs.path().join("scp"), programs.path().join("log"));
        let head = format!("#!/bin/sh\nSCP=/usr/bin/scp\nLOG={}\n", log.display());
        fs::write(&scp, head + script).unwrap();
        fs::set_permissions(&scp, Permissions::from_mode(0o755)).unwrap();
        fs::write(&log, "").unwrap();
        fs::set_permissions(&log, Permissions::from_mode(0o666)).unwrap();
        Self {
            target: with_path(user, &format!("{}:/usr/bin:/bin", programs.path().display())),
            programs,
        }
    }

    fn start(script: &str) -> Self {
        Self::as_user("root", script)
    }

    /// Returns the arguments of its calls since the last call of this.
    fn calls(&self) -> Vec<String> {
        let log = self.programs.path().join("log");
        let lines = fs::read_to_string(&log).unwrap().lines().map(String::from).collect();
        fs::write(&log, "").unwrap();
        lines
    }
}

fn with_path(user: &str, path: &str) -> SshTarget {
    let criteria = format!("User {user}");
    let builder =
        Sshd::builder().config_where(&criteria, &format!("SetEnv HOME=/nonexistent PATH={path}"));
    SshTarget::as_user(user, builder).with("ssh_file_transfer_protocol", "scp")
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

async fn put(link: &Link, content: &[u8], path: &Path) -> hostlink::Result<()> {
    let path = path.to_str().unwrap();
    link.put_file(content.to_vec(), path, &PutOptions::default()).await.map(drop)
}

async fn got(link: &Link, path: &Path) -> hostlink::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    link.get_file(path.to_str().unwrap(), &mut bytes, &GetOptions::default()).await.map(|_| bytes)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    entries.map(|it| it.file_name().into_string().unwrap()).collect()
}

/// Makes a directory with one file, which contains `old`.
fn old_file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "old").unwrap();
    (directory, path)
}

fn is_untouched(path: &Path) -> bool {
    names(path.parent().unwrap()) == ["file"] && fs::read(path).unwrap() == b"old"
}

#[tokio::test]
async fn files_of_any_length_go_through_scp_there_and_back() {
    let scp = Scp::start(REAL);
    let link = scp.target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (directory.path().join("here"), directory.path().join("there"));
    for length in [0, 1, 1 << 20, 64 << 20] {
        let content = random(length);
        put(&link, &content, &there).await.unwrap();
        assert!(fs::read(&there).unwrap() == content);
        assert_eq!(scp.calls(), ["-t /proc/self/fd/3"]);
        let path = there.to_str().unwrap();
        let done = link.get_file(path, here.clone(), &GetOptions::default()).await.unwrap();
        assert_eq!(done.bytes, length as u64);
        assert!(fs::read(&here).unwrap() == content);
        assert_eq!(scp.calls(), [format!("-f {path}")]);
        assert!(got(&link, &there).await.unwrap() == content);
        scp.calls();
    }
    assert_eq!(names(directory.path()).len(), 2);
    link.disconnect().await.unwrap();
    // The control: scp is used only on request.
    for way in ["auto", "sftp", "stream"] {
        let mut other = Scp::start(REAL);
        other.target.data.insert("ssh_file_transfer_protocol", way);
        let link = other.target.connect().await;
        put(&link, b"x", &there).await.unwrap();
        got(&link, &there).await.unwrap();
        assert_eq!(other.calls(), Vec::<String>::new(), "{way}");
        link.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn names_of_any_characters_go_through_scp() {
    let scp = Scp::start(REAL);
    let link = scp.target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(255);
    let odd = [
        "a b", "'", "\"", "a\nb", "-r", "--", "$HOME", "`id`", "*", "a:b", "[::1]:x", "\\", "~",
        "ä€", "%s", ";", "\r", "\x1b[0m", &long,
    ];
    for name in odd {
        let path = directory.path().join(name);
        put(&link, name.as_bytes(), &path).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), name.as_bytes(), "{name:?}");
        assert_eq!(got(&link, &path).await.unwrap(), name.as_bytes(), "{name:?}");
        let calls = scp.calls().join("\n");
        assert!(calls.starts_with("-t ") && calls.contains("\n-f "), "{name:?}: {calls}");
    }
    assert_eq!(names(directory.path()).len(), odd.len());
    // From the directory that commands start in.
    let place = ConnectorArguments::new().with_chdir(directory.path().to_str().unwrap());
    let options = PutOptions::default().with_arguments(place.clone());
    link.put_file(b"relative".to_vec(), "-r", &options).await.unwrap();
    let (mut bytes, options) = (Vec::new(), GetOptions::default().with_arguments(place));
    link.get_file("-r", &mut bytes, &options).await.unwrap();
    assert_eq!(bytes, b"relative");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn modes_times_and_symlinks_are_kept_as_everywhere() {
    let scp = Scp::start(REAL);
    let link = scp.target.connect().await;
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    let [source, fresh, old, through, to, copy] =
        ["source", "fresh", "old", "link", "to", "copy"].map(|name| directory.path().join(name));
    fs::write(&source, "new").unwrap();
    fs::set_permissions(&source, Permissions::from_mode(0o751)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    fs::File::options().append(true).open(&source).unwrap().set_modified(time).unwrap();
    let put = async |to: &Path, options: &PutOptions| {
        link.put_file(source.clone(), to.to_str().unwrap(), options).await.unwrap();
        assert_eq!(scp.calls().len(), 1);
    };
    let plain = PutOptions::default();
    put(&fresh, &plain).await;
    assert_eq!(mode(&fresh), 0o751 & !0o022, "less the umask");
    fs::write(&old, "old").unwrap();
    fs::set_permissions(&old, Permissions::from_mode(0o604)).unwrap();
    std::os::unix::fs::chown(&old, Some(12), Some(34)).unwrap();
    put(&old, &plain).await;
    let now = fs::metadata(&old).unwrap();
    assert_eq!((mode(&old), now.uid(), now.gid()), (0o604, 12, 34));
    put(&old, &plain.clone().with_mode(0o4711)).await;
    assert_eq!(mode(&old), 0o4711);
    put(&old, &plain.clone().with_preserve(true)).await;
    assert_eq!((mode(&old), fs::metadata(&old).unwrap().modified().unwrap()), (0o751, time));
    fs::write(&to, "to").unwrap();
    symlink(&to, &through).unwrap();
    put(&through, &plain).await;
    assert!(through.is_symlink() && fs::read(&to).unwrap() == b"new");
    put(&through, &plain.clone().with_follow(false)).await;
    assert!(!through.is_symlink());
    let options = GetOptions::default().with_preserve(true);
    link.get_file(old.to_str().unwrap(), copy.clone(), &options).await.unwrap();
    assert_eq!((mode(&copy), fs::metadata(&copy).unwrap().modified().unwrap()), (0o751, time));
    assert_eq!(scp.calls().len(), 1);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_stored_or_read_is_a_clear_error() {
    let user = TestUser::create("/bin/sh");
    let scp = Scp::as_user(user.name(), REAL);
    let link = scp.target.connect().await;
    let (root, secret) = old_file();
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let home = user.home();
    let cases = [
        (root.path().join("new"), ErrorKind::PermissionDenied, ErrorKind::NotFound),
        (secret.clone(), ErrorKind::PermissionDenied, ErrorKind::PermissionDenied),
        (home.join("missing/file"), ErrorKind::NotFound, ErrorKind::NotFound),
        (home.clone(), ErrorKind::IsADirectory, ErrorKind::IsADirectory),
    ];
    let before = names(&home);
    for (path, putting, getting) in cases {
        let error = put(&link, b"new", &path).await.unwrap_err();
        assert_eq!(error.kind(), putting, "{error:?}");
        let error = got(&link, &path).await.unwrap_err();
        assert_eq!(error.kind(), getting, "{error:?}");
    }
    assert!(is_untouched(&secret));
    assert_eq!(names(&home), before);
    // More or less than announced.
    let path = home.join("file");
    put(&link, b"old", &path).await.unwrap();
    for length in [2, 3_000_000, 3_000_002] {
        let source = Source::sized_reader(std::io::Cursor::new(random(3_000_001)), length);
        let error = link.put_file(source, path.to_str().unwrap(), &PutOptions::default()).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transfer, "{error:?}");
        assert!(error.to_string().contains("not what was announced"), "{error}");
        assert_eq!(
            (fs::read(&path).unwrap(), names(&home).len()),
            (b"old".into(), before.len() + 1)
        );
    }
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn what_is_not_for_scp_goes_through_cat() {
    let scp = Scp::start(REAL);
    let details = Details::default();
    let link = scp.target.connect_in(&details.context()).await.unwrap();
    let (_directory, path) = old_file();
    let there = path.to_str().unwrap();
    let unsized_source = Source::reader(std::io::Cursor::new(b"new".to_vec()));
    link.put_file(unsized_source, there, &PutOptions::default()).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    // Their sizes are not those of their content.
    for odd in ["/proc/version", "/sys/kernel/notes", "/sys/kernel/fscaps"].map(Path::new) {
        let content = fs::read(odd).unwrap();
        assert_eq!(got(&link, odd).await.unwrap(), content, "{odd:?}");
        assert_ne!(content, b"", "the control");
    }
    link.put_file(b"x".to_vec(), "/dev/null", &PutOptions::default()).await.unwrap();
    let privileged = ConnectorArguments::new().with_sudo(true);
    let options = PutOptions::default().with_arguments(privileged);
    link.put_file(b"root".to_vec(), there, &options).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"root");
    let calls: Vec<_> = scp.calls().into_iter().filter(|it| !it.contains("/sys/")).collect();
    assert_eq!(calls, Vec::<String>::new());
    assert_eq!(details.with("scp"), Vec::<String>::new(), "nothing is missing");
    got(&link, &path).await.unwrap();
    assert_eq!(scp.calls().len(), 1, "the control");
    link.disconnect().await.unwrap();
}

/// Without a wrapper: processes below sshd.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_is_dropped_midway_ends_scp_and_leaves_nothing() {
    let target = SshTarget::start(Sshd::builder()).with("ssh_file_transfer_protocol", "scp");
    let sshd = std::sync::Arc::new(target.sshd);
    let runs = async |wanted: bool| {
        let sshd = sshd.clone();
        let seen = move || sshd.descendants().iter().any(|it| it.name == "scp") == wanted;
        spawn_blocking(|| becomes_true(seen)).await.unwrap()
    };
    let context = hostlink::Context::default();
    let name = sshd.address().to_string();
    let link = hostlink::builtin_registry().connect(&name, &target.data, &context).await.unwrap();
    let (_directory, path) = old_file();
    let there = path.display().to_string();
    let (mut feed, source) = tokio::io::duplex(1 << 20);
    let putting = {
        let (link, there) = (link.clone(), there.clone());
        let source = Source::sized_reader(source, 1 << 30);
        tokio::spawn(async move { link.put_file(source, &there, &PutOptions::default()).await })
    };
    feed.write_all(&vec![b'x'; 8 << 20]).await.unwrap();
    assert!(runs(true).await, "the control: scp takes it");
    assert_eq!(names(path.parent().unwrap()).len(), 2, "the control: a part is there");
    putting.abort();
    assert!(runs(false).await);

    let huge = tempfile::NamedTempFile::new().unwrap();
    huge.as_file().set_len(1 << 30).unwrap();
    let from = huge.path().display().to_string();
    let getting = {
        let link = link.clone();
        let (mut stuck, _kept) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let _kept = _kept;
            link.get_file(&from, Sink::Writer(&mut stuck), &GetOptions::default()).await
        })
    };
    assert!(runs(true).await, "the control: scp gives it");
    getting.abort();
    assert!(runs(false).await);
    link.disconnect().await.unwrap();
    assert!(is_untouched(&path));
}

#[tokio::test]
async fn without_scp_files_go_through_cat_and_that_is_said_once() {
    let programs = tempfile::tempdir().unwrap();
    for entry in fs::read_dir("/usr/bin").unwrap().flatten().filter(|it| it.file_name() != "scp") {
        symlink(entry.path(), programs.path().join(entry.file_name())).unwrap();
    }
    let target = with_path("root", &programs.path().display().to_string());
    let details = Details::default();
    let link = target.connect_in(&details.context()).await.unwrap();
    assert_eq!(said(&link, "command -v scp || echo none").await, "none\n", "the control");
    let (_directory, path) = old_file();
    for content in [random(0), random(1), random(3_000_000)] {
        put(&link, &content, &path).await.unwrap();
        assert!(fs::read(&path).unwrap() == content);
        assert!(got(&link, &path).await.unwrap() == content);
    }
    assert_eq!(details.with("no scp there").len(), 1);
    link.disconnect().await.unwrap();
    let link = target.connect_in(&details.context()).await.unwrap();
    got(&link, &path).await.unwrap();
    assert_eq!(details.with("no scp there").len(), 2, "once for each connection, by a get too");
    link.disconnect().await.unwrap();
}

/// What `scp` does instead of its work.
const LIARS: [(&str, &str); 9] = [
    ("says and does nothing", ":"),
    ("fails", "exit 1"),
    ("takes and stores nothing", r"printf '\0\0\0'; cat >/dev/null"),
    ("stores too little", r#"printf '\0\0\0'; cat >/dev/null; echo x >"$2""#),
    ("refuses", r"printf '\001scp: no\n'; exit 1"),
    ("never ends its line", "head -c 10000000 /dev/zero | tr '\\0' C"),
    ("sends less", r"printf 'C0644 9 file\nabc'"),
    ("sends more", r"printf 'C0644 2 file\nabcdef\0'"),
    ("sends a directory", r"printf 'D0755 0 ../x\nC0644 3 y\nabc\0E\n'"),
];

#[tokio::test]
async fn an_scp_that_lies_spoils_nothing() {
    for (what, script) in LIARS {
        let scp = Scp::start(&format!("{script}\n"));
        let link = scp.target.connect().await;
        let ((_there, there), (_here, here)) = (old_file(), old_file());
        for length in [5, 3_000_000] {
            let error = put(&link, &random(length), &there).await.unwrap_err();
            println!("{what}: {error}");
            assert_eq!(error.kind(), ErrorKind::Transfer, "{what}: {error:?}");
            assert!(is_untouched(&there), "{what}");
        }
        let path = there.to_str().unwrap();
        let error = link.get_file(path, here.clone(), &GetOptions::default()).await.unwrap_err();
        println!("{what}: {error}");
        assert_eq!(error.kind(), ErrorKind::Transfer, "{what}: {error:?}");
        assert!(is_untouched(&here), "{what}");
        link.disconnect().await.unwrap();
    }
}
