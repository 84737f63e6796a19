//! An open file of the server.

use std::borrow::Cow;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt;
use hostlink_core::transfer::CLEAN_LIMIT;
use openssh_sftp_client_lowlevel::{
    AwaitableHandleFuture, CreateFlags, Error, FileAttrs, HandleOwned, OpenFileRequest,
    OpenOptions, Permissions,
};
use tokio::task::JoinHandle;

use super::session::{Id, Session, WriteEnd};
use super::sessions::Sessions;
use super::trouble::Trouble;

/// How long is waited for the removal of a file whose server is gone. It goes on after that.
const GONE_LIMIT: Duration = Duration::from_secs(2);

/// An open file. Dropping it closes it; a temporary one, unless it was [kept](Self::keep), is
/// removed.
pub(super) struct RemoteFile {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    state: State,
    /// Where it is, if that is a temporary name.
    temporary: Option<PathBuf>,
}

enum State {
    Opening(AwaitableHandleFuture<BytesMut>),
    Open(HandleOwned),
    Closed,
}

impl RemoteFile {
    /// Asks for a file to be read. A FIFO would block the whole server: look before.
    pub(super) fn read(
        sessions: &Arc<Sessions>,
        session: &Arc<Session>,
        path: &Path,
    ) -> Result<Self, Trouble> {
        let request = OpenOptions::new().read(true).open(Cow::Borrowed(path));
        Self::open(sessions, session, request, None)
    }

    /// Asks for a file that is there to be emptied and written.
    pub(super) fn overwrite(
        sessions: &Arc<Sessions>,
        session: &Arc<Session>,
        path: &Path,
    ) -> Result<Self, Trouble> {
        let options = OpenOptions::new().write(true);
        let request = options.create(Cow::Borrowed(path), CreateFlags::Trunc, FileAttrs::new());
        Self::open(sessions, session, request, None)
    }

    /// Asks for a new temporary file with these bits, less the umask.
    pub(super) fn temporary(
        sessions: &Arc<Sessions>,
        session: &Arc<Session>,
        path: PathBuf,
        bits: u32,
    ) -> Result<Self, Trouble> {
        let mut attributes = FileAttrs::new();
        attributes.set_permissions(Permissions::from_bits_truncate(bits));
        let options = OpenOptions::new().read(true).write(true);
        let request = options.create(Cow::Borrowed(&path), CreateFlags::Excl, attributes);
        Self::open(sessions, session, request, Some(path.clone()))
    }

    fn open(
        sessions: &Arc<Sessions>,
        session: &Arc<Session>,
        request: OpenFileRequest<'_>,
        temporary: Option<PathBuf>,
    ) -> Result<Self, Trouble> {
        let opening =
            session.send(|end, id| Ok(end.send_open_file_request(id, request)?.wait()))?;
        let (sessions, session) = (sessions.clone(), session.clone());
        Ok(Self { sessions, session, state: State::Opening(opening), temporary })
    }

    /// Waits until it is open.
    pub(super) async fn opened(&mut self) -> Result<(), Trouble> {
        let State::Opening(opening) = &mut self.state else { return Ok(()) };
        let answer = self.session.answer(Ok(opening)).await;
        if answer.as_ref().is_err_and(Trouble::is_refusal) {
            (self.state, self.temporary) = (State::Closed, None);
        }
        self.state = State::Open(answer?);
        Ok(())
    }

    /// Sends a request about it, once it is open.
    pub(super) fn send<T>(
        &self,
        build: impl FnOnce(&mut WriteEnd, Id, &HandleOwned) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let State::Open(handle) = &self.state else { unreachable!("it has been opened") };
        self.session.send(|end, id| build(end, id, handle))
    }

    /// What the server knows of it.
    pub(super) async fn attributes(&self) -> Result<FileAttrs, Trouble> {
        let sent = self
            .send(|end, id, handle| Ok(end.send_fstat_request(id, Cow::Borrowed(handle))?.wait()));
        self.session.answer(sent).await
    }

    /// Closes it, at once; the answer may be awaited.
    pub(super) fn close(
        &mut self,
    ) -> Result<impl Future<Output = Result<(Id, ()), Error>> + Send + use<>, Trouble> {
        let closing = self
            .send(|end, id, handle| Ok(end.send_close_request(id, Cow::Borrowed(handle))?.wait()));
        self.state = State::Closed;
        closing
    }

    /// The temporary name.
    pub(super) fn name(&self) -> &Path {
        self.temporary.as_deref().unwrap_or(Path::new(""))
    }

    /// It has another name now, and stays.
    pub(super) fn keep(&mut self) {
        self.temporary = None;
    }

    /// Removes it now. It goes on if the future is dropped.
    pub(super) async fn discard(mut self) {
        // Where the server is gone it takes another one, and perhaps another login.
        let limit = if self.session.is_over() { GONE_LIMIT } else { CLEAN_LIMIT };
        if let Some(removal) = self.begin_removal() {
            // It is awaited for order's sake; its failure leaves a hidden file that nobody can get
            // at.
            let _ = tokio::time::timeout(limit, removal).await;
        }
    }

    fn begin_removal(&mut self) -> Option<JoinHandle<()>> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let temporary = self.temporary.take();
        if temporary.is_none() && matches!(state, State::Closed) {
            return None;
        }
        let (sessions, session) = (self.sessions.clone(), self.session.clone());
        let removal = remove(sessions, session, state, temporary);
        self.sessions.in_background(tokio::time::timeout(CLEAN_LIMIT, removal).map(|_| ()))
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        self.begin_removal();
    }
}

async fn remove(
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    state: State,
    temporary: Option<PathBuf>,
) {
    let handle = match state {
        State::Opening(opening) => match session.answer(Ok(opening)).await {
            Ok(handle) => Some(handle),
            // There is nothing to close, nor to remove.
            Err(Trouble::Refused(..)) => return,
            Err(_) => None,
        },
        State::Open(handle) => Some(handle),
        State::Closed => None,
    };
    // A failure to close leaves nothing that the session's end does not close.
    let closing = handle.map(|handle| {
        session.send(|end, id| Ok(end.send_close_request(id, Cow::Owned(handle))?.wait()))
    });
    let Some(path) = temporary else { return };
    if unlink(&session, &path).await.is_err_and(|trouble| !trouble.is_refusal()) {
        // The server has died on the way: another one can still remove what it left.
        if let Ok(Some(session)) = sessions.session().await {
            let _ = unlink(&session, &path).await;
        }
    }
    drop(closing);
}

async fn unlink(session: &Session, path: &Path) -> Result<(), Trouble> {
    let sent = session.send(|end, id| Ok(end.send_remove_request(id, Cow::Borrowed(path))?.wait()));
    session.answer(sent).await
}
