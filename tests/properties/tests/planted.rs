//! The search finds planted faults of each kind.

use std::hint::black_box;
use std::thread::sleep;
use std::time::Duration;

use hostlink_core::Result;
use hostlink_inventory::{Definition, Format, expand};
use hostlink_properties::{Found, Outcome, Search, Target, Verdict, written_again};

/// Long enough for a slow machine; it runs to the end only if nothing is found.
const LIMIT: Duration = Duration::from_secs(60);

fn found(
    property: impl Fn(&str) -> Outcome + Send + 'static,
    given: &[&str],
    target: Target,
) -> Found {
    let search = Search { time: LIMIT, ..Search::default() };
    let texts = given.iter().map(|text| (*text).to_owned()).collect();
    search.run(property, texts, target.words).expect_err("the planted fault was not found")
}

/// Loses every host after the second one of a list.
fn forgetful(text: &str, format: Format, source: &str) -> Result<Definition> {
    let mut definition = Definition::read(text, format, source)?;
    definition.hosts.truncate(2);
    Ok(definition)
}

#[test]
fn a_reader_that_loses_hosts_is_found() {
    let property = |text: &str| match Definition::read(text, Format::Json, "planted") {
        Ok(definition) => written_again(&definition, forgetful).map(|()| Verdict::Accepted),
        Err(_) => Ok(Verdict::Rejected),
    };
    let found = found(property, &["{\"hosts\": [\"a\", \"b\"]}"], Target::JSON);
    assert!(found.fault.contains("when it is read as"), "{found}");
    assert!(found.text.len() < 60, "it was not made shorter: {found}");
}

#[test]
fn a_panic_is_found() {
    let property = |text: &str| match expand(text) {
        Ok(names) if names.len() == 9 => panic!("nine"),
        Ok(_) => Ok(Verdict::Accepted),
        Err(_) => Ok(Verdict::Rejected),
    };
    let found = found(property, &["web[1-3]"], Target::RANGES);
    assert_eq!(found.fault, "it panics: nine");
    assert_eq!(expand(&found.text).unwrap().len(), 9);
}

#[test]
fn a_text_that_takes_too_long_is_found() {
    let property = |text: &str| {
        if text.contains("[[") {
            sleep(LIMIT * 2);
        }
        Ok(Verdict::Accepted)
    };
    let search = Search { time: LIMIT, longest: Duration::from_millis(500), ..Search::default() };
    let found = search.run(property, vec!["[".into()], Target::RANGES.words).unwrap_err();
    assert!(found.text.contains("[[") && found.fault.contains("takes more than"), "{found}");
}

#[test]
fn a_text_that_takes_too_much_memory_is_found() {
    let property = |text: &str| {
        if expand(text).is_ok_and(|names| names.len() > 100) {
            drop(black_box(vec![1_u8; 512 << 20]));
        }
        Ok(Verdict::Accepted)
    };
    let search = Search { time: LIMIT, max_memory: 256 << 20, ..Search::default() };
    let found = search.run(property, vec!["web[1-3]".into()], Target::RANGES.words).unwrap_err();
    assert!(found.fault.contains("peak memory is"), "{found}");
}
