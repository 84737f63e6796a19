//! A tree of values with their positions, the same for every format.

use hostlink_core::Value;

use crate::place::Position;

/// How deep a tree may be. Deeper ones could overflow the stack, and nobody means them.
pub(crate) const DEEPEST: usize = 64;

/// A value, and where it stands.
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

/// The key of an entry, and where it stands. No key is twice in a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: String,
}

impl Node {
    /// What it is, for errors: "a list". Never what it holds, which may be a secret.
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

/// Finds the first key that is given twice.
pub(crate) fn repeated(entries: &[(Key, Node)]) -> Option<&Key> {
    // Most maps are small, where looking at all pairs is faster than a set.
    if entries.len() <= 8 {
        return entries.iter().enumerate().find_map(|(index, (key, _))| {
            entries[..index].iter().any(|(before, _)| before.text == key.text).then_some(key)
        });
    }
    let mut known = std::collections::HashSet::with_capacity(entries.len());
    entries.iter().map(|(key, _)| key).find(|key| !known.insert(key.text.as_str()))
}
