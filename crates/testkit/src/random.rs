//! Unique bytes and names.

use std::io::Read;

/// Returns random bytes: no two cases use the same, and they cannot be compressed or guessed.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut source = std::fs::File::open("/dev/urandom").expect("every Unix has /dev/urandom");
    source.read_exact(&mut bytes).expect("/dev/urandom does not end");
    bytes
}

/// Returns 16 random hexadecimal digits.
pub(crate) fn word() -> String {
    bytes(8).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns seconds for a `sleep` that outlasts every test, and by which its process can be found.
pub(crate) fn seconds() -> String {
    let number = bytes(4).iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    format!("1{:09}", number % 1_000_000_000)
}
