//! What files hold.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostlink_core::{Error, ErrorKind, Result};

use crate::format::Format;
use crate::place::{Place, Position, one_line};

/// The longest inventory that is read: 1 GiB.
const LONGEST: u64 = 1 << 30;

/// Whether a path is that of a program, and of no file of a known format.
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

/// What a file holds.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        // To open a pipe would wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        let file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, LONGEST + 1), &mut bytes)?;
        if bytes.len() as u64 > LONGEST {
            return Err(std::io::Error::other("it is longer than 1 GiB"));
        }
        Ok(bytes)
    };
    read().map_err(|error| unreadable(path, &error))
}
