#![doc = include_str!("../README.md")]

mod ansible;
mod asking;
mod builder;
mod by_name;
mod choice;
mod definition;
mod draft;
mod format;
mod found;
mod groups;
mod host;
mod in_order;
mod inventory;
mod layer;
mod node;
mod pattern;
mod place;
mod range;
mod schema;
mod secrets;
mod source;
mod ssh_config;
mod tree;
mod words;

pub use ansible::AnsibleConnector;
pub use builder::Builder;
pub use definition::{ALL, Child, Definition, GroupDefinition, HostDefinition};
pub use format::Format;
pub use host::Host;
pub use inventory::{Config, Inventory};
pub use pattern::Pattern;
pub use range::{MOST_NAMES, expand};
pub use schema::schema;
pub use secrets::{check_keys, plain_secrets, secret_of_file};
pub use ssh_config::SshConfigConnector;
pub use words::{Word, words};
