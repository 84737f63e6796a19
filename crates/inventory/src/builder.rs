//! From sources and settings to an inventory.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use hostlink_core::{Context, Data, Listed, Registry, Result};

use crate::asking::{needs_settings, reads_a_file, refuse_unasked};
use crate::by_name;
use crate::choice::{Chooser, Known};
use crate::collect::collect;
use crate::definition::{ALL, Definition, GroupDefinition, HostDefinition};
use crate::draft::Draft;
use crate::entry::Entry;
use crate::found::Hosts;
use crate::host::Host;
use crate::in_order::in_order;
use crate::inventory::Inventory;
use crate::layer::{Scope, merged};
use crate::pattern::Pattern;
use crate::secrets::{Safe, SecretKeys, warn_of_readable};
use crate::shared::{Config, Shared};
use crate::words::{Source, Word, words};
use crate::{file, source};

/// The maximum number of connectors that list hosts at the same time.
const ASKED_AT_ONCE: usize = 8;

/// The maximum number of hosts that are held twice: as their connectors resolved them, and as they
/// were taken in.
const HELD_AT_ONCE: usize = 1024;

/// Collects sources, data and limits, and makes an [`Inventory`] of them.
///
/// Sources are read, and connectors asked, by [`build`](Self::build).
#[derive(Clone, Debug, Default)]
pub struct Builder {
    sources: Vec<Source>,
    written: Definition,
    host_data: Vec<(String, Data)>,
    group_data: Vec<PathBuf>,
    limit: Option<Pattern>,
    exclude: Option<Pattern>,
    overrides: Data,
    defaults: Data,
    config: Config,
}

impl Inventory {
    /// An inventory without sources yet.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Adds the targets of a list, as on the command line: names, ranges, files; see
    /// [`words`](crate::words()).
    ///
    /// # Errors
    ///
    /// The list cannot be read.
    pub fn targets(mut self, list: &str) -> Result<Self> {
        for word in words(list)? {
            match (word, self.sources.last_mut()) {
                (Word::Name(name), Some(Source::Names(names))) => names.push(name),
                (Word::Name(name), _) => self.sources.push(Source::Names(vec![name])),
                (Word::Path(path), _) => self.sources.push(Source::Path(path)),
            }
        }
        Ok(self)
    }

    /// Adds an inventory: a file, a directory, a program.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::Path(path.into()));
        self
    }

    /// Adds what a source says. `name` is that of the source, for errors.
    #[must_use]
    pub fn definition(mut self, definition: Definition, name: impl Into<Arc<str>>) -> Self {
        self.sources.push(Source::Definition(definition, name.into()));
        self
    }

    /// Adds a host that is in no further group. A name is enough.
    #[must_use]
    pub fn host(mut self, host: impl Into<HostDefinition>) -> Self {
        self.written.hosts.push(host.into());
        self
    }

    /// Adds a group. One of the same name is replaced.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, group: GroupDefinition) -> Self {
        self.written.groups.insert(name.into(), group);
        self
    }

    /// Sets a value for all hosts, under that of their groups and their own.
    #[must_use]
    pub fn data(mut self, key: &str, value: impl Into<hostlink_core::Value>) -> Self {
        self.written.data.insert(key, value);
        self
    }

    /// Sets data of a host, whichever source lists it. It is stronger than what sources and
    /// connectors say of the host.
    #[must_use]
    pub fn host_data(mut self, name: impl Into<String>, data: Data) -> Self {
        self.host_data.push((name.into(), data));
        self
    }

    /// Adds data of groups: a directory with a file for each (`web.yaml`, `all.toml`), or one such
    /// file. They go before what inventories say of the same groups, and a later path before an
    /// earlier one.
    #[must_use]
    pub fn group_data(mut self, path: impl Into<PathBuf>) -> Self {
        self.group_data.push(path.into());
        self
    }

    /// Sets data that go before all other.
    #[must_use]
    pub fn override_data(mut self, data: &Data) -> Self {
        self.overrides.merge(data);
        self
    }

    /// Sets data that is weaker than all other, that of `all` too.
    #[must_use]
    pub fn default_data(mut self, data: &Data) -> Self {
        self.defaults.merge(data);
        self
    }

    /// Chooses hosts. Several limits are joined.
    #[must_use]
    pub fn limit(mut self, pattern: Pattern) -> Self {
        self.limit = Pattern::join(self.limit.take().into_iter().chain([pattern]));
        self
    }

    /// Leaves hosts out, also those that a limit chooses.
    #[must_use]
    pub fn exclude(mut self, pattern: Pattern) -> Self {
        self.exclude = Pattern::join(self.exclude.take().into_iter().chain([pattern]));
        self
    }

    /// Sets how hosts are connected to and worked on.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Reads the sources, asks connectors for the hosts that they list, and chooses. What is
    /// outside the limit is not asked, but for what narrows: hosts that are known may be among
    /// those that are to be left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`](hostlink_core::ErrorKind::Inventory) for what is wrong with a
    /// source, a group or a limit; what connectors refuse.
    pub async fn build(self, registry: &Registry, context: &Context) -> Result<Inventory> {
        let keys = SecretKeys::new(registry);
        let mut readable = Vec::new();
        let draft = self.draft(&keys, &mut readable, false, registry, context).await?;
        warn_of_readable(&readable, context);
        self.resolve(draft, keys, registry, context).await
    }

    /// The names of hosts and groups, for completing them: no program is run, and of the connectors
    /// that list hosts only those are asked that read a file.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub async fn known_names(
        &self,
        registry: &Registry,
        context: &Context,
    ) -> Result<(Vec<String>, Vec<String>)> {
        let keys = SecretKeys::new(registry);
        let mut draft = self.draft(&keys, &mut Vec::new(), true, registry, context).await?;
        let mut hosts = Vec::new();
        for (name, entry) in std::mem::take(&mut draft.entries) {
            if !entry.lists() {
                hosts.push(name);
            } else if reads_a_file(&entry) {
                let mut found = Hosts::default();
                let listed = self.list(&draft, &name, &entry, &keys, registry, context).await?;
                collect(&mut draft, &name, entry, listed, true, &mut found)?;
                hosts.extend(found.into_keys());
            }
        }
        let groups = draft.groups.names().map(str::to_owned).chain([ALL.to_owned()]).collect();
        Ok((hosts, groups))
    }

    /// All sources, read.
    async fn draft(
        &self,
        keys: &SecretKeys,
        readable: &mut Vec<PathBuf>,
        no_programs: bool,
        registry: &Registry,
        context: &Context,
    ) -> Result<Draft> {
        let mut draft = Draft::new(keys.clone());
        for source in self.sources.iter().cloned().flat_map(|it| it.with_paths(registry)) {
            match source {
                Source::Names(names) => {
                    let hosts = names.into_iter().map(HostDefinition::new).collect();
                    let definition = Definition { hosts, ..Definition::default() };
                    draft.add(definition, &"TARGETS".into(), Scope::Everywhere, registry)?;
                }
                Source::Definition(definition, name) => {
                    draft.add(definition, &name, Scope::Everywhere, registry)?
                }
                Source::Path(path) if no_programs && file::is_program(&path) => {}
                Source::Path(path) => {
                    let loaded = source::load(&path, registry, keys, context).await?;
                    readable.extend(loaded.readable_secrets);
                    for (definition, name) in loaded.definitions {
                        let scope = match loaded.is_untrusted {
                            true => draft.untrusted.scope(&name),
                            false => Scope::Everywhere,
                        };
                        draft.add(definition, &name, scope, registry)?;
                    }
                    loaded.groups.iter().for_each(|(name, data)| draft.add_group_data(name, data));
                    loaded.hosts.iter().for_each(|(name, data)| draft.add_host_data(name, data));
                }
            }
        }
        draft.add(self.written.clone(), &"the inventory".into(), Scope::Everywhere, registry)?;
        for path in &self.group_data {
            for (name, data) in source::named_data(path, keys, readable)? {
                draft.add_group_data(&name, &data);
            }
        }
        self.host_data.iter().for_each(|(name, data)| draft.add_host_data(name, data));
        Ok(draft)
    }

    async fn resolve(
        self,
        mut draft: Draft,
        keys: SecretKeys,
        registry: &Registry,
        context: &Context,
    ) -> Result<Inventory> {
        let (limit, exclude) = (self.limit.as_ref(), self.exclude.as_ref());
        let listers = draft.entries.values().filter(|entry| entry.lists()).count();
        draft.connect(listers == 0, &mut Hosts::default())?;
        let mut by_lister = HashMap::new();
        let chooser = Chooser::new(limit, exclude, Known::new(&draft, registry, &by_lister, None));
        let asked = chooser.asked();
        let named: HashSet<String> = chooser.named_listers().map(str::to_owned).collect();
        // What others say may be among the settings of these, so they are asked before anything is
        // taken in. Of the rest, which may be a hundred thousand, only some are held beside what
        // was taken in.
        let is_early = |index: &usize| {
            let (name, entry) = draft.entries.get_index(*index).expect("it is to be asked");
            needs_settings(name, entry, registry)
        };
        let (early, late): (Vec<usize>, Vec<usize>) =
            asked.iter().partition(|index| is_early(index));
        let listed = self.ask(&draft, &early, &keys, registry, context).await?;
        let mut early: HashMap<usize, Listed> = early.into_iter().zip(listed).collect();
        let (mut late, mut listed) = (late.chunks(HELD_AT_ONCE), Vec::new().into_iter());
        // Those of most entries are themselves. To grow step by step would take half as much memory
        // again.
        let mut found = by_name::with_capacity(asked.len());
        let mut asked_listers = 0;
        for index in &asked {
            let listed = match early.remove(index).or_else(|| listed.next()) {
                Some(listed) => listed,
                None => {
                    let next = late.next().expect("each entry is in one half");
                    listed = self.ask(&draft, next, &keys, registry, context).await?.into_iter();
                    listed.next().expect("no chunk is empty")
                }
            };
            let (name, entry) =
                draft.entries.get_index_mut(*index).expect("it was asked by its index");
            let taken = Entry {
                target: entry.target.take(),
                data: std::mem::take(&mut entry.data),
                groups: std::mem::take(&mut entry.groups),
                ..entry.clone()
            };
            asked_listers += usize::from(taken.lists());
            let name = name.clone();
            let trusted = context.trust_data || taken.connector.about().is_trusted();
            if named.contains(&name) {
                let hosts = listed.targets.iter().map(|target| target.name.clone()).collect();
                by_lister.insert(name.clone(), hosts);
            }
            collect(&mut draft, &name, taken, listed, trusted, &mut found)?;
        }
        if asked_listers > 0 {
            refuse_unasked(&draft, &asked, &found)?;
        }
        draft.connect(asked_listers == listers, &mut found)?;
        draft.tell_shared(context);
        let chooser =
            Chooser::new(limit, exclude, Known::new(&draft, registry, &by_lister, Some(&found)));
        chooser.check(&found)?;
        draft.tell_unused(asked_listers == listers, &found, context);
        let related = chooser.related().clone();
        let chosen: Vec<Option<bool>> = (found.iter())
            .map(|(name, found)| {
                let takes = chooser.takes(name, &found.groups);
                takes.then(|| chooser.is_by_group(name, &found.groups))
            })
            .collect();
        let Draft { entries, groups, all, of_hosts, untrusted: _ } = draft;
        drop(entries);
        let shared = Arc::new(Shared {
            groups,
            all,
            of_hosts,
            related,
            overrides: self.overrides.into(),
            defaults: self.defaults,
            safe: Safe::new(keys),
            config: self.config,
            context: context.clone(),
        });
        let mut hosts = by_name::with_capacity(chosen.iter().flatten().count());
        hosts.extend(found.into_iter().zip(chosen).filter_map(|((name, found), narrowed)| {
            Some((name, Host::new(found, narrowed?, shared.clone())))
        }));
        Ok(Inventory::new(hosts, shared))
    }

    /// Lists the hosts of the chosen entries, in their order.
    async fn ask(
        &self,
        draft: &Draft,
        asked: &[usize],
        keys: &SecretKeys,
        registry: &Registry,
        context: &Context,
    ) -> Result<Vec<Listed>> {
        let asking = asked.iter().map(|index| {
            let (name, entry) = draft.entries.get_index(*index).expect("it was asked by its index");
            self.list(draft, name, entry, keys, registry, context)
        });
        in_order(asking, ASKED_AT_ONCE).await
    }

    async fn list(
        &self,
        draft: &Draft,
        name: &str,
        entry: &Entry,
        keys: &SecretKeys,
        registry: &Registry,
        context: &Context,
    ) -> Result<Listed> {
        let reached = entry.reached(name);
        let listed = if needs_settings(name, entry, registry) {
            if entry.lists() {
                let settled = merged([&entry.data, &context.settings, &self.overrides], keys);
                draft.check_settings(name, entry, &settled)?;
            }
            let groups = draft.groups.with_parents(&entry.groups);
            let layers = std::iter::once(&self.defaults).chain(draft.layers(&groups));
            // What the caller sets goes before what sources say.
            let layers = layers.chain([&entry.data, &context.settings, &self.overrides]);
            let settings = merged(layers, keys);
            registry.list(reached, &Context { settings, ..context.clone() }).await
        } else {
            registry.list(reached, context).await
        };
        // An error of data names its host.
        listed.map_err(|error| match error.target() {
            None => entry.place.put_before(error),
            Some(_) => error,
        })
    }
}
