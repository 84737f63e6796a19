//! The connector `@vagrant`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hostlink_core::{
    About, Connector, Context, Error, ErrorKind, Event, FromValue, Kind, Listing, NameData, Result,
    refuse_unknown_link,
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::machines::{self, Machine, State};
use crate::vagrant_json::{FILE, Options};
use crate::{directory, fields};

/// A value that is found out once.
type Once<T> = Arc<OnceCell<T>>;

/// The running machines of Vagrant: `@vagrant` is all of them, `@vagrant/web` is one. They are
/// reached over SSH.
///
/// Vagrant's answer for a directory is kept, so that many names cost one call; callers at the
/// same time share it. To ask again, create a new connector. Errors are not kept.
#[derive(Debug, Default)]
pub struct VagrantConnector {
    known: Mutex<HashMap<PathBuf, Once<Arc<[Machine]>>>>,
}

impl VagrantConnector {
    /// A connector that has not asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The machines of a directory, asked for once. Options that other users can read are warned of
    /// then, too.
    async fn machines(
        &self,
        directory: &Path,
        options: &Options,
        context: &Context,
    ) -> Result<Arc<[Machine]>> {
        let cell = self.known.lock().entry(directory.to_owned()).or_default().clone();
        let find = || async {
            options.warn_of_readable(directory, context);
            machines::find(directory, context).await.map(Arc::from)
        };
        cell.get_or_try_init(find).await.cloned()
    }
}

#[async_trait]
impl Connector for VagrantConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "vagrant",
            description: "The running machines of Vagrant in a directory, which are reached over SSH.",
            fields: fields::FIELDS,
            // Vagrant runs the user's own Vagrantfile here, which is Ruby: what it says can do
            // nothing here that it could not do before. And its machines cannot be reached without
            // their own host key settings.
            kind: Kind::Lists { trusted: true, reads_only_files: false },
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        if let Some(name) = argument {
            refuse_unknown_link(name, || format!("@vagrant/{name}"))?;
            if name.is_empty() {
                return Err(refused(
                    "@vagrant/: write @vagrant, or a machine's name after the slash",
                ));
            }
        }
        let directory = directory::find(context)?;
        // First, since its mistakes can be reported without asking Vagrant.
        let options = Options::read(&directory)?;
        let machines = self.machines(&directory, &options, context).await?;
        warn_of_strangers(&options, &machines, context);
        match argument {
            Some(name) => one(name, &machines, &directory, &options).map(Listing::from),
            None => all(&machines, &directory, &options, context).map(Listing::from),
        }
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Inventory, message)
}

/// pyinfra says nothing of names that no machine has, so its files have them.
fn warn_of_strangers(options: &Options, machines: &[Machine], context: &Context) {
    let is_stranger = |name: &&str| machines.iter().all(|machine| machine.name != *name);
    for name in options.names().filter(is_stranger) {
        let warning = format!("{FILE}: there is no machine {name}; {}", there_are(machines));
        context.reporter.report("@vagrant", Event::Warning(&warning));
    }
}

fn one(name: &str, machines: &[Machine], directory: &Path, options: &Options) -> Result<NameData> {
    let Some(machine) = machines.iter().find(|machine| machine.name == name) else {
        let place = directory.display();
        let there_are = there_are(machines);
        return Err(refused(format!("@vagrant/{name}: {place} has no such machine; {there_are}")));
    };
    match host(machine, options) {
        Some(host) => Ok(host),
        None => Err(refused(format!("@vagrant/{name}: {}", why_not(machine)))),
    }
}

fn all(
    machines: &[Machine],
    directory: &Path,
    options: &Options,
    context: &Context,
) -> Result<Vec<NameData>> {
    let mut hosts = Vec::new();
    for machine in machines {
        match host(machine, options) {
            Some(host) => hosts.push(host),
            None => {
                let name = format!("@vagrant/{}", machine.name);
                let detail = format!("left out: {}", why_not(machine));
                context.reporter.report(&name, Event::Detail(&detail));
            }
        }
    }
    if hosts.is_empty() {
        let place = directory.display();
        let there_are = there_are(machines);
        return Err(refused(format!(
            "@vagrant: no machine of {place} runs: start them with `vagrant up`; {there_are}"
        )));
    }
    Ok(hosts)
}

/// The host that a machine is, if it can be logged in to.
fn host(machine: &Machine, options: &Options) -> Option<NameData> {
    let State::Ready(known) = &machine.state else { return None };
    let mut host = NameData::new(format!("@vagrant/{}", machine.name));
    host.data = known.clone();
    if let Some(own) = options.data.get(&machine.name) {
        host.data.merge(&own.clone().into_iter().collect());
    }
    // ssh could not look up its name.
    let address = known.get("ssh_hostname").and_then(String::from_value).unwrap_or_default();
    host.target = Some(format!("@ssh/{address}"));
    let groups = options.groups.get(&machine.name).into_iter().flatten();
    host.groups = groups.filter(|group| *group != "@vagrant").cloned().collect();
    Some(host)
}

fn why_not(machine: &Machine) -> String {
    let name = &machine.name;
    match &machine.state {
        State::Ready(_) => String::new(),
        State::WithoutSsh => "it runs, but Vagrant knows no way to reach it over SSH".to_owned(),
        State::Down(word) => format!(
            "it does not run ({}): start it with `vagrant up {name}`",
            word.replace('_', " ")
        ),
    }
}

fn there_are(machines: &[Machine]) -> String {
    let names: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
    format!("there are: {}", names.join(", "))
}
