//! Reports each target's outcome to the user.

use std::time::Duration;

use hostlink::transfer::Route;
use hostlink::{Error, ExitStatus};

use crate::explain;
use crate::job::{Job, Output};
use crate::messages::{Messages, Verbosity};
use crate::outcome::{Done, Outcome};
use crate::record;
use crate::results::unwritable;

impl Job {
    /// Reports the outcome of a target, and returns it; an error if the report failed.
    pub(crate) async fn tell(&self, name: &str, outcome: Outcome, took: Duration) -> Outcome {
        if self.output == Output::Json {
            let line = record::line(name, &outcome, self.work(), took);
            if let Err(error) = self.results.write(line.as_bytes()).await {
                let error = unwritable(error).with_target(name);
                self.tell_error(&error);
                return Err(error.into());
            }
        }
        match &outcome {
            Ok(done) => self.tell_done(name, done),
            Err(_) if self.output == Output::Json => {}
            Err(failure) => self.tell_error(&failure.error),
        }
        outcome
    }

    /// The exit status is the outcome of a single target, unless a signal ended the command. Among
    /// several targets, the failed one must be named.
    fn tell_done(&self, name: &str, done: &Done) {
        match done {
            Done::Ran(output) if !output.success() && self.names_status(output.status()) => {
                let status = output.status().map(|status| status.to_string()).unwrap_or_default();
                let name = explain::flatten(name);
                self.messages.line(format_args!("{name}: the command ended with {status}"));
            }
            Done::Moved(moved) if self.verbosity.has_steps() => {
                let how = if moved.in_place { ", written in place" } else { "" };
                let name = explain::flatten(name);
                let route = if moved.route == Route::Sftp { " over SFTP" } else { "" };
                self.messages.line(format_args!("{name}: {} bytes{route}{how}", moved.bytes));
            }
            _ => {}
        }
    }

    fn names_status(&self, status: Option<ExitStatus>) -> bool {
        match self.output {
            Output::Prefixed => true,
            Output::Json => false,
            Output::Plain => status.is_some_and(|status| status.code().is_none()),
        }
    }

    fn tell_error(&self, error: &Error) {
        // A closed output pipe is not reported.
        if self.stop.cause().is_some() {
            return;
        }
        tell_error(&self.messages, error, self.verbosity);
    }
}

/// Prints one line and, in verbose mode, the output of the failed program.
pub(crate) fn tell_error(messages: &Messages, error: &Error, verbosity: Verbosity) {
    messages.line(explain::one_line(error));
    let tail = error.stderr_tail().filter(|_| verbosity.has_steps());
    for line in tail.into_iter().flat_map(str::lines) {
        messages.line(format_args!("  {}", explain::flatten(line)));
    }
}
