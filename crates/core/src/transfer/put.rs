//! Stores one file on a target.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;

use super::failure::failure;
use super::target::{Counting, Remote, Said};
use super::target_script::{Values, stamp};
use super::{OpenSource, PutOptions, Route, Source, Transferred, scp, tree_without_shell};
use crate::link::Link;
use crate::values::error::{Error, ErrorKind, Result};
use crate::values::io::{BoxRead, OutputSink, Stream};
use crate::values::report::Event;

impl Link {
    /// Stores a file on the target. Readers of `path` see the old file or the new one, never a
    /// part.
    ///
    /// `path` is taken as it is, from the directory that commands start in or `arguments.chdir`;
    /// `~` means nothing. A directory there is an error: the file does not go into it.
    ///
    /// # Errors
    ///
    /// The source cannot be read; the destination is a directory, its directory is missing, or it
    /// may not be written; the transfer broke off or ran out of time. The destination is then as it
    /// was, and no temporary file is left where the link still works.
    ///
    /// # Cancel safety
    ///
    /// As on an error; [`disconnect`](Link::disconnect) waits for the clean-up.
    pub async fn put_file(
        &self,
        source: impl Into<Source>,
        path: &str,
        options: &PutOptions,
    ) -> Result<Transferred> {
        let put = async {
            if path.ends_with('/') {
                let message = format!("{path} is a directory: name the file");
                return Err(Error::new(ErrorKind::IsADirectory, message));
            }
            let remote = Remote::new(self.shared(), path, &options.arguments)?;
            let mut source = remote.within_limit(source.into().open()).await?;
            if options.run.print_input {
                self.shared().report(Event::Input(&format!("put {}", remote.path)));
            }
            if let Some(done) = put_fast(&remote, &mut source, options).await? {
                return Ok(done);
            }
            match put_stream(&remote, source, options).await {
                Err(refusal) if refusal.kind() == ErrorKind::Connect => {
                    Err(tree_without_shell::why_not_put(&remote, refusal).await)
                }
                done => done,
            }
        };
        self.shared().noting_failure(put, |_| true).await
    }
}

/// Stores by the connection's own transfer; `None` if it does not handle this file.
pub(super) async fn put_fast(
    remote: &Remote<'_>,
    source: &mut OpenSource,
    options: &PutOptions,
) -> Result<Option<Transferred>> {
    let Some(fast) = remote.own_transfer() else { return Ok(None) };
    remote.fast(fast, fast.put(source, &remote.path, options)).await
}

pub(super) async fn put_stream(
    remote: &Remote<'_>,
    source: OpenSource,
    options: &PutOptions,
) -> Result<Transferred> {
    let mut values = values(remote, &source, options);
    let mut cleaner = remote.cleaner(values.clean_file());
    let mut said = Storing::default();
    // A name that the caller chose may be another file, unless the target has said that it made
    // it.
    if options.remote_temp_filename.is_some() {
        cleaner = cleaner.wait_for(said.made.clone());
    }
    let stored = match store(remote, source, &values, &mut said).await {
        Ok(stored) => stored,
        Err(error) => {
            cleaner.clean(&error).await;
            return Err(error);
        }
    };
    let done = match stored {
        Stored::Done(done) => Ok(done),
        Stored::Waiting { bytes, inode } => {
            values.inode = inode;
            let said = remote.run(values.commit(), None).await;
            said.and_then(|said| transferred(&said, remote, bytes, None))
        }
    };
    match &done {
        Ok(_) => cleaner.disarm(),
        Err(error) => cleaner.clean(error).await,
    }
    done
}

/// What became of the first script.
enum Stored {
    Done(Transferred),
    /// All bytes are there, and wait for their name.
    Waiting {
        bytes: u64,
        inode: String,
    },
}

async fn store(
    remote: &Remote<'_>,
    mut source: OpenSource,
    values: &Values<'_>,
    said: &mut Storing,
) -> Result<Stored> {
    let count = Arc::new(AtomicU64::new(0));
    let length = source.length;
    let input = Counting { inner: source.take_reader(), count: count.clone() };
    let mut input: BoxRead = Box::pin(input);
    if values.scp || values.waits {
        input = said.hold_back(input, length.unwrap_or_default());
    }
    let script = match length {
        Some(length) => values.store_sized(length),
        None => values.store_unsized(),
    };
    remote.read(script, Some(input), said).await?;
    let sent = count.load(Ordering::Relaxed);
    if let Some(answers) = &said.answers {
        if answers.is_missing() {
            remote.link.tell_of_missing_scp();
        }
        if answers.is_wrong() {
            return Err(failure(&format!("short {sent}"), &remote.path, b""));
        }
    }
    let said = &said.said;
    let status = said.status();
    match status.strip_prefix("stored ").and_then(|rest| rest.split_once(' ')) {
        Some((came, inode)) if came == sent.to_string() => {
            Ok(Stored::Waiting { bytes: sent, inode: inode.to_owned() })
        }
        Some((came, _)) => Err(failure(&format!("short {came}"), &remote.path, b"")),
        None => transferred(said, remote, sent, length).map(Stored::Done),
    }
}

fn transferred(
    said: &Said,
    remote: &Remote<'_>,
    sent: u64,
    length: Option<u64>,
) -> Result<Transferred> {
    let status = said.status();
    if status != "done" && status != "inplace" {
        return Err(said.failure(&remote.path));
    }
    if length.is_some_and(|length| length != sent) {
        return Err(failure(&format!("short {sent}"), &remote.path, b""));
    }
    Ok(Transferred { bytes: sent, in_place: status == "inplace", route: Route::Commands })
}

/// Listens for the word that the temporary file was made.
#[derive(Default)]
pub(super) struct Storing {
    pub(super) said: Said,
    /// What takes the bytes, and scp's answers, among what the script says.
    answers: Option<scp::Answers>,
    made: Arc<AtomicBool>,
}

impl Storing {
    /// Returns what is sent once the script has said what takes the bytes.
    pub(super) fn hold_back(&mut self, input: BoxRead, length: u64) -> BoxRead {
        let (framed, answers) = scp::sending(input, length);
        self.answers = Some(answers);
        framed
    }
}

#[async_trait]
impl OutputSink for Storing {
    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.answers {
            Some(answers) if stream == Stream::Stdout => {
                let own = answers.strip(bytes);
                self.said.write(Stream::Stdout, &own).await?;
                self.said.write(Stream::Stderr, &answers.take_refusal()).await?;
            }
            _ => self.said.write(stream, bytes).await?,
        }
        self.made.fetch_or(self.said.has_made(), Ordering::Relaxed);
        Ok(())
    }
}

fn values<'a>(remote: &'a Remote<'_>, source: &OpenSource, options: &'a PutOptions) -> Values<'a> {
    let mode = options.mode.or(options.preserve.then_some(source.mode));
    let modified = source.modified.filter(|_| options.preserve);
    Values {
        path: &remote.path,
        temporary: remote.beside(options.remote_temp_filename.as_deref(), &options.arguments),
        temp_dir: remote.beside(options.arguments.temp_dir.as_deref(), &options.arguments),
        random: &remote.random,
        follow: options.follows(),
        guarded: remote.stage.as_ref().map_or(guarded(options), |stage| stage.guarded),
        stage: remote.stage.as_ref().map(|stage| &*stage.path),
        mode: mode.map(|mode| format!("{mode:04o}")).unwrap_or_default(),
        source_mode: format!("{:04o}", source.mode & 0o777),
        scp: source.length.is_some() && remote.wants_scp(),
        waits: remote.input_waits(options.remote_temp_filename.is_some()),
        stamp: modified.map(stamp).unwrap_or_default(),
        ..Values::default()
    }
}

/// Returns whether a third user must not be able to lead the other one astray.
pub(super) fn guarded(options: &PutOptions) -> bool {
    options.arguments.is_privileged() && !options.follows()
}
