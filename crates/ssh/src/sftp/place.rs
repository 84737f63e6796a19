//! Where a file goes, and what is there already.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostlink_core::Result;
use hostlink_core::transfer::{failure, hidden_name};
use openssh_sftp_client_lowlevel::{FileAttrs, FileType};

use super::file::RemoteFile;
use super::session::{Newcomer, Session};
use super::sessions::Sessions;
use super::trouble::Trouble;

/// Where a file goes.
pub(super) struct Place {
    pub(super) destination: PathBuf,
    /// The file that is there.
    pub(super) existing: Option<FileAttrs>,
    /// An empty file beside it, which its owner alone can read.
    pub(super) temporary: RemoteFile,
}

/// What stands at a path.
enum Found {
    Nothing,
    File(FileAttrs),
    /// Something that only a command serves, or names the error of.
    Other,
}

/// Finds the place for `path`; `None` if it is not one for SFTP.
pub(super) async fn find(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    path: &str,
    follow: bool,
) -> Result<Option<Place>> {
    let of = |trouble: Trouble| trouble.of(path);
    let destination = PathBuf::from(path);
    let looking =
        session.send(|end, id| Ok(end.send_lstat_request(id, Cow::Borrowed(&destination))?.wait()));
    // Nearly always this is the place: its file is made in the same round trip.
    let name = hidden_name(&destination)?;
    let mut temporary = RemoteFile::temporary(sessions, session, name, 0o600).map_err(of)?;
    let existing = match found(session.answer(looking).await, follow) {
        Ok(Found::Nothing) => None,
        Ok(Found::File(attributes)) => Some(attributes),
        Ok(Found::Other) => {
            temporary.discard().await;
            return Ok(None);
        }
        Err(trouble) => {
            temporary.discard().await;
            return Err(of(trouble));
        }
    };
    let Err(trouble) = temporary.opened().await else {
        return Ok(Some(Place { destination, existing, temporary }));
    };
    temporary.discard().await;
    match trouble {
        trouble if trouble.is_missing() => Err(failure("nodir", path, b"")),
        // A command may write in place, or knows better what is wrong.
        trouble if trouble.is_refusal() && !sessions.insists() => Ok(None),
        trouble => Err(of(trouble)),
    }
}

fn found(looked: Result<FileAttrs, Trouble>, follow: bool) -> Result<Found, Trouble> {
    Ok(match looked {
        Ok(attributes) => match attributes.get_filetype() {
            Some(FileType::RegularFile) => Found::File(attributes),
            // The link itself is replaced. One that is followed is left to the command: where it
            // leads need not be UTF-8, which the client library takes for the end of the session
            // that all files share.
            Some(FileType::Symlink) if !follow => Found::Nothing,
            _ => Found::Other,
        },
        Err(trouble) if trouble.is_missing() => Found::Nothing,
        Err(trouble) if trouble.is_refusal() => Found::Other,
        Err(trouble) => return Err(trouble),
    })
}

/// What a new file beside `path` is like; `None` if the server does not say. It is asked once for
/// each directory, since the group may be the directory's, and a default ACL takes the place of the
/// umask (acl(5)).
pub(super) async fn newcomer(
    sessions: &Arc<Sessions>,
    session: &Arc<Session>,
    path: &Path,
) -> Result<Option<Newcomer>, Trouble> {
    let directory = directory_of(path).to_owned();
    if let Some(known) = session.newcomer(&directory) {
        return Ok(Some(known));
    }
    let Ok(name) = hidden_name(path) else { return Ok(None) };
    let mut probe = RemoteFile::temporary(sessions, session, name, ALL)?;
    let looked = async {
        probe.opened().await?;
        probe.attributes().await
    };
    let looked = looked.await;
    probe.discard().await;
    let attributes = looked?;
    let (Some(owner), Some(bits)) = (attributes.get_id(), attributes.get_permissions()) else {
        return Ok(None);
    };
    let newcomer = Newcomer { owner, umask: ALL & !bits.bits() };
    session.learn(directory, newcomer);
    Ok(Some(newcomer))
}

/// All bits that a umask takes from.
const ALL: u32 = 0o777;

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
