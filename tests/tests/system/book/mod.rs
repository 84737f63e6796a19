//! The examples of the book: each is run, and shows what the book shows.

mod compare;
mod page;
mod scene;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hostlink_tests::container::BUSYBOX;
use hostlink_tests::rootfs::Rootfs;

use self::page::{Command, Step};
use self::scene::Scene;

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs")
}

/// Runs the examples of a chapter.
///
/// # Panics
///
/// If it has none, or one shows something else; with all of those.
fn check(chapter: &str, scene: &Scene) {
    let text = fs::read_to_string(book().join(chapter)).unwrap();
    let steps = page::read(&text);
    let outputs = scene.type_in(&steps);
    let commands = steps.iter().filter_map(|step| match step {
        Step::Command(command) => Some(command),
        Step::File { .. } => None,
    });
    let commands: Vec<&Command> = commands.collect();
    assert!(!commands.is_empty(), "{chapter} has no example");
    assert_eq!(outputs.len(), commands.len(), "{chapter}: the shell ended early: {outputs:#?}");
    let mut wrong = String::new();
    for (command, lines) in commands.into_iter().zip(outputs) {
        if !compare::matches(&command.shown, &lines, command.unordered) {
            let Command { line, text, .. } = command;
            writeln!(wrong, "docs/{chapter}:{line}: $ {text}\n{}\n", lines.join("\n")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "what appears is not what the book shows:\n\n{wrong}");
}

#[test]
fn a_planted_error_is_found() {
    let scene = Scene::start();
    let steps = page::read("```console\n$ hostlink web1 exec -- echo x\nx\n\n$ echo $?\n1\n```\n");
    let outputs = scene.type_in(&steps);
    let is_right = |(step, lines): (&Step, &Vec<String>)| match step {
        Step::Command(command) => compare::matches(&command.shown, lines, false),
        Step::File { .. } => true,
    };
    assert_eq!(steps.iter().zip(&outputs).map(is_right).collect::<Vec<_>>(), [true, false]);
}

macro_rules! chapters {
    ($($name:ident $chapter:literal)*) => {
        /// Chapters whose examples need no more than [`Scene::start`] gives.
        const PLAIN: &[&str] = &[$($chapter),*];

        $(#[test]
        fn $name() {
            check($chapter, &Scene::start());
        })*
    };
}

chapters! {
    install "install.md"
    tasks "tasks.md"
    connectors "connectors.md"
    connectors_local "connectors/local.md"
    connectors_ssh "connectors/ssh.md"
    connectors_listing "connectors/listing.md"
    inventory "inventory.md"
    many_hosts "many-hosts.md"
    ansible "ansible.md"
    privilege "privilege.md"
    pyinfra "pyinfra.md"
    troubleshooting "troubleshooting.md"
}

/// Chapters whose examples enter a root directory.
const OF_ROOTS: &[&str] = &["connectors/chroot.md", "connectors/chains.md"];

#[test]
fn connectors_chroot() {
    let (mut scene, root) = (Scene::start(), Rootfs::of(BUSYBOX));
    scene.call("/srv/root", &root.path().display().to_string());
    for chapter in OF_ROOTS {
        check(chapter, &scene);
    }
}

#[test]
fn every_chapter_with_examples_is_run() {
    let run: BTreeSet<&str> =
        [PLAIN, OF_ROOTS, &[with_docker::CHAPTER]].concat().into_iter().collect();
    let written = pages(&book()).into_iter().filter(|path| {
        fs::read_to_string(path).unwrap().lines().any(|line| line.starts_with("```console"))
    });
    let written: BTreeSet<PathBuf> = written.collect();
    assert_eq!(written, run.into_iter().map(|chapter| book().join(chapter)).collect());
}

/// The pages in a directory and in those in it.
fn pages(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] }).collect()
}

mod with_docker {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use hostlink_tests::container::{Container, DEBIAN};
    use hostlink_tests::docker_host::DOCKER_SOCKET;
    use hostlink_tests::docker_target::RemovedImage;

    use super::{Scene, check};

    pub(super) const CHAPTER: &str = "connectors/containers.md";

    #[test]
    fn connectors_containers() {
        let (mut scene, shop) = (Scene::start(), Container::start(DEBIAN));
        scene.user().join_group(fs::metadata(DOCKER_SOCKET).unwrap().gid());
        scene.call("shop", shop.name());
        scene.call("debian:12", DEBIAN);
        let _made = RemovedImage(format!("{}:next", shop.name()));
        check(CHAPTER, &scene);
    }
}
