//! Inventory scripts of Ansible.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use hostlink_core::{Context, Error, ErrorKind, Result};

use super::files::warn_of_left_out;
use super::raw::Raw;
use super::reading::Reading;
use super::{listing, mapping};
use crate::definition::Definition;
use crate::node::Node;

/// The maximum number of hosts that a script is asked for at the same time.
const ASKED_AT_ONCE: usize = 8;

/// For how many hosts a script is asked at all.
const MOST_ASKED: usize = 1000;

/// Reads what a program printed for `--list`. Where `_meta` is missing, the program is asked for
/// the variables of each host: `ask` gives what it prints for `--host NAME`, and what that is
/// called in errors.
///
/// # Errors
///
/// [`ErrorKind::Inventory`] with every fault; more hosts than a program is asked for.
pub(crate) async fn of_list<F: Future<Output = Result<(Node, Arc<str>)>>>(
    node: Node,
    source: &Arc<str>,
    context: &Context,
    ask: impl Fn(String) -> F,
) -> Result<Definition> {
    let names = listing::hosts_to_ask(&node);
    if names.len() > MOST_ASKED {
        let message = format!(
            "{source}: it has no _meta, and {} hosts are more than the {MOST_ASKED} that it is asked for one by one (--host): \
             let it print {{\"_meta\": {{\"hostvars\": …}}}}",
            names.len()
        );
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    let mut raw = Raw::default();
    listing::read(node, source, &mut raw)?;
    let asking: Vec<F> = names.iter().cloned().map(ask).collect();
    let printed: Vec<_> = stream::iter(asking).buffered(ASKED_AT_ONCE).try_collect().await?;
    for (name, (node, source)) in names.iter().zip(printed) {
        let mut reading = Reading::new(&source, &mut raw);
        let data = reading.variables(node);
        reading.finish()?;
        raw.add_host_data(name, &data);
    }
    warn_of_left_out(&raw.noted, source, context);
    mapping::definition(raw)
}
