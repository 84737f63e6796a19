//! Bytes as they go through a terminal: as text, whose end is told in it, since a raw terminal has
//! none.

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
