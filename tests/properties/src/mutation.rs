//! Texts that differ slightly from given ones.

/// Longer texts are cut off: they take time, and reveal little more than shorter ones.
const LONGEST: usize = 16 << 10;

const CHARACTERS: [char; 20] = [
    '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{a0}', '\u{2028}', '\u{feff}', '\u{fffe}', 'ä', '日',
    '🦀', '\u{301}', ' ', '\t', '\n', '\r', '0', 'a', 'Z', '-',
];

/// Ranges of many names take time; the corpus has those at the limits.
const NUMBERS: [&str; 11] = [
    "0",
    "00",
    "1",
    "9",
    "63",
    "64",
    "65",
    "0999",
    "1000001",
    "9999999999",
    "18446744073709551616",
];

/// A few repetitions, or more than the nesting limit of lists and maps. Numbers in between are slow
/// for ranges and reveal nothing else.
const REPEATED: [usize; 4] = [1, 2, 3, 70];

/// Numbers that depend only on a seed (`splitmix64`).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    pub(crate) fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Returns a text of the pool after a few changes.
pub(crate) fn mutated(random: &mut Random, pool: &[String], words: &[&str]) -> String {
    let mut text: Vec<u8> = random.of(pool).clone().into_bytes();
    for _ in 0..=random.below(4) {
        change(random, &mut text, pool, words);
    }
    text.truncate(LONGEST);
    String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn change(random: &mut Random, text: &mut Vec<u8>, pool: &[String], words: &[&str]) {
    let at = random.below(text.len() + 1);
    let end = at + random.below((text.len() - at).min(32) + 1);
    match random.below(8) {
        0 => drop(text.drain(at..end)),
        1 | 2 => insert(text, at, random.of(words).as_bytes()),
        3 => insert(text, at, random.of(&CHARACTERS).to_string().as_bytes()),
        4 => {
            let part = text[at..end].repeat(*random.of(&REPEATED));
            insert(text, at, &part);
        }
        5 => {
            let other = random.of(pool).as_bytes();
            let from = random.below(other.len() + 1);
            let to = from + random.below(other.len() - from + 1);
            insert(text, at, &other[from..to]);
        }
        6 => {
            let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            text.splice(at..at + digits, random.of(&NUMBERS).bytes());
        }
        _ => {
            let word = random.of(words).repeat(*random.of(&REPEATED));
            insert(text, at, word.as_bytes());
        }
    }
}

fn insert(text: &mut Vec<u8>, at: usize, part: &[u8]) {
    text.splice(at..at, part.iter().copied());
}
