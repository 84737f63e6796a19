//! YAML 1.2, by the events of `granit-parser`. `saphyr-parser`, which it was forked from, refuses a
//! closing bracket at the indentation of its parent (saphyr#73).

use std::borrow::Cow;
use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Dialect, Fault, Read, TOO_DEEP, TOO_LARGE};
use crate::node::{DEEPEST, Key, Kind, Node, keep_last};
use crate::place::Position;

/// How many values aliases may stand for in all, long texts counting as several. A file that says a
/// lot in few lines ("billion laughs") has more.
const MOST_COPIED: usize = 250_000;

pub(super) fn read(text: &str, dialect: Dialect) -> Result<Read, Fault> {
    let takes_vaults = dialect == Dialect::Ansible;
    let mut builder = Builder { takes_vaults, ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            let at = Position::new(marker.line(), marker.col() + 1);
            tab_before(text, marker.line()).unwrap_or_else(|| (at, error.info()))
        })?;
        builder.take(event, position(&span))?;
    }
    let empty = Node { at: Position::new(1, 1), kind: Kind::Null };
    Ok(Read { node: builder.document.unwrap_or(empty), repeated: builder.repeated })
}

/// A tab that indents this line or the one before, which the parser has no word for.
fn tab_before(text: &str, line: usize) -> Option<Fault> {
    let lines = text.lines().enumerate().skip(line.saturating_sub(2)).take(2);
    let mut tabs = lines.filter_map(|(index, line)| {
        let content = line.trim_start_matches([' ', '\t']);
        let column = line[..line.len() - content.len()].find('\t')?;
        (!content.is_empty()).then(|| Position::new(index + 1, column + 1))
    });
    tabs.next().map(|at| (at, "this line is indented by a tab: YAML takes spaces only".to_owned()))
}

fn position(span: &Span) -> Position {
    Position::new(span.start.line(), span.start.col() + 1)
}

/// A list or a map that has not ended yet.
struct Open {
    at: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, key: Option<Pending>, merged: Vec<Node> },
}

/// A key whose value comes next.
enum Pending {
    Key(Key),
    /// `<<`, which is a key like any other in quotes.
    Merge,
}

#[derive(Default)]
struct Builder {
    takes_vaults: bool,
    open: Vec<Open>,
    /// By the parser's numbers, which begin at 1.
    anchors: Vec<Option<(Node, usize)>>,
    copied: usize,
    /// Keys that a map had already.
    repeated: Vec<Key>,
    document: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(..) if self.document.is_some() => {
                Err((at, "a second document; there may be one".to_owned()))
            }
            Event::Scalar(text, ScalarStyle::Plain, 0, None)
                if text == "<<" && self.awaits_key() =>
            {
                if let Some(Content::Map { key, .. }) = self.innermost() {
                    *key = Some(Pending::Merge);
                }
                Ok(())
            }
            // A key is its text as written.
            Event::Scalar(text, _, anchor, None) if self.awaits_key() => {
                self.ended(Node { at, kind: Kind::String(text.into_owned()) }, anchor)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar(text, style, tag.as_deref(), self.takes_vaults)
                    .map_err(|problem| (at, problem))?;
                self.ended(Node { at, kind }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(at, anchor, tag.as_deref(), Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), key: None, merged: Vec::new() };
                self.begin(at, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let known = self.anchors.get(anchor).cloned().flatten();
                // An anchor is known when its value has ended, so that none holds itself.
                let (node, size) =
                    known.ok_or_else(|| (at, "this alias has no anchor before it".to_owned()))?;
                self.copied += size;
                if self.copied > MOST_COPIED {
                    let problem = format!("aliases stand for more than {MOST_COPIED} values");
                    return Err((at, problem));
                }
                self.place(Node { at, ..node })
            }
            // The beginnings and ends of documents, and events that only options ask for.
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        at: Position,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), Fault> {
        if let Some(tag) = tag.filter(|tag| !["seq", "map", "omap"].contains(&tag.suffix())) {
            return Err((at, unknown(tag)));
        }
        if self.open.len() == DEEPEST {
            return Err((at, TOO_DEEP.to_owned()));
        }
        self.open.push(Open { at, anchor, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(Open { at, anchor, content }) = self.open.pop() else { return Ok(()) };
        let kind = match content {
            Content::List(items) => Kind::List(items),
            Content::Map { mut entries, merged, .. } => {
                keep_last(&mut entries, &mut self.repeated);
                if !merged.is_empty() {
                    let mut known: HashSet<String> =
                        entries.iter().map(|(key, _)| key.text.clone()).collect();
                    merged.into_iter().try_for_each(|map| merge(&mut entries, &mut known, map))?;
                }
                Kind::Map(entries)
            }
        };
        self.ended(Node { at, kind }, anchor)
    }

    /// A value is whole.
    fn ended(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            let size = node.weight();
            self.anchors.resize(self.anchors.len().max(anchor + 1), None);
            self.anchors[anchor] = Some((node.clone(), size));
        }
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), Fault> {
        match self.innermost() {
            None => self.document = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key, merged }) => match key.take() {
                Some(Pending::Merge) => merged.push(node),
                Some(Pending::Key(key)) => entries.push((key, node)),
                None => *key = Some(Pending::Key(of_key(node)?)),
            },
        }
        Ok(())
    }

    fn innermost(&mut self) -> Option<&mut Content> {
        self.open.last_mut().map(|open| &mut open.content)
    }

    fn awaits_key(&self) -> bool {
        let innermost = self.open.last().map(|open| &open.content);
        matches!(innermost, Some(Content::Map { key: None, .. }))
    }
}

fn of_key(node: Node) -> Result<Key, Fault> {
    let text = match node.kind {
        Kind::String(text) => text,
        Kind::Int(number) => number.to_string(),
        Kind::Bool(truth) => truth.to_string(),
        _ => return Err((node.at, format!("a key has to be text, and this is {}", node.name()))),
    };
    Ok(Key { at: node.at, text })
}

/// `<<`: the entries of a map, or of several, as far as they are not there.
fn merge(
    entries: &mut Vec<(Key, Node)>,
    known: &mut HashSet<String>,
    node: Node,
) -> Result<(), Fault> {
    match node.kind {
        Kind::List(maps) => maps.into_iter().try_for_each(|map| merge(entries, known, map)),
        Kind::Map(more) => {
            entries.extend(more.into_iter().filter(|(key, _)| known.insert(key.text.clone())));
            Ok(())
        }
        _ => Err((node.at, format!("<< takes a map, and this is {}", node.name()))),
    }
}

fn unknown(tag: &Tag) -> String {
    let handle = if tag.handle() == "tag:yaml.org,2002:" { "!!" } else { tag.handle() };
    format!("the tag {handle}{} is not supported", tag.suffix())
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    takes_vaults: bool,
) -> Result<Kind, String> {
    if let Some(tag) = tag {
        return match tag.suffix() {
            // Ansible's word for text without templates.
            "str" | "unsafe" => Ok(Kind::String(text.into_owned())),
            "vault" | "vault-encrypted" if takes_vaults => Ok(Kind::String(text.into_owned())),
            "int" | "float" | "bool" | "null" => plain(text),
            _ => Err(unknown(tag)),
        };
    }
    match style {
        ScalarStyle::Plain => plain(text),
        _ => Ok(Kind::String(text.into_owned())),
    }
}

/// The core schema of YAML 1.2.2 (10.3.2), with two exceptions: a number with a zero in front stays
/// text, since `0644` is 420 in YAML 1.1 and 644 in 1.2, and the author may mean either; and
/// so does what JSON has no number for (`.inf`).
fn plain(text: Cow<'_, str>) -> Result<Kind, String> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Kind::Null),
        "true" | "True" | "TRUE" => return Ok(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Kind::Bool(false)),
        _ => {}
    }
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        is_number.then(|| i64::from_str_radix(digits, radix))
    };
    let unsigned = text.trim_start_matches(['-', '+']);
    let padded = unsigned.len() > 1
        && unsigned.starts_with('0')
        && unsigned.bytes().all(|b| b.is_ascii_digit());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return number.map(Kind::Int).map_err(|_| TOO_LARGE.to_owned());
    }
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.len() - unsigned.len() <= 1
        && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if is_number && !padded {
        if let Ok(number) = text.parse() {
            return Ok(Kind::Int(number));
        }
        if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TOO_LARGE.to_owned());
        }
        if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
            return Ok(Kind::Float(number));
        }
    }
    Ok(Kind::String(text.into_owned()))
}
