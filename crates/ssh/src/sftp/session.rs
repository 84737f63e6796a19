//! One SFTP session: requests, and the answers to them.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io::IoSlice;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use openssh_sftp_client_lowlevel as lowlevel;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::frames::Frames;
use super::trouble::Trouble;
use super::{BUDGET, Subsystem, WINDOW};
use hostlink_core::BoxWrite;
use hostlink_core::transfer::STALL;

pub(super) type Id = lowlevel::Id<BytesMut>;
pub(super) type WriteEnd = lowlevel::WriteEnd<BytesMut, Outbox>;
type SharedData = lowlevel::SharedData<BytesMut, Outbox>;
type ReadEnd = lowlevel::ReadEnd<Frames<super::BoxRead>, BytesMut, Outbox>;

/// A session with a server. Many files share it. Dropping it ends it.
pub(super) struct Session {
    shared: SharedData,
    extensions: lowlevel::Extensions,
    pub(super) read_size: u32,
    pub(super) write_size: u32,
    over: CancellationToken,
    cause: Arc<OnceLock<String>>,
    newcomers: Mutex<HashMap<PathBuf, Newcomer>>,
    /// How many files have content on its way.
    moving: AtomicUsize,
}

/// The part of a session's memory that one file has. It ends when it is dropped.
pub(super) struct Share<'a>(&'a Session);

impl Share<'_> {
    /// The bytes that the file may have in flight. Where that is less than one piece, one piece
    /// may.
    pub(super) fn window(&self) -> usize {
        (BUDGET / self.0.moving.load(Ordering::Relaxed).max(1)).min(WINDOW)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.0.moving.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How the server makes a new file in some directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    /// Its user and group.
    pub(super) owner: (u32, u32),
    /// The bits that it does not get.
    pub(super) umask: u32,
}

/// Every server takes requests of this size (draft-ietf-secsh-filexfer-02, section 3).
const USUAL_SIZE: u32 = 32 * 1024;
/// What OpenSSH's server allows (255 KiB): more would not fit in its packets.
const LARGEST: u32 = 255 * 1024;
/// Less would be very many requests.
const SMALLEST: u32 = 4 * 1024;
const READ_BUFFER: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("it is not zero");
/// For what the server has said before it ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// For how many directories it is remembered how new files are made there.
const NEWCOMERS: usize = 256;

impl Session {
    /// Greets the server. The caller limits the time; dropping the future ends everything.
    ///
    /// # Errors
    ///
    /// Why there is no SFTP.
    pub(super) async fn open(subsystem: Subsystem) -> Result<Arc<Self>, String> {
        let Subsystem { input, output, ended } = subsystem;
        let mut ended = ends(ended);
        let (outbox, packets) = unbounded_channel();
        let greeting = lowlevel::connect(Outbox(outbox), ()).map_err(|error| error.to_string())?;
        let shared = greeting.into_shared_data();
        let mut session = Self {
            shared: shared.clone(),
            extensions: lowlevel::Extensions::empty(),
            read_size: USUAL_SIZE,
            write_size: USUAL_SIZE,
            over: CancellationToken::new(),
            cause: Arc::default(),
            newcomers: Mutex::default(),
            moving: AtomicUsize::new(0),
        };
        session.start_writing(input, packets);
        let mut read_end = ReadEnd::new(Frames::new(output), READ_BUFFER, shared);
        session.extensions = tokio::select! {
            biased;
            hello = read_end.receive_server_hello() => hello.map_err(|error| reason(&error))?,
            () = &mut ended => return Err("the server ended at once".to_owned()),
        };
        session.start_reading(read_end, ended);
        session.agree_on_sizes().await?;
        Ok(Arc::new(session))
    }

    async fn agree_on_sizes(&mut self) -> Result<(), String> {
        if !self.extensions.contains(lowlevel::Extensions::LIMITS) {
            return Ok(());
        }
        let limits = self.send(|end, id| Ok(end.send_limits_request(id)?.wait()));
        let limits = self.answer(limits).await.map_err(|trouble| trouble.to_string())?;
        // Zero: the server does not say.
        let within = |limit: u64| match u32::try_from(limit).unwrap_or(LARGEST).min(LARGEST) {
            0 => USUAL_SIZE,
            limit => limit.max(SMALLEST),
        };
        (self.read_size, self.write_size) = (within(limits.read_len), within(limits.write_len));
        Ok(())
    }

    fn start_writing(&self, input: BoxWrite, packets: UnboundedReceiver<Packet>) {
        let over = self.over.clone();
        tokio::spawn(async move {
            let guard = over.clone().drop_guard();
            tokio::select! {
                // A broken pipe is no cause: the server has a better one to tell.
                _ = write_packets(input, packets) => tokio::time::sleep(LAST_WORDS).await,
                () = over.cancelled() => {}
            }
            drop(guard);
        });
    }

    fn start_reading(&self, read_end: ReadEnd, ended: BoxFuture<'static, ()>) {
        let (over, cause) = (self.over.clone(), self.cause.clone());
        tokio::spawn(async move {
            let guard = over.clone().drop_guard();
            let why = tokio::select! {
                why = read_packets(read_end) => why,
                () = ended => "it ended".to_owned(),
                () = over.cancelled() => "it was closed".to_owned(),
            };
            // The first cause is the one that counts.
            let _ = cause.set(why);
            drop(guard);
        });
    }

    /// Whether a rename replaces a file that is there.
    pub(super) fn renames_over(&self) -> bool {
        self.extensions.contains(lowlevel::Extensions::POSIX_RENAME)
    }

    /// Whether the server is gone.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Ends it.
    pub(super) fn end(&self) {
        self.over.cancel();
    }

    /// Sends a request at once. What it returns may be awaited later, or never.
    pub(super) fn send<T>(
        &self,
        build: impl FnOnce(&mut WriteEnd, Id) -> Result<T, lowlevel::Error>,
    ) -> Result<T, Trouble> {
        let id = self.shared.create_response_id();
        build(&mut WriteEnd::new(self.shared.clone()), id).map_err(Trouble::from)
    }

    /// Waits for the answer to what was sent. A server that gives none ends the session: the next
    /// file gets another.
    pub(super) async fn answer<T>(
        &self,
        sent: Result<impl Future<Output = Result<(Id, T), lowlevel::Error>>, Trouble>,
    ) -> Result<T, Trouble> {
        let answer = self.moving(sent?).await;
        if matches!(answer, Err(Trouble::Stalled)) {
            // The first cause is the one that counts.
            let _ = self.cause.set("it does not answer".to_owned());
            self.end();
        }
        let (_, answer) = answer??;
        Ok(answer)
    }

    /// Work that must make progress, as long as the server is there.
    pub(super) async fn moving<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            done = tokio::time::timeout(STALL, work) => done.map_err(|_| Trouble::Stalled),
            () = self.over.cancelled() => {
                let why = self.cause.get().map_or("the connection to it broke", String::as_str);
                Err(Trouble::Lost(why.to_owned()))
            }
        }
    }

    /// For a file whose content begins to move.
    pub(super) fn share(&self) -> Share<'_> {
        self.moving.fetch_add(1, Ordering::Relaxed);
        Share(self)
    }

    /// What is known of new files in `directory`.
    pub(super) fn newcomer(&self, directory: &PathBuf) -> Option<Newcomer> {
        let newcomers = self.newcomers.lock().unwrap_or_else(PoisonError::into_inner);
        newcomers.get(directory).copied()
    }

    /// Remembers what new files in `directory` are like.
    pub(super) fn learn(&self, directory: PathBuf, newcomer: Newcomer) {
        let mut newcomers = self.newcomers.lock().unwrap_or_else(PoisonError::into_inner);
        if newcomers.len() >= NEWCOMERS {
            newcomers.clear();
        }
        newcomers.insert(directory, newcomer);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

/// The server's end, a little later.
fn ends(ended: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    Box::pin(async {
        ended.await;
        tokio::time::sleep(LAST_WORDS).await;
    })
}

async fn read_packets(mut read_end: ReadEnd) -> String {
    loop {
        if let Err(error) = read_end.read_in_one_packet().await {
            return reason(&error);
        }
    }
}

fn reason(error: &lowlevel::Error) -> String {
    match error {
        lowlevel::Error::IOError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it ended".to_owned()
        }
        lowlevel::Error::IOError(error) => error.to_string(),
        error => error.to_string(),
    }
}

async fn write_packets(
    mut input: BoxWrite,
    mut packets: UnboundedReceiver<Packet>,
) -> std::io::Result<()> {
    let mut queue = Queue(VecDeque::new());
    while let Some(packet) = packets.recv().await {
        queue.push(packet);
        while queue.has_remaining() {
            while let Ok(packet) = packets.try_recv() {
                queue.push(packet);
            }
            if input.write_buf(&mut queue).await? == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
        }
        input.flush().await?;
    }
    Ok(())
}

/// Packets that are to be written, many with one call.
struct Queue(VecDeque<Bytes>);

impl Queue {
    fn push(&mut self, (header, body): Packet) {
        self.0.extend([header].into_iter().chain(body).filter(|bytes| !bytes.is_empty()));
    }
}

impl Buf for Queue {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |bytes| bytes)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.0);
        pairs.map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let Some(bytes) = self.0.front_mut() else { return };
            let passed = count.min(bytes.len());
            bytes.advance(passed);
            count -= passed;
            if bytes.is_empty() {
                self.0.pop_front();
            }
        }
    }
}

/// A request, in pieces.
type Packet = (Bytes, Vec<Bytes>);

/// Requests on their way. Whoever sends content bounds it by waiting for answers.
#[derive(Debug)]
pub(super) struct Outbox(UnboundedSender<Packet>);

impl lowlevel::Queue for Outbox {
    fn push(&self, bytes: Bytes) {
        // Nobody receives if the session is over, which whoever waits for the answer is told.
        let _ = self.0.send((bytes, Vec::new()));
    }

    fn extend(&self, header: Bytes, body: &[&[Bytes]]) {
        let _ = self.0.send((header, body.concat()));
    }
}
