//! What ssh wrote to standard error, for each process.

use std::collections::VecDeque;

/// Bytes that are kept of the start and of the end.
const HEAD: usize = 16 * 1024;
const TAIL: usize = 48 * 1024;

/// A longer line is cut.
const LONGEST: usize = 2 * 1024;

/// What ssh reports of a successful login without a mark of its level.
const REMARKS: [&str; 2] = ["Authenticated to ", "Warning: Permanently added "];

/// The starts of ssh's lines about the steps of a login.
const STEPS: [&str; 8] = [
    "Connecting to ",
    "Executing proxy command: ",
    "Connection established",
    "Server host key: ",
    "Authentications that can continue: ",
    "Next authentication method: ",
    "Offering public key: ",
    "Authenticated to ",
];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The ssh process that wrote it; `None` for a line without a mark, such as a proxy command's.
    pub(crate) pid: Option<i32>,
    /// Whether ssh only reports its progress.
    pub(crate) is_debug: bool,
    pub(crate) text: String,
}

impl Line {
    /// Returns whether it reports a step of the login.
    pub(crate) fn is_step(&self) -> bool {
        STEPS.iter().any(|start| self.text.starts_with(start))
    }
}

/// The first lines and the last ones.
#[derive(Debug, Default)]
pub(crate) struct Log {
    head: Vec<Line>,
    tail: VecDeque<Line>,
    head_bytes: usize,
    tail_bytes: usize,
    partial: Vec<u8>,
    /// Those that were not reported yet.
    fresh: Vec<Line>,
}

impl Log {
    /// Adds bytes that were read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Ends a last line without a newline.
    pub(crate) fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.partial).trim().to_owned();
        self.partial.clear();
        if let Some(line) = parse(&line) {
            self.fresh.push(line.clone());
            self.keep(line);
        }
    }

    fn keep(&mut self, line: Line) {
        let length = line.text.len() + 32;
        if self.head_bytes + length <= HEAD && self.tail.is_empty() {
            self.head_bytes += length;
            return self.head.push(line);
        }
        self.tail_bytes += length;
        self.tail.push_back(line);
        while self.tail_bytes > TAIL {
            let Some(first) = self.tail.pop_front() else { break };
            self.tail_bytes -= first.text.len() + 32;
        }
    }

    /// Returns the lines since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.fresh)
    }

    /// Replaces a file's name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        for line in self.head.iter_mut().chain(&mut self.tail) {
            line.text = line.text.replace(from, to);
        }
    }

    /// All that is kept, in order.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.head.iter().chain(&self.tail)
    }

    /// The last lines that are more than a remark on what ssh does.
    pub(crate) fn last_words(&self) -> Vec<&str> {
        let said = self.lines().filter(|line| !line.is_debug).map(|line| line.text.as_str());
        let mut last: Vec<&str> = said.rev().take(10).collect();
        last.reverse();
        last
    }
}

/// Takes `debug1: FILE:FUNCTION():LINE (pid=PID): TEXT` apart, as ssh's `sshlogv` writes it for
/// `LogVerbose`.
fn parse(line: &str) -> Option<Line> {
    let (level, rest) = match line.split_once(": ") {
        Some((level @ ("debug1" | "debug2" | "debug3"), rest)) => (level, rest),
        _ => ("", line),
    };
    let marked = rest.split_once(" (pid=").filter(|(tag, _)| tag.contains("():"));
    let parts = marked.and_then(|(_, rest)| rest.split_once("): "));
    let (pid, text) = match parts {
        Some((pid, text)) => (pid.parse().ok(), text),
        None => (None, rest),
    };
    let is_wanted = match level {
        "debug2" | "debug3" => {
            ["bad passphrase", "lookup "].iter().any(|start| text.starts_with(start))
        }
        _ => !text.is_empty(),
    };
    let is_remark = REMARKS.iter().any(|start| text.starts_with(start));
    let is_debug = !level.is_empty() || is_remark;
    // A proxy command's words are as they come. ssh escapes its own.
    let text = || text.replace(char::is_control, " ");
    is_wanted.then(|| Line { pid, is_debug, text: text() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_process() {
        let line =
            "debug1: sshconnect.c:ssh_login():1585 (pid=19): Authenticating to h:22 as 'me'\r";
        let line = parse(line.trim()).unwrap();
        assert_eq!((line.pid, line.is_debug), (Some(19), true));
        assert_eq!(line.text, "Authenticating to h:22 as 'me'");
        let line = parse("sh: 1: exec: ssh: not found").unwrap();
        assert_eq!((line.pid, line.is_debug), (None, false));
        assert_eq!(parse("debug3: sshconnect.c:f():457 (pid=1): entering"), None);
        assert_eq!(parse("a\x1b[2Jb").unwrap().text, "a [2Jb");
        assert_eq!(parse(""), None);
    }

    #[test]
    fn memory_is_bounded_and_keeps_both_ends() {
        let mut log = Log::default();
        log.push(b"first\n");
        for _ in 0..10 {
            log.push(&vec![b'x'; 1 << 20]);
            log.push(b"\n");
        }
        for _ in 0..100_000 {
            log.push(b"some line\r\n");
        }
        log.push(b"la");
        log.push(b"st\n");
        let lines: Vec<&Line> = log.lines().collect();
        assert_eq!((&*lines[0].text, &*lines[lines.len() - 1].text), ("first", "last"));
        assert!(lines.iter().map(|line| line.text.len() + 32).sum::<usize>() <= HEAD + TAIL);
    }
}
