//! TOML, by the crate `toml`.

use toml::de::{DeTable, DeValue};

use super::{Fault, Read, TOO_LARGE};
use crate::node::{Key, Kind, Node};
use crate::place::Position;

pub(super) fn read(text: &str) -> Result<Read, Fault> {
    let lines = Lines::of(text);
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or_else(Position::default, |span| lines.position(span.start));
        (at, error.message().to_owned())
    })?;
    let at = lines.position(table.span().start);
    let node = Node { at, kind: of_table(table.into_inner(), &lines)? };
    // TOML itself refuses a key that is given twice.
    Ok(Read { node, repeated: Vec::new() })
}

fn of_table(table: DeTable<'_>, lines: &Lines<'_>) -> Result<Kind, Fault> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let at = lines.position(key.span().start);
        let key = Key { at, text: key.into_inner().into_owned() };
        let at = lines.position(value.span().start);
        entries.push((key, Node { at, kind: of_value(value.into_inner(), at, lines)? }));
    }
    Ok(Kind::Map(entries))
}

fn of_value(value: DeValue<'_>, at: Position, lines: &Lines<'_>) -> Result<Kind, Fault> {
    Ok(match value {
        DeValue::String(text) => Kind::String(text.into_owned()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Kind::Int(parsed.map_err(|_| (at, TOO_LARGE.to_owned()))?)
        }
        DeValue::Float(number) => {
            let parsed: f64 =
                number.as_str().parse().map_err(|_| (at, "this is no number".to_owned()))?;
            match parsed.is_finite() {
                true => Kind::Float(parsed),
                // JSON has no number for it, and shows it as nothing.
                false => Kind::String(number.as_str().to_owned()),
            }
        }
        DeValue::Boolean(truth) => Kind::Bool(truth),
        // Host data know no dates: it stays the text that it was.
        DeValue::Datetime(date) => Kind::String(date.to_string()),
        DeValue::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                let at = lines.position(item.span().start);
                list.push(Node { at, kind: of_value(item.into_inner(), at, lines)? });
            }
            Kind::List(list)
        }
        DeValue::Table(table) => of_table(table, lines)?,
    })
}

/// The start of each line, since spans are bytes.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let after =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    fn position(&self, byte: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts[line - 1];
        let column = self.text.get(start..byte).map_or(0, |before| before.chars().count());
        Position::new(line, column + 1)
    }
}
