use super::*;

fn read(format: Format, text: &str) -> Result<Node, String> {
    let read = format.read(text, Dialect::Own, &"f".into());
    read.and_then(Document::strict).map_err(|error| error.to_string())
}

#[test]
fn every_text_that_lists_endings_names_all_of_them() {
    let readme = include_str!("../../README.md");
    for row in &FORMATS {
        for ending in row.endings {
            assert_eq!(Format::of(Path::new(&format!("x.{ending}"))), Some(row.format));
            assert!(Format::endings().contains(&format!(".{ending}")), "{ending}");
            assert!(readme.contains(&format!("`.{ending}`")), "{ending}");
            assert_eq!(Format::tree_files("x").contains(ending), row.format.has_tree());
        }
    }
    assert_eq!(Format::endings(), ".toml, .yaml, .yml, .json or .ini");
    assert_eq!(Format::of(Path::new("x.kdl")), None);
}

#[test]
fn the_formats_say_the_same() {
    let texts = [
        (Format::Toml, "n = 1\nt = 'x'\nb = true\nf = 1.5\nl = [1, 'a']\n[m]\nk = 'v'\n"),
        (Format::Yaml, "n: 1\nt: x\nb: true\nf: 1.5\nl: [1, a]\nm:\n  k: v\n"),
        (Format::Json, r#"{"n":1,"t":"x","b":true,"f":1.5,"l":[1,"a"],"m":{"k":"v"}}"#),
    ];
    let [toml, yaml, json] = texts.map(|(format, text)| read(format, text).unwrap().into_value());
    assert_eq!(toml, yaml);
    assert_eq!(yaml, json);
}

#[test]
fn positions_are_told_in_every_format() {
    for (format, text) in [
        (Format::Toml, "a = 1\nb = { c = 'x' }\n"),
        (Format::Yaml, "a: 1\nb: { c: x }\n"),
        (Format::Json, "{\"a\":1,\n\"b\": { \"c\":\"x\" } }"),
    ] {
        let Kind::Map(entries) = read(format, text).unwrap().kind else { panic!("{text}") };
        let (key, value) = &entries[1];
        assert_eq!((key.at.line, key.at.column), (2, 1), "{text}");
        assert_eq!(
            (value.at.line, value.at.column),
            (2, text.lines().nth(1).unwrap().find('{').unwrap() as u32 + 1)
        );
    }
}

#[test]
fn what_cannot_be_read_is_one_line_with_its_position() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(5000), close.repeat(5000));
    for (format, text, expected) in [
        (Format::Toml, "a = 1\na = 2\n".to_owned(), "f:2:1: this TOML cannot be read: "),
        (Format::Toml, "a = [1\nb".into(), "f:2:1: "),
        (Format::Toml, format!("a = {}", deep("[", "]")), "max recursion depth"),
        (Format::Yaml, "a: 1\na: 2\n".into(), "f:2:1: the key \"a\" is given twice"),
        (Format::Yaml, "a: [1\nb: 2".into(), "f:2:"),
        (
            Format::Yaml,
            "a: 1\n--- \nb: 1\n".into(),
            "f:2:1: this YAML cannot be read: a second document",
        ),
        (
            Format::Yaml,
            "? [a]\n: 1\n".into(),
            "f:1:3: this YAML cannot be read: a key has to be text",
        ),
        (Format::Yaml, "a: *x\n".into(), "f:1:4: "),
        (
            Format::Yaml,
            "a: !vault x\n".into(),
            "f:1:11: this YAML cannot be read: the tag !vault is not supported",
        ),
        (Format::Yaml, deep("[", "]"), "recursion limit"),
        (Format::Yaml, format!("{}x{}", "[".repeat(100), "]".repeat(100)), "nested too deeply"),
        (Format::Json, "{\"a\":1,\n\"a\":2}".into(), "f:2:1: the key \"a\" is given twice"),
        (Format::Json, "{\"a\":1,}".into(), "f:1:8: this JSON cannot be read: trailing comma"),
        (Format::Json, "{} x".into(), "f:1:4: this JSON cannot be read: trailing characters"),
        (Format::Json, deep("[", "]"), "recursion limit"),
    ] {
        let error = read(format, &text).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{text:.20}: {error}");
    }
}

#[test]
fn of_a_key_that_is_given_again_the_last_value_counts() {
    let nine = (0..9).map(|n| format!("k{n}: 0\n")).collect::<String>();
    for (format, text, shown) in [
        (Format::Yaml, "a: 1\nb: 2\na: {c: 3, c: 4}\n".to_owned(), "{\"a\": {\"c\": 4}, \"b\": 2}"),
        (
            Format::Json,
            "{\"a\":1,\"b\":2,\n\"a\":{\"c\":3,\"c\":4}}".into(),
            "{\"a\": {\"c\": 4}, \"b\": 2}",
        ),
        (Format::Yaml, format!("{nine}k0: 1\nk0: 2\n"), "\"k0\": 2, \"k1\": 0"),
    ] {
        let read = format.read(&text, Dialect::Ansible, &"f".into()).unwrap();
        assert_eq!(read.repeated.len(), 2, "{text}");
        assert!(read.node.into_value().to_string().contains(shown), "{text}");
    }
}

#[test]
fn a_flow_collection_may_end_at_the_indentation_of_its_parent() {
    for text in [
        "a: [\n  \"x\",\n  'y'\n]\n",
        "a: [\n  x,\n  y\n]\n",
        "a: [\n\"x\", \"y\"\n]\n",
        "a:\n  [\n    'x',\n    'y',\n  ]\n",
    ] {
        let shown = read(Format::Yaml, text).unwrap().into_value().to_string();
        assert_eq!(shown, "{\"a\": [\"x\", \"y\"]}", "{text}");
    }
    let nested = "a:\n  b: {\n    'c': [\n      'x'\n    ]\n  }\nd: 1\n";
    let shown = read(Format::Yaml, nested).unwrap().into_value().to_string();
    assert_eq!(shown, "{\"a\": {\"b\": {\"c\": [\"x\"]}}, \"d\": 1}");
}

#[test]
fn a_yaml_bomb_is_refused_before_it_goes_off() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 9].join(", "));
    }
    let error = read(Format::Yaml, &text).unwrap_err();
    assert!(error.contains("f:") && error.contains("aliases"), "{error}");
}

#[test]
fn a_yaml_bomb_of_long_texts_is_refused_too() {
    let (long, aliases) = ("x".repeat(100_000), ["*a"; 10_000].join(", "));
    let error = read(Format::Yaml, &format!("a: &a {long}\nb: [{aliases}]\n")).unwrap_err();
    assert!(error.contains("aliases stand for more than"), "{error}");
}

#[test]
fn what_an_anchor_stands_before_counts_where_an_alias_repeats_it_and_not_before() {
    let large = format!("a: &a [{}]\nb: &b [x]\nc: *b\n", vec!["x"; 260_000].join(", "));
    let Kind::Map(entries) = read(Format::Yaml, &large).unwrap().kind else { panic!() };
    assert_eq!(entries[2].1.weight(), 2);
    let error = read(Format::Yaml, &format!("{large}d: *a\n")).unwrap_err();
    assert!(error.contains("f:4:4: ") && error.contains("aliases stand for more"), "{error}");
}

#[test]
fn no_format_takes_deeper_trees_than_the_others() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    for depth in [64, 65] {
        for (format, text) in [
            (Format::Toml, format!("a = {}", nested(depth))),
            (Format::Toml, vec!["a"; depth].join(".") + " = 1"),
            (Format::Yaml, format!("a: {}", nested(depth))),
            (Format::Json, format!("{{\"a\": {}}}", nested(depth))),
        ] {
            let outcome = read(format, &text);
            assert_eq!(outcome.is_ok(), depth == 64, "{format:?} {depth} {outcome:?}");
        }
    }
}

#[test]
fn what_json_has_no_number_for_stays_text() {
    let yaml = read(Format::Yaml, "[.inf, -.INF, .nan, 1e999]").unwrap();
    assert_eq!(yaml.into_value().to_string(), "[\".inf\", \"-.INF\", \".nan\", \"1e999\"]");
    let toml = read(Format::Toml, "a = [inf, -nan, 1e999]").unwrap().into_value();
    assert_eq!(toml.to_string(), "{\"a\": [\"inf\", \"-nan\", \"1e999\"]}");
}

#[test]
fn whole_numbers_that_would_lose_digits_are_refused_alike() {
    let read_value = |format: Format, value: &str| {
        let text = match format {
            Format::Toml => format!("b = 'x'\na = {value}\n"),
            Format::Yaml => format!("b: x\na: {value}\n"),
            _ => format!("{{\"b\":\"12\",\n\"a\": {value}}}"),
        };
        read(format, &text).map(|node| node.into_value().to_string())
    };
    for format in [Format::Toml, Format::Yaml, Format::Json] {
        for (value, is_fit) in [
            ("9223372036854775807", true),
            ("-9223372036854775808", true),
            ("9223372036854775808", false),
            ("-9223372036854775809", false),
            ("18446744073709551616", false),
            ("123456789012345678901", false),
            ("-123456789012345678901", false),
            ("123456789012345678901.5", true),
            ("12345678901234567890e2", true),
            ("1e300", true),
        ] {
            let found = read_value(format, value);
            assert_eq!(found.is_ok(), is_fit, "{format:?} {value}: {found:?}");
            let error = found.err().unwrap_or_else(|| format!("f:2:4: {TOO_LARGE}"));
            assert!(error.starts_with("f:2:") && error.ends_with(TOO_LARGE), "{error}");
        }
    }
    for (format, value) in [
        (Format::Yaml, "0x8000000000000000"),
        (Format::Yaml, "0o1000000000000000000000"),
        (Format::Toml, "0x8000000000000000"),
    ] {
        let error = read_value(format, value).unwrap_err();
        assert!(error.ends_with(TOO_LARGE), "{value}: {error}");
    }
    let error = read(Format::Json, "[1.5, 123456789012345678901 , 2]").unwrap_err();
    assert!(error.ends_with(TOO_LARGE), "{error}");
    assert!(read(Format::Json, "[12345678901234567890e0 , 1]").is_ok());
    assert!(read(Format::Yaml, "'123456789012345678901'").is_ok());
}

#[test]
fn a_tab_that_indents_yaml_is_told() {
    for (text, place) in [
        ("groups:\n\tweb: {}\n", "f:2:1: "),
        ("groups:\n  web:\n\t  hosts: [w1]\n", "f:3:1: "),
        ("groups:\n  web:\n  \thosts: [w1]\n  \tdata: {}\n", "f:3:3: "),
    ] {
        let error = read(Format::Yaml, text).unwrap_err();
        assert!(error.starts_with(place) && error.contains("a tab"), "{text:?}: {error}");
    }
    let error = read(Format::Yaml, "# \t\na: [1\nb: 2").unwrap_err();
    assert!(!error.contains("tab"), "{error}");
    assert!(read(Format::Yaml, "a: |\n  x\n  \ty\n").is_ok());
}

#[test]
fn numbers_of_json_are_read_to_the_last_digit() {
    let text = "[7.276456440039155e+306, 5e-324, -0.0]";
    let Kind::List(items) = read(Format::Json, text).unwrap().kind else { panic!("{text}") };
    assert_eq!(items[0].kind, Kind::Float(7.276_456_440_039_155e306));
    assert_eq!(items[1].kind, Kind::Float(5e-324));
}

#[test]
fn a_merge_key_in_quotes_is_a_key() {
    let shown = read(Format::Yaml, "{\"<<\": {a: 1}, b: <<}").unwrap().into_value().to_string();
    assert_eq!(shown, "{\"<<\": {\"a\": 1}, \"b\": \"<<\"}");
}

#[test]
fn yaml_anchors_and_merge_keys_work() {
    let text = "base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\nseveral: {<<: [*b, {z: 4}]}\n";
    let value = read(Format::Yaml, text).unwrap().into_value();
    let shown = value.to_string();
    let keys = read(Format::Yaml, "{0x10: a, 010: b, yes: c, ~: d, 1.5: e}").unwrap().into_value();
    assert_eq!(keys.to_string(), r#"{"0x10": "a", "010": "b", "yes": "c", "~": "d", "1.5": "e"}"#);
    assert!(shown.contains("\"own\": {\"y\": 3, \"x\": 1}"), "{shown}");
    assert!(shown.contains("\"several\": {\"x\": 1, \"y\": 2, \"z\": 4}"), "{shown}");
}

#[test]
fn plain_yaml_words_are_of_the_core_schema() {
    let text = "[~, null, true, False, 12, -3, 0x1f, 0o17, 1.5, 1e3, .inf, 0644, yes, 'true', 12a, 1.2.3, !!str 5, 0x-5, 0o+7, 0x, 0o8]";
    let shown = read(Format::Yaml, text).unwrap().into_value().to_string();
    assert_eq!(
        shown,
        "[null, null, true, false, 12, -3, 31, 15, 1.5, 1000, \".inf\", \"0644\", \"yes\", \"true\", \"12a\", \"1.2.3\", \"5\", \"0x-5\", \"0o+7\", \"0x\", \"0o8\"]"
    );
}
