//! Logins over SSH, by each method, on real servers: through the library and, where a user sees it,
//! the command.

mod agents;
mod bad_input;
mod bastion_faults;
mod bastions;
mod configuration;
mod faults;
mod host_keys;
mod keys;
mod many_hosts;
mod names;
mod namespaces;
mod passwords;
mod scene;
mod secrets;
