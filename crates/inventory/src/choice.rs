//! `--limit` and `--exclude` beside the hosts and groups that are known: which hosts are meant.

use std::collections::HashSet;

use hostlink_core::{Error, ErrorKind, Registry, Result, nearest};

use crate::definition::{ALL, host_name};
use crate::draft::Draft;
use crate::groups::{GroupId, GroupSet};
use crate::pattern::{Element, Glob, Kind, Pattern};

/// How many names a hint is looked for among.
const MOST_HINTS: usize = 10_000;

/// Whether hosts that are not listed yet could be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    No,
    Maybe,
    Yes,
}

/// What patterns are read beside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) draft: &'a Draft,
    pub(crate) registry: &'a Registry,
}

impl Known<'_> {
    fn has_host(&self, name: &str) -> bool {
        self.draft.entries.contains_key(host_name(name))
    }

    /// The groups that an element names. A wildcard means groups of connectors only if it begins like them.
    fn groups_of(&self, element: &Element) -> Vec<GroupId> {
        let groups = &self.draft.groups;
        match &element.kind {
            Kind::Exact(name) => {
                let bare = name.strip_prefix('@').filter(|name| !self.registry.knows(name));
                groups.find(name).or_else(|| groups.find(bare?)).into_iter().collect()
            }
            Kind::Names(names) => names.iter().filter_map(|name| groups.find(name)).collect(),
            Kind::Globs(globs) => {
                let of_connectors = element.text.starts_with('@');
                let fits = |name: &str| {
                    name.starts_with('@') == of_connectors
                        && globs.iter().any(|glob| glob.fits_group(name))
                };
                groups.defined().filter(|(_, name)| fits(name)).map(|(id, _)| id).collect()
            }
        }
    }

    fn names_only_hosts(&self, element: &Element) -> bool {
        match &element.kind {
            Kind::Exact(name) => self.has_host(name),
            Kind::Names(names) => names.iter().all(|name| self.has_host(name)),
            Kind::Globs(_) => false,
        }
    }

    /// Whether an element matches something that is known, a name of `listed` too.
    fn has(&self, element: &Element, listed: &HashSet<&str>) -> bool {
        let knows = |name: &str| self.has_host(name) || listed.contains(host_name(name));
        let is_host = || match &element.kind {
            Kind::Exact(name) => knows(name),
            Kind::Names(names) => names.iter().any(|name| knows(name)),
            Kind::Globs(globs) => {
                let names = self.draft.entries.keys().map(String::as_str);
                names
                    .chain(listed.iter().copied())
                    .any(|name| globs.iter().any(|glob| glob.fits_host(name)))
            }
        };
        is_all(element) || !self.groups_of(element).is_empty() || is_host()
    }
}

/// Elements of which one has to match.
#[derive(Debug, Default)]
struct Union<'a> {
    elements: &'a [Element],
    names: HashSet<&'a str>,
    globs: Vec<&'a Glob>,
    /// The groups that are named, without those in them.
    groups: Vec<GroupId>,
    /// With those in them.
    reached: GroupSet,
    /// Those of connectors, which say nothing about which of the user's groups are meant.
    of_connectors: GroupSet,
    /// Every host, by `all`.
    is_all: bool,
    /// Whether an element may mean hosts that nobody has listed yet.
    is_open: bool,
}

impl<'a> Union<'a> {
    fn new(elements: &'a [Element], known: Known<'a>) -> Self {
        let groups = &known.draft.groups;
        let mut union = Self { elements, ..Self::default() };
        let mut of_connectors = Vec::new();
        for element in elements {
            let named = known.groups_of(element);
            if element.text.starts_with('@') {
                of_connectors.extend(named.iter().filter(|id| groups.name(**id).starts_with('@')));
            }
            let reached = groups.with_children(&named);
            union.is_all |= is_all(element);
            union.is_open |= match &element.kind {
                Kind::Globs(_) => true,
                _ if reached.iter().any(|group| groups.is_open(*group)) => true,
                _ => named.is_empty() && !is_all(element) && !known.names_only_hosts(element),
            };
            union.groups.extend(named);
            match &element.kind {
                Kind::Exact(name) => drop(union.names.insert(host_name(name))),
                Kind::Names(names) => union.names.extend(names.iter().map(|name| host_name(name))),
                Kind::Globs(globs) => union.globs.extend(globs),
            }
        }
        union.reached = GroupSet::new(groups, &groups.with_children(&union.groups));
        union.of_connectors = GroupSet::new(groups, &of_connectors);
        union
    }

    fn names_host(&self, name: &str) -> bool {
        self.names.contains(name) || self.globs.iter().any(|glob| glob.fits_host(name))
    }

    fn hits(&self, name: &str, groups: &[GroupId]) -> bool {
        self.is_all || self.reached.has_any(groups) || self.names_host(name)
    }

    fn may_hit(&self, name: &str, groups: &[GroupId]) -> Answer {
        match () {
            () if self.hits(name, groups) => Answer::Yes,
            () if self.is_open => Answer::Maybe,
            () => Answer::No,
        }
    }
}

fn is_all(element: &Element) -> bool {
    matches!(&element.kind, Kind::Exact(name) if name == ALL)
}

/// A whole pattern.
#[derive(Debug)]
struct Selection<'a> {
    /// `None` for every host.
    any: Option<Union<'a>>,
    also: Vec<Union<'a>>,
    not: Union<'a>,
}

impl<'a> Selection<'a> {
    fn new(pattern: &'a Pattern, known: Known<'a>) -> Self {
        let union = |elements: &'a [Element]| Union::new(elements, known);
        Self {
            any: (!pattern.any.is_empty()).then(|| union(&pattern.any)),
            also: pattern.also.chunks(1).map(union).collect(),
            not: union(&pattern.not),
        }
    }

    fn takes(&self, name: &str, groups: &[GroupId]) -> bool {
        self.any.as_ref().is_none_or(|any| any.hits(name, groups))
            && self.also.iter().all(|also| also.hits(name, groups))
            && !self.not.hits(name, groups)
    }

    fn may_take(&self, name: &str, groups: &[GroupId]) -> Answer {
        let any = self.any.as_ref().map_or(Answer::Yes, |any| any.may_hit(name, groups));
        let also = self.also.iter().map(|also| also.may_hit(name, groups)).min();
        any.min(also.unwrap_or(Answer::Yes)).min(opposite(self.not.may_hit(name, groups)))
    }

    /// What narrows.
    fn narrowing(&self) -> impl Iterator<Item = &'a Element> {
        self.also.iter().chain([&self.not]).flat_map(|union| union.elements)
    }

    fn elements(&self) -> impl Iterator<Item = &'a Element> {
        self.any.iter().flat_map(|union| union.elements).chain(self.narrowing())
    }
}

fn opposite(answer: Answer) -> Answer {
    match answer {
        Answer::No => Answer::Yes,
        Answer::Maybe => Answer::Maybe,
        Answer::Yes => Answer::No,
    }
}

/// A limit and an exclusion beside the hosts and groups that are known.
#[derive(Debug)]
pub(crate) struct Chooser<'a> {
    known: Known<'a>,
    limit: Option<Selection<'a>>,
    exclude: Option<Selection<'a>>,
    /// The groups whose data count for a host that no element names itself.
    related: GroupSet,
}

impl<'a> Chooser<'a> {
    pub(crate) fn new(
        limit: Option<&'a Pattern>,
        exclude: Option<&'a Pattern>,
        known: Known<'a>,
    ) -> Self {
        let limit = limit.map(|pattern| Selection::new(pattern, known));
        let exclude = exclude.map(|pattern| Selection::new(pattern, known));
        let groups = &known.draft.groups;
        let named = limit.iter().flat_map(|limit| limit.any.iter().chain(&limit.also));
        let named: Vec<GroupId> = named.flat_map(|union| union.groups.iter().copied()).collect();
        let mut related = groups.with_children(&named);
        related.extend(groups.with_parents(&named));
        Self { known, limit, exclude, related: GroupSet::new(groups, &related) }
    }

    /// Whether a host is meant.
    pub(crate) fn takes(&self, name: &str, groups: &[GroupId]) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.takes(name, groups))
            && !self.exclude.as_ref().is_some_and(|exclude| exclude.takes(name, groups))
    }

    /// Whether hosts may be meant that `name`, which is in `groups`, stands for.
    pub(crate) fn may_take(&self, name: &str, groups: &[GroupId]) -> Answer {
        let limit = self.limit.as_ref().map_or(Answer::Yes, |limit| limit.may_take(name, groups));
        let exclude = self.exclude.as_ref().map(|exclude| exclude.may_take(name, groups));
        limit.min(exclude.map_or(Answer::Yes, opposite))
    }

    /// Whether something is to be left out that nobody knows yet. Then everybody is asked: a host that is known may be in a
    /// group that is not, and nothing is to be done on what was to be left out.
    pub(crate) fn leaves_out_unknown(&self) -> bool {
        let limit = self.limit.iter().flat_map(Selection::narrowing);
        let exclude = self.exclude.iter().flat_map(Selection::elements);
        let nobody = HashSet::new();
        limit.chain(exclude).any(|element| !self.known.has(element, &nobody))
    }

    /// Whether a host was chosen by some of its groups alone, so that only the data of these count.
    pub(crate) fn is_by_group(&self, name: &str, groups: &[GroupId]) -> bool {
        let any = self.limit.as_ref().and_then(|limit| limit.any.as_ref());
        any.is_some_and(|any| {
            !any.is_all && !any.names_host(name) && !any.of_connectors.has_any(groups)
        })
    }

    /// The groups whose data count for such hosts: those that were named, those in them, and those that they are in.
    pub(crate) fn related(&self) -> &GroupSet {
        &self.related
    }

    /// Refuses elements that match nothing.
    pub(crate) fn check(&self, listed: &HashSet<&str>) -> Result<()> {
        let all = self.limit.iter().chain(&self.exclude).flat_map(Selection::elements);
        let Some(unknown) = all.into_iter().find(|element| !self.known.has(element, listed)) else {
            return Ok(());
        };
        let (text, draft) = (&unknown.text, self.known.draft);
        let names = draft.entries.keys().map(String::as_str).chain(draft.groups.names());
        let names = names.chain(listed.iter().copied()).take(MOST_HINTS);
        let mut hint = nearest::hint(text, names);
        if hint.is_empty() && text.contains(':') {
            hint = "; separate several with commas".to_owned();
        }
        let message = format!("no host and no group is called {text}{hint}");
        Err(Error::new(ErrorKind::Inventory, message))
    }
}
