//! Python's literals, which values of INI files are read as (`ast.literal_eval`).

use hostlink_core::{Map, Value};

use crate::node::DEEPEST;

/// The number of lists and maps around a value of a host where an inventory is printed.
const AROUND: usize = 4;

/// A value as Ansible reads it: by Python's literals where it is one, as text otherwise. Whole
/// numbers of more than 64 bits, those that JSON has no word for and complex ones stay text.
pub(super) fn value(text: &str) -> Value {
    // As most numbers are written.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if let (true, Ok(number)) = (is_number, text.parse()) {
        return Value::Int(number);
    }
    let mut reader = Reader { rest: text, depth: 0 };
    reader.whole().unwrap_or_else(|| Value::String(text.to_owned()))
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    /// The value of all that is there; without parentheses, commas make a list too.
    fn whole(&mut self) -> Option<Value> {
        let first = self.value()?;
        let value =
            if self.takes(',') { Value::List(self.items(vec![first], None)?) } else { first };
        self.skip_white();
        (self.rest.is_empty() || self.rest.starts_with('#')).then_some(value)
    }

    fn skip_white(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\u{c}']);
    }

    fn takes(&mut self, sign: char) -> bool {
        self.skip_white();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Option<Value> {
        self.skip_white();
        match self.rest.chars().next()? {
            '[' => self.nested(|reader| Some(Value::List(reader.items(Vec::new(), Some(']'))?))),
            '(' => self.nested(Self::parentheses),
            '{' => self.nested(Self::braces),
            _ => self.string().map(Value::String).or_else(|| self.word()),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        self.rest = &self.rest[1..];
        self.depth += 1;
        let value = if self.depth > DEEPEST - AROUND { None } else { read(self) };
        self.depth -= 1;
        value
    }

    /// The items before `end`, separated by commas; without one, up to the end of the text.
    fn items(&mut self, mut items: Vec<Value>, end: Option<char>) -> Option<Vec<Value>> {
        loop {
            self.skip_white();
            let is_over = match end {
                Some(end) => self.takes(end),
                None => self.rest.is_empty() || self.rest.starts_with('#'),
            };
            if is_over {
                return Some(items);
            }
            items.push(self.value()?);
            if !self.takes(',') {
                return end.is_none_or(|end| self.takes(end)).then_some(items);
            }
        }
    }

    /// One value in parentheses is itself; with commas, and where there is none, it is a list.
    fn parentheses(&mut self) -> Option<Value> {
        if self.takes(')') {
            return Some(Value::List(Vec::new()));
        }
        let first = self.value()?;
        if self.takes(')') {
            return Some(first);
        }
        self.takes(',').then_some(())?;
        Some(Value::List(self.items(vec![first], Some(')'))?))
    }

    /// A dictionary, or a set, which becomes a list.
    fn braces(&mut self) -> Option<Value> {
        let mut map = Map::new();
        while !self.takes('}') {
            let key = self.value()?;
            if !self.takes(':') {
                map.is_empty().then_some(())?;
                let items = if self.takes(',') {
                    self.items(vec![key], Some('}'))?
                } else {
                    self.takes('}').then_some(vec![key])?
                };
                return Some(Value::List(items));
            }
            let value = self.value()?;
            map.insert(as_key(key)?, value);
            if !self.takes(',') {
                self.takes('}').then_some(())?;
                break;
            }
        }
        Some(Value::Map(map))
    }

    /// Adjacent texts are one.
    fn string(&mut self) -> Option<String> {
        let mut all: Option<String> = None;
        loop {
            self.skip_white();
            let prefix = self.rest.find(['"', '\'']).map_or("", |at| &self.rest[..at]);
            let lower = prefix.to_ascii_lowercase();
            let after = &self.rest[prefix.len()..];
            let Some(quote @ ('"' | '\'')) = after.chars().next() else { return all };
            if !["", "u", "r", "b", "br", "rb"].contains(&lower.as_str()) {
                return all;
            }
            self.rest = &after[1..];
            let part = self.until(quote, lower.contains('r'), lower.contains('b'))?;
            all.get_or_insert_default().push_str(&part);
        }
    }

    fn until(&mut self, quote: char, is_raw: bool, is_bytes: bool) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next()? {
                character if character == quote => break,
                '\\' if is_raw => text.extend(['\\', characters.next()?]),
                '\\' => escaped(&mut characters, &mut text)?,
                other => text.push(other),
            }
        }
        self.rest = characters.as_str();
        (!is_bytes || text.is_ascii()).then_some(text)
    }

    /// A constant or a number.
    fn word(&mut self) -> Option<Value> {
        let signed = self.rest.strip_prefix(['-', '+']).unwrap_or(self.rest);
        let is_negative = self.rest.starts_with('-');
        let has_sign = signed.len() < self.rest.len();
        let signed = signed.trim_start_matches([' ', '\t']);
        let is_exponent = |at: usize| {
            let before = signed[..at].to_ascii_lowercase();
            before.ends_with('e') && !before.starts_with("0x")
        };
        let end = signed.char_indices().find(|(at, character)| {
            !(character.is_ascii_alphanumeric()
                || ['.', '_'].contains(character)
                || ['+', '-'].contains(character) && is_exponent(*at))
        });
        let (word, rest) = signed.split_at(end.map_or(signed.len(), |(at, _)| at));
        self.rest = rest;
        match word {
            "True" if !has_sign => Some(Value::Bool(true)),
            "False" if !has_sign => Some(Value::Bool(false)),
            "None" if !has_sign => Some(Value::Null),
            _ => number(word, is_negative),
        }
    }
}

/// The key of a dictionary as JSON writes it.
fn as_key(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null => Some(key.to_string()),
        _ => None,
    }
}

/// Reads an escape after its backslash. A backslash without a meaning stays.
fn escaped(characters: &mut std::str::Chars<'_>, text: &mut String) -> Option<()> {
    let sign = characters.next()?;
    let mut code = |count: usize| {
        let digits: String = characters.by_ref().take(count).collect();
        let is_code = digits.len() == count && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_code.then(|| u32::from_str_radix(&digits, 16).ok()).flatten().and_then(char::from_u32)
    };
    let meant = match sign {
        '\\' | '\'' | '"' => sign,
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        'x' => code(2)?,
        'u' => code(4)?,
        'U' => code(8)?,
        // A character by its name.
        'N' => return None,
        '0'..='7' => {
            let more = characters.as_str().bytes().take(2);
            let count = more.take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let digits: String =
                std::iter::once(sign).chain(characters.by_ref().take(count)).collect();
            char::from_u32(u32::from_str_radix(&digits, 8).ok()?)?
        }
        other => {
            text.push('\\');
            other
        }
    };
    text.push(meant);
    Some(())
}

fn number(word: &str, is_negative: bool) -> Option<Value> {
    let sign = if is_negative { "-" } else { "" };
    // An underscore is between two digits, or after the sign of the base.
    let parts: Vec<&str> = word.split('_').collect();
    let is_split = |pair: &[&str]| {
        pair[0].ends_with(|c: char| c.is_ascii_alphanumeric())
            && pair[1].starts_with(|c: char| c.is_ascii_hexdigit())
    };
    parts.windows(2).all(is_split).then_some(())?;
    let word = parts.concat().to_ascii_lowercase();
    let first = word.trim_start_matches('.').chars().next()?;
    first.is_ascii_digit().then_some(())?;
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = word.strip_prefix(prefix) {
            let is_digits = digits.chars().all(|c| c.is_digit(radix));
            let digits = is_digits.then(|| format!("{sign}{digits}"))?;
            return i64::from_str_radix(&digits, radix).ok().map(Value::Int);
        }
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        // Python has no whole number with leading zeros, except zero itself.
        let is_padded = word.starts_with('0') && word.bytes().any(|byte| byte != b'0');
        return (!is_padded)
            .then(|| format!("{sign}{word}").parse().ok())
            .flatten()
            .map(Value::Int);
    }
    let number: f64 = format!("{sign}{word}").parse().ok()?;
    number.is_finite().then_some(Value::Float(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `ansible-inventory --host` of ansible-core 2.19 prints for the same, but for 1e999 and
    /// the number of 20 digits.
    #[test]
    fn values_are_pythons_literals_or_text() {
        for (text, value) in [
            ("5", "5"),
            ("-3", "-3"),
            ("+3", "3"),
            ("- 3", "-3"),
            ("--3", "\"--3\""),
            ("0", "0"),
            ("00", "0"),
            ("0644", "\"0644\""),
            ("0x10", "16"),
            ("-0x1F", "-31"),
            ("0o17", "15"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("1__0", "\"1__0\""),
            ("_1", "\"_1\""),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1e-3", "0.001"),
            ("1e", "\"1e\""),
            ("1e999", "\"1e999\""),
            ("inf", "\"inf\""),
            ("nan", "\"nan\""),
            ("1.2.3", "\"1.2.3\""),
            ("10.0.0.1", "\"10.0.0.1\""),
            ("1+2", "\"1+2\""),
            ("2024-01-02", "\"2024-01-02\""),
            ("99999999999999999999", "\"99999999999999999999\""),
            ("True", "true"),
            ("true", "\"true\""),
            ("-True", "\"-True\""),
            ("None", "null"),
            ("yes", "\"yes\""),
            ("'a b'", "\"a b\""),
            ("\"5\"", "\"5\""),
            ("'a' 'b'", "\"ab\""),
            (r"'a\tb\x41\101\u00e9\q'", r#""a\tbAAé\\q""#),
            (r"r'a\tb'", r#""a\\tb""#),
            ("b'a'", "\"a\""),
            ("f'a'", "\"f'a'\""),
            ("'a", "\"'a\""),
            ("hello # world", "\"hello # world\""),
            ("5 # five", "5"),
            ("'a' # b", "\"a\""),
            ("['a', 1, True, None, 1.5, 0x10]", "[\"a\", 1, true, null, 1.5, 16]"),
            ("['a',]", "[\"a\"]"),
            ("[,]", "\"[,]\""),
            ("[]", "[]"),
            ("[a]", "\"[a]\""),
            ("[true]", "\"[true]\""),
            ("[x", "\"[x\""),
            ("1, 2", "[1, 2]"),
            ("1,", "[1]"),
            ("(1)", "1"),
            ("(1,)", "[1]"),
            ("()", "[]"),
            ("{'k': 'v', 1: [2]}", "{\"k\": \"v\", \"1\": [2]}"),
            ("{True: 1}", "{\"true\": 1}"),
            ("{}", "{}"),
            ("{1}", "[1]"),
            ("{'a': 1, 2}", "\"{'a': 1, 2}\""),
            ("{{ x }}", "\"{{ x }}\""),
            ("", "\"\""),
        ] {
            assert_eq!(super::value(text).to_string(), value, "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_stays_text() {
        for (depth, is_list) in [(60, true), (61, false), (100_000, false)] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(matches!(value(&text), Value::List(_)), is_list, "{depth}");
        }
    }
}
