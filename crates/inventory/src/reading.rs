//! Definitions from text.

use std::sync::Arc;

use hostlink_core::Result;

use crate::definition::Definition;
use crate::format::{Dialect, Format};
use crate::node::Node;
use crate::place::Faults;
use crate::{ansible, tree};

impl Definition {
    /// Reads the text of an inventory file. Ranges in names become hosts. `source` names it in
    /// errors.
    ///
    /// [`Format::Ini`] is an Ansible inventory, read without the `group_vars` and `host_vars`
    /// beside it; the documentation of `@ansible` says what its variables mean.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every fault, each with
    /// its line and, in a tree, its column.
    pub fn read(text: &str, format: Format, source: &str) -> Result<Self> {
        let source: Arc<str> = source.into();
        if !format.has_tree() {
            return ansible::of_ini(text, &source);
        }
        Self::of_node(format.read(text, Dialect::Own, &source)?.strict()?, &source)
    }

    pub(crate) fn of_node(node: Node, source: &Arc<str>) -> Result<Self> {
        let mut faults = Faults::new(source);
        let definition = tree::definition(node, &mut faults);
        faults.finish()?;
        Ok(definition)
    }
}
