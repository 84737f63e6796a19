#![doc = include_str!("../README.md")]

#[cfg(unix)]
mod sftp;
