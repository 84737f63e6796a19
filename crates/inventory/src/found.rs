//! The hosts that entries resolved to.

use hostlink_core::{Data, ResolvedTarget, Result};

use crate::by_name::ByName;
use crate::entry::{Mention, contradiction};
use crate::groups::OwnGroups;
use crate::layer::{Scope, Untrusted};

/// A host that an entry resolved to.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) target: ResolvedTarget,
    /// The data of its entry.
    pub(crate) own: Data,
    pub(crate) groups: OwnGroups,
    /// The only source that names it, if that is not trusted.
    pub(crate) scope: Scope,
    pub(crate) mention: Mention,
    /// Whether it is named and nothing else is said of it.
    pub(crate) is_bare: bool,
}

impl Found {
    /// Adds what another entry says of the same host.
    pub(crate) fn join(&mut self, other: Self, untrusted: &mut Untrusted) -> Result<()> {
        self.mention.refuse(&other.mention, &self.target.name)?;
        let differs =
            self.target.data != other.target.data || !self.target.is_reached_like(&other.target);
        // Who only names a host means the one that another source knows; but what is not trusted
        // says nothing of hosts that others name.
        let may_mean = self.is_bare != other.is_bare
            && [self.scope, other.scope].iter().all(|scope| *scope == Scope::Everywhere);
        if differs && may_mean {
            if self.is_bare {
                self.target = other.target;
            }
        } else if differs {
            let (name, before) = (&self.target.name, &self.mention.place);
            let problem = format!(
                "{name} is another target than the {name} of {before}: let only one of both name it"
            );
            return Err(other.mention.place.error(problem));
        }
        if let Some(key) = contradiction(&self.own, &other.own) {
            let (name, before) = (&self.target.name, &self.mention.place);
            let problem = format!("{name}: its {key} is another one at {before}");
            return Err(other.mention.place.error(problem));
        }
        self.is_bare &= other.is_bare;
        self.own.merge(&other.own);
        let new = other.groups.into_iter().filter(|group| !self.groups.contains(group));
        self.groups.extend(new.collect::<Vec<_>>());
        self.scope = untrusted.shared(self.scope, other.scope);
        self.mention.scope = self.mention.scope.join(other.mention.scope);
        Ok(())
    }
}

/// Hosts by their names, in order.
pub(crate) type Hosts = ByName<Found>;
