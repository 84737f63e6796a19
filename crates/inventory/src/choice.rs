//! `--limit` and `--exclude` beside the hosts and groups that are known: which hosts are meant.

mod known;

use std::collections::HashSet;

use hostlink_core::{Error, ErrorKind, Result, nearest};
use regex::Regex;

use crate::definition::{ALL, host_name};
use crate::found::Hosts;
use crate::groups::{GroupId, GroupSet};
use crate::pattern::{Element, Glob, Kind, Pattern};

pub(crate) use known::Known;

/// The maximum number of names that are searched for a hint.
const MOST_HINTS: usize = 10_000;

/// Whether hosts that are not listed yet could be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    No,
    Maybe,
    Yes,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Host,
    /// The hosts that a connector lists.
    Lister,
    /// The hosts of a file. It is read in any case.
    File,
}

/// Elements of which one has to match.
#[derive(Debug, Default)]
struct Union<'a> {
    elements: &'a [Element],
    names: HashSet<&'a str>,
    globs: Vec<&'a Glob>,
    regexes: Vec<&'a Regex>,
    /// The groups of the user, if hosts are meant that are in none of them.
    ungrouped: Option<GroupSet>,
    /// The groups that are named, without those in them.
    groups: Vec<GroupId>,
    /// With those in them.
    reached: GroupSet,
    /// Those of connectors, which say nothing about which of the user's groups are meant.
    of_connectors: GroupSet,
    /// Every host, by `all`.
    is_all: bool,
    /// Whether an element may mean hosts that are not listed yet.
    is_open: bool,
    /// Whether one of the groups has a child that is not listed yet.
    has_open_group: bool,
    /// Whether entries that list hosts are in these groups, or are named themselves.
    lists: bool,
    /// Whether hosts by some connector are meant. It may also reach what another one lists.
    names_connector: bool,
}

impl<'a> Union<'a> {
    fn new(elements: &'a [Element], known: &Known<'a>) -> Self {
        let groups = &known.draft.groups;
        let mut union = Self { elements, ..Self::default() };
        let mut of_connectors = Vec::new();
        for element in elements {
            if let Some((group, slice)) = known.slice_of(element) {
                union.names.extend(known.sliced(group, slice));
                continue;
            }
            if known.is_ungrouped(element) {
                let users = groups.defined().filter(|(_, name)| !name.starts_with('@'));
                let users: Vec<GroupId> = users.map(|(id, _)| id).collect();
                union.ungrouped = Some(GroupSet::new(groups, &users));
                continue;
            }
            let named = known.groups_of(element);
            if element.text.starts_with('@') {
                of_connectors.extend(named.iter().filter(|id| groups.name(**id).starts_with('@')));
            }
            union.is_all |= is_all(element);
            union.is_open |= known.is_open(element);
            union.names_connector |= element.text.starts_with('@');
            union.groups.extend(named);
            match &element.kind {
                Kind::Exact(name) => drop(union.names.insert(host_name(name))),
                Kind::Names(names) => union.names.extend(names.iter().map(|name| host_name(name))),
                Kind::Globs(globs) => union.globs.extend(globs),
                Kind::Regex(regex) => union.regexes.push(regex),
            }
        }
        let reached = groups.with_children(&union.groups);
        union.has_open_group = reached.iter().any(|group| groups.is_open(*group));
        union.is_open |= union.has_open_group;
        union.reached = GroupSet::new(groups, &reached);
        union.of_connectors = GroupSet::new(groups, &of_connectors);
        union.lists = known.listers.iter().any(|(name, groups)| union.means_lister(name, groups));
        let named = known.by_lister.iter().filter(|(name, _)| union.names_lister(name));
        let of_named: Vec<&str> = named.flat_map(|(_, hosts)| hosts).map(String::as_str).collect();
        union.names.extend(of_named);
        union
    }

    fn names_host(&self, name: &str) -> bool {
        self.names.contains(name)
            || self.globs.iter().any(|glob| glob.fits_host(name))
            || self.regexes.iter().any(|regex| regex.is_match(name))
    }

    fn hits(&self, name: &str, groups: &[GroupId]) -> bool {
        let is_ungrouped = self.ungrouped.as_ref().is_some_and(|users| !users.has_any(groups));
        self.is_all || self.reached.has_any(groups) || self.names_host(name) || is_ungrouped
    }

    fn names_lister(&self, name: &str) -> bool {
        self.names.contains(name) || self.globs.iter().any(|glob| glob.fits_lister(name))
    }

    /// Returns whether all hosts of an entry are meant, whatever they are.
    fn means_lister(&self, name: &str, groups: &[GroupId]) -> bool {
        self.reached.has_any(groups) || self.names_lister(name)
    }

    fn hits_entry(&self, name: &str, groups: &[GroupId], of: Of) -> bool {
        match of {
            Of::Host => self.hits(name, groups),
            Of::Lister | Of::File => self.is_all || self.means_lister(name, groups),
        }
    }

    /// For the plain elements of a limit. What is known by name is not looked for elsewhere.
    fn may_choose(&self, name: &str, groups: &[GroupId], of: Of) -> Answer {
        match of {
            _ if self.hits_entry(name, groups, of) => Answer::Yes,
            Of::File => Answer::Maybe,
            Of::Lister if self.is_open => Answer::Maybe,
            Of::Host | Of::Lister => Answer::No,
        }
    }

    /// For what narrows. A host that is known may also be one of those that a connector lists.
    fn may_narrow(&self, name: &str, groups: &[GroupId], of: Of) -> Answer {
        match () {
            () if self.hits_entry(name, groups, of) => Answer::Yes,
            () if self.is_open || self.lists => Answer::Maybe,
            () if self.names_connector && of != Of::Host => Answer::Maybe,
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
    is_exclusion: bool,
    /// `None` for every host.
    any: Option<Union<'a>>,
    also: Vec<Union<'a>>,
    not: Union<'a>,
}

impl<'a> Selection<'a> {
    fn new(pattern: &'a Pattern, is_exclusion: bool, known: &Known<'a>) -> Self {
        let union = |elements: &'a [Element]| Union::new(elements, known);
        Self {
            is_exclusion,
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

    fn may_take(&self, name: &str, groups: &[GroupId], of: Of) -> Answer {
        let any = self.any.as_ref().map_or(Answer::Yes, |any| match self.is_exclusion {
            true => any.may_narrow(name, groups, of),
            false => any.may_choose(name, groups, of),
        });
        // A connector may list what is known to be on the other side of `&`.
        let also = self.also.iter().map(|also| match also.may_narrow(name, groups, of) {
            Answer::No if of != Of::Host => Answer::Maybe,
            answer => answer,
        });
        let not = self.not.may_narrow(name, groups, of);
        any.min(also.min().unwrap_or(Answer::Yes)).min(opposite(not))
    }

    /// Returns the unions that narrow the choice.
    fn narrowing(&self) -> impl Iterator<Item = &Union<'a>> {
        let any = self.any.iter().filter(|_| self.is_exclusion);
        any.chain(&self.also).chain([&self.not])
    }

    fn unions(&self) -> impl Iterator<Item = &Union<'a>> {
        self.any.iter().chain(&self.also).chain([&self.not])
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
    pub(crate) known: Known<'a>,
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
        let limit = limit.map(|pattern| Selection::new(pattern, false, &known));
        let exclude = exclude.map(|pattern| Selection::new(pattern, true, &known));
        let groups = &known.draft.groups;
        let named = limit.iter().flat_map(|limit| limit.any.iter().chain(&limit.also));
        let named: Vec<GroupId> = named.flat_map(|union| union.groups.iter().copied()).collect();
        let related = groups.related(&named);
        Self { known, limit, exclude, related: GroupSet::new(groups, &related) }
    }

    /// Returns whether a host is meant.
    pub(crate) fn takes(&self, name: &str, groups: &[GroupId]) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.takes(name, groups))
            && !self.exclude.as_ref().is_some_and(|exclude| exclude.takes(name, groups))
    }

    /// Returns whether hosts may be meant that `name`, which is in `groups`, stands for.
    pub(crate) fn may_take(&self, name: &str, groups: &[GroupId], of: Of) -> Answer {
        let may_take = |selection: &Selection<'_>| selection.may_take(name, groups, of);
        let limit = self.limit.as_ref().map_or(Answer::Yes, may_take);
        limit.min(self.exclude.as_ref().map(may_take).map_or(Answer::Yes, opposite))
    }

    /// Returns whether an element can only be read when all hosts and their groups are known.
    pub(crate) fn needs_all(&self) -> bool {
        let mut selections = self.limit.iter().chain(&self.exclude).flat_map(Selection::unions);
        selections.any(|union| union.elements.iter().any(|it| self.known.needs_all(it)))
    }

    /// Returns whether a limit leaves out a name that is not known yet. Then all listers are asked:
    /// a known host may be in an unknown group, and nothing may run on a host that was to be left
    /// out.
    pub(crate) fn leaves_out_unknown(&self) -> bool {
        let none_listed = Hosts::default();
        let is_new = |element: &Element| {
            !self.known.has(element, &none_listed) && !self.known.is_connector(element)
        };
        self.narrowing().any(|union| union.has_open_group || union.elements.iter().any(is_new))
    }

    /// Returns whether what narrows holds hosts that a connector lists.
    pub(crate) fn narrows_by_listers(&self) -> bool {
        self.narrowing().any(|union| union.lists)
    }

    /// Returns whether the hosts of such an entry are among what narrows.
    pub(crate) fn narrows_by(&self, name: &str, groups: &[GroupId]) -> bool {
        self.narrowing().any(|union| union.means_lister(name, groups))
    }

    fn narrowing(&self) -> impl Iterator<Item = &Union<'a>> {
        self.limit.iter().chain(&self.exclude).flat_map(Selection::narrowing)
    }

    /// The entries of connectors that list hosts which elements name (`@terraform/web`).
    pub(crate) fn named_listers(&self) -> impl Iterator<Item = &'a str> {
        let names = self.known.listers.iter().map(|(name, _)| *name);
        names.filter(|name| {
            let mut all = self.limit.iter().chain(&self.exclude).flat_map(Selection::unions);
            all.any(|union| union.names_lister(name))
        })
    }

    /// Returns whether a host was chosen by some of its groups alone, so that only the data of
    /// these count.
    pub(crate) fn is_by_group(&self, name: &str, groups: &[GroupId]) -> bool {
        let any = self.limit.as_ref().and_then(|limit| limit.any.as_ref());
        any.is_some_and(|any| {
            !any.is_all && !any.names_host(name) && !any.of_connectors.has_any(groups)
        })
    }

    /// The groups whose data count for such hosts: those that were named, those in them, and those
    /// that they are in.
    pub(crate) fn related(&self) -> &GroupSet {
        &self.related
    }

    /// Refuses elements that match nothing.
    pub(crate) fn check(&self, listed: &Hosts) -> Result<()> {
        let is_unknown = |element: &&Element| !self.known.has(element, listed);
        // That a connector reaches nothing that could be left out is no mistake.
        let mut narrowing = self.narrowing().flat_map(|union| union.elements);
        let unknown =
            narrowing.find(|element| is_unknown(element) && !self.known.is_connector(element));
        let choosing = self.limit.iter().filter_map(|limit| limit.any.as_ref());
        let mut choosing = choosing.flat_map(|union| union.elements);
        let Some(unknown) = choosing.find(is_unknown).or(unknown) else { return Ok(()) };
        let (text, draft) = (&unknown.text, self.known.draft);
        let names = draft.entries.keys().map(String::as_str).chain(draft.groups.names());
        let names = names.chain(listed.keys().map(String::as_str)).take(MOST_HINTS);
        let mut hint = nearest::hint(text, names);
        if hint.is_empty() && text.contains(':') {
            hint = "; separate several with commas".to_owned();
        }
        let message = format!("no host and no group is called {text}{hint}");
        Err(Error::new(ErrorKind::Inventory, message))
    }
}
