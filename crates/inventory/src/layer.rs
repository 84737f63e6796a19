//! One layer of data, of a group or of all hosts, and for whom it holds.

use hostlink_core::Data;
use indexmap::IndexMap;

use crate::secrets::SecretKeys;

/// The hosts for which a source's word on groups holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Every host: the user's own files and words, and what is trusted.
    #[default]
    Everywhere,
    /// The hosts of one program or connector alone, by its number.
    Own(u32),
}

impl Scope {
    /// That of a host, or of the hosts of a group, that both name.
    pub(crate) fn join(self, other: Self) -> Self {
        if self == other { self } else { Self::Everywhere }
    }
}

/// What is not trusted, by its number as a scope; and whether it names hosts that others name, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Untrusted(IndexMap<String, bool>);

impl Untrusted {
    /// The scope of a program or a connector.
    pub(crate) fn scope(&mut self, name: &str) -> Scope {
        let known = self.0.get_index_of(name);
        let at = known.unwrap_or_else(|| self.0.insert_full(name.to_owned(), false).0);
        Scope::Own(u32::try_from(at).expect("there are fewer sources than 2^32"))
    }

    /// The scope of a host that two sources name.
    pub(crate) fn shared(&mut self, one: Scope, other: Scope) -> Scope {
        let both = one.join(other);
        for scope in [one, other] {
            if let (Scope::Own(at), true) = (scope, scope != both)
                && let Some((_, shares)) = self.0.get_index_mut(at as usize)
            {
                *shares = true;
            }
        }
        both
    }

    /// Those that name hosts of others.
    pub(crate) fn sharing(&self) -> impl Iterator<Item = (Scope, &str)> {
        let scopes = (0..).map(Scope::Own).zip(&self.0);
        scopes.filter(|(_, (_, shares))| **shares).map(|(scope, (name, _))| (scope, name.as_str()))
    }
}

/// The data of a group, or of all hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    data: Data,
    /// The data that sources have for their own hosts.
    of_own: Vec<(Scope, Data)>,
}

impl Layer {
    /// Sets data over what the same scope has.
    pub(crate) fn add_over(&mut self, scope: Scope, over: &Data, secrets: &SecretKeys) {
        let data = self.data_mut(scope);
        *data = merged([&*data, over], secrets);
    }

    /// Sets data under what the same scope has.
    pub(crate) fn add_under(&mut self, scope: Scope, under: &Data, secrets: &SecretKeys) {
        let data = self.data_mut(scope);
        *data = merged([under, &*data], secrets);
    }

    /// The data that hold everywhere.
    pub(crate) fn everywhere(&self) -> &Data {
        &self.data
    }

    /// The data that hold for a host of this scope, the weaker ones first.
    pub(crate) fn of(&self, scope: Scope) -> impl Iterator<Item = &Data> {
        let own = self.of_own.iter().filter(move |(of, _)| *of == scope);
        own.map(|(_, data)| data).chain([&self.data])
    }

    /// Returns whether this scope has data of its own.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        self.of_own.iter().any(|(of, data)| *of == scope && data.iter().next().is_some())
    }

    fn data_mut(&mut self, scope: Scope) -> &mut Data {
        if scope == Scope::Everywhere {
            return &mut self.data;
        }
        let at = self.of_own.iter().position(|(of, _)| *of == scope).unwrap_or_else(|| {
            self.of_own.push((scope, Data::new()));
            self.of_own.len() - 1
        });
        &mut self.of_own[at].1
    }
}

/// Merges layers, the first one being the weakest. Of the keys that say where one secret is, the
/// strongest layer's stays.
pub(crate) fn merged<'a>(layers: impl IntoIterator<Item = &'a Data>, secrets: &SecretKeys) -> Data {
    let mut data = Data::new();
    for layer in layers {
        secrets.make_way(&mut data, layer);
        data.merge(layer);
    }
    data
}
