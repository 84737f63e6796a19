//! The parts that the readers of all forms of an inventory share.

use std::sync::Arc;

use hostlink_core::{Data, Result, Value, holds_secret};

use super::mapping::{
    has_one_key, is_secret, is_template, is_translated, is_vault, template, vaulted,
};
use super::meaning::may_be_wrong;
use super::raw::Raw;
use crate::node::Node;
use crate::place::{Faults, Place, Position, one_line};
use crate::range::Ranges;
use crate::tree::{self, host_name_fault};
use crate::unusable;

/// A source that is read.
pub(super) struct Reading<'a> {
    pub(super) raw: &'a mut Raw,
    pub(super) faults: Faults,
    source: &'a Arc<str>,
    ranges: Ranges,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: &'a Arc<str>, raw: &'a mut Raw) -> Self {
        Self { raw, faults: Faults::new(source), source, ranges: Ranges::of_ansible() }
    }

    pub(super) fn place(&self, at: Position) -> Place {
        Place::new(self.source, at)
    }

    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every fault.
    pub(super) fn finish(self) -> Result<()> {
        self.faults.finish()
    }

    /// The variables of a map.
    pub(super) fn variables(&mut self, node: Node) -> Data {
        let mut data = Data::new();
        for (key, node) in tree::map(node, "variables", &mut self.faults) {
            self.variable(&key.text, node.into_value(), key.at, &mut data);
        }
        data
    }

    /// Adds one variable, unless Ansible Vault encrypted it.
    pub(super) fn variable(&mut self, key: &str, value: Value, at: Position, data: &mut Data) {
        if is_vault(&value) {
            match is_translated(key) {
                true => self.unusable(key, vaulted(key), at, data),
                false => self.raw.noted.vaulted.push(key.to_owned()),
            }
            return;
        }
        if has_one_key(key) && is_template(&value) {
            self.unusable(key, template(key), at, data);
            return;
        }
        if may_be_wrong(key, &value) {
            let place = self.place(at);
            self.raw.note_place(key, &value, place);
        }
        let is_plain = value != Value::Null && !is_template(&value);
        self.raw.noted.has_secret |= is_plain && (is_secret(key) || holds_secret(key, &value));
        data.insert(key, value);
    }

    /// Adds a variable that has no meaning here. Its hosts are refused when they are used.
    fn unusable(&mut self, key: &str, problem: String, at: Position, data: &mut Data) {
        let place = self.place(at);
        if has_one_key(key) {
            data.insert(key, unusable::value(one_line(format!("{place}: {problem}"))));
            return;
        }
        // What it means, and its place, is looked up together with others.
        let value = unusable::value(problem);
        self.raw.note_place(key, &value, place);
        data.insert(key, value);
    }

    pub(super) fn group_data(&mut self, name: &str, data: &Data, at: Position) {
        let place = self.place(at);
        if let Err(fault) = self.raw.add_group_data(name, data, &place) {
            self.faults.add(at, fault);
        }
    }

    /// The hosts of a word, and the port after them. `beside` is the number of bytes that come with
    /// each.
    pub(super) fn hosts(
        &mut self,
        word: &str,
        beside: usize,
    ) -> Result<(Vec<String>, Option<i64>), String> {
        let after_brackets = word.rfind(']').map_or(0, |at| at + 1);
        let colons = word[after_brackets..].matches(':').count();
        let (name, port) = match word[after_brackets..].find(':') {
            Some(at) if colons == 1 => {
                let (name, port) = word.split_at(after_brackets + at);
                let number =
                    port[1..].parse::<u16>().map_err(|_| format!("{word}: this is no port"))?;
                (name, Some(i64::from(number)))
            }
            // Two colons are an address.
            _ => (word, None),
        };
        if let Some(fault) = host_name_fault(name) {
            return Err(fault);
        }
        let name = name
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'))
            .filter(|it| it.contains("::"))
            .unwrap_or(name);
        let names = self.ranges.expand(name, beside).map_err(|error| error.to_string())?;
        Ok((names, port))
    }
}
