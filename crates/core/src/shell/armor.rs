//! Encodes input for a terminal as text, with a line that marks its end: a raw terminal has no end
//! of input.
//!
//! # Why input goes through a terminal like this
//!
//! If a tool needs a terminal and the connection cannot provide one in addition to its pipes,
//! `get_pty` puts the whole command on a terminal. Its input is sent as lines of base64 once the
//! innermost shell has announced itself: by then the privilege tool has read its password and
//! restored the terminal modes, and the script has made the terminal raw (`script`, `MAKE_RAW`).
//! If that failed, the announcement says `unable`. The command reads from `base64 -d`; a line `.`
//! marks the end.
//!
//! - Not raw bytes: their number would have to be known, and Docker searches the input for its
//!   detach keys (ctrl-p ctrl-q), which cannot be switched off.
//! - Not a terminal in line mode that ends with ^D: without echo, sshd sends everything back as
//!   packets to ignore, and breaks the connection if it passed on 256 KiB in one piece. A raw
//!   terminal blocks its writer and loses nothing.
//! - Input that the command leaves unread is read and discarded, or sudo with `use_pty` would try
//!   for ever to pass it on.
//! - Podman's monitor does not read while it writes to a terminal, so it and a command can
//!   deadlock. `Features::max_terminal_input` prevents that.
//! - Transfers are such commands. Their scripts write errors after their output, with a line
//!   between them (`transfer/apart`), since a terminal has one output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes per line.
const LINE: usize = 768;

/// The last line and one more: busybox's sed processes a line only when it has the next.
const END: &str = ".\n.\n";

/// Encodes chunks of bytes as lines of base64.
#[derive(Debug, Default)]
pub(crate) struct Armor {
    /// The bytes that do not fill a group of three yet.
    rest: Vec<u8>,
    lines: String,
}

impl Armor {
    /// Returns the lines for the next chunk. An empty chunk is the end.
    pub(crate) fn encode(&mut self, piece: &[u8]) -> &[u8] {
        self.rest.extend_from_slice(piece);
        let whole = if piece.is_empty() { self.rest.len() } else { self.rest.len() / 3 * 3 };
        self.lines.clear();
        for line in self.rest[..whole].chunks(LINE) {
            STANDARD.encode_string(line, &mut self.lines);
            self.lines.push('\n');
        }
        self.rest.drain(..whole);
        if piece.is_empty() {
            self.lines.push_str(END);
        }
        self.lines.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_size_make_lines_and_an_end() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        for size in [1, 2, 3, 767, 768, 769, 20_000] {
            let mut armor = Armor::default();
            let mut text = Vec::new();
            for piece in bytes.chunks(size).chain([&[][..]]) {
                text.extend_from_slice(armor.encode(piece));
            }
            let text = text.strip_suffix(b"\n.\n.\n").unwrap();
            // Padding is only at the end: not every decoder continues after it.
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            assert!(STANDARD.decode(lines.concat()).unwrap() == bytes, "{size}");
        }
    }

    #[test]
    fn nothing_is_the_end_alone() {
        assert_eq!(Armor::default().encode(b""), END.as_bytes());
    }
}
