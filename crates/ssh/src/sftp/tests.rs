//! Files through a real sftp-server, over pipes.

mod faults;
mod get;
mod hostile;
mod put;
mod server;
mod shared;

use std::fs;
use std::future::Future;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hostlink_core::Result;
use hostlink_core::transfer::{
    FileTransfer, GetOptions, OpenSource, PutOptions, Sink, Source, TEMPORARY_MARK, Transferred,
};

use super::{Policy, SftpTransfer};
use server::Server;

/// OpenSSH's server.
const SFTP_SERVER: &str = "exec /usr/lib/openssh/sftp-server";

/// How long a condition is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// A server, a client, and a directory that they both see.
struct Scene {
    directory: tempfile::TempDir,
    server: Arc<Server>,
    told: Arc<Mutex<Vec<String>>>,
    sftp: Arc<SftpTransfer>,
}

impl Scene {
    fn new() -> Self {
        Self::with(SFTP_SERVER)
    }

    /// The server is a line of shell.
    fn with(line: &str) -> Self {
        Self::with_policy(line, Policy::Auto, LIMIT)
    }

    fn with_policy(line: &str, policy: Policy, limit: Duration) -> Self {
        let (server, told) = (Arc::new(Server::new(line)), Arc::<Mutex<Vec<String>>>::default());
        let tell = {
            let told = told.clone();
            Arc::new(move |text: &str| told.lock().unwrap().push(text.to_owned()))
        };
        let sftp = Arc::new(SftpTransfer::new(server.clone(), policy, limit, tell));
        Self { directory: tempfile::tempdir().unwrap(), server, told, sftp }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn plant(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    async fn put(&self, source: impl Into<Source>, name: &str) -> Result<Option<Transferred>> {
        self.put_with(source, name, &PutOptions::default()).await
    }

    async fn put_with(
        &self,
        source: impl Into<Source>,
        name: &str,
        options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        let mut source = source.into().open().await.unwrap();
        self.put_source(&mut source, name, options).await
    }

    async fn put_source(
        &self,
        source: &mut OpenSource,
        name: &str,
        options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        let path = self.path(name);
        self.sftp.put(source, path.to_str().unwrap(), options).await
    }

    async fn get(&self, path: &Path, sink: impl Into<Sink<'_>>) -> Result<Option<Transferred>> {
        let mut sink = sink.into();
        self.sftp.get(path.to_str().unwrap(), &mut sink, &GetOptions::default()).await
    }

    fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(TEMPORARY_MARK)).collect()
    }

    fn expect_no_leftovers(&self) {
        assert_eq!(self.leftovers(), [""; 0]);
    }
}

/// Waits until it is so.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Bytes in which every part differs.
fn content(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
