//! The inventory file in YAML.

#![no_main]

use hostlink_properties::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| Target::YAML.check(text));
