//! The test program as its own child: a transfer that can be killed, and memory that can be
//! measured.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hostlink_core::transfer::{GetOptions, PutOptions, Sink, Source};
use hostlink_core::{Context, Link, RunOptions};
use tokio::io::{AsyncWriteExt, DuplexStream, repeat};
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};

use crate::fixture::Fixture;
use crate::scene::Scene;
use crate::settings::plain;

/// The first argument of a child.
pub(crate) const FLAG: &str = "--child";

/// Starts this program again, to do `work` with the fixture of a scene.
pub(crate) fn start(scene: &Scene, work: &str, arguments: &[&str]) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("a program knows where it is")?;
    let mut command = Command::new(program);
    command.args([FLAG, work, scene.fixture().name()]).args(arguments);
    command.envs(scene.fixture().child_environment());
    // The scene removes what a killed child leaves.
    command.env("TMPDIR", scene.here(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Returns the runtime of this process. It is never shut down: its threads may wait for the file
/// system after their case is over.
pub(crate) fn shared_runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("the kernel gives threads")
    });
    &RUNTIME
}

/// Does what [`start`] asked for.
pub(crate) fn run(fixtures: &[Arc<dyn Fixture>], arguments: &[String]) -> anyhow::Result<ExitCode> {
    let [work, fixture, arguments @ ..] = arguments else {
        bail!("a child needs its work and its fixture as arguments")
    };
    let fixture = fixtures.iter().find(|known| known.name() == fixture);
    let fixture = fixture.context("no such fixture")?;
    shared_runtime().block_on(async {
        let link = fixture.connect(&Context::default()).await?;
        match (&**work, arguments) {
            ("put-slowly", [path, length]) => put_slowly(&link, path, length.parse().ok()).await,
            ("put-again-and-again", [here, path]) => put_again_and_again(&link, here, path).await,
            ("get", [path, here]) => {
                link.get_file(path, Path::new(here), &GetOptions::default()).await?;
                Ok(())
            }
            ("measure", [what, path]) => measure(&link, what, path).await,
            _ => bail!("a child cannot do {work} {arguments:?}"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a file that never ends, one piece every few milliseconds.
async fn put_slowly(link: &Link, path: &str, length: Option<u64>) -> anyhow::Result<()> {
    let reader = drip();
    let source = match length {
        Some(length) => Source::sized_reader(reader, length),
        None => Source::reader(reader),
    };
    link.put_file(source, path, &PutOptions::default()).await?;
    Ok(())
}

async fn put_again_and_again(link: &Link, here: &str, path: &str) -> anyhow::Result<()> {
    loop {
        link.put_file(Path::new(here), path, &PutOptions::default()).await?;
    }
}

/// Returns a reader that never ends and is always slow. It needs a runtime.
pub(crate) fn drip() -> DuplexStream {
    let (mut writer, reader) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        while writer.write_all(&[b'n'; 16 * 1024]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    reader
}

/// The number of bytes that a child moves while its memory is measured.
pub(crate) const LARGE: u64 = 64 * 1024 * 1024;

/// Prints by how many KiB the peak memory use grew.
async fn measure(link: &Link, what: &str, path: &str) -> anyhow::Result<()> {
    // A small transfer first: its memory is needed once, and does not count.
    link.put_file(vec![0; 4096], &format!("{path}.small"), &PutOptions::default()).await?;
    let before = high_water()?;
    match what {
        "nothing" => {}
        "allocation" => std::hint::black_box(vec![1_u8; 100 * 1024 * 1024]).truncate(1),
        "sized" => put_much(link, path, Source::sized_reader(much(), LARGE)).await?,
        "unsized" => put_much(link, path, Source::reader(much())).await?,
        "get" => get_much(link, path).await?,
        "output" => run_much(link).await?,
        _ => bail!("{what} cannot be measured"),
    }
    println!("{}", high_water()? - before);
    Ok(())
}

fn much() -> impl tokio::io::AsyncRead + Send + 'static {
    tokio::io::AsyncReadExt::take(repeat(b'm'), LARGE)
}

async fn put_much(link: &Link, path: &str, source: Source) -> anyhow::Result<()> {
    link.put_file(source, path, &PutOptions::default()).await?;
    Ok(())
}

async fn get_much(link: &Link, path: &str) -> anyhow::Result<()> {
    let mut sink = tokio::io::sink();
    link.get_file(path, Sink::Writer(&mut sink), &GetOptions::default()).await?;
    let here = tempfile::NamedTempFile::new()?;
    link.get_file(path, here.path(), &GetOptions::default()).await?;
    Ok(())
}

async fn run_much(link: &Link) -> anyhow::Result<()> {
    let options = RunOptions::default().with_output_limit(1000);
    let line = format!("head -c {LARGE} /dev/zero");
    link.run_shell_command_with(line, &plain(), &options).await?.check()?;
    Ok(())
}

/// Returns the peak memory use of this process in KiB: `VmHWM` of proc(5).
fn high_water() -> anyhow::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("/proc/self/status has VmHWM")?.parse()?)
}
