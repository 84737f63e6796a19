//! `--limit` and `--exclude` beside the hosts and groups that are known: which hosts are meant.

use std::collections::HashSet;

use hostlink_core::{Error, ErrorKind, Result, nearest};
use wildmatch::WildMatch;

use crate::definition::ALL;
use crate::draft::Draft;
use crate::groups::{GroupId, GroupSet};
use crate::pattern::{Element, Kind, Pattern};

/// How many names a hint is looked for among.
const MOST_HINTS: usize = 10_000;

/// Whether hosts that are not listed yet could be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    No,
    Maybe,
    Yes,
}

/// Elements of which one has to match.
#[derive(Debug, Default)]
struct Union<'a> {
    elements: &'a [Element],
    names: HashSet<&'a str>,
    globs: Vec<&'a WildMatch>,
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
    fn new(elements: &'a [Element], draft: &Draft) -> Self {
        let groups = &draft.groups;
        let mut union = Self { elements, ..Self::default() };
        let mut of_connectors = Vec::new();
        for element in elements {
            let named = groups_of(element, draft);
            if element.text.starts_with('@') {
                of_connectors.extend(named.iter().filter(|id| groups.name(**id).starts_with('@')));
            }
            let reached = groups.with_children(&named);
            union.is_all |= is_all(element);
            union.is_open |= match &element.kind {
                Kind::Glob(_) => true,
                _ if reached.iter().any(|group| groups.is_open(*group)) => true,
                _ => named.is_empty() && !is_all(element) && !names_only_known(element, draft),
            };
            union.groups.extend(named);
            match &element.kind {
                Kind::Exact => drop(union.names.insert(&element.text)),
                Kind::Names(names) => union.names.extend(names.iter().map(String::as_str)),
                Kind::Glob(glob) => union.globs.push(glob),
            }
        }
        union.reached = GroupSet::new(groups, &groups.with_children(&union.groups));
        union.of_connectors = GroupSet::new(groups, &of_connectors);
        union
    }

    fn names_host(&self, name: &str) -> bool {
        self.names.contains(name) || self.globs.iter().any(|glob| glob.matches(name))
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

/// The groups that an element names. A wildcard means groups of connectors only if it begins like them.
fn groups_of(element: &Element, draft: &Draft) -> Vec<GroupId> {
    let groups = &draft.groups;
    match &element.kind {
        Kind::Exact => {
            let bare = || groups.find(element.text.strip_prefix('@')?);
            groups.find(&element.text).or_else(bare).into_iter().collect()
        }
        Kind::Names(names) => names.iter().filter_map(|name| groups.find(name)).collect(),
        Kind::Glob(glob) => {
            let of_connectors = element.text.starts_with('@');
            let fits = |name: &str| name.starts_with('@') == of_connectors && glob.matches(name);
            groups.defined().filter(|(_, name)| fits(name)).map(|(id, _)| id).collect()
        }
    }
}

fn is_all(element: &Element) -> bool {
    matches!(element.kind, Kind::Exact) && element.text == ALL
}

fn names_only_known(element: &Element, draft: &Draft) -> bool {
    match &element.kind {
        Kind::Exact => draft.entries.contains_key(&element.text),
        Kind::Names(names) => names.iter().all(|name| draft.entries.contains_key(name)),
        Kind::Glob(_) => false,
    }
}

/// Whether an element matches something that is known, a name of `listed` too.
fn is_known(element: &Element, draft: &Draft, listed: &HashSet<&str>) -> bool {
    let knows = |name: &str| draft.entries.contains_key(name) || listed.contains(name);
    let is_host = || match &element.kind {
        Kind::Exact => knows(&element.text),
        Kind::Names(names) => names.iter().any(|name| knows(name)),
        Kind::Glob(glob) => {
            let names = draft.entries.keys().map(String::as_str);
            names.chain(listed.iter().copied()).any(|name| glob.matches(name))
        }
    };
    is_all(element) || !groups_of(element, draft).is_empty() || is_host()
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
    fn new(pattern: &'a Pattern, draft: &Draft) -> Self {
        let union = |elements: &'a [Element]| Union::new(elements, draft);
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
    limit: Option<Selection<'a>>,
    exclude: Option<Selection<'a>>,
    /// The groups whose data count for a host that no element names itself.
    related: GroupSet,
}

impl<'a> Chooser<'a> {
    pub(crate) fn new(
        limit: Option<&'a Pattern>,
        exclude: Option<&'a Pattern>,
        draft: &Draft,
    ) -> Self {
        let limit = limit.map(|pattern| Selection::new(pattern, draft));
        let exclude = exclude.map(|pattern| Selection::new(pattern, draft));
        let named = limit.iter().flat_map(|limit| limit.any.iter().chain(&limit.also));
        let named: Vec<GroupId> = named.flat_map(|union| union.groups.iter().copied()).collect();
        let related = draft.groups.related(&named);
        Self { limit, exclude, related: GroupSet::new(&draft.groups, &related) }
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
    pub(crate) fn leaves_out_unknown(&self, draft: &Draft) -> bool {
        let limit = self.limit.iter().flat_map(Selection::narrowing);
        let exclude = self.exclude.iter().flat_map(Selection::elements);
        let nobody = HashSet::new();
        limit.chain(exclude).any(|element| !is_known(element, draft, &nobody))
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
    pub(crate) fn check(&self, draft: &Draft, listed: &HashSet<&str>) -> Result<()> {
        let all = self.limit.iter().chain(&self.exclude).flat_map(Selection::elements);
        let Some(unknown) = all.into_iter().find(|element| !is_known(element, draft, listed))
        else {
            return Ok(());
        };
        let text = &unknown.text;
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
