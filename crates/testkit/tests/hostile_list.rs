//! A target without tar that sends a false directory listing.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not what they call"
)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use async_trait::async_trait;
use hostlink_core::transfer::GetOptions;
use hostlink_core::{
    CommandOutput, Connection, Context, Error, ErrorKind, ExitStatus, Link, Outcome, OutputLine,
    Process, Result, Script, SpawnOptions, Stream,
};
use hostlink_testkit::finished;

/// Answers the scripts that read a directory file by file; `list` is the listing it sends.
#[derive(Debug)]
struct Liar {
    list: String,
}

impl Liar {
    /// Takes entries of kind, mode, path and symlink target.
    fn new(entries: &[(&str, &str, &str, &str)]) -> Self {
        let entry = |(kind, mode, path, link): &(&str, &str, &str, &str)| {
            format!("{kind} {mode} 1000000000\0{path}\0{link}\0")
        };
        Self { list: entries.iter().map(entry).collect() }
    }

    fn answer(&self, script: &str) -> Vec<String> {
        let random = script.split("\nr=").nth(1).and_then(|rest| rest.split('\n').next());
        let end = format!("hl {} 000", random.expect("each script has its random word"));
        if script.contains("walk()") {
            vec!["hl ok 0 0".into(), self.list.clone(), end]
        } else if script.contains("tar -cf") {
            vec!["hl notar 755 1000000000".into()]
        } else {
            vec!["hl ok 644 1000000000".into(), "planted".into(), end]
        }
    }
}

#[async_trait]
impl Connection for Liar {
    async fn spawn(&self, script: &Script, _options: &SpawnOptions) -> Result<Process> {
        let lines = self.answer(script.display()).into_iter();
        let lines = lines.map(|line| OutputLine { stream: Stream::Stdout, line });
        let output = CommandOutput::from_lines(lines, ExitStatus::Code(0), Duration::ZERO);
        Ok(finished(script, output))
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }
}

async fn get(entries: &[(&str, &str, &str, &str)]) -> (tempfile::TempDir, Result<(), Error>) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("parent")).unwrap();
    fs::write(root.path().join("outside"), "old").unwrap();
    let link = Link::new(Box::new(Liar::new(entries)), "liar", Context::default());
    let got = link.get_dir("/etc", root.path().join("parent/new"), &GetOptions::default()).await;
    (root, got.map(|_| ()))
}

async fn expect_refusal(entries: &[(&str, &str, &str, &str)]) {
    let (root, got) = get(entries).await;
    let error = got.expect_err("it was accepted");
    assert_eq!(error.kind(), ErrorKind::Transfer, "{error:?}");
    assert!(error.to_string().contains("is refused"), "{error}");
    assert_eq!(fs::read(root.path().join("outside")).unwrap(), b"old");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "something was made outside");
    assert_eq!(fs::read_dir(root.path().join("parent")).unwrap().count(), 0, "something is left");
}

#[tokio::test]
async fn an_honest_list_is_taken() {
    let entries =
        [("d", "750", "sub", ""), ("f", "644", "sub/file", ""), ("l", "777", "link", "../outside")];
    let (root, got) = get(&entries).await;
    got.unwrap();
    let to = root.path().join("parent/new");
    assert_eq!(fs::read(to.join("sub/file")).unwrap(), b"planted");
    assert!(to.join("link").is_symlink());
}

#[tokio::test]
async fn a_path_that_leads_out_is_refused() {
    for path in ["../x", "../../outside", "/tmp/hl-hostile", "sub/../../x"] {
        expect_refusal(&[("d", "755", "sub", ""), ("f", "644", path, "")]).await;
        expect_refusal(&[("d", "755", "sub", ""), ("l", "777", path, "/etc")]).await;
        expect_refusal(&[("d", "755", "sub", ""), ("d", "755", path, "")]).await;
    }
}

#[tokio::test]
async fn a_file_through_or_instead_of_a_symlink_is_refused() {
    expect_refusal(&[("l", "777", "link", ".."), ("f", "644", "link/x", "")]).await;
    expect_refusal(&[("l", "777", "link", "../../outside"), ("f", "644", "link", "")]).await;
    expect_refusal(&[("l", "777", "link", ".."), ("d", "755", "link", "")]).await;
}

#[tokio::test]
async fn what_is_no_file_is_left_out_and_set_id_bits_are_dropped() {
    let (root, got) = get(&[("o", "644", "device", ""), ("f", "6755", "file", "")]).await;
    got.unwrap();
    let to = root.path().join("parent/new");
    let names = fs::read_dir(&to).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["file"]);
    assert_eq!(fs::metadata(to.join("file")).unwrap().mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn a_file_that_comes_twice_is_refused() {
    expect_refusal(&[("f", "644", "file", ""), ("f", "644", "file", "")]).await;
}
