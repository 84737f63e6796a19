//! An engine that never stops answering: what it answers is not gathered in memory.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use hostlink_tests::cli::{becomes_true, hostlink};

/// The most memory that the command may have, in KiB.
const MOST: u64 = 64 * 1024;

/// An answer without an end: to which request, and its status.
const ANSWERS: [(&str, &str); 4] = [
    ("GET /_ping ", "200 OK"),
    ("GET /_ping ", "500 Internal Server Error"),
    ("GET /containers/", "200 OK"),
    ("GET /containers/", "500 Internal Server Error"),
];

fn serve(stream: &UnixStream, endless: (&str, &str)) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(request) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let mut writer = stream;
        if request.starts_with(endless.0) {
            write!(writer, "HTTP/1.1 {}\r\nApi-Version: 1.41\r\n\r\n", endless.1)?;
            loop {
                writer.write_all(&[b'x'; 65536])?;
            }
        }
        writer.write_all(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\n{}")?;
    }
    Ok(())
}

/// The most memory that a process has had so far, in KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    peak.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

fn assert_bounded(socket: &Path, endless: (&str, &str)) {
    let data = format!("docker_host=unix://{}", socket.display());
    let words = ["--data", &data, "@docker/x", "exec", "--", "true"];
    let mut child = hostlink(words).spawn().unwrap();
    let mut most = 0;
    let ended = becomes_true(|| {
        most = most.max(peak(child.id()));
        child.try_wait().unwrap().is_some()
    });
    let output = child.wait_with_output().unwrap();
    assert!(ended && !output.status.success(), "{endless:?}");
    assert!((1024..MOST).contains(&most), "{endless:?}: {most} KiB");
}

#[test]
fn an_answer_without_end_is_refused_and_takes_no_memory() {
    for endless in ANSWERS {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || serve(&stream, endless));
            }
        });
        assert_bounded(&socket, endless);
    }
}
