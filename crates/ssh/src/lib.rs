#![doc = include_str!("../README.md")]

#[cfg(unix)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the transport that opens its channel is still to come")
)]
mod sftp;
