//! Directories, for hosts that start no command.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, try_unfold};
use hostlink_core::transfer::{DirectoryTransfer, FileKind, RemoteEntry, Route};
use hostlink_core::{Error, ErrorKind, Result};
use openssh_sftp_client::UnixTimeStamp;
use openssh_sftp_client::fs::ReadDir;
use openssh_sftp_client::metadata::{MetaData, MetaDataBuilder, Permissions, RawPermissions};

use super::SftpTransfer;
use super::get::header;
use super::session::Session;
use super::trouble::Trouble;

impl SftpTransfer {
    async fn opened(&self) -> Result<Arc<Session>> {
        let none = || Error::new(ErrorKind::LinkLost, "the SFTP server is gone");
        self.sessions.session().await?.ok_or_else(none)
    }
}

#[async_trait]
impl DirectoryTransfer for SftpTransfer {
    fn route(&self) -> Route {
        Route::Sftp
    }

    async fn look(&self, path: &str) -> Result<Option<RemoteEntry>> {
        match self.opened().await?.lstat(path.as_ref()).await {
            Ok(found) => Ok(Some(entry(String::new(), &found))),
            Err(trouble) if trouble.is_missing() => Ok(None),
            Err(trouble) => Err(trouble.of(path)),
        }
    }

    async fn list(&self, path: &str) -> Result<BoxStream<'static, Result<RemoteEntry>>> {
        let (session, path) = (self.opened().await?, path.to_owned());
        let opened = session.answer(session.fs().open_dir(&path)).await;
        let entries = Box::pin(opened.map_err(|trouble| trouble.of(&path))?.read_dir());
        let next = |(session, mut entries, path): (Arc<Session>, Pin<Box<ReadDir>>, String)| async move {
            let of = |trouble: Trouble| trouble.of(&path);
            loop {
                let listed =
                    session.answer(async { StreamExt::next(&mut entries).await.transpose() });
                let Some(listed) = listed.await.map_err(of)? else { return Ok(None) };
                let Some(name) = listed.filename().to_str().filter(|name| !is_self(name)) else {
                    continue;
                };
                // Some servers list names alone.
                let found = match listed.file_type() {
                    Some(_) => listed.metadata(),
                    None => session.lstat(&Path::new(&path).join(name)).await.map_err(of)?,
                };
                let entry = entry(name.to_owned(), &found);
                return Ok(Some((entry, (session, entries, path))));
            }
        };
        Ok(try_unfold((session, entries, path), next).boxed())
    }

    async fn read_link(&self, path: &str) -> Result<String> {
        let session = self.opened().await?;
        let link = session.answer(session.fs().read_link(path)).await;
        Ok(link.map_err(|trouble| trouble.of(path))?.to_string_lossy().into_owned())
    }

    async fn create_directory(&self, path: &str, mode: u32) -> Result<()> {
        let bits = u16::try_from(mode & 0o777).expect("nine bits fit");
        let made = self.opened().await?.make_directory(path.as_ref(), bits).await;
        made.map_err(|trouble| trouble.of(path))
    }

    async fn create_symlink(&self, target: &str, path: &str) -> Result<()> {
        let session = self.opened().await?;
        let made = session.answer(session.fs().symlink(target, path)).await;
        made.map_err(|trouble| trouble.of(path))
    }

    async fn set(&self, path: &str, mode: u32, modified: SystemTime) -> Result<()> {
        let session = self.opened().await?;
        // The protocol's times end in 2106, and begin in 1970.
        let time = UnixTimeStamp::new(modified).unwrap_or(UnixTimeStamp::unix_epoch());
        let bits = Permissions::from_raw(RawPermissions::from_bits_truncate(mode));
        let attributes = MetaDataBuilder::new().permissions(bits).time(time, time).create();
        let set = session.answer(session.fs().set_metadata(path, attributes)).await;
        set.map_err(|trouble| trouble.of(path))
    }

    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let renamed = self.opened().await?.rename(from.as_ref(), to.as_ref()).await;
        renamed.map_err(|trouble| trouble.of(to))
    }

    async fn remove(&self, path: &str, kind: FileKind) -> Result<()> {
        let session = self.opened().await?;
        let removed = match kind {
            FileKind::Directory => session.remove_directory(path.as_ref()).await,
            _ => session.remove_file(path.as_ref()).await,
        };
        removed.map_err(|trouble| trouble.of(path))
    }
}

fn is_self(name: &str) -> bool {
    matches!(name, "." | "..")
}

fn entry(name: String, found: &MetaData) -> RemoteEntry {
    let kind = match found.file_type() {
        Some(kind) if kind.is_dir() => FileKind::Directory,
        Some(kind) if kind.is_file() => FileKind::File,
        Some(kind) if kind.is_symlink() => FileKind::Symlink,
        _ => FileKind::Other,
    };
    RemoteEntry { name, kind, header: header(found) }
}
