//! Files of the calling user, copied by the kernel.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use hostlink_core::transfer::{
    AtomicFile, Cancelled, Copies, Creation, FileTransfer, GetOptions, OpenSource, PutOptions,
    Route, Sink, Transferred, copy_file, failure,
};
use hostlink_core::{Error, ErrorKind, Result};

/// Copies from file to file with `copy_file_range` (std's `io::copy` between files, on Linux).
///
/// Everything else (readers, writers, temporary files elsewhere) is left to the stream.
#[derive(Debug, Default)]
pub(crate) struct LocalFiles(Copies);

#[async_trait]
impl FileTransfer for LocalFiles {
    async fn put(
        &self,
        source: &mut OpenSource,
        path: &str,
        options: &PutOptions,
    ) -> Result<Option<Transferred>> {
        let (Some(from), false) = (source.path.clone(), options.places_temporary()) else {
            return Ok(None);
        };
        // Opening a FIFO waits for its reader, and a waiting thread cannot be ended: a command can.
        if tokio::fs::metadata(path).await.is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            return Ok(None);
        }
        let copy = Copy {
            from,
            to: PathBuf::from(path),
            length: source.length,
            creation: Creation {
                mode: options.mode.or(options.preserve.then_some(source.mode)),
                source_mode: source.mode & 0o777,
                follow: options.follows(),
                temporary: None,
            },
            modified: source.modified.filter(|_| options.preserve),
        };
        copy.run(&self.0).await.map(Some)
    }

    async fn get(
        &self,
        path: &str,
        sink: &mut Sink<'_>,
        options: &GetOptions,
    ) -> Result<Option<Transferred>> {
        let Sink::Path(to) = &*sink else { return Ok(None) };
        let failed = |error| Error::from_io(format!("cannot read {path}: {error}"), error);
        let found = tokio::fs::metadata(path).await.map_err(failed)?;
        if found.is_dir() {
            let message = format!("{path} is a directory: get it with -r (get_dir)");
            return Err(Error::new(ErrorKind::IsADirectory, message));
        }
        if !found.is_file() {
            return Err(failure("special", path, b""));
        }
        let mode = found.permissions().mode() & 0o777;
        let copy = Copy {
            from: PathBuf::from(path),
            to: to.clone(),
            length: None,
            creation: Creation {
                mode: options.preserve.then_some(mode),
                source_mode: mode,
                follow: true,
                temporary: None,
            },
            modified: found.modified().ok().filter(|_| options.preserve),
        };
        copy.run(&self.0).await.map(Some)
    }

    async fn settle(&self) {
        self.0.settle().await;
    }
}

/// One copy.
struct Copy {
    from: PathBuf,
    to: PathBuf,
    length: Option<u64>,
    creation: Creation,
    modified: Option<SystemTime>,
}

impl Copy {
    /// Copies on a thread that may block. Dropping the future ends the copy at the next piece, and
    /// leaves nothing.
    async fn run(self, copies: &Copies) -> Result<Transferred> {
        copies.run(move |cancelled| self.copy(cancelled)).await
    }

    fn copy(&self, cancelled: &Cancelled) -> Result<Transferred> {
        let failed = |path: &Path, error: io::Error| {
            Error::from_io(format!("cannot read {}: {error}", path.display()), error)
        };
        let from = File::open(&self.from).map_err(|error| failed(&self.from, error))?;
        if is_same_file(&from, &self.to) {
            let message =
                format!("{} and {} are the same file", self.from.display(), self.to.display());
            return Err(Error::new(ErrorKind::Data, message));
        }
        let file = AtomicFile::create(&self.to, &self.creation)?;
        let copied = copy_file(&from, file.file(), self.length, || !cancelled.is_set());
        let bytes = copied.map_err(|error| {
            let message = format!("cannot copy to {}: {error}", self.to.display());
            Error::from_io(message, error)
        })?;
        if self.length.is_some_and(|length| length != bytes) {
            let message = format!("{} changed while it was copied", self.from.display());
            return Err(Error::new(ErrorKind::Transfer, message));
        }
        let in_place = file.commit(self.modified)?;
        Ok(Transferred { bytes, in_place, route: Route::Copy })
    }
}

fn is_same_file(open: &File, path: &Path) -> bool {
    let identity = |found: Metadata| (found.dev(), found.ino());
    let there = std::fs::metadata(path).map(identity);
    there.is_ok() && there.ok() == open.metadata().map(identity).ok()
}
