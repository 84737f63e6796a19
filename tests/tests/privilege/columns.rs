//! What must pass through every tool unchanged, in every place.

use std::future::ready;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::{BoxFuture, FutureExt};
use hostlink::run::Stdin;
use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{CommandOutput, ConnectorArguments, ErrorKind, Link, Secret, StringCommand};
use hostlink_tests::cli::{LIMIT, becomes_true, count_running, unique_seconds};
use tokio::io::AsyncWriteExt;

use crate::refusals::SOON;

/// A command that runs through a tool on a link.
pub(crate) struct Columns<'a> {
    pub(crate) link: &'a Link,
    pub(crate) arguments: ConnectorArguments,
    /// The user that the command runs as.
    pub(crate) user: &'a str,
    /// A directory that only that user may write to.
    pub(crate) directory: String,
    /// The timeout of a command that is to be killed.
    pub(crate) limit: Duration,
}

/// Returns bytes that cannot be mistaken for text, and contain every value.
fn binary(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes.extend(0..=255);
    bytes
}

/// A name and a test. Boxed: test threads have small stacks.
type Column<'a> = (&'static str, BoxFuture<'a, Result<()>>);

/// Runs tests one by one, and reports all that failed.
async fn report<const N: usize>(columns: [Column<'_>; N]) -> Result<()> {
    let mut failed = Vec::new();
    for (name, column) in columns {
        if let Err(error) = column.await {
            failed.push(format!("{name}: {error:#}"));
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

impl Columns<'_> {
    /// Runs every column, and reports all that failed.
    pub(crate) async fn all(&self) -> Result<()> {
        let columns = [
            ("user", self.runs_as_the_user().boxed()),
            ("exit code", self.exit_codes_arrive().boxed()),
            ("stdin", self.stdin_arrives(&self.arguments).boxed()),
            ("stdin on a terminal", self.stdin_arrives_on_a_terminal().boxed()),
            ("streams", self.streams_stay_apart().boxed()),
            ("env", self.environment_arrives().boxed()),
            ("chdir", self.directory_is_entered().boxed()),
            ("put and get", self.files_go_there_and_back().boxed()),
            ("time-out", self.nothing_is_left_after_a_time_out().boxed()),
            ("given up", self.nothing_is_left_of_what_is_given_up().boxed()),
        ];
        report(columns).await
    }

    /// Runs the columns of a tool that requires a terminal where only `get_pty` provides one, which
    /// merges the streams.
    pub(crate) async fn all_on_a_terminal(mut self) -> Result<()> {
        let refused = self.a_terminal_is_required().boxed().await;
        self.arguments.get_pty = Some(true);
        let columns = [
            ("without get_pty", ready(refused).boxed()),
            ("user", self.runs_as_the_user_on_a_terminal().boxed()),
            ("exit code", self.exit_codes_arrive().boxed()),
            ("stdin", self.stdin_arrives(&self.arguments).boxed()),
            ("stdin unread", self.stdin_may_be_left_unread().boxed()),
            ("streams", self.streams_are_merged().boxed()),
            ("env", self.environment_arrives_on_a_terminal().boxed()),
            ("chdir", self.directory_is_entered_on_a_terminal().boxed()),
            ("put and get", self.files_go_there_and_back().boxed()),
            ("files of unknown length, directories", self.trees_go_there_and_back().boxed()),
            ("a put that breaks off", self.nothing_is_left_of_a_put().boxed()),
            ("errors of files", self.errors_of_files_are_reported().boxed()),
            ("time-out", self.nothing_is_left_after_a_time_out().boxed()),
            ("given up", self.nothing_is_left_of_what_is_given_up().boxed()),
        ];
        report(columns).await
    }

    async fn a_terminal_is_required(&self) -> Result<()> {
        let command = StringCommand::shell("true");
        let put = PutOptions::default().with_arguments(self.arguments.clone());
        let begun = Instant::now();
        let ran = self.link.run_shell_command(&command, &self.arguments).await.err();
        ensure!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
        let put = self.link.put_file(vec![1], "/srv/file", &put).await.err();
        for error in [ran, put] {
            let error = error.context("there was no error")?;
            let named =
                error.kind() == ErrorKind::Privilege && error.to_string().contains("get_pty");
            ensure!(named, "{error:?}");
        }
        Ok(())
    }

    async fn runs_as_the_user_on_a_terminal(&self) -> Result<()> {
        let output = self.ran("id -un; tty -s && echo tty", &self.arguments).await?;
        let expected = format!("{}\r\ntty\r\n", self.user);
        ensure!(output.stdout() == expected.as_bytes(), "{:?}", output.stdout());
        Ok(())
    }

    async fn streams_are_merged(&self) -> Result<()> {
        let line = "printf 'out\\n'; printf 'err\\n' >&2";
        for (stdin, expected) in [(None, "out\r\nerr\r\n"), (Some(""), "out\nerr\n")] {
            let stdin = stdin.map(Stdin::from);
            let arguments = ConnectorArguments { stdin, ..self.arguments.clone() };
            let output = self.ran(line, &arguments).await?;
            ensure!(output.stdout() == expected.as_bytes(), "{output:?}");
            ensure!(output.stderr().is_empty(), "{output:?}");
        }
        Ok(())
    }

    async fn stdin_may_be_left_unread(&self) -> Result<()> {
        let arguments = self.arguments.clone().with_stdin(binary(3 * 1024 * 1024));
        let output = self.ran("echo over; exit 4", &arguments).await?;
        ensure!(output.exit_code() == Some(4) && output.stdout() == b"over\n", "{output:?}");
        Ok(())
    }

    /// A secret variable is refused on a terminal.
    async fn environment_arrives_on_a_terminal(&self) -> Result<()> {
        let value = "a 'b' $c ä;\\";
        let arguments = self.arguments.clone().with_env_var("HL_A", value);
        let output = self.ran(r#"printf %s "$HL_A""#, &arguments).await?;
        ensure!(output.stdout() == value.as_bytes(), "{output:?}");
        let secret = self.arguments.clone().with_env_var("HL_B", Secret::from(value));
        let refused = self.link.run_shell_command(&StringCommand::shell("true"), &secret).await;
        let refused = refused.err().context("a secret on a terminal was not refused")?;
        ensure!(refused.kind() == ErrorKind::Unsupported, "{refused:?}");
        Ok(())
    }

    async fn trees_go_there_and_back(&self) -> Result<()> {
        let put = PutOptions::default().with_arguments(self.arguments.clone());
        let get = GetOptions::default().with_arguments(self.arguments.clone());
        let (content, path) = (binary(200_000), format!("{}/unsized", self.directory));
        let source = Source::reader(Cursor::new(content.clone()));
        self.link.put_file(source, &path, &put).await.context("put of unknown length")?;
        let mut got = Vec::new();
        self.link.get_file(&path, &mut got, &get).await.context("get")?;
        ensure!(got == content, "the content differs");
        let here = tempfile::tempdir()?;
        let (from, to) = (here.path().join("from"), here.path().join("to"));
        std::fs::create_dir_all(from.join("in it"))?;
        std::fs::write(from.join("in it/file"), &content)?;
        std::os::unix::fs::symlink("in it/file", from.join("link"))?;
        let path = format!("{}/tree", self.directory);
        self.link.put_dir(&from, &path, &put).await.context("put of a directory")?;
        self.link.get_dir(&path, &to, &get).await.context("get of a directory")?;
        ensure!(std::fs::read(to.join("in it/file"))? == content, "the content differs");
        ensure!(std::fs::read_link(to.join("link"))? == Path::new("in it/file"), "no link");
        Ok(())
    }

    /// Messages of the tools on the target are reported, although they share a stream with those of
    /// the scripts.
    async fn errors_of_files_are_reported(&self) -> Result<()> {
        let put = PutOptions::default().with_arguments(self.arguments.clone());
        let get = GetOptions::default().with_arguments(self.arguments.clone());
        let (missing, mut nobody) = ("/srv/missing/file", Vec::new());
        let put = self.link.put_file(vec![1], missing, &put).await.err();
        let got = self.link.get_file(missing, &mut nobody, &get).await.err();
        for error in [put, got] {
            let error = error.context("there was no error")?;
            ensure!(error.kind() == ErrorKind::NotFound, "{error:?}");
            let tail = error.stderr_tail().unwrap_or_default();
            ensure!(tail.contains("No such file"), "{error:?}");
        }
        Ok(())
    }

    async fn directory_is_entered_on_a_terminal(&self) -> Result<()> {
        let directory = &self.directory;
        let arguments = self.arguments.clone().with_chdir(directory.as_str());
        let output = self.ran("pwd", &arguments).await?;
        ensure!(output.stdout() == format!("{directory}\r\n").as_bytes(), "{output:?}");
        Ok(())
    }

    async fn ran(&self, line: &str, arguments: &ConnectorArguments) -> Result<CommandOutput> {
        let command = StringCommand::shell(line);
        self.link.run_shell_command(&command, arguments).await.context(line.to_owned())
    }

    /// Returns the output of a line, which must succeed without errors.
    async fn said(&self, line: &str) -> Result<String> {
        let output = self.ran(line, &self.arguments).await?;
        let errors = output.stderr();
        ensure!(output.success() && errors.is_empty(), "{line}: {output:?}");
        Ok(String::from_utf8(output.stdout())?)
    }

    async fn runs_as_the_user(&self) -> Result<()> {
        let user = self.said("id -un").await?;
        ensure!(user == format!("{}\n", self.user), "{user}");
        Ok(())
    }

    async fn exit_codes_arrive(&self) -> Result<()> {
        for code in [42, 127, 255] {
            let output = self.ran(&format!("exit {code}"), &self.arguments).await?;
            ensure!(output.exit_code() == Some(code), "{code}: {output:?}");
        }
        Ok(())
    }

    async fn stdin_arrives_on_a_terminal(&self) -> Result<()> {
        self.stdin_arrives(&self.arguments.clone().with_get_pty(true)).await
    }

    async fn stdin_arrives(&self, arguments: &ConnectorArguments) -> Result<()> {
        let sent = binary(1024 * 1024);
        let arguments = arguments.clone().with_stdin(sent.clone());
        let output = self.ran("cat; exit 3", &arguments).await?;
        ensure!(output.exit_code() == Some(3), "{:?}", output.exit_code());
        ensure!(output.stdout() == sent, "{} bytes of {}", output.stdout().len(), sent.len());
        Ok(())
    }

    async fn streams_stay_apart(&self) -> Result<()> {
        let output = self.ran("printf out; printf err >&2", &self.arguments).await?;
        ensure!(output.stdout() == b"out" && output.stderr() == b"err", "{output:?}");
        Ok(())
    }

    async fn environment_arrives(&self) -> Result<()> {
        for value in ["a 'b' $c", "ä\n;\\"] {
            let arguments = self.arguments.clone();
            let arguments = arguments.with_env_var("HL_A", value);
            let arguments = arguments.with_env_var("HL_B", Secret::from(value));
            let output = self.ran(r#"printf %s "$HL_A|$HL_B""#, &arguments).await?;
            ensure!(output.stdout() == format!("{value}|{value}").as_bytes(), "{output:?}");
        }
        Ok(())
    }

    async fn directory_is_entered(&self) -> Result<()> {
        let directory = &self.directory;
        let arguments = self.arguments.clone().with_chdir(directory.as_str());
        let output = self.ran("pwd", &arguments).await?;
        ensure!(output.stdout() == format!("{directory}\n").as_bytes(), "{output:?}");
        Ok(())
    }

    async fn files_go_there_and_back(&self) -> Result<()> {
        let (content, path) = (binary(300_000), format!("{}/file", self.directory));
        let put = PutOptions::default().with_mode(0o640).with_arguments(self.arguments.clone());
        self.link.put_file(content.clone(), &path, &put).await.context("put")?;
        // With an input, a terminal does not change the output.
        let arguments = self.arguments.clone().with_stdin("");
        let line = format!("stat -c '%U %a' {path}; ls -A {path} | wc -l");
        let found = self.ran(&line, &arguments).await?;
        ensure!(found.stdout() == format!("{} 640\n1\n", self.user).as_bytes(), "{found:?}");
        let directory = tempfile::tempdir()?;
        let here = directory.path().join("file");
        let get = GetOptions::default().with_preserve(true).with_arguments(self.arguments.clone());
        self.link.get_file(&path, here.as_path(), &get).await.context("get")?;
        ensure!(std::fs::read(&here)? == content, "the content differs");
        let mode = std::fs::metadata(&here)?.permissions().mode() & 0o7777;
        ensure!(mode == 0o640, "{mode:o}");
        Ok(())
    }

    /// A put that is dropped leaves no temporary file.
    async fn nothing_is_left_of_a_put(&self) -> Result<()> {
        let (mut writer, reader) = tokio::io::duplex(1024);
        let put = PutOptions::default().with_arguments(self.arguments.clone());
        let path = format!("{}/broken", self.directory);
        let under_way = async {
            writer.write_all(&[b'x'; 100_000]).await?;
            self.waits_for_files_of_a_put("1\n").await
        };
        tokio::select! {
            done = self.link.put_file(Source::reader(reader), &path, &put) => bail!("{done:?}"),
            seen = under_way => seen.context("it was never seen")?,
        }
        self.waits_for_files_of_a_put("0\n").await
    }

    async fn waits_for_files_of_a_put(&self, count: &str) -> Result<()> {
        let line = format!("ls -A {} | grep -c broken", self.directory);
        let arguments = self.arguments.clone().with_stdin("");
        let deadline = Instant::now() + LIMIT;
        while self.ran(&line, &arguments).await?.stdout() != count.as_bytes() {
            ensure!(Instant::now() < deadline, "not {count}");
        }
        Ok(())
    }

    /// Drops the future, as Ctrl-C does on the command line.
    async fn nothing_is_left_of_what_is_given_up(&self) -> Result<()> {
        let seconds = unique_seconds();
        let line = format!("sleep {seconds} & sleep {seconds}; echo over");
        let is_there = tokio::task::spawn_blocking({
            let seconds = seconds.clone();
            move || becomes_true(|| count_running("sleep", &seconds) == 2)
        });
        tokio::select! {
            ended = self.ran(&line, &self.arguments) => bail!("it ended: {ended:?}"),
            seen = is_there => ensure!(seen?, "it was never seen to run"),
        }
        let is_gone = move || becomes_true(|| count_running("sleep", &seconds) == 0);
        ensure!(tokio::task::spawn_blocking(is_gone).await?, "something is left");
        Ok(())
    }

    /// On a busy machine a short timeout may expire before the command has started. So longer ones
    /// are tried until the command was seen running.
    async fn nothing_is_left_after_a_time_out(&self) -> Result<()> {
        for limit in [1, 2, 4, 8].map(|factor| self.limit * factor) {
            if self.is_seen_and_ended_after(limit).await? {
                return Ok(());
            }
        }
        bail!("it was never seen to run")
    }

    /// Returns false if the command was not seen running before it was killed.
    async fn is_seen_and_ended_after(&self, limit: Duration) -> Result<bool> {
        let seconds = unique_seconds();
        let arguments = self.arguments.clone().with_timeout(limit);
        let line = format!("sleep {seconds} & sleep {seconds}; echo over");
        let running = self.ran(&line, &arguments);
        let is_over = Arc::new(AtomicBool::new(false));
        let looking = tokio::task::spawn_blocking({
            let (seconds, is_over) = (seconds.clone(), is_over.clone());
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    if count_running("sleep", &seconds) == 2 {
                        return true;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                false
            }
        });
        let ended = running.await;
        is_over.store(true, Ordering::Relaxed);
        let was_there = looking.await?;
        let error = match ended {
            Ok(output) => bail!("it ended: {output:?}"),
            Err(error) => error.downcast::<hostlink::Error>()?,
        };
        ensure!(error.kind() == ErrorKind::Timeout, "{error:?}");
        if !was_there {
            return Ok(false);
        }
        ensure!(error.kill_confirmed() == Some(true), "the kill is not confirmed: {error:?}");
        // Killed processes may need a moment to end.
        ensure!(becomes_true(|| count_running("sleep", &seconds) == 0), "something is left");
        Ok(true)
    }
}
