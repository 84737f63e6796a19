//! Free ports.
//!
//! A port may be taken between the check and its use, so the user tries again with another one. All
//! ports are below the range from which the kernel takes those of outgoing connections (ip(7),
//! `ip_local_port_range`).

use std::net::{IpAddr, TcpListener};
use std::ops::Range;

const HERE: Range<u32> = 10_000..30_000;
const INSIDE: Range<u32> = 30_000..32_000;

/// Returns a port without a listener at any of these addresses of this machine.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_port(addresses: &[IpAddr]) -> u16 {
    let is_free = |port: &u16| addresses.iter().all(|it| TcpListener::bind((*it, *port)).is_ok());
    let found = (0..1000).map(|_| random(&HERE)).find(is_free);
    found.unwrap_or_else(|| panic!("no free port at {addresses:?}"))
}

/// Returns a port for a network namespace, at which no fixture listens outside of one.
#[must_use]
pub fn inside_port() -> u16 {
    random(&INSIDE)
}

fn random(range: &Range<u32>) -> u16 {
    let number = getrandom::u32().expect("the kernel has random numbers");
    let port = range.start + number % (range.end - range.start);
    u16::try_from(port).expect("the ranges end below 65536")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound() {
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        TcpListener::bind((address, free_port(&[address]))).unwrap();
    }

    #[test]
    fn the_ranges_have_nothing_in_common() {
        assert!((0..100).all(|_| HERE.contains(&u32::from(random(&HERE)))));
        assert!(!HERE.contains(&u32::from(inside_port())));
    }
}
