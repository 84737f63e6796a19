//! Definitions from text.

use std::sync::Arc;

use hostlink_core::Result;

use crate::definition::Definition;
use crate::format::Format;
use crate::node::Node;
use crate::place::Faults;
use crate::{ansible, tree};

impl Definition {
    /// Reads the text of an inventory file. Ranges in names become hosts. `source` names it in
    /// errors.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every fault, each with
    /// its line and column.
    pub fn read(text: &str, format: Format, source: &str) -> Result<Self> {
        let source: Arc<str> = source.into();
        Self::of_node(format.read(text, &source)?, &source)
    }

    /// Reads the text of an inventory of Ansible in INI, without the `group_vars` and `host_vars`
    /// beside it; what its variables mean is in `@ansible`'s documentation. `source` names it in
    /// errors.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) with every line that cannot be
    /// read, or with everything that has no meaning here.
    pub fn read_ansible_ini(text: &str, source: &str) -> Result<Self> {
        ansible::of_ini(text, &source.into())
    }

    pub(crate) fn of_node(node: Node, source: &Arc<str>) -> Result<Self> {
        let mut faults = Faults::new(source);
        let definition = tree::definition(node, &mut faults);
        faults.finish()?;
        Ok(definition)
    }
}
