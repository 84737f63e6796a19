//! All of them need an engine.

mod bad_input;
mod command_line;
mod faults;
mod host_keys;
mod images;
mod logins;
mod own_server;
mod podman;
mod scene;
mod ways;
