//! One SFTP session, which many files share.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use hostlink_core::transfer::STALL;
use openssh_sftp_client::file::OpenOptions;
use openssh_sftp_client::fs::Fs;
use openssh_sftp_client::metadata::{MetaData, Permissions};
use openssh_sftp_client::{Sftp, SftpOptions};
use tokio_util::codec::FramedRead;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::Subsystem;
use super::frames::{Frames, Sizes};
use super::trouble::{Trouble, reason};

/// A session with a server. Dropping it ends it.
pub(super) struct Session {
    fs: Fs,
    options: OpenOptions,
    /// Whether a rename replaces a file that is there.
    pub(super) renames_over: bool,
    /// The sizes of one read and of one write.
    pub(super) sizes: Sizes,
    over: CancellationToken,
    cause: Arc<OnceLock<String>>,
    /// The number of files that are being moved.
    pub(super) moving: AtomicUsize,
}

const READ_BUFFER: usize = 64 * 1024;
/// How long the last output of a server that has ended may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Session {
    /// Greets the server. The caller limits the time. Dropping the future ends the server.
    ///
    /// # Errors
    ///
    /// The reason why there is no SFTP.
    pub(super) async fn open(subsystem: Subsystem) -> Result<Arc<Self>, String> {
        let Subsystem { input, output, ended } = subsystem;
        let ended = async {
            ended.await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        let mut ended: BoxFuture<'static, ()> = Box::pin(ended);
        let over = CancellationToken::new();
        let ends = over.clone().drop_guard();
        let frames = Frames::new();
        let sizes = frames.sizes();
        let packets = FramedRead::with_capacity(output, frames, READ_BUFFER);
        // The package's tasks end with this stream, and release the channel.
        let output = StreamReader::new(packets.take_until(over.clone().cancelled_owned()));
        let options = SftpOptions::new().flush_interval(Duration::ZERO);
        let sftp = tokio::select! {
            biased;
            opened = Sftp::new(input, output, options) => opened.map_err(|error| reason(&error))?,
            () = &mut ended => return Err("the server ended at once".to_owned()),
        };
        let session = Self {
            fs: sftp.fs(),
            options: sftp.options(),
            renames_over: sftp.support_posix_rename(),
            sizes: *sizes.get_or_init(|| Sizes::USUAL),
            over: ends.disarm(),
            cause: Arc::default(),
            moving: AtomicUsize::new(0),
        };
        session.watch(sftp, ended);
        Ok(Arc::new(session))
    }

    /// Finds out why the session ends. The package reports it to the caller of `close` only, and
    /// not to the requests that wait for answers.
    fn watch(&self, sftp: Sftp, ended: BoxFuture<'static, ()>) {
        let (over, cause) = (self.over.clone(), self.cause.clone());
        tokio::spawn(async move {
            let _ends = over.clone().drop_guard();
            let why = tokio::select! {
                closed = sftp.close() => closed.err().map_or("it ended".to_owned(), |error| reason(&error)),
                () = ended => "it ended".to_owned(),
                () = over.cancelled() => "it was closed".to_owned(),
            };
            // The first cause is kept.
            let _ = cause.set(why);
        });
    }

    /// Opens files. Opening a FIFO blocks the whole server, so the caller looks first.
    pub(super) fn options(&self) -> OpenOptions {
        self.options.clone()
    }

    /// For requests about paths, to be [answered](Self::answer).
    pub(super) fn fs(&self) -> Fs {
        self.fs.clone()
    }

    /// Returns the attributes of the file at `path`. A symlink is followed.
    pub(super) async fn stat(&self, path: &Path) -> Result<MetaData, Trouble> {
        self.answer(self.fs.clone().metadata(path)).await
    }

    /// Returns the attributes of the file at `path`. A symlink is not followed.
    pub(super) async fn lstat(&self, path: &Path) -> Result<MetaData, Trouble> {
        self.answer(self.fs.clone().symlink_metadata(path)).await
    }

    /// Makes a directory with these bits, less the umask.
    pub(super) async fn make_directory(&self, path: &Path, bits: u16) -> Result<(), Trouble> {
        let mut fs = self.fs.clone();
        self.answer(fs.dir_builder().permissions(Permissions::from(bits)).create(path)).await
    }

    pub(super) async fn remove_directory(&self, path: &Path) -> Result<(), Trouble> {
        self.answer(self.fs.clone().remove_dir(path)).await
    }

    pub(super) async fn remove_file(&self, path: &Path) -> Result<(), Trouble> {
        self.answer(self.fs.clone().remove_file(path)).await
    }

    /// Renames a file. A file at `to` is replaced if the session [renames
    /// over](Self::renames_over) files.
    pub(super) async fn rename(&self, from: &Path, to: &Path) -> Result<(), Trouble> {
        self.answer(self.fs.clone().rename(from, to)).await
    }

    /// Returns whether the server is gone.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Ends the session.
    pub(super) fn end(&self) {
        self.over.cancel();
    }

    /// Waits for the answer to a request. If none comes, the session ends, and the next file opens
    /// a new one.
    pub(super) async fn answer<T>(
        &self,
        request: impl Future<Output = Result<T, impl Into<Trouble>>>,
    ) -> Result<T, Trouble> {
        let answer = self.moving(request).await.and_then(|answer| answer.map_err(Into::into));
        match answer {
            Err(Trouble::Stalled) => {
                // The first cause is kept.
                let _ = self.cause.set("it does not answer".to_owned());
                self.end();
                Err(Trouble::Stalled)
            }
            Err(Trouble::Over) => {
                let _ = tokio::time::timeout(LAST_WORDS, self.over.cancelled()).await;
                self.end();
                Err(self.lost())
            }
            answer => answer,
        }
    }

    /// Does work that must not take longer than [`STALL`], nor outlive the server.
    pub(super) async fn moving<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            done = tokio::time::timeout(STALL, work) => done.map_err(|_| Trouble::Stalled),
            () = self.over.cancelled() => Err(self.lost()),
        }
    }

    fn lost(&self) -> Trouble {
        let why = self.cause.get().map_or("the connection to it broke", String::as_str);
        Trouble::Lost(why.to_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}
