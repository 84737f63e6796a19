//! JSON, by `serde_json`. It reports positions of errors only, so we count while it reads.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Fault, Read, TOO_LARGE};
use crate::node::{Key, Kind, Node, keep_last};
use crate::place::Position;

pub(super) fn read(text: &str) -> Result<Read, Fault> {
    let reached = Cell::new(Reached { line: 1, column: 0, number: Number::Ended { whole: false } });
    let reader = Counting { rest: text.as_bytes(), reached: &reached };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let repeated = RefCell::default();
    let seed = Seed { reached: &reached, repeated: &repeated };
    let node = seed.deserialize(&mut deserializer);
    let node = node.and_then(|node| deserializer.end().map(|()| node)).map_err(|error| {
        let told = error.to_string();
        // The text of the error ends in the position.
        let problem = told.rsplit_once(" at line ").map_or(told.as_str(), |(problem, _)| problem);
        (Position::new(error.line(), error.column()), problem.to_owned())
    })?;
    Ok(Read { node, repeated: repeated.into_inner() })
}

/// The last character that was read, and the last characters that could be a number.
#[derive(Clone, Copy)]
struct Reached {
    line: usize,
    column: usize,
    number: Number,
}

/// `serde_json` makes floats of whole numbers that are too large, and does not tell them from other
/// ones.
#[derive(Clone, Copy)]
enum Number {
    Open { whole: bool },
    Ended { whole: bool },
}

impl Number {
    fn with(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Open { whole }, b'0'..=b'9') => Self::Open { whole },
            (Self::Open { .. }, b'.' | b'e' | b'E' | b'+' | b'-') => Self::Open { whole: false },
            (Self::Ended { .. }, b'0'..=b'9' | b'-') => Self::Open { whole: true },
            (Self::Open { whole } | Self::Ended { whole }, _) => Self::Ended { whole },
        }
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Open { whole: true } | Self::Ended { whole: true })
    }
}

/// Counts lines and columns. `serde_json` reads byte by byte, and looks one byte ahead at most.
struct Counting<'a> {
    rest: &'a [u8],
    reached: &'a Cell<Reached>,
}

impl io::Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some((byte, rest)), Some(slot)) = (self.rest.split_first(), buffer.first_mut()) else {
            return Ok(0);
        };
        *slot = *byte;
        self.rest = rest;
        let Reached { line, column, number } = self.reached.get();
        let number = number.with(*byte);
        self.reached.set(match byte {
            b'\n' => Reached { line: line + 1, column: 0, number },
            // The further bytes of a character.
            0x80..=0xbf => Reached { line, column, number },
            _ => Reached { line, column: column + 1, number },
        });
        Ok(1)
    }
}

/// Reads a node whose first byte has been looked at.
#[derive(Clone, Copy)]
struct Seed<'a> {
    reached: &'a Cell<Reached>,
    /// Keys that a map had already.
    repeated: &'a RefCell<Vec<Key>>,
}

impl Seed<'_> {
    /// Returns where a text that has just been read began, unless it has escapes; otherwise a
    /// little after it.
    fn before(self, text: &str) -> Position {
        let Reached { line, column, .. } = self.reached.get();
        Position::new(line, column.saturating_sub(text.chars().count() + 1).max(1))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(self.node(Kind::Null))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Node, E> {
        Ok(self.node(Kind::Bool(truth)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(self.node(Kind::Int(number)))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Node, E> {
        let number = i64::try_from(number).map_err(|_| E::custom(TOO_LARGE))?;
        Ok(self.node(Kind::Int(number)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Node, E> {
        // No other number ends before this one does.
        if self.reached.get().number.is_whole() && number != 0.0 {
            return Err(E::custom(TOO_LARGE));
        }
        Ok(self.node(Kind::Float(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node { at: self.before(text), kind: Kind::String(text.to_owned()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut node = self.node(Kind::Null);
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        node.kind = Kind::List(list);
        Ok(node)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = self.node(Kind::Null);
        let mut entries = Vec::new();
        while let Some(text) = map.next_key::<String>()? {
            let key = Key { at: self.before(&text), text };
            entries.push((key, map.next_value_seed(self)?));
        }
        keep_last(&mut entries, &mut self.repeated.borrow_mut());
        node.kind = Kind::Map(entries);
        Ok(node)
    }
}

impl Seed<'_> {
    /// A node that begins with the byte that was read last.
    fn node(self, kind: Kind) -> Node {
        let Reached { line, column, .. } = self.reached.get();
        Node { at: Position::new(line, column), kind }
    }
}
