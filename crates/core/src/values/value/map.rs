//! Named values in order. Most maps are small.

use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::values::value::{Shown, Value};

/// Up to this size, comparing all keys is faster than hashing one, and takes less memory.
const FEW: usize = 8;

/// Values by name, in the order in which the names were first inserted.
///
/// A clone is cheap: it shares the memory until one of both is changed. Maps with the same values
/// are equal, in any order.
// Most hosts of a large inventory have no data, or the same in several places. Shared memory is
// never empty.
#[derive(Clone, Default)]
pub struct Map(Option<Arc<Entries>>);

#[derive(Clone)]
enum Entries {
    /// At most [`FEW`]. Most connectors set one key per target.
    Few(SmallVec<[(String, Value); 1]>),
    Many(Box<IndexMap<String, Value, RandomState>>),
}

impl Map {
    /// Returns an empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0.as_deref() {
            None => 0,
            Some(Entries::Few(few)) => few.len(),
            Some(Entries::Many(many)) => many.len(),
        }
    }

    /// Returns whether the map is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of this name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self.0.as_deref()? {
            Entries::Few(few) => few.iter().find(|(known, _)| known == key).map(|(_, it)| it),
            Entries::Many(many) => many.get(key),
        }
    }

    /// Returns the value of this name, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        // Shared memory is copied only if there is a value to change.
        if !self.contains_key(key) {
            return None;
        }
        match Arc::make_mut(self.0.as_mut()?) {
            Entries::Few(few) => few.iter_mut().find(|(known, _)| known == key).map(|(_, it)| it),
            Entries::Many(many) => many.get_mut(key),
        }
    }

    /// Returns whether there is a value of this name.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a value, and returns the replaced one.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        let empty = || Arc::new(Entries::Few(SmallVec::new()));
        let entries = Arc::make_mut(self.0.get_or_insert_with(empty));
        match entries {
            Entries::Few(few) => {
                if let Some((_, known)) = few.iter_mut().find(|(known, _)| *known == key) {
                    return Some(std::mem::replace(known, value));
                }
                if few.len() < FEW {
                    few.push((key, value));
                } else {
                    let all = few.drain(..).chain([(key, value)]);
                    *entries = Entries::Many(Box::new(all.collect()));
                }
                None
            }
            Entries::Many(many) => many.insert(key, value),
        }
    }

    /// Removes a value, and returns it.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        if !self.contains_key(key) {
            return None;
        }
        let removed = match Arc::make_mut(self.0.as_mut()?) {
            Entries::Few(few) => {
                let at = few.iter().position(|(known, _)| known == key)?;
                Some(few.remove(at).1)
            }
            Entries::Many(many) => many.shift_remove(key),
        };
        if self.is_empty() {
            self.0 = None;
        }
        removed
    }

    /// Returns the names and values, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(match self.0.as_deref() {
            None => Pairs::Few([].iter()),
            Some(Entries::Few(few)) => Pairs::Few(few.iter()),
            Some(Entries::Many(many)) => Pairs::Many(many.iter()),
        })
    }

    /// Returns the names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Returns the values, in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        let is_alike = |(key, value)| other.get(key).is_some_and(|it| it == value);
        self.len() == other.len() && self.iter().all(is_alike)
    }
}

/// Masks secrets.
impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(key, value)| (key, Shown(value)))).finish()
    }
}

/// Names and values of a [`Map`], in order.
#[derive(Clone, Debug)]
pub struct Iter<'a>(Pairs<'a>);

#[derive(Clone, Debug)]
enum Pairs<'a> {
    Few(std::slice::Iter<'a, (String, Value)>),
    Many(indexmap::map::Iter<'a, String, Value>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Pairs::Few(few) => few.next().map(|(key, value)| (key.as_str(), value)),
            Pairs::Many(many) => many.next().map(|(key, value)| (key.as_str(), value)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Pairs::Few(few) => few.size_hint(),
            Pairs::Many(many) => many.size_hint(),
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl From<IndexMap<String, Value>> for Map {
    fn from(values: IndexMap<String, Value>) -> Self {
        values.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Map {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        map.extend(pairs);
        map
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + Send>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0.map(Arc::unwrap_or_clone) {
            None => Box::new(std::iter::empty()),
            Some(Entries::Few(few)) => Box::new(few.into_iter()),
            Some(Entries::Many(many)) => Box::new(many.into_iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: i64) -> Map {
        (0..count).map(|number| (number.to_string(), number)).collect()
    }

    #[test]
    fn few_and_many_are_kept_alike() {
        for count in [0, 1, 7, 8, 9, 100] {
            let mut map = numbers(count);
            let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            assert_eq!(map.keys().collect::<Vec<_>>(), expected);
            assert_eq!((map.len(), map.is_empty()), (expected.len(), count == 0));
            assert_eq!(map.iter().len(), expected.len());
            let reversed: Map =
                (0..count).rev().map(|number| (number.to_string(), number)).collect();
            assert_eq!(map, reversed);
            for (key, number) in expected.iter().zip(0..) {
                assert_eq!(map.get(key), Some(&Value::Int(number)));
                assert_eq!(map.insert(key.as_str(), "new"), Some(Value::Int(number)));
            }
            assert!(map != reversed || count == 0);
            assert_eq!(map.values().filter(|value| **value == "new".into()).count(), map.len());
            let pairs: Vec<String> = map.clone().into_iter().map(|(key, _)| key).collect();
            assert_eq!(pairs, expected);
            for key in &expected {
                assert!(map.get_mut(key).is_some() && map.remove(key).is_some());
                assert!(!map.contains_key(key) && map.remove(key).is_none());
            }
            assert_eq!(map, Map::new());
        }
    }

    #[test]
    fn what_is_taken_away_leaves_the_others_in_order() {
        for count in [5, 20] {
            let mut map = numbers(count);
            map.remove("2");
            map.insert("2", 2);
            let expected = [0, 1].into_iter().chain(3..count).chain([2]);
            assert!(map.keys().eq(expected.map(|it| it.to_string())), "{map:?}");
        }
    }

    #[test]
    fn one_value_more_makes_a_difference() {
        assert_ne!(numbers(3), numbers(4));
        assert_ne!(numbers(8), numbers(9));
        assert_ne!(Map::new(), numbers(1));
    }

    #[test]
    fn a_clone_is_not_changed_with_its_original() {
        for count in [3, 30] {
            let one = numbers(count);
            let (mut other, mut third) = (one.clone(), one.clone());
            other.insert("0", "new");
            other.remove("1");
            *third.get_mut("2").unwrap() = Value::Null;
            assert_eq!(one, numbers(count));
            assert_eq!(third.get_mut("none"), None);
            assert_eq!((other.len(), third.get("2")), (one.len() - 1, Some(&Value::Null)));
        }
    }
}
