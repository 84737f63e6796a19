//! Another user changes names under root's hands: whatever they do, nothing lands elsewhere, and
//! nothing comes from elsewhere.

mod get;
mod on_this_machine;
mod with_docker;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use hostlink::transfer::{PutOptions, Source, TEMPORARY_MARK};
use hostlink::{ConnectorArguments, Link};
use hostlink_tests::cli::wait_until;

/// Every set of tools has this many tries, half of them of directories; `--repeat 5` makes them
/// 200.
const TRIES: usize = 40;

const NOBODY: u32 = 65534;

/// A directory `race` of another user's, and one that nothing may land in.
struct Scene {
    root: tempfile::TempDir,
    /// The path of `root` on the target.
    there: String,
}

impl Scene {
    fn at(there: Option<&str>) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["race", "victim"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        chown(root.path().join("race"), Some(NOBODY), None).unwrap();
        fs::write(root.path().join("victim/secret"), "secret").unwrap();
        fs::set_permissions(root.path().join("victim"), fs::Permissions::from_mode(0o700)).unwrap();
        let there = there.map_or_else(|| root.path().display().to_string(), str::to_owned);
        Self { root, there }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Empties the directory of the race.
    fn renew_race(&self, mode: u32) {
        let race = self.path("race");
        fs::remove_dir_all(&race).unwrap();
        fs::create_dir(&race).unwrap();
        chown(&race, Some(NOBODY), None).unwrap();
        fs::set_permissions(&race, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn attack(&self, way: fn(&Path, &str)) -> Attack {
        Attack::start(self.path("race"), format!("{}/victim", self.there), way)
    }

    /// Everything of the directory that nothing may land in.
    fn assert_untouched(&self, when: &str) {
        let victim = self.path("victim");
        let names = fs::read_dir(&victim).unwrap().map(|it| it.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["secret"], "{when}");
        let found = fs::metadata(&victim).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o700), "{when}");
        assert_eq!(fs::read(victim.join("secret")).unwrap(), b"secret", "{when}");
    }

    /// Returns the leftovers of transfers.
    fn temporaries(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("race")).unwrap();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(TEMPORARY_MARK) && !name.starts_with("stolen")).collect()
    }
}

/// A thread that does something again and again.
struct Attack {
    over: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    fn start(race: PathBuf, victim: String, way: fn(&Path, &str)) -> Self {
        let (over, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = std::thread::spawn({
            let (over, rounds) = (over.clone(), rounds.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    way(&race, &victim);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let attack = Self { over, rounds, thread: Some(thread) };
        wait_until("the attack has begun", || attack.has_rounds(1));
        attack
    }

    fn end(self) {
        wait_until("the control: it is at work", || self.has_rounds(10));
    }

    fn has_rounds(&self, count: u64) -> bool {
        self.rounds.load(Ordering::Relaxed) >= count
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The destination: nothing, a symlink to the other directory, a file.
fn destination(race: &Path, victim: &str) {
    let _ = symlink(victim, race.join("link"));
    let _ = fs::rename(race.join("link"), race.join("f"));
    let _ = fs::write(race.join("file"), "theirs");
    let _ = fs::rename(race.join("file"), race.join("f"));
    let _ = fs::remove_file(race.join("f"));
}

/// The destination of a directory: nothing, a symlink, a directory with such a symlink in it.
fn directory(race: &Path, victim: &str) {
    let target = race.join("f");
    let _ = symlink(victim, &target);
    let _ = fs::remove_file(&target);
    let _ = fs::create_dir(&target);
    let _ = symlink(victim, target.join("sub"));
    let _ = fs::remove_file(target.join("sub"));
    let _ = fs::create_dir(target.join("sub"));
    let _ = fs::rename(target.join("sub"), race.join("aside"));
    let _ = fs::remove_dir_all(race.join("aside"));
    let _ = fs::remove_dir_all(&target);
}

/// A directory in the destination, which stays.
fn below(race: &Path, victim: &str) {
    let (sub, aside) = (race.join("f/sub"), race.join("aside"));
    let _ = fs::create_dir_all(&sub);
    let _ = fs::rename(&sub, &aside);
    let _ = symlink(victim, &sub);
    let _ = fs::remove_file(&sub);
    let _ = fs::rename(&aside, &sub);
}

/// Replaces the file that a transfer has just made beside the destination by a symlink.
fn temporary(race: &Path, victim: &str) {
    let ours = format!(".f{TEMPORARY_MARK}");
    for entry in fs::read_dir(race).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(&ours) && !entry.file_type().is_ok_and(|it| it.is_symlink()) {
            let _ = fs::rename(entry.path(), race.join(format!("stolen{name}")));
            let _ = symlink(victim, entry.path());
        }
    }
}

fn options(arguments: &ConnectorArguments) -> PutOptions {
    PutOptions::default().with_arguments(arguments.clone())
}

/// One step of an attacker, with the directory of the race and the name of the victim.
type Step = fn(&Path, &str);

/// Puts files and directories while each of the attacks is at work. It may fail, but it must be
/// able to succeed, too.
async fn race(scene: &Scene, link: &Link, arguments: &ConnectorArguments) {
    let to = format!("{}/race/f", scene.there);
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join("sub")).unwrap();
    for name in ["one", "sub/two", "sub/secret"] {
        fs::write(tree.path().join(name), name).unwrap();
    }
    let attacks: [(&str, Step); 4] = [
        ("destination", destination),
        ("directory", directory),
        ("below", below),
        ("temporary", temporary),
    ];
    for (name, way) in attacks {
        let attack = scene.attack(way);
        for number in 0..TRIES / attacks.len() / 2 {
            let source = if number % 2 == 0 {
                Source::bytes("content")
            } else {
                Source::reader(&b"content"[..])
            };
            let _ = link.put_file(source, &to, &options(arguments)).await;
            scene.assert_untouched(&format!("put {number} and {name}"));
            let _ = link.put_dir(tree.path(), &to, &options(arguments)).await;
            scene.assert_untouched(&format!("put -r {number} and {name}"));
        }
        attack.end();
        scene.renew_race(0o755);
    }
    link.put_file(Source::bytes("x"), &to, &options(arguments)).await.unwrap();
    assert_eq!(fs::read(scene.path("race/f")).unwrap(), b"x", "the control");
    fs::remove_file(scene.path("race/f")).unwrap();
    link.put_dir(tree.path(), &to, &options(arguments)).await.unwrap();
    link.put_dir(tree.path(), &to, &options(arguments)).await.unwrap();
    assert_eq!(fs::read(scene.path("race/f/sub/two")).unwrap(), b"sub/two", "the control");
    assert_eq!(scene.temporaries(), [""; 0]);
}
