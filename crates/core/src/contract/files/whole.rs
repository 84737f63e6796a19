//! Reads a file of this machine into memory, within a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// What is read of a file that claims to be shorter. The files of proc(5) have no length.
const LEAST: u64 = 1 << 20;

/// Returns what a regular file holds.
///
/// A device or a pipe may have no end, and a pipe may have no writer: neither is read.
///
/// # Errors
///
/// It cannot be read, is no regular file, or holds more than `most` bytes.
pub fn read_whole(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // To open a pipe would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    // A file that grows as fast as it is read would have no end either.
    let length = metadata.len().max(LEAST).min(most);
    let mut bytes = Vec::new();
    if metadata.len() <= most {
        file.take(length + 1).read_to_end(&mut bytes)?;
    }
    if metadata.len() > most || bytes.len() as u64 > length {
        return Err(io::Error::other(format!("it is longer than {}", shown(length))));
    }
    Ok(bytes)
}

fn shown(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 => format!("{} GiB", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_whole(&path, 5).unwrap(), b"12345");
        let problem = |path: &Path, most| read_whole(path, most).unwrap_err().to_string();
        assert_eq!(problem(&path, 4), "it is longer than 4 bytes");
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(problem(&path, 1 << 30), "it is longer than 1 GiB");
        assert_eq!(problem(Path::new("/dev/zero"), 4), "it is no regular file");
        assert_eq!(problem(directory.path(), 4), "it is no regular file");
        let absent = read_whole(&directory.path().join("absent"), 4).unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        // Its length is said to be 0.
        assert!(!read_whole(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let problem = read_whole(&path, 4).unwrap_err().to_string();
        assert_eq!(problem, "it is no regular file");
    }
}
