//! ssh's escape characters (ssh(1), ESCAPE CHARACTERS): input for hostlink itself.

/// The output of `~?`.
pub(crate) const HELP: &str = "~.  end the connection, and what runs there\r\n\
                               ~~  send ~\r\n\
                               ~?  show this\r\n\
                               Each only at the beginning of a line.\r\n";

const ESCAPE: u8 = b'~';

/// A request that the user typed for hostlink itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    Help,
    Leave,
}

/// Removes escape sequences from typed input.
#[derive(Debug)]
pub(crate) struct Escapes {
    at_line_start: bool,
    pending: bool,
}

impl Escapes {
    /// The start of the input counts as the start of a line.
    pub(crate) fn new() -> Self {
        Self { at_line_start: true, pending: false }
    }

    /// Returns the bytes to send, and the requests among them. Nothing after a request to leave is
    /// sent.
    pub(crate) fn take(&mut self, typed: &[u8]) -> (Vec<u8>, Vec<Escape>) {
        let (mut sent, mut wishes) = (Vec::with_capacity(typed.len() + 1), Vec::new());
        for &byte in typed {
            if std::mem::take(&mut self.pending) {
                match byte {
                    b'.' => {
                        wishes.push(Escape::Leave);
                        return (sent, wishes);
                    }
                    b'?' => {
                        wishes.push(Escape::Help);
                        continue;
                    }
                    ESCAPE => {}
                    _ => sent.push(ESCAPE),
                }
            } else if self.at_line_start && byte == ESCAPE {
                self.pending = true;
                continue;
            }
            self.at_line_start = matches!(byte, b'\r' | b'\n');
            sent.push(byte);
        }
        (sent, wishes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the text as a whole and byte by byte, which must not differ.
    fn typed(text: &[u8]) -> (Vec<u8>, Vec<Escape>) {
        let at_once = Escapes::new().take(text);
        let mut escapes = Escapes::new();
        let (mut sent, mut wishes) = (Vec::new(), Vec::new());
        for byte in text {
            let (some, wished) = escapes.take(&[*byte]);
            sent.extend(some);
            wishes.extend(wished);
            if wishes.contains(&Escape::Leave) {
                break;
            }
        }
        assert_eq!((&sent, &wishes), (&at_once.0, &at_once.1), "{text:?}");
        at_once
    }

    #[test]
    fn escapes_are_read_as_ssh_reads_them() {
        use Escape::{Help, Leave};
        for (text, sent, wishes) in [
            (&b"ls\r"[..], &b"ls\r"[..], &[][..]),
            (b"~.rest", b"", &[Leave]),
            (b"ls\r~.", b"ls\r", &[Leave]),
            (b"ls\n~.", b"ls\n", &[Leave]),
            (b"x~.", b"x~.", &[]),
            (b"~~.", b"~.", &[]),
            (b"~x~.", b"~x~.", &[]),
            (b"~?~.", b"", &[Help, Leave]),
            (b"~\r~.", b"~\r", &[Leave]),
            (b"\xff\x03\0~.", b"\xff\x03\0~.", &[]),
        ] {
            assert_eq!(typed(text), (sent.to_vec(), wishes.to_vec()), "{text:?}");
        }
    }
}
