//! `--limit` and `--exclude`: which hosts are meant.

use std::collections::HashSet;

use hostlink_core::{Error, ErrorKind, Result, nearest};
use wildmatch::WildMatch;

use crate::definition::ALL;
use crate::draft::Draft;
use crate::groups::{GroupId, GroupSet};
use crate::range::Ranges;
use crate::words::split;

/// A limit or an exclusion, as written.
///
/// Elements are separated by commas: a host, a group, `@connector` (the hosts by that connector; the group of that name where there
/// is no such connector), a name with ranges or with `*` and `?`. An element behind `&` must match as well, one behind `!` must
/// not; they may also follow `:` (`web:&staging:!web3`). As with Ansible, all plain elements are joined first, then
/// narrowed by those with `&`, then by those with `!`.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    any: Vec<Element>,
    also: Vec<Element>,
    not: Vec<Element>,
}

/// What may stand between commas.
#[derive(Clone, Debug)]
struct Element {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Exact,
    Names(HashSet<String>),
    Glob(WildMatch),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: an empty element, or a range that is none.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut pattern, mut ranges) = (Self::default(), Ranges::default());
        for part in split(text) {
            for (index, word) in operators(part).into_iter().enumerate() {
                let word = word.trim();
                let list = match word.as_bytes().first() {
                    Some(b'&') => &mut pattern.also,
                    Some(b'!') => &mut pattern.not,
                    _ if index == 0 => &mut pattern.any,
                    _ => unreachable!("what follows a colon begins with & or !"),
                };
                let word = word.trim_start_matches(['&', '!']).trim();
                list.push(Element::parse(word, text, &mut ranges)?);
            }
        }
        Ok(pattern)
    }

    /// The union of several, each as if it stood there alone with the others' commas.
    #[must_use]
    pub fn join(patterns: impl IntoIterator<Item = Self>) -> Option<Self> {
        patterns.into_iter().reduce(|mut all, more| {
            all.any.extend(more.any);
            all.also.extend(more.also);
            all.not.extend(more.not);
            all
        })
    }
}

/// Splits before each `:&` and `:!`, without the colon.
fn operators(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let next = |text: &str| [text.find(":&"), text.find(":!")].into_iter().flatten().min();
    while let Some(at) = next(rest) {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

impl Element {
    fn parse(text: &str, whole: &str, ranges: &mut Ranges) -> Result<Self> {
        if text.is_empty() {
            let message = format!("{whole:?} is no choice of hosts: an element is empty");
            return Err(Error::new(ErrorKind::Inventory, message));
        }
        let names = ranges.expand(text, 0)?;
        let kind = match names.as_slice() {
            [name] if name.contains(['*', '?']) => Kind::Glob(WildMatch::new(name)),
            [_] => Kind::Exact,
            _ => Kind::Names(names.into_iter().collect()),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    fn matches(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Exact => self.text == name,
            Kind::Names(names) => names.contains(name),
            Kind::Glob(glob) => glob.matches(name),
        }
    }
}

/// Whether hosts that are not listed yet could be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    No,
    Maybe,
    Yes,
}

/// A pattern beside the hosts and groups that are known.
#[derive(Debug)]
struct Prepared<'a> {
    element: &'a Element,
    groups: Vec<GroupId>,
    /// With those in them.
    reached: GroupSet,
    /// Every host, by `all`.
    is_all: bool,
    /// The hosts by a connector, which says nothing about which of the user's groups are meant.
    is_connector: bool,
    /// Whether it names something that is known, so that it is not looked for elsewhere.
    is_settled: bool,
}

/// A limit and an exclusion beside the hosts and groups that are known.
#[derive(Debug, Default)]
pub(crate) struct Chooser<'a> {
    any: Option<Vec<Prepared<'a>>>,
    also: Vec<Prepared<'a>>,
    not: Vec<Prepared<'a>>,
    /// The groups whose data count for a host that no element names itself.
    related: GroupSet,
}

impl<'a> Chooser<'a> {
    pub(crate) fn new(
        limit: Option<&'a Pattern>,
        exclude: Option<&'a Pattern>,
        draft: &Draft,
    ) -> Self {
        let prepare = |elements: &'a [Element]| {
            elements.iter().map(|element| prepare(element, draft)).collect::<Vec<_>>()
        };
        let mut chooser = Self::default();
        if let Some(limit) = limit {
            chooser.any = Some(prepare(&limit.any)).filter(|any| !any.is_empty());
            chooser.also = prepare(&limit.also);
            chooser.not = prepare(&limit.not);
        }
        if let Some(exclude) = exclude {
            chooser.not.extend(prepare(&exclude.any));
        }
        let named = chooser.any.iter().flatten().chain(&chooser.also);
        let named: Vec<GroupId> = named.flat_map(|element| element.groups.clone()).collect();
        let mut related = draft.groups.with_children(&named);
        related.extend(draft.groups.with_parents(&named));
        chooser.related = GroupSet::new(&draft.groups, &related);
        chooser
    }

    /// Whether a host is meant.
    pub(crate) fn takes(&self, name: &str, groups: &[GroupId]) -> bool {
        let hit = |element: &Prepared<'_>| element.hits(name, groups);
        self.any.as_ref().is_none_or(|any| any.iter().any(hit))
            && self.also.iter().all(hit)
            && !self.not.iter().any(hit)
    }

    /// Whether hosts may be meant that `name`, which is in `groups`, stands for.
    pub(crate) fn may_take(&self, name: &str, groups: &[GroupId]) -> Answer {
        let hit = |element: &Prepared<'_>| match element {
            element if element.hits(name, groups) => Answer::Yes,
            element if element.is_settled => Answer::No,
            _ => Answer::Maybe,
        };
        let any = match &self.any {
            None => Answer::Yes,
            Some(any) => any.iter().map(hit).max().unwrap_or(Answer::No),
        };
        let also = self.also.iter().map(hit).min().unwrap_or(Answer::Yes);
        let not = match self.not.iter().map(hit).max().unwrap_or(Answer::No) {
            Answer::No => Answer::Yes,
            Answer::Maybe => Answer::Maybe,
            Answer::Yes => Answer::No,
        };
        any.min(also).min(not)
    }

    /// Whether a host was chosen by some of its groups alone, so that only the data of these count.
    pub(crate) fn is_by_group(&self, name: &str, groups: &[GroupId]) -> bool {
        let by_itself = |it: &Prepared<'_>| {
            it.is_all || it.element.matches(name) || (it.is_connector && it.reached.has_any(groups))
        };
        self.any.as_ref().is_some_and(|any| !any.iter().any(by_itself))
    }

    /// The groups whose data count for such hosts: those that were named, those in them, and those that they are in.
    pub(crate) fn related(&self) -> &GroupSet {
        &self.related
    }

    /// Refuses elements that match nothing. An exclusion may be meant for hosts that were not listed.
    pub(crate) fn check(&self, draft: &Draft, listed: &[&str], all_were_asked: bool) -> Result<()> {
        let kept = self.any.iter().flatten().chain(&self.also);
        let dropped = self.not.iter().filter(|_| all_were_asked);
        let Some(unknown) = kept.chain(dropped).find(|element| !element.is_known(draft, listed))
        else {
            return Ok(());
        };
        let text = &unknown.element.text;
        let names = draft.entries.keys().map(String::as_str).chain(draft.groups.names());
        let names = names.chain(listed.iter().copied());
        let mut hint = nearest::hint(text, names.take(10_000));
        if hint.is_empty() && text.contains(':') {
            hint = "; separate several with commas".to_owned();
        }
        let message = format!("no host and no group is called {text}{hint}");
        Err(Error::new(ErrorKind::Inventory, message))
    }
}

fn prepare<'a>(element: &'a Element, draft: &Draft) -> Prepared<'a> {
    let own = |name: &str| element.matches(name);
    let mut groups: Vec<GroupId> =
        draft.groups.defined().filter(|(_, name)| own(name)).map(|(id, _)| id).collect();
    let is_connector = element.text.starts_with('@') && !groups.is_empty();
    let bare = element.text.strip_prefix('@').filter(|_| matches!(element.kind, Kind::Exact));
    if let Some(bare) = bare
        && groups.is_empty()
    {
        groups.extend(draft.groups.find(bare));
    }
    let reached = draft.groups.with_children(&groups);
    let is_open = reached.iter().any(|group| draft.groups.is_open(*group));
    let is_host = match &element.kind {
        Kind::Exact => draft.entries.contains_key(&element.text),
        Kind::Names(names) => names.iter().all(|name| draft.entries.contains_key(name)),
        Kind::Glob(_) => false,
    };
    let is_glob = matches!(element.kind, Kind::Glob(_));
    let is_all = own(ALL);
    let is_settled = !is_glob && !is_open && (is_host || is_all || !groups.is_empty());
    let reached = GroupSet::new(&draft.groups, &reached);
    Prepared { element, groups, reached, is_all, is_connector, is_settled }
}

impl Prepared<'_> {
    fn hits(&self, name: &str, groups: &[GroupId]) -> bool {
        self.is_all || self.element.matches(name) || self.reached.has_any(groups)
    }

    fn is_known(&self, draft: &Draft, listed: &[&str]) -> bool {
        self.is_all
            || !self.groups.is_empty()
            || draft.entries.keys().any(|name| self.element.matches(name))
            || listed.iter().any(|name| self.element.matches(name))
    }
}
