//! The output of a command.

use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use hostlink_core::{OutputSink, RunOptions, Stream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::scene::Scene;
use crate::settings::PATIENCE;
use crate::settings::plain;

cases![
    the_lines_of_each_stream_arrive_in_order,
    a_last_line_without_a_newline_is_a_line,
    carriage_returns_before_newlines_are_not_part_of_lines,
    a_character_that_is_split_between_writes_arrives_whole,
    nul_bytes_in_output_arrive,
    output_arrives_while_the_command_runs,
    a_slow_reader_slows_the_command_and_loses_nothing,
    output_of_an_ended_command_waits_for_a_slow_reader,
    an_output_limit_keeps_the_head_and_says_so,
    a_command_may_close_its_output_early,
];

async fn the_lines_of_each_stream_arrive_in_order(scene: &Scene) -> anyhow::Result<()> {
    let line = "i=0; while [ $i -lt 2000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let output = scene.run(line).await?;
    let wanted = |letter| (0..2000).map(|i| format!("{letter}{i}")).collect::<Vec<_>>();
    ensure!(output.stdout_lines() == wanted('o'), "stdout");
    ensure!(output.stderr_lines() == wanted('e'), "stderr");
    ensure!(output.combined_lines().len() == 4000, "both");
    Ok(())
}

async fn a_last_line_without_a_newline_is_a_line(scene: &Scene) -> anyhow::Result<()> {
    let output = scene.run("printf 'a\\nb'; printf e >&2").await?;
    ensure!(output.stdout() == b"a\nb" && output.stdout_lines() == ["a", "b"]);
    ensure!(output.stderr_lines() == ["e"]);
    Ok(())
}

async fn carriage_returns_before_newlines_are_not_part_of_lines(
    scene: &Scene,
) -> anyhow::Result<()> {
    let output = scene.run("printf 'a\\r\\nb\\rc\\r\\n\\r\\n'").await?;
    ensure!(output.stdout() == b"a\r\nb\rc\r\n\r\n", "bytes stay as they are");
    ensure!(output.stdout_lines() == ["a", "b\rc", ""], "{:?}", output.stdout_lines());
    Ok(())
}

async fn a_character_that_is_split_between_writes_arrives_whole(
    scene: &Scene,
) -> anyhow::Result<()> {
    let line = "printf 'x\\303'; sleep 0.3; printf '\\244\\342\\202'; sleep 0.3; printf '\\254\\n'";
    let options = RunOptions::default().with_printing(false, true);
    let output = scene.link.run_shell_command_with(line, &plain(), &options).await?;
    ensure!(output.stdout_lines() == ["xä€"], "{:?}", output.stdout_lines());
    let events = scene.recorder.events();
    ensure!(events.len() == 1 && events[0].ends_with("Stdout xä€"), "{events:?}");
    Ok(())
}

async fn nul_bytes_in_output_arrive(scene: &Scene) -> anyhow::Result<()> {
    let output = scene.run("printf 'a\\0b\\0\\0\\n'").await?;
    ensure!(output.stdout() == b"a\0b\0\0\n" && output.stdout_lines() == ["a\0b\0\0"]);
    Ok(())
}

/// Sends output to the case.
struct Passing(UnboundedSender<Vec<u8>>);

#[async_trait]
impl OutputSink for Passing {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        self.0.send(bytes.to_vec()).map_err(std::io::Error::other)
    }
}

async fn output_arrives_while_the_command_runs(scene: &Scene) -> anyhow::Result<()> {
    let seen = scene.path("seen");
    let line = format!("echo first; while [ ! -e {seen} ]; do sleep 0.05; done; echo second");
    let (command, options, plain) = (line, RunOptions::default(), plain());
    let (sender, mut received) = unbounded_channel();
    let mut sink = Passing(sender);
    let run = scene.link.run_streaming(&command, &plain, &options, &mut sink);
    let watch = async {
        let first = timeout(PATIENCE, received.recv()).await;
        scene.plant("seen", b"").await?;
        ensure!(first? == Some(b"first\n".to_vec()), "the first line came late");
        Ok(())
    };
    let (output, watched) = tokio::join!(run, watch);
    watched?;
    ensure!(output?.stdout_lines() == ["first", "second"]);
    Ok(())
}

/// Accepts no output until it is allowed to.
struct Slow {
    bytes: usize,
    gate: Option<oneshot::Receiver<()>>,
}

#[async_trait]
impl OutputSink for Slow {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(gate) = self.gate.take() {
            let _ = gate.await;
        }
        self.bytes += bytes.len();
        Ok(())
    }
}

async fn a_slow_reader_slows_the_command_and_loses_nothing(scene: &Scene) -> anyhow::Result<()> {
    const LARGE: usize = 64 * 1024 * 1024;
    let written = scene.path("written");
    let command = format!("echo x; head -c {LARGE} /dev/zero; echo done >{written}");
    let (open, gate) = oneshot::channel();
    let mut sink = Slow { bytes: 0, gate: Some(gate) };
    let (options, plain) = (RunOptions::default().with_output_limit(0), plain());
    let run = scene.link.run_streaming(&command, &plain, &options, &mut sink);
    let early = async {
        // Gives the command time to run ahead if nothing holds it back. The reader waits until the
        // check is done.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let early = scene.holds("[ -e written ]").await;
        let _ = open.send(());
        early
    };
    let (output, early) = tokio::join!(run, early);
    output?.check()?;
    ensure!(!early?, "all output was read although the reader takes none");
    ensure!(sink.bytes == LARGE + 2, "{} bytes", sink.bytes);
    ensure!(scene.holds("[ -e written ]").await?, "the command did not write its file");
    Ok(())
}

/// Writes as much as a container engine buffers. Some time after the command's end the engine
/// throws the rest away.
async fn output_of_an_ended_command_waits_for_a_slow_reader(scene: &Scene) -> anyhow::Result<()> {
    for much in [1_300_000, 1_400_000] {
        let command = format!("head -c {much} /dev/zero");
        let (open, gate) = oneshot::channel();
        let mut sink = Slow { bytes: 0, gate: Some(gate) };
        let (options, plain) = (RunOptions::default().with_output_limit(0), plain());
        let run = scene.link.run_streaming(&command, &plain, &options, &mut sink);
        let opening = async {
            // Docker keeps it for 2 s. A shorter wait could not lose it.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let _ = open.send(());
        };
        let (output, ()) = tokio::join!(run, opening);
        output?.check()?;
        ensure!(sink.bytes == much, "{} of {much} bytes", sink.bytes);
    }
    Ok(())
}

async fn an_output_limit_keeps_the_head_and_says_so(scene: &Scene) -> anyhow::Result<()> {
    let options = RunOptions::default().with_output_limit(1000);
    let command = "printf head; head -c 20000000 /dev/zero; exit 3".to_owned();
    let output = scene.link.run_shell_command_with(&command, &plain(), &options).await?;
    ensure!(output.stdout().len() == 1000 && output.stdout().starts_with(b"head\0"));
    ensure!(output.truncated() && output.exit_code() == Some(3));
    let short = scene.link.run_shell_command_with("echo x", &plain(), &options).await?;
    ensure!(!short.truncated());
    Ok(())
}

async fn a_command_may_close_its_output_early(scene: &Scene) -> anyhow::Result<()> {
    let output = scene.run("echo said; exec >&- 2>&-; sleep 1; exit 3").await?;
    ensure!(output.exit_code() == Some(3) && output.stdout() == b"said\n");
    ensure!(!output.output_open());
    Ok(())
}
