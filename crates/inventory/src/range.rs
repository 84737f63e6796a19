//! Ranges in names: `web[01-50].example.com`, `db[a-c]`, `node[1-3,7]`.

use hostlink_core::{Error, ErrorKind, Result};

/// How many names one may stand for.
pub const MOST_NAMES: usize = 1_000_000;

/// The names that a name with ranges stands for, in order; the name itself where it has none.
///
/// Brackets hold items with commas between them: a number, a letter, `FIRST-LAST` or, as in Ansible, `FIRST:LAST`. Numbers are
/// as wide as the first one if that begins with a zero. Brackets with two colons are an IPv6 address, and those that hold
/// neither a number nor any of `-`, `,` and `:`, like `[abc]`, are no range: they stay. Several ranges give every combination,
/// the last one counting fastest.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: brackets that are not closed or not opened, a range that runs backwards or stands for nothing, more than
/// [`MOST_NAMES`] names.
pub fn expand(text: &str) -> Result<Vec<String>> {
    let refused =
        |problem: &str| Err(Error::new(ErrorKind::Inventory, format!("{text}: {problem}")));
    let mut names = vec![String::new()];
    let mut rest = text;
    while let Some(at) = rest.find(['[', ']']) {
        let (before, bracket) = rest.split_at(at);
        if bracket.starts_with(']') {
            return refused("] stands there without [");
        }
        let Some(end) =
            bracket[1..].find(['[', ']']).filter(|end| bracket[1 + end..].starts_with(']'))
        else {
            return refused("[ is not closed");
        };
        let (inside, after) = (&bracket[1..=end], &bracket[end + 2..]);
        append(&mut names, before);
        match items(inside) {
            Ok(None) => append(&mut names, &bracket[..end + 2]),
            Ok(Some(items)) => {
                let count = items.iter().map(Item::count).fold(0_u128, u128::saturating_add);
                let all = count.saturating_mul(names.len() as u128);
                if all > MOST_NAMES as u128 {
                    return refused(&format!(
                        "{all} names are more than the {MOST_NAMES} that one may stand for"
                    ));
                }
                names = names
                    .iter()
                    .flat_map(|name| items.iter().flat_map(move |item| item.with(name)))
                    .collect();
            }
            Err(problem) => return refused(&format!("[{inside}] {problem}")),
        }
        rest = after;
    }
    append(&mut names, rest);
    Ok(names)
}

fn append(names: &mut [String], text: &str) {
    for name in names {
        name.push_str(text);
    }
}

enum Item {
    Numbers { first: u64, last: u64, width: usize },
    Letters { first: u8, last: u8 },
}

impl Item {
    fn count(&self) -> u128 {
        match self {
            Self::Numbers { first, last, .. } => u128::from(last - first) + 1,
            Self::Letters { first, last } => u128::from(last - first) + 1,
        }
    }

    fn with<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = String> + 'a> {
        match *self {
            Self::Numbers { first, last, width } => {
                Box::new((first..=last).map(move |number| format!("{name}{number:0width$}")))
            }
            Self::Letters { first, last } => {
                Box::new((first..=last).map(move |letter| format!("{name}{}", char::from(letter))))
            }
        }
    }
}

/// What brackets hold; `None` if that is no range.
fn items(inside: &str) -> Result<Option<Vec<Item>>, &'static str> {
    let is_address = inside.matches(':').count() > 1;
    let is_range =
        inside.contains(['-', ',', ':']) || inside.bytes().all(|byte| byte.is_ascii_digit());
    if is_address || !is_range || inside.is_empty() {
        return Ok(None);
    }
    inside.split(',').map(item).collect::<Result<_, _>>().map(Some)
}

fn item(text: &str) -> Result<Item, &'static str> {
    let (first, last) = text.split_once(['-', ':']).unwrap_or((text, text));
    let letter = |text: &str| match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        if first.is_ascii_lowercase() != last.is_ascii_lowercase() {
            return Err("goes from small letters to capitals");
        }
        return if first <= last { Ok(Item::Letters { first, last }) } else { Err(BACKWARDS) };
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return Err("is no range: write numbers or letters, like [01-50], [a-c] or [1-3,7]");
    }
    let (Ok(start), Ok(end)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Err("has too large a number");
    };
    let width = if first.starts_with('0') { first.len() } else { 1 };
    if start > end { Err(BACKWARDS) } else { Ok(Item::Numbers { first: start, last: end, width }) }
}

const BACKWARDS: &str = "runs backwards: write the smaller one first";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_names() {
        for (text, names) in [
            ("web", &["web"][..]),
            ("web[1-3]", &["web1", "web2", "web3"]),
            (
                "web[08-11].example.com",
                &[
                    "web08.example.com",
                    "web09.example.com",
                    "web10.example.com",
                    "web11.example.com",
                ],
            ),
            ("web[8-11]", &["web8", "web9", "web10", "web11"]),
            ("web[001-002]", &["web001", "web002"]),
            ("web[1:2]", &["web1", "web2"]),
            ("db[a-c]", &["dba", "dbb", "dbc"]),
            ("db[A-B]", &["dbA", "dbB"]),
            ("n[1-2,7,a]", &["n1", "n2", "n7", "na"]),
            ("[a-b][1-2]", &["a1", "a2", "b1", "b2"]),
            ("[5]", &["5"]),
            ("[::1]", &["[::1]"]),
            ("root@[fe80::1-2]:22", &["root@[fe80::1-2]:22"]),
            ("@chroot//srv/[abc]", &["@chroot//srv/[abc]"]),
            ("x[]", &["x[]"]),
        ] {
            assert_eq!(expand(text).unwrap(), names, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (text, problem) in [
            ("web[9-1]", "runs backwards"),
            ("web[c-a]", "runs backwards"),
            ("web[a-C]", "small letters to capitals"),
            ("web[1-x]", "is no range"),
            ("web[1-]", "is no range"),
            ("web[,]", "is no range"),
            ("web[1-2", "[ is not closed"),
            ("web1-2]", "] stands there without ["),
            ("web[[1-2]]", "[ is not closed"),
            ("web[1-1000000000]", "1000000000 names are more than the 1000000"),
            ("[1-2000][1-2000]", "4000000 names"),
            ("[0-18446744073709551615][0-18446744073709551615]", "names are more"),
            ("[1-99999999999999999999]", "too large a number"),
        ] {
            let error = expand(text).unwrap_err().to_string();
            assert!(error.starts_with(text) && error.contains(problem), "{text}: {error}");
        }
    }
}
