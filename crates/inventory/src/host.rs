//! One host of an inventory.

mod work;

use std::sync::Arc;
use std::time::Duration;

use hostlink_core::{
    ConnectorArguments, Context, Data, DataField, DataReader, Error, ErrorKind, Event, Link,
    ResolvedTarget, Result, StringCommand, Value, all_checks,
};
use tokio::sync::Mutex;

use crate::definition::ALL;
use crate::found::Found;
use crate::groups::{GroupId, OwnGroups};
use crate::layer::{Scope, merged};
use crate::shared::Shared;
use crate::unusable;

/// Time limit for a link to answer a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// A host: its name, groups and data, and its connection when it has one.
#[derive(Debug)]
pub struct Host {
    /// With the data that its connector knows.
    target: ResolvedTarget,
    own: Data,
    groups: OwnGroups,
    scope: Scope,
    /// Whether only some groups' data count, since a limit chose it by these.
    narrowed: bool,
    shared: Arc<Shared>,
    /// With a number, since one that is lost may have been replaced when that is noticed.
    link: Mutex<(u64, Option<Link>)>,
}

impl Host {
    pub(crate) fn new(found: Found, narrowed: bool, shared: Arc<Shared>) -> Self {
        let Found { target, own, groups, scope, .. } = found;
        Self { target, own, groups, scope, narrowed, shared, link: Mutex::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// The name of the connector that reaches it.
    #[must_use]
    pub fn connector(&self) -> &'static str {
        self.target.connector().about().name
    }

    /// Its groups, `all` first, in the order in which their data are merged.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let groups = &self.shared.groups;
        let own = groups.with_parents(&self.groups);
        std::iter::once(ALL).chain(own.into_iter().map(|id| groups.name(id))).collect()
    }

    pub(crate) fn group_ids(&self) -> &[GroupId] {
        &self.groups
    }

    /// Its data, merged: what overrides all (but for what its name writes out, as `web1:2222` does
    /// its port), over its own, over what its connector knows, over its
    /// groups' (children over parents, later over earlier), over that of `all`, over defaults.
    /// Secrets are masked wherever it is shown; where one is (`KEY_command` …) is not looked up.
    #[must_use]
    pub fn data(&self) -> Data {
        let shared = &*self.shared;
        let mut overrides = shared.overrides();
        // What a name writes out is said of this host alone.
        for key in self.target.named_keys() {
            overrides.remove(key);
        }
        let groups = shared.groups.with_parents(&self.groups);
        let counts = |id: &&GroupId| {
            !self.narrowed || shared.related.has(**id) || shared.groups.name(**id).starts_with('@')
        };
        let of_groups = groups.iter().filter(counts);
        let of_groups = of_groups.flat_map(|id| shared.groups.layers(*id, self.scope));
        let layers =
            [&shared.defaults].into_iter().chain(shared.all.of(self.scope)).chain(of_groups);
        let of_host = shared.of_hosts.get(self.name());
        let layers = layers.chain([&self.target.data, &self.own]).chain(of_host);
        let mut data = merged(layers.chain([&overrides]), shared.safe.keys());
        let fields: Vec<DataField> = self.data_fields().copied().collect();
        data.mask_fields(&fields);
        data.mask_fields(ConnectorArguments::FIELDS);
        data
    }

    /// The data that the connectors on the way to the host read.
    pub fn data_fields(&self) -> impl Iterator<Item = &'static DataField> {
        self.target.data_fields()
    }

    /// Returns whether the host's name writes out this key of its data, as `web1:2222` does
    /// `ssh_port`.
    #[must_use]
    pub fn names(&self, key: &str) -> bool {
        self.target.named_keys().any(|named| named == key)
    }

    /// Why the host cannot be used, with the place of each problem; empty if it can, as far as that
    /// is known. Such a host is listed, and refused when it is connected to.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.unusable(&self.data())
    }

    /// The problems of values that matter: those that its connectors and commands read, and those
    /// of Ansible's own variables.
    fn unusable(&self, data: &Data) -> Vec<String> {
        let problems = data.iter().filter_map(|(key, value)| {
            let problem = unusable::problem(value)?;
            let mut fields = self.data_fields().chain(ConnectorArguments::FIELDS);
            let matters = key.starts_with("ansible_") || fields.any(|field| field.key == key);
            matters.then(|| problem.to_owned())
        });
        problems.collect()
    }

    /// Reads typed values from its data. The error lists every value that does not fit, with the
    /// host's name.
    ///
    /// ```
    /// # fn read(host: &hostlink_inventory::Host) -> hostlink_core::Result<()> {
    /// let (role, workers) = host.read(|data| {
    ///     (data.own::<String>("role"), data.own::<u32>("workers"))
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`]: host, key, value and what was expected, for each.
    pub fn read<T>(&self, read: impl FnOnce(&mut DataReader<'_>) -> T) -> Result<T> {
        let data = self.data();
        let mut reader = DataReader::new(&data);
        let values = read(&mut reader);
        reader.finish().map_err(|error| error.with_target(self.name()))?;
        Ok(values)
    }

    /// The target, with all data; secrets are looked up where they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`]: a secret cannot be had; or a key begins with an underscore and is no
    /// argument, or a value does not fit an argument, with everything that connectors find wrong,
    /// too.
    pub async fn target(&self) -> Result<ResolvedTarget> {
        let data = self.data();
        self.check(&data)?;
        let opened = self.shared.safe.open(data, &self.shared.context).await;
        let data = opened.map_err(|error| error.with_target(self.name()))?;
        Ok(self.target.clone().with_data(&data))
    }

    /// Refuses data that commands or connectors could not take, with all faults at once. Connecting
    /// asks the connectors again, so they are asked here only if there is another fault.
    fn check(&self, data: &Data) -> Result<()> {
        let keys = self.shared.safe.keys();
        let unusable = self.unusable(data);
        let is_usable = |(_, value): &(&str, &Value)| unusable::problem(value).is_none();
        let usable = match unusable.is_empty() {
            true => data.clone(),
            false => {
                data.iter().filter(is_usable).map(|(key, value)| (key, value.clone())).collect()
            }
        };
        let mut own = vec![keys.check(&usable), ConnectorArguments::from_data(&usable).map(drop)];
        own.extend(unusable.into_iter().map(|problem| Err(Error::new(ErrorKind::Data, problem))));
        if own.iter().all(Result::is_ok) {
            return Ok(());
        }
        let target = self.target.clone().with_data(&keys.with_stand_ins(&usable));
        let of_connectors = target.check(&self.shared.context);
        let of_connectors = of_connectors.or_else(|error| match error.kind() {
            ErrorKind::Data => Err(error),
            _ => Ok(()),
        });
        all_checks(own.into_iter().chain([of_connectors]))
            .map_err(|error| error.with_target(self.name()))
    }

    /// The arguments that its data give its commands (`_sudo`, `_env` …), before the inventory's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] with every value that does not fit.
    pub async fn arguments(&self) -> Result<ConnectorArguments> {
        let target = self.target().await?;
        let of_data = ConnectorArguments::from_data(&target.data);
        let of_data = of_data.map_err(|error| error.with_target(self.name()))?;
        Ok(of_data.or(&self.shared.config.arguments))
    }

    /// The command line that would run, with this host's defaults, as text.
    ///
    /// # Errors
    ///
    /// The arguments do not fit each other, or the host's data are wrong.
    pub async fn make_unix_command(
        &self,
        command: impl Into<StringCommand>,
        arguments: &ConnectorArguments,
    ) -> Result<StringCommand> {
        let arguments = arguments.clone().or(&self.arguments().await?);
        hostlink_core::make_unix_command(&command.into(), &arguments)
    }

    /// Connects, if it is not connected. `reason` is for the reporter; it may be empty.
    ///
    /// # Errors
    ///
    /// As [`ResolvedTarget::connect`].
    pub async fn connect(&self, reason: &str) -> Result<()> {
        self.opened(reason).await.map(drop)
    }

    /// Returns whether it is connected, and its link answers a probe within a second. It does not
    /// wait for a login that is under way.
    pub async fn is_connected(&self) -> bool {
        let Some(link) = self.link.try_lock().ok().and_then(|held| held.1.clone()) else {
            return false;
        };
        let probe = tokio::time::timeout(PROBE_LIMIT, link.connection().probe());
        matches!(probe.await, Ok(Ok(())))
    }

    /// The link, opened if need be. It knows nothing of this host's defaults: see
    /// [`arguments`](Self::arguments).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn link(&self) -> Result<Link> {
        self.opened("").await.map(|(_, link)| link)
    }

    /// Ends the connection, if there is one.
    ///
    /// # Errors
    ///
    /// It did not end well. The host is disconnected all the same.
    pub async fn disconnect(&self) -> Result<()> {
        let link = self.link.lock().await.1.take();
        match link {
            Some(link) => link.disconnect().await,
            None => Ok(()),
        }
    }

    /// The link, opened if need be. Several callers share one attempt after the other.
    async fn opened(&self, reason: &str) -> Result<(u64, Link)> {
        let mut held = self.link.lock().await;
        if let (number, Some(link)) = &*held {
            return Ok((*number, link.clone()));
        }
        let target = self.target().await?;
        let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let context = &self.shared.context;
        context.reporter.report(self.name(), Event::Detail(&format!("connecting{why}")));
        let connect_timeout = self.shared.config.connect_timeout.unwrap_or(context.connect_timeout);
        let context = Context { connect_timeout, ..context.clone() };
        let link = target.connect(&context).await?;
        context.reporter.report(self.name(), Event::Detail("connected"));
        let number = held.0 + 1;
        *held = (number, Some(link.clone()));
        Ok((number, link))
    }

    /// Releases a link that was lost.
    async fn heed<T>(&self, number: u64, outcome: Result<T>) -> Result<T> {
        if outcome.as_ref().is_err_and(|error: &Error| error.kind() == ErrorKind::LinkLost) {
            let mut held = self.link.lock().await;
            let lost = if held.0 == number { held.1.take() } else { None };
            drop(held);
            if let Some(link) = lost {
                // The caller's error is that the link was lost.
                let _ = link.disconnect().await;
            }
        }
        outcome
    }
}
