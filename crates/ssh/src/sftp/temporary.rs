//! A file on the target that is not complete yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hostlink_core::transfer::CLEAN_LIMIT;
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::file::File;
use openssh_sftp_client::metadata::MetaData;
use tokio::task::JoinHandle;

use super::session::Session;
use super::sessions::Sessions;
use super::trouble::Trouble;

/// How long a caller waits for the removal if the server is gone. The removal continues after that.
const GONE_LIMIT: Duration = Duration::from_secs(2);

/// An open file in a hidden directory that only its owner can enter. The package cannot open a file
/// with a mode. Dropping it removes both.
pub(super) struct Temporary {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    directory: PathBuf,
    /// Whether the directory must be removed.
    is_there: bool,
    file: Option<File>,
}

impl Temporary {
    /// Makes the directory, and the file in it. Also returns the attributes of a probe that was
    /// made with all permission bits, to learn the owner and the umask of new files. The probe is a
    /// directory, since the package sets no mode for files.
    pub(super) async fn make(
        sessions: &Arc<Sessions>,
        session: &Arc<Session>,
        directory: PathBuf,
    ) -> Result<(Self, MetaData), Trouble> {
        let (sessions, session) = (sessions.clone(), session.clone());
        let mut temporary = Self { sessions, session, directory, is_there: true, file: None };
        match temporary.fill().await {
            Ok(probed) => Ok((temporary, probed)),
            Err(trouble) => {
                temporary.discard().await;
                Err(trouble)
            }
        }
    }

    async fn fill(&mut self) -> Result<MetaData, Trouble> {
        let (session, directory) = (&self.session, &self.directory);
        let (content, probe) = (content(directory), probe(directory));
        let mut options = session.options();
        options.read(true).write(true).create_new(true);
        // In one round trip.
        let (made, opened, found, made_probe, probed) = futures::join!(
            session.make_directory(directory, 0o700),
            session.answer(options.open(content)),
            session.lstat(directory),
            session.make_directory(&probe, 0o777),
            session.lstat(&probe),
        );
        self.is_there = !made.as_ref().is_err_and(Trouble::is_refusal);
        made?;
        self.file = Some(opened.map_err(unordered)?);
        let bits = found.map_err(unordered)?.permissions();
        // Some servers ignore the mode of a new directory.
        if bits.is_none_or(|bits| bits.as_raw().bits() & 0o077 != 0) {
            return Err(refusal("the server makes no private directory"));
        }
        made_probe.and(probed).map_err(unordered)
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        self.file.as_ref().expect("it is open until it is named or discarded")
    }

    /// Renames the file. An existing file is replaced.
    pub(super) async fn rename(&self, destination: &Path) -> Result<(), Trouble> {
        self.session.rename(&content(&self.directory), destination).await
    }

    /// Closes the file, once it is renamed, and removes the directory.
    pub(super) async fn close(&mut self) -> Result<(), Trouble> {
        let (session, directory) = (&self.session, &self.directory);
        let (file, probe) = (self.file.take(), probe(directory));
        let closing = async {
            match file {
                Some(file) => session.answer(file.close()).await,
                None => Ok(()),
            }
        };
        let (closed, _, removed) = futures::join!(
            closing,
            session.remove_directory(&probe),
            session.remove_directory(directory),
        );
        self.is_there = removed.is_err();
        closed
    }

    /// Removes both. The removal continues if the future is dropped.
    pub(super) async fn discard(mut self) {
        // If the server is gone, this takes a new one, and perhaps a new login.
        let limit = if self.session.is_over() { GONE_LIMIT } else { CLEAN_LIMIT };
        if let Some(removal) = self.start_removal() {
            // If it fails, a hidden directory is left that only its owner can enter.
            let _ = tokio::time::timeout(limit, removal).await;
        }
    }

    fn start_removal(&mut self) -> Option<JoinHandle<()>> {
        // This closes it.
        self.file = None;
        if !std::mem::take(&mut self.is_there) {
            return None;
        }
        let (sessions, session) = (self.sessions.clone(), self.session.clone());
        let removal = remove(sessions, session, self.directory.clone());
        self.sessions.in_background(tokio::time::timeout(CLEAN_LIMIT, removal).map(|_| ()))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.start_removal();
    }
}

fn content(directory: &Path) -> PathBuf {
    directory.join("file")
}

fn probe(directory: &Path) -> PathBuf {
    directory.join("new")
}

fn refusal(said: &str) -> Trouble {
    Trouble::Refused(SftpErrorKind::Failure, said.to_owned())
}

/// A server that handles requests at the same time may miss the directory that it was asked to
/// make.
fn unordered(trouble: Trouble) -> Trouble {
    if trouble.is_missing() { refusal("the server reorders requests") } else { trouble }
}

async fn remove(sessions: Arc<Sessions>, session: Arc<Session>, directory: PathBuf) {
    if clear(&session, &directory).await.is_err_and(|trouble| !trouble.is_refusal()) {
        // The server has ended meanwhile: a new one can still remove the directory.
        if let Ok(Some(session)) = sessions.session().await {
            let _ = clear(&session, &directory).await;
        }
    }
}

async fn clear(session: &Session, directory: &Path) -> Result<(), Trouble> {
    let refused = |trouble: Trouble| if trouble.is_refusal() { Ok(()) } else { Err(trouble) };
    session.remove_file(&content(directory)).await.or_else(refused)?;
    session.remove_directory(&probe(directory)).await.or_else(refused)?;
    session.remove_directory(directory).await
}
