//! A tree of values with their positions, the same for every format.

use std::collections::{HashMap, HashSet};

use hostlink_core::Value;

use crate::place::Position;

/// Maximum depth of a tree. A deeper one could overflow the stack.
pub(crate) const DEEPEST: usize = 64;

/// The minimum memory of a value, in bytes.
pub(crate) const BYTES_OF_A_VALUE: usize = 64;

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of an entry and its position. No key is twice in a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: String,
}

impl Node {
    /// Returns its type, for errors: "a list". Never its content, which may be a secret.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::String(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Returns the number of values in it, itself among them. A long text counts as several.
    pub(crate) fn weight(&self) -> usize {
        1 + match &self.kind {
            Kind::String(text) => text.len() / BYTES_OF_A_VALUE,
            Kind::List(items) => items.iter().map(Self::weight).sum(),
            Kind::Map(entries) => {
                let weight =
                    |(key, value): &(Key, Self)| key.text.len() / BYTES_OF_A_VALUE + value.weight();
                entries.iter().map(weight).sum()
            }
            _ => 0,
        }
    }

    /// Returns the depth of lists and maps in one another.
    pub(crate) fn depth(&self) -> usize {
        match &self.kind {
            Kind::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Map(entries) => {
                1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(truth) => Value::Bool(truth),
            Kind::Int(number) => Value::Int(number),
            Kind::Float(number) => Value::Float(number),
            Kind::String(text) => Value::String(text),
            Kind::List(items) => Value::List(items.into_iter().map(Self::into_value).collect()),
            Kind::Map(entries) => Value::Map(
                entries.into_iter().map(|(key, item)| (key.text, item.into_value())).collect(),
            ),
        }
    }
}

/// Keeps the last value of each key, and adds the keys that were given again to `again`.
pub(crate) fn keep_last(entries: &mut Vec<(Key, Node)>, again: &mut Vec<Key>) {
    if !has_repeated(entries) {
        return;
    }
    let mut known: HashMap<String, usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
    for (key, node) in entries.drain(..) {
        if let Some(at) = known.get(&key.text) {
            kept[*at].1 = node;
            again.push(key);
        } else {
            known.insert(key.text.clone(), kept.len());
            kept.push((key, node));
        }
    }
    *entries = kept;
}

fn has_repeated(entries: &[(Key, Node)]) -> bool {
    // Most maps are small, where looking at all pairs is faster than a set.
    if entries.len() <= 8 {
        return entries.iter().enumerate().any(|(index, (key, _))| {
            entries[..index].iter().any(|(before, _)| before.text == key.text)
        });
    }
    let mut known = HashSet::with_capacity(entries.len());
    entries.iter().any(|(key, _)| !known.insert(key.text.as_str()))
}
