//! Bytes as they go through a terminal: as text, whose end is told in it, since a raw terminal has
//! none.
//!
//! # Why input goes through a terminal like this
//!
//! Where a tool wants a terminal and none can be had beside the streams, `get_pty` puts the whole
//! command on one. Its input goes there as lines of base64 (`armor`), once the innermost shell has
//! announced itself: by then the privilege tool has read its password and set the modes back, and
//! the script has made the terminal raw (`script`, `MAKE_RAW`). The announcement says `unable`
//! where that did not work. The command reads from `base64 -d`; a line `.` tells the end, which a
//! raw terminal has not.
//!
//! - Not bytes as they are: their number would have to be known, and Docker looks for the keys that
//!   detach it in what is typed (ctrl-p ctrl-q; it cannot be told to look for none).
//! - Not a terminal that takes lines and ends with ^D: if it does not echo, sshd sends all back as
//!   packets to ignore, and breaks the connection if 256 KiB were handed on at once. A raw one
//!   slows its writer down and loses nothing.
//! - What the command has left unread is read away, or sudo with `use_pty` would try for ever to
//!   hand it on.
//! - Podman's monitor writes to a terminal and reads nothing meanwhile: it and a command could wait
//!   for each other for ever. So there is `Features::max_terminal_input`.
//! - Transfers are such commands. Their scripts write errors behind their output, with a line
//!   between (`transfer/apart`), since a terminal has one output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes in a line.
const LINE: usize = 768;

/// The last line, and one more: busybox's sed looks at a line only when it has the next.
const END: &str = ".\n.\n";

/// Turns bytes into lines of base64, across the borders of pieces.
#[derive(Debug, Default)]
pub(crate) struct Armor {
    /// What does not fill a group of three yet.
    rest: Vec<u8>,
    lines: String,
}

impl Armor {
    /// The lines for the next piece. An empty one is the end.
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
            // Padding is nowhere but at the end: not every decoder goes on behind it.
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            assert!(STANDARD.decode(lines.concat()).unwrap() == bytes, "{size}");
        }
    }

    #[test]
    fn nothing_is_the_end_alone() {
        assert_eq!(Armor::default().encode(b""), END.as_bytes());
    }
}
