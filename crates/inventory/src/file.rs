//! The content of files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostlink_core::{Error, ErrorKind, Result, read_whole};

use crate::format::Format;
use crate::place::{Place, Position, one_line};

/// The longest inventory that is read: 1 GiB.
const LONGEST: u64 = 1 << 30;

/// Returns whether a path is that of a program, and of no file of a known format.
pub(crate) fn is_program(path: &Path) -> bool {
    let is_executable =
        |about: std::fs::Metadata| about.is_file() && about.permissions().mode() & 0o111 != 0;
    Format::of(path).is_none() && std::fs::metadata(path).is_ok_and(is_executable)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("{}: cannot be read: {error}", path.display());
    Error::new(ErrorKind::Inventory, one_line(message))
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count();
        let place =
            Place::new(&path.display().to_string().into(), Position::new(line + 1, column + 1));
        place.error("this is not UTF-8")
    })
}

/// Returns the content of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    bytes_within(path, LONGEST)
}

/// What a file holds that may have this many bytes.
pub(crate) fn bytes_within(path: &Path, most: u64) -> Result<Vec<u8>> {
    read_whole(path, most).map_err(|error| unreadable(path, &error))
}
