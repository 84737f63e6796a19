//! `hostlink TARGET forward`: ports and sockets, until the user ends it.

use clap::ArgMatches;
use futures::future::select_all;
use hostlink::forward::{Forward, Forwarding};
use hostlink::inventory::Host;
use hostlink::{Error, ErrorKind, Result};

use crate::explain::usage;
use crate::grammar::{DYNAMIC, LOCAL, REMOTE};
use crate::messages::Messages;

/// Parses the forwards of a command line.
pub(crate) fn read(matches: &ArgMatches) -> Result<Vec<Forward>> {
    let specs = |id| matches.get_many::<String>(id).into_iter().flatten();
    let local = specs(LOCAL).map(|text| Forward::local(text));
    let remote = specs(REMOTE).map(|text| Forward::remote(text));
    let dynamic = specs(DYNAMIC).map(|text| Forward::dynamic(text));
    let forwards = local.chain(remote).chain(dynamic).collect::<Result<Vec<_>>>()?;
    if forwards.is_empty() {
        return Err(usage("nothing to forward: write -L, -R or -D after forward"));
    }
    Ok(forwards)
}

/// Opens all of them, and returns when one is lost, which is always an error.
pub(crate) async fn run(
    host: &Host,
    forwards: &[Forward],
    messages: &Messages,
) -> Result<std::convert::Infallible> {
    // Open forwards end with this function, whether it returns or is dropped.
    let mut open = Vec::new();
    for forward in forwards {
        open.push(host.forward(forward).await.map_err(|error| explained(error, forward))?);
    }
    for (forward, open) in forwards.iter().zip(&open) {
        messages.line(format_args!("{}: {}", host.name(), described(forward, &**open)));
    }
    let (lost, _, _) = select_all(open.iter().map(|open| open.lost())).await;
    Err(lost.with_target(host.name()))
}

/// A connector that cannot forward says so, and needs no details of the forward.
fn explained(error: Error, forward: &Forward) -> Error {
    if error.kind() == ErrorKind::Unsupported {
        return error;
    }
    error.within(format_args!("{} {}", forward.flag(), forward.listen()))
}

/// Describes an open forward.
fn described(forward: &Forward, open: &dyn Forwarding) -> String {
    let listen = open.listen();
    match forward {
        Forward::Local { to, .. } => {
            format!("listening on {listen} on this machine, for {to} on the target")
        }
        Forward::Remote { to, .. } => {
            format!("listening on {listen} on the target, for {to} on this machine")
        }
        Forward::Dynamic { .. } => {
            format!("listening on {listen} on this machine, as a SOCKS proxy")
        }
    }
}
