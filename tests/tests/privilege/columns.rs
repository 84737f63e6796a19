//! What every tool has to let through unchanged, in every place.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{CommandOutput, ConnectorArguments, ErrorKind, Link, Secret, StringCommand};
use hostlink_tests::cli::{becomes_true, count_running, unique_seconds};
use std::os::unix::fs::PermissionsExt;

/// A command with a tool on a link.
pub(crate) struct Columns<'a> {
    pub(crate) link: &'a Link,
    pub(crate) arguments: ConnectorArguments,
    /// Whom the command is to run as.
    pub(crate) user: &'a str,
    /// How long a command may take that is to be ended.
    pub(crate) limit: Duration,
}

/// What cannot be confused with a text, and holds every byte.
fn binary(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes.extend(0..=255);
    bytes
}

/// All that have failed.
fn told(columns: impl IntoIterator<Item = (&'static str, Result<()>)>) -> Result<()> {
    let failed = columns.into_iter().filter_map(|(name, done)| Some((name, done.err()?)));
    let failed: Vec<String> = failed.map(|(name, error)| format!("{name}: {error:#}")).collect();
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

impl Columns<'_> {
    /// Every column; all that fail are told.
    pub(crate) async fn all(&self) -> Result<()> {
        let columns = [
            ("user", self.runs_as_the_user().await),
            ("exit code", self.exit_codes_arrive().await),
            ("stdin", self.stdin_arrives().await),
            ("streams", self.streams_stay_apart().await),
            ("env", self.environment_arrives().await),
            ("chdir", self.directory_is_entered().await),
            ("put and get", self.files_go_there_and_back().await),
            ("time-out", self.nothing_is_left_after_a_time_out().await),
        ];
        told(columns)
    }

    /// The columns of a tool that wants a terminal where only `get_pty` gives one. What is missing there is in `LEFT_OUT`.
    pub(crate) async fn all_on_a_terminal(mut self) -> Result<()> {
        let refused = self.a_terminal_is_asked_for().await;
        self.arguments.get_pty = Some(true);
        let columns = [
            ("without get_pty", refused),
            ("user", self.runs_as_the_user_on_a_terminal().await),
            ("exit code", self.exit_codes_arrive().await),
            ("chdir", self.directory_is_entered_on_a_terminal().await),
            ("time-out", self.nothing_is_left_after_a_time_out().await),
        ];
        told(columns)
    }

    async fn a_terminal_is_asked_for(&self) -> Result<()> {
        let command = StringCommand::shell("true");
        let put = PutOptions::default().with_arguments(self.arguments.clone());
        let ran = self.link.run_shell_command(&command, &self.arguments).await.err();
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
        let arguments = self.arguments.clone().with_env_var("HL_A", "a 'b' $c");
        let output = self.ran("id -un; echo $HL_A >&2; tty -s && echo tty", &arguments).await?;
        let expected = format!("{}\r\na 'b' $c\r\ntty\r\n", self.user);
        ensure!(output.stdout() == expected.as_bytes(), "{:?}", output.stdout());
        Ok(())
    }

    async fn directory_is_entered_on_a_terminal(&self) -> Result<()> {
        let directory = format!("/srv/{}", self.user);
        let arguments = self.arguments.clone().with_chdir(&directory);
        let output = self.ran("pwd", &arguments).await?;
        ensure!(output.stdout() == format!("{directory}\r\n").as_bytes(), "{output:?}");
        Ok(())
    }

    async fn ran(&self, line: &str, arguments: &ConnectorArguments) -> Result<CommandOutput> {
        let command = StringCommand::shell(line);
        self.link.run_shell_command(&command, arguments).await.context(line.to_owned())
    }

    /// What a line writes; it must succeed, and say nothing else.
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

    async fn stdin_arrives(&self) -> Result<()> {
        let sent = binary(1024 * 1024);
        let arguments = self.arguments.clone().with_stdin(sent.clone());
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
        let directory = format!("/srv/{}", self.user);
        let arguments = self.arguments.clone().with_chdir(&directory);
        let output = self.ran("pwd", &arguments).await?;
        ensure!(output.stdout() == format!("{directory}\n").as_bytes(), "{output:?}");
        Ok(())
    }

    async fn files_go_there_and_back(&self) -> Result<()> {
        let (content, path) = (binary(300_000), format!("/srv/{}/file", self.user));
        let put = PutOptions::default().with_mode(0o640).with_arguments(self.arguments.clone());
        self.link.put_file(content.clone(), &path, &put).await.context("put")?;
        let found = self.said(&format!("stat -c '%U %a' {path}; ls -A {path} | wc -l")).await?;
        ensure!(found == format!("{} 640\n1\n", self.user), "{found}");
        let directory = tempfile::tempdir()?;
        let here = directory.path().join("file");
        let get = GetOptions::default().with_preserve(true).with_arguments(self.arguments.clone());
        self.link.get_file(&path, here.as_path(), &get).await.context("get")?;
        ensure!(std::fs::read(&here)? == content, "the content is another");
        let mode = std::fs::metadata(&here)?.permissions().mode() & 0o7777;
        ensure!(mode == 0o640, "{mode:o}");
        Ok(())
    }

    async fn nothing_is_left_after_a_time_out(&self) -> Result<()> {
        let seconds = unique_seconds();
        let arguments = self.arguments.clone().with_timeout(self.limit);
        let line = format!("sleep {seconds} & sleep {seconds}; echo over");
        let running = self.ran(&line, &arguments);
        let was_there = tokio::task::spawn_blocking({
            let seconds = seconds.clone();
            move || becomes_true(|| count_running("sleep", &seconds) == 2)
        });
        let (ended, was_there) = tokio::join!(running, was_there);
        ensure!(was_there?, "it was never seen to run: {ended:?}");
        let error = match ended {
            Ok(output) => bail!("it ended: {output:?}"),
            Err(error) => error.downcast::<hostlink::Error>()?,
        };
        ensure!(error.kind() == ErrorKind::Timeout, "{error:?}");
        ensure!(error.kill_confirmed() == Some(true), "the kill is not proved: {error:?}");
        // Killed processes may need a moment to go.
        ensure!(becomes_true(|| count_running("sleep", &seconds) == 0), "something is left");
        Ok(())
    }
}
