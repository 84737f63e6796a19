//! What the user is told of each target once it is done.

use std::time::Duration;

use hostlink::Error;

use crate::explain;
use crate::job::{Job, Output};
use crate::messages::Messages;
use crate::outcome::{Done, Outcome};
use crate::record;
use crate::results::unwritable;

impl Job {
    /// Tells what became of a target, and returns it; an error if it could not be told.
    pub(crate) async fn tell(&self, name: &str, outcome: Outcome, took: Duration) -> Outcome {
        if self.output == Output::Json {
            let line = record::line(name, &outcome, self.work(), took);
            if let Err(error) = self.results.write(line.as_bytes()).await {
                let error = unwritable(error).with_target(name);
                self.tell_error(&error);
                return Err(error);
            }
        }
        match &outcome {
            Ok(done) => self.tell_done(name, done),
            Err(_) if self.output == Output::Json => {}
            Err(error) => self.tell_error(error),
        }
        outcome
    }

    /// A single target's exit status says it all; among several, the one that failed is to be
    /// found.
    fn tell_done(&self, name: &str, done: &Done) {
        match done {
            Done::Ran(output) if !output.success() && self.output == Output::Prefixed => {
                let status = output.status().map(|status| status.to_string()).unwrap_or_default();
                self.messages.line(format_args!("{name}: the command ended with {status}"));
            }
            Done::Moved(moved) if self.verbose => {
                let how = if moved.in_place { ", written in place" } else { "" };
                self.messages.line(format_args!("{name}: {} bytes{how}", moved.bytes));
            }
            _ => {}
        }
    }

    fn tell_error(&self, error: &Error) {
        // That nobody reads any more is nobody's concern.
        if self.stop.cause().is_some() {
            return;
        }
        tell_error(&self.messages, error, self.verbose);
    }
}

/// One line, and under it, if everything is wanted, what a program said that failed.
pub(crate) fn tell_error(messages: &Messages, error: &Error, verbose: bool) {
    messages.line(explain::one_line(error));
    let tail = error.stderr_tail().filter(|_| verbose).into_iter().flat_map(str::lines);
    for line in tail {
        messages.line(format_args!("  {}", explain::flatten(line)));
    }
}
