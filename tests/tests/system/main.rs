//! Whole-system tests in one program, since each program is linked separately: the command line end
//! to end, every connector with a real counterpart, and the fixtures themselves.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod another_user;
mod book;
mod chroot;
mod cli;
mod cli_descriptors;
mod cli_files;
mod cli_forward;
mod cli_interrupts;
mod cli_inventory;
mod cli_json;
mod cli_login;
mod cli_many;
mod cli_questions;
mod cli_reached_with_docker;
mod cli_rsync;
mod cli_secrets;
mod cli_shell;
mod cli_stop;
mod cli_sudo_prompt;
mod cli_usage;
mod containers;
mod docker;
mod docker_files;
mod docker_hosts;
mod dockerssh;
mod example_cloud;
mod example_deploy;
mod faults;
mod features;
mod inventory_hosts;
mod no_null;
mod privilege_attempts;
mod privilege_hostile;
mod privilege_secrets;
mod privilege_sudo;
mod quoting;
mod races;
mod rootfs;
mod ssh_cli;
mod ssh_faults;
mod ssh_files;
mod ssh_fixtures;
mod ssh_fixtures_end;
mod ssh_forward;
mod ssh_large_files;
mod ssh_life;
mod ssh_logins;
mod ssh_rsync;
mod ssh_scp;
mod terminal;
mod terraform;
mod vagrant;
mod wrappers;
