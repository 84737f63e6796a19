//! Properties that hold for every text that an inventory is read from.
//!
//! Each [`Target`] is a reader with its property and its corpus in `fuzz/corpus`. libFuzzer looks
//! for texts that break the property (`fuzz/`); [`Search`] does the same on a stable compiler, less
//! cleverly.

mod memory;
mod mutation;
mod names;
mod one_line;
mod ranges;
mod same;
mod search;
mod trees;

use std::path::{Path, PathBuf};

pub use same::{prints_and_parses_to_the_same, written_again};
pub use search::{Found, Search, Seen};

/// What a reader did with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The text was read.
    Accepted,
    /// The text was refused, with a well-formed error.
    Rejected,
}

/// The verdict on a text, or the property that it breaks.
pub type Outcome = Result<Verdict, String>;

/// A reader of texts.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its fuzz target, and of the directory of its corpus.
    pub name: &'static str,
    /// The property that must hold.
    pub property: fn(&str) -> Outcome,
    /// Words that are special to the reader.
    pub words: &'static [&'static str],
}

impl Target {
    /// A list of targets, limits, and names with chains.
    pub const NAMES: Self = Self {
        name: "names",
        property: names::property,
        words: &[
            ",",
            "@",
            "/@",
            "@ssh/",
            "@docker/",
            "/@chroot/",
            "@local",
            "[",
            "]",
            "[1-3]",
            "[a-c]",
            "::1",
            "[::1]",
            ":22",
            ".yaml",
            ".json",
            ".ini",
            "./",
            "/",
            "~",
            "*",
            "?",
            "!",
            ":&",
            ":!",
            "&",
            " ",
            "\u{a0}",
        ],
    };

    /// Ranges in names.
    pub const RANGES: Self = Self {
        name: "ranges",
        property: ranges::property,
        words: &[
            "[",
            "]",
            "-",
            ":",
            ",",
            "[1-3]",
            "[01-09]",
            "[a-c]",
            "[A-C]",
            "[::1]",
            "[1:2]",
            "0",
            "00",
            "1000001",
            "18446744073709551615",
            "[]",
            "[abc]",
        ],
    };

    /// Ansible's INI.
    pub const INI: Self = Self {
        name: "ini",
        property: trees::ini,
        words: &[
            "\n",
            "\r\n",
            "[all]",
            "[all:vars]",
            "[web]",
            "[web:vars]",
            "[web:children]",
            "[ungrouped]",
            "=",
            " ",
            "'",
            "\"",
            "\\",
            "#",
            ";",
            "{{ x }}",
            "[1, 2]",
            "{'a': 1}",
            "ansible_host=",
            "ansible_port=",
            ":22",
            "ansible_connection=docker",
            "ansible_connection=local",
            "ansible_become=yes",
            "ansible_become_user=",
            "ansible_become_method=su",
            "ansible_ssh_common_args='-o A=b -J h'",
            "True",
            "None",
            "[01:03]",
            "[::1]",
        ],
    };

    /// The file in TOML.
    pub const TOML: Self = Self {
        name: "toml",
        property: trees::toml,
        words: &[
            "\n",
            "[groups.web]",
            "[[groups.web.hosts]]",
            "[data]",
            "hosts = [",
            "]",
            "{",
            "}",
            " = ",
            "name = ",
            "data = ",
            "target = ",
            "children = ",
            "\"",
            "'",
            "'''",
            "\"\"\"",
            "1979-05-27T07:32:00Z",
            "inf",
            "nan",
            "1e999",
            "0x1f",
            "-0.0",
            "\\u0000",
            ".",
            "#",
            "\u{feff}",
        ],
    };

    /// The file in YAML.
    pub const YAML: Self = Self {
        name: "yaml",
        property: trees::yaml,
        words: &[
            "\n",
            "\n  ",
            "\n    ",
            ": ",
            "- ",
            "groups:",
            "hosts:",
            "data:",
            "children:",
            "name: ",
            "target: ",
            "&a ",
            "*a",
            "<<: *a",
            "? ",
            "!!str ",
            "!x ",
            "|\n",
            ">-\n",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "\"",
            "'",
            "#",
            "\t",
            "~",
            ".inf",
            ".nan",
            "0644",
            "1e999",
            "\u{feff}",
            "\u{85}",
            "\u{2028}",
            "\r",
        ],
    };

    /// The file in JSON.
    pub const JSON: Self = Self {
        name: "json",
        property: trees::json,
        words: &[
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\"groups\":",
            "\"hosts\":",
            "\"data\":",
            "\"children\":",
            "\"name\":",
            "\"target\":",
            "null",
            "true",
            "1e999",
            "-0",
            "18446744073709551615",
            "\\u0000",
            "\\ud83d\\ude00",
            "\\ud800",
            "\"<<\":",
            "\u{feff}",
            "\u{7f}",
            "\u{ffff}",
        ],
    };

    /// Every target.
    pub const ALL: [Self; 6] =
        [Self::NAMES, Self::RANGES, Self::INI, Self::TOML, Self::YAML, Self::JSON];

    /// The directory of its corpus.
    #[must_use]
    pub fn corpus(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        root.expect("this crate is two folders below the root").join("fuzz/corpus").join(self.name)
    }

    /// Checks the property, for fuzzers, which detect a fault by a panic.
    ///
    /// # Panics
    ///
    /// If the text breaks the property.
    pub fn check(&self, text: &str) {
        if let Err(fault) = (self.property)(text) {
            panic!("{}: {fault}", self.name);
        }
    }
}
