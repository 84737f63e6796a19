//! Runs every target with its corpus, and with texts made of that for a while. libFuzzer does the
//! same for longer (`fuzz/`).

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use hostlink_core::{Data, Value};
use hostlink_inventory::{Definition, GroupDefinition, HostDefinition};
use hostlink_properties::{Search, Target, prints_and_parses_to_the_same};
use proptest::collection::{hash_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

/// For all targets together; `HOSTLINK_FUZZ_SECONDS` overrides it.
const SECONDS: u64 = 30;

/// A smaller corpus is an error.
const FEWEST: usize = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn corpus(target: &Target) -> Vec<String> {
    let directory = target.corpus();
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("the directory can be read").path()).collect();
    paths.sort();
    assert!(paths.len() >= FEWEST, "{directory:?} has {} files", paths.len());
    let text = |path| String::from_utf8_lossy(&fs::read(path).expect("it is a file")).into_owned();
    paths.iter().map(text).collect()
}

fn search(target: Target) {
    let seed =
        number("HOSTLINK_FUZZ_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let seconds = number("HOSTLINK_FUZZ_SECONDS").unwrap_or(SECONDS);
    let targets = u32::try_from(Target::ALL.len()).expect("there are few");
    let time = Duration::from_secs(seconds) / targets;
    let texts = corpus(&target);
    let given = texts.len();
    let name = target.name;
    println!("{name}: {given} files, then {time:?} with HOSTLINK_FUZZ_SEED={seed}");
    let seen = Search { seed, time, ..Search::default() }.run(target.property, texts, target.words);
    let seen = seen.unwrap_or_else(|found| panic!("{name}, HOSTLINK_FUZZ_SEED={seed}: {found}"));
    println!("{name}: {} texts were read, {} refused", seen.accepted, seen.rejected);
    // If all texts are refused, or all are read, the test shows nothing.
    assert!(seen.accepted > given / 4 && seen.rejected > given / 10, "{seen:?}");
}

#[test]
fn names_hold_what_is_promised() {
    search(Target::NAMES);
}

#[test]
fn ranges_hold_what_is_promised() {
    search(Target::RANGES);
}

#[test]
fn ini_files_hold_what_is_promised() {
    search(Target::INI);
}

#[test]
fn toml_files_hold_what_is_promised() {
    search(Target::TOML);
}

#[test]
fn yaml_files_hold_what_is_promised() {
    search(Target::YAML);
}

#[test]
fn json_files_hold_what_is_promised() {
    search(Target::JSON);
}

fn values() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map(any::<String>(), inner, 0..4)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

fn data() -> impl Strategy<Value = Data> {
    hash_map("\\PC{0,8}", values(), 0..4).prop_map(|entries| entries.into_iter().collect())
}

fn hosts() -> impl Strategy<Value = Vec<HostDefinition>> {
    let target = prop_oneof![Just(None), "@docker/[a-z]{1,5}".prop_map(Some)];
    let is_directory = |name: &str| name.split('/').any(|part| [".", ".."].contains(&part));
    let name = "[a-z0-9.:@/-]{1,12}".prop_filter("a file refuses it", move |it| !is_directory(it));
    let host = (name, target, data()).prop_map(|(name, target, data)| {
        let mut host = HostDefinition::new(name);
        (host.target, host.data) = (target, data);
        host
    });
    vec(host, 0..4)
}

fn definitions() -> impl Strategy<Value = Definition> {
    let group = (hosts(), vec("[a-z]{1,5}", 0..3), data()).prop_map(|(hosts, children, data)| {
        let mut group = GroupDefinition::new();
        (group.hosts, group.data) = (hosts, data);
        children.into_iter().fold(group, GroupDefinition::with_child)
    });
    let groups = hash_map("[a-z]{1,3}[0-9]{1,2}", group, 0..4);
    (data(), hosts(), groups).prop_map(|(data, hosts, groups)| Definition {
        data,
        hosts,
        groups: groups.into_iter().collect(),
    })
}

#[test]
fn definitions_made_by_code_are_printed_and_parse_to_the_same() {
    let mut runner =
        TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&definitions(), |definition| {
        prints_and_parses_to_the_same(&definition)
            .map_err(proptest::test_runner::TestCaseError::fail)
    });
    outcome.unwrap();
}
