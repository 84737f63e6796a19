//! Ranges in names: `web[01-50].example.com`, `db[a-c]`, `node[1-3,7]`.

use hostlink_core::{Error, ErrorKind, Result};

use crate::place::one_line;

/// Maximum number of names that ranges expand to, of one name and of one source in total.
pub const MOST_NAMES: usize = 1_000_000;

/// The maximum memory of these names, in bytes, with the data of each.
const MOST_BYTES: u128 = 256 << 20;

/// Expands the ranges of a name, in order; a name without ranges is returned as it is.
///
/// Brackets hold items with commas between them: a number, a letter, `FIRST-LAST` or, as in
/// Ansible, `FIRST:LAST`. Numbers are as wide as the first one if that begins with a zero. Brackets
/// with two colons are an IPv6 address, and those that hold neither a number nor any of `-`, `,`
/// and `:`, like `[abc]`, are no range: they stay. Several ranges give every combination, the last
/// one counting fastest.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: brackets that are not closed or not opened, a range that runs
/// backwards or stands for nothing, more than [`MOST_NAMES`] names, or names that take more than
/// 256 MiB.
pub fn expand(text: &str) -> Result<Vec<String>> {
    Ranges::default().expand(text, 0)
}

/// Returns whether a name has brackets, as few have. One without stands for itself.
pub(crate) fn may_be_range(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'[' || byte == b']')
}

/// The names that the ranges of one source have given so far.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    names: u128,
    bytes: u128,
    has_steps: bool,
}

impl Ranges {
    /// Those of an inventory of Ansible: `[FIRST:LAST:STEP]` is a range, and one without its first
    /// number begins with 0.
    pub(crate) fn of_ansible() -> Self {
        Self { has_steps: true, ..Self::default() }
    }

    /// As [`expand`](expand()), for a name with which so many bytes come that each of its names
    /// gets a copy of.
    pub(crate) fn expand(&mut self, text: &str, beside: usize) -> Result<Vec<String>> {
        let check = |count| self.check(count, text.len() + beside);
        let names = expanded(text, self.has_steps, check);
        let names = names.map_err(|problem| {
            Error::new(ErrorKind::Inventory, one_line(format!("{text}: {problem}")))
        })?;
        if names.len() > 1 {
            self.names += names.len() as u128;
            self.bytes += bytes(names.len() as u128, text.len() + beside);
        }
        Ok(names)
    }

    /// Checks that a name does not give too many.
    fn check(&self, count: u128, each: usize) -> Result<(), String> {
        let all = self.names.saturating_add(count);
        if all > MOST_NAMES as u128 {
            return Err(format!(
                "{all} names are more than the {MOST_NAMES} that ranges may stand for"
            ));
        }
        if self.bytes.saturating_add(bytes(count, each)) > MOST_BYTES {
            return Err(format!(
                "{all} names of this length, with what comes with them, take more than {} MiB",
                MOST_BYTES >> 20
            ));
        }
        Ok(())
    }
}

fn bytes(names: u128, each: usize) -> u128 {
    names.saturating_mul(each as u128)
}

/// The names of a text; `check` says how many there may be.
fn expanded(
    text: &str,
    has_steps: bool,
    check: impl Fn(u128) -> Result<(), String>,
) -> Result<Vec<String>, String> {
    if !may_be_range(text) {
        return Ok(vec![text.to_owned()]);
    }
    // Each range with the text before it. Names are made once their number is known.
    let (mut ranges, mut before) = (Vec::new(), String::new());
    let (mut all, mut rest) = (1_u128, text);
    while let Some(at) = rest.find(['[', ']']) {
        let (plain, bracket) = rest.split_at(at);
        if bracket.starts_with(']') {
            return Err("a ] without [".to_owned());
        }
        let Some(end) =
            bracket[1..].find(['[', ']']).filter(|end| bracket[1 + end..].starts_with(']'))
        else {
            return Err("[ is not closed".to_owned());
        };
        let (inside, after) = (&bracket[1..=end], &bracket[end + 2..]);
        before.push_str(plain);
        match items(inside, has_steps).map_err(|problem| format!("[{inside}] {problem}"))? {
            None => before.push_str(&bracket[..end + 2]),
            Some(items) => match items.iter().map(Item::count).fold(0, u128::saturating_add) {
                1 => items.iter().flat_map(Item::texts).for_each(|text| before.push_str(&text)),
                count => {
                    all = all.saturating_mul(count);
                    ranges.push((std::mem::take(&mut before), items));
                }
            },
        }
        rest = after;
    }
    before.push_str(rest);
    if ranges.is_empty() {
        return Ok(vec![before]);
    }
    check(all)?;
    let begin = vec![String::new()];
    let mut names =
        ranges.iter().fold(begin, |names, (before, items)| product(&names, before, items));
    for name in &mut names {
        name.reserve_exact(before.len());
        name.push_str(&before);
    }
    Ok(names)
}

/// Each name with each of the items appended. No string is longer than it has to be.
fn product(names: &[String], between: &str, items: &[Item]) -> Vec<String> {
    let with = |name: &String, text: &String| [name, between, text].concat();
    let ends = || items.iter().flat_map(Item::texts);
    names.iter().flat_map(|name| ends().map(move |text| with(name, &text))).collect()
}

enum Item {
    Numbers { first: u64, last: u64, step: u64, width: usize },
    Letters { first: u8, last: u8, step: u64 },
}

impl Item {
    fn count(&self) -> u128 {
        match self {
            Self::Numbers { first, last, step, .. } => u128::from((last - first) / step) + 1,
            Self::Letters { first, last, step } => u128::from(u64::from(last - first) / step) + 1,
        }
    }

    fn texts(&self) -> Box<dyn Iterator<Item = String>> {
        match *self {
            Self::Numbers { first, last, step, width } => {
                Box::new((first..=last).step_by(every(step)).map(move |n| padded(n, width)))
            }
            Self::Letters { first, last, step } => {
                let letters = (first..=last).step_by(every(step));
                Box::new(letters.map(|letter| char::from(letter).to_string()))
            }
        }
    }
}

/// A step for an iterator, of which none is that long.
fn every(step: u64) -> usize {
    usize::try_from(step).unwrap_or(usize::MAX)
}

/// A number padded with zeros. `format!` panics at widths above 65535.
fn padded(number: u64, width: usize) -> String {
    let digits = number.to_string();
    let zeros = width.saturating_sub(digits.len());
    if zeros == 0 { digits } else { "0".repeat(zeros) + &digits }
}

/// Returns the items in brackets; `None` if that is no range.
fn items(inside: &str, has_steps: bool) -> Result<Option<Vec<Item>>, &'static str> {
    let parts: Vec<&str> = inside.split(':').collect();
    match parts.as_slice() {
        [first, last] if has_steps && !last.is_empty() => {
            let first = if first.is_empty() { "0" } else { first };
            return between(first, last, 1).map(|item| Some(vec![item]));
        }
        [first, last, step] if has_steps && !last.is_empty() => {
            let first = if first.is_empty() { "0" } else { first };
            let step = step.parse().ok().filter(|step| *step > 0);
            let step = step.ok_or("has a step that is no number above 0")?;
            return between(first, last, step).map(|item| Some(vec![item]));
        }
        _ => {}
    }
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
    between(first, last, 1)
}

fn between(first: &str, last: &str, step: u64) -> Result<Item, &'static str> {
    let letter = |text: &str| match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        if first.is_ascii_lowercase() != last.is_ascii_lowercase() {
            return Err(match first.is_ascii_lowercase() {
                true => "goes from small letters to capitals",
                false => "goes from capitals to small letters",
            });
        }
        return if first <= last {
            Ok(Item::Letters { first, last, step })
        } else {
            Err(BACKWARDS)
        };
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return Err("is no range: write numbers or letters, like [01-50], [a-c] or [1-3,7]");
    }
    let (Ok(start), Ok(end)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Err("has too large a number");
    };
    let width = if first.starts_with('0') { first.len() } else { 1 };
    if start > end {
        return Err(BACKWARDS);
    }
    Ok(Item::Numbers { first: start, last: end, step, width })
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
    fn ranges_of_ansible_have_steps() {
        for (text, names) in [
            ("web[01:10:3]", &["web01", "web04", "web07", "web10"][..]),
            ("web[1:4:2].x", &["web1.x", "web3.x"]),
            ("web[:2]", &["web0", "web1", "web2"]),
            ("db[a:e:2]", &["dba", "dbc", "dbe"]),
            ("w[1:9:18446744073709551615]", &["w1"]),
            ("[fe80::1]", &["[fe80::1]"]),
        ] {
            assert_eq!(Ranges::of_ansible().expand(text, 0).unwrap(), names, "{text}");
        }
        for step in ["0", "-1", "x"] {
            let error = Ranges::of_ansible().expand(&format!("w[1:9:{step}]"), 0).unwrap_err();
            assert!(error.to_string().contains("has a step that is no number above 0"), "{error}");
        }
        assert_eq!(expand("w[1:9:2]").unwrap(), ["w[1:9:2]"]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (text, problem) in [
            ("web[9-1]", "runs backwards"),
            ("web[c-a]", "runs backwards"),
            ("web[a-C]", "small letters to capitals"),
            ("web[A-c]", "capitals to small letters"),
            ("web[1-x]", "is no range"),
            ("web[1-]", "is no range"),
            ("web[,]", "is no range"),
            ("web[1-2", "[ is not closed"),
            ("web1-2]", "a ] without ["),
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

    #[test]
    fn names_that_would_fill_memory_are_refused() {
        let long = "x".repeat(5000);
        let zeros = "0".repeat(5000);
        for text in [format!("{long}[1-1000000]"), format!("[{zeros}1-999999]")] {
            let error = expand(&text).unwrap_err().to_string();
            assert!(error.ends_with("take more than 256 MiB"), "{error}");
        }
        let mut ranges = Ranges::default();
        assert_eq!(ranges.expand("a[1-600000]", 0).unwrap().len(), 600_000);
        assert_eq!(ranges.expand("b", 5000).unwrap(), ["b"]);
        let error = ranges.expand("c[1-600000]", 0).unwrap_err().to_string();
        assert!(error.contains("1200000 names are more than the 1000000"), "{error}");
        let error = ranges.expand("c[1-300000]", 5000).unwrap_err().to_string();
        assert!(error.contains("take more than"), "{error}");
    }

    #[test]
    fn numbers_may_have_any_number_of_zeros_in_front() {
        let zeros = "0".repeat(100_000);
        let names = expand(&format!("a[{zeros}8-10]")).unwrap();
        assert_eq!(names.len(), 3);
        assert!(names[2].ends_with("00010") && names[2].len() == 100_002, "{}", names[2].len());
    }

    #[test]
    fn many_ranges_of_one_name_take_no_time() {
        assert_eq!(expand(&"[1]".repeat(300_000)).unwrap(), ["1".repeat(300_000)]);
    }

    #[test]
    fn an_error_is_one_line_whatever_the_name_holds() {
        let error = expand("a\n\u{7}[1").unwrap_err().to_string();
        assert_eq!(error, "a\\n\\u{7}[1: [ is not closed");
    }
}
