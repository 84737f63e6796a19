//! The destination of a put, and what is there.

use std::path::PathBuf;
use std::sync::Arc;

use hostlink_core::Result;
use hostlink_core::transfer::{failure, hidden_name};
use openssh_sftp_client::metadata::MetaData;

use super::session::Session;
use super::sessions::Sessions;
use super::temporary::Temporary;
use super::trouble::Trouble;

/// The destination of a put.
pub(super) struct Place {
    pub(super) destination: PathBuf,
    /// The file that is there.
    pub(super) existing: Option<MetaData>,
    /// An empty file beside it.
    pub(super) temporary: Temporary,
    /// The attributes of a new file beside it that is made with all permission bits.
    new: MetaData,
}

/// What is at a path.
enum Found {
    Nothing,
    File(MetaData),
    /// Something that only a command handles, or reports well.
    Other,
}

impl Place {
    /// Finds the place for `path`; `None` if it is not one for SFTP. Dropping the future may leave
    /// a temporary file.
    pub(super) async fn find(
        sessions: Arc<Sessions>,
        session: Arc<Session>,
        path: String,
        follow: bool,
    ) -> Result<Option<Self>> {
        let destination = PathBuf::from(&path);
        let directory = hidden_name(&destination)?;
        // The file is made in the same round trip: it is nearly always wanted.
        let (looked, made) = futures::join!(
            session.lstat(&destination),
            Temporary::make(&sessions, &session, directory),
        );
        let existing = match found(looked, follow).map_err(|trouble| trouble.of(&path))? {
            Found::Nothing => None,
            Found::File(attributes) => Some(attributes),
            Found::Other => {
                if let Ok((temporary, _)) = made {
                    temporary.discard().await;
                }
                return Ok(None);
            }
        };
        match made {
            Ok((temporary, new)) => Ok(Some(Self { destination, existing, temporary, new })),
            Err(trouble) if trouble.is_missing() => Err(failure("nodir", &path, b"")),
            // A command may write in place, or report better what is wrong.
            Err(trouble) if trouble.is_refusal() && !sessions.insists() => Ok(None),
            Err(trouble) => Err(trouble.of(&path)),
        }
    }

    /// Returns whether a new file has the owner of the existing one.
    pub(super) fn keeps_owner(&self, existing: &MetaData) -> bool {
        owner(existing).is_some_and(|existing| owner(&self.new) == Some(existing))
    }

    /// Returns the permission bits of a new file that is made with `bits`, less the umask or what a
    /// default ACL takes (acl(5)); `None` if the server does not report them.
    pub(super) fn new_bits(&self, bits: u32) -> Option<u32> {
        self.new.permissions().map(|new| bits & 0o777 & new.as_raw().bits())
    }
}

fn found(looked: Result<MetaData, Trouble>, follow: bool) -> Result<Found, Trouble> {
    Ok(match looked {
        Ok(attributes) => match attributes.file_type() {
            Some(kind) if kind.is_file() => Found::File(attributes),
            // The link itself is replaced. A link to follow is left to the command: its target need
            // not be UTF-8, which makes the package end the session that all files share.
            Some(kind) if kind.is_symlink() && !follow => Found::Nothing,
            _ => Found::Other,
        },
        Err(trouble) if trouble.is_missing() => Found::Nothing,
        Err(trouble) if trouble.is_refusal() => Found::Other,
        Err(trouble) => return Err(trouble),
    })
}

/// Returns the user and the group of a file, if the server reports them.
pub(super) fn owner(attributes: &MetaData) -> Option<(u32, u32)> {
    attributes.uid().zip(attributes.gid())
}
