//! The machines of a Vagrantfile, by as few calls of `vagrant` as it takes, since each takes a
//! second or more.

use std::path::Path;

use hostlink_core::{Context, Data, Result};

use crate::machine_readable;
use crate::ssh_config;
use crate::tool::vagrant;

/// One machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) state: State,
}

/// The state of a machine: ready for a login, or not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// It runs; this is how.
    Ready(Data),
    /// It runs, and Vagrant knows no way to log in.
    WithoutSsh,
    /// It does not run; this is Vagrant's word for it: `poweroff`, `not_created`.
    Down(String),
}

/// The words for a machine that runs: of most providers, and of some of clouds.
const RUNNING: [&str; 2] = ["running", "active"];

/// Every machine, in the order of the Vagrantfile.
///
/// If all are up, one call is enough. `ssh-config` stops at the first machine that is not, so
/// then the states are asked for, and `ssh-config` for the running machines that are missing.
///
/// # Errors
///
/// Vagrant's.
pub(crate) async fn find(directory: &Path, context: &Context) -> Result<Vec<Machine>> {
    let answer = vagrant(&["ssh-config"], directory, context).await?;
    let mut ready = ssh_config::machines(&answer.stdout, directory);
    if answer.is_success() {
        let ready = ready.into_iter();
        return Ok(ready.map(|(name, data)| Machine { name, state: State::Ready(data) }).collect());
    }
    if !answer.met_one_that_is_not_ready() {
        return Err(answer.error());
    }
    let states = states(directory, context).await?;
    let mut untold: Vec<&str> = runs(&states).filter(|name| !has(&ready, name)).collect();
    while !untold.is_empty() {
        let words = [&["ssh-config"], &untold[..]].concat();
        let answer = vagrant(&words, directory, context).await?;
        ready.extend(ssh_config::machines(&answer.stdout, directory));
        untold.retain(|name| !has(&ready, name));
        if answer.is_success() {
            break;
        }
        if !answer.met_one_that_is_not_ready() || untold.is_empty() {
            return Err(answer.error());
        }
        // It stopped at this one: it says that it runs, and has no SSH or has just been stopped.
        untold.remove(0);
    }
    Ok(together(states, &ready))
}

/// Every machine with Vagrant's word for its state.
async fn states(directory: &Path, context: &Context) -> Result<Vec<(String, String)>> {
    let answer = vagrant(&["status"], directory, context).await?;
    if !answer.is_success() {
        return Err(answer.error());
    }
    let lines = machine_readable::lines(&answer.stdout).filter(|line| line.kind == "state");
    let state = |line: machine_readable::Line<'_>| {
        (line.machine.to_owned(), line.data().next().unwrap_or_default())
    };
    Ok(lines.map(state).collect())
}

fn runs(states: &[(String, String)]) -> impl Iterator<Item = &str> {
    let running = states.iter().filter(|(_, state)| RUNNING.contains(&state.as_str()));
    running.map(|(name, _)| name.as_str())
}

fn has(ready: &[(String, Data)], name: &str) -> bool {
    ready.iter().any(|(known, _)| known == name)
}

fn together(states: Vec<(String, String)>, ready: &[(String, Data)]) -> Vec<Machine> {
    let machine = |(name, word): (String, String)| {
        let found = ready.iter().find(|(known, _)| *known == name);
        let state = match found {
            Some((_, data)) => State::Ready(data.clone()),
            None if RUNNING.contains(&word.as_str()) => State::WithoutSsh,
            None => State::Down(word),
        };
        Machine { name, state }
    };
    states.into_iter().map(machine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_logins_are_put_together() {
        let states = [("a", "running"), ("b", "not_created"), ("c", "active"), ("d", "poweroff")]
            .map(|(name, word)| (name.to_owned(), word.to_owned()))
            .to_vec();
        assert_eq!(runs(&states).collect::<Vec<_>>(), ["a", "c"]);
        let data = Data::new().with("ssh_port", 2222);
        let machines = together(states, &[("a".to_owned(), data.clone())]);
        let expected = [
            ("a", State::Ready(data)),
            ("b", State::Down("not_created".to_owned())),
            ("c", State::WithoutSsh),
            ("d", State::Down("poweroff".to_owned())),
        ];
        let expected = expected.map(|(name, state)| Machine { name: name.to_owned(), state });
        assert_eq!(machines, expected);
    }
}
