//! Networks behind a bastion, as network namespaces of this machine (network_namespaces(7)).
//!
//! Users, files and processes are those of this machine. A listener on 127.0.0.1 in a namespace is
//! reached only from inside it.

use std::net::Ipv4Addr;

use crate::keeper::{Keeper, unique_name};

/// The number of other prefixes that are tried.
const TRIES: usize = 50;

/// One or two namespaces in a row. They end when this value is dropped or the test's process ends.
#[derive(Debug)]
pub struct Network {
    namespaces: Vec<Namespace>,
    _keeper: Keeper,
}

/// A network namespace with a loopback and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    name: String,
    address: Ipv4Addr,
}

impl Namespace {
    /// Returns its name for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its address, which the previous side reaches: this machine for the first namespace,
    /// the first namespace for the second.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }
}

impl Network {
    /// Makes one namespace, which this machine reaches.
    #[must_use]
    pub fn one() -> Self {
        Self::start(1)
    }

    /// Makes two. This machine reaches the first, and only the first reaches the second.
    #[must_use]
    pub fn two() -> Self {
        Self::start(2)
    }

    /// Returns the namespace that this machine reaches.
    #[must_use]
    pub fn first(&self) -> &Namespace {
        &self.namespaces[0]
    }

    /// Returns the second namespace, which only the first reaches.
    ///
    /// # Panics
    ///
    /// If there is only one.
    #[must_use]
    pub fn second(&self) -> &Namespace {
        self.namespaces.get(1).expect("Network::two() makes it")
    }

    fn start(count: u8) -> Self {
        (0..TRIES).find_map(|_| Self::try_start(count)).expect("some prefix of 10.0.0.0/8 is free")
    }

    /// Returns `None` if another network has the addresses.
    fn try_start(count: u8) -> Option<Self> {
        let mut keeper = Keeper::start();
        let [second, third, ..] = getrandom::u32().expect("there is randomness").to_le_bytes();
        let name = unique_name();
        let namespaces: Vec<Namespace> = (0..count)
            .map(|index| Namespace {
                name: format!("{name}-{index}"),
                address: Ipv4Addr::new(10, second, third, index * 4 + 2),
            })
            .collect();
        let taken =
            format!("(ip -4 -o addr; ip -4 route) | grep -qE '(^| )10\\.{second}\\.{third}\\.'");
        let look = format!("if {taken}; then exit 75; fi\nset -e\n");
        let steps: String = (0..namespaces.len()).map(|index| link(&namespaces, index)).collect();
        if keeper.make(&(look + &steps), &removal(&namespaces)) {
            return Some(Self { namespaces, _keeper: keeper });
        }
        assert!(keeper.log().is_empty(), "no namespace: {}", keeper.log());
        None
    }
}

/// Makes a namespace, and the cable to the previous one.
fn link(namespaces: &[Namespace], index: usize) -> String {
    let Namespace { name, address } = &namespaces[index];
    let [a, b, c, last] = address.octets();
    let outer = Ipv4Addr::new(a, b, c, last - 1);
    // Without a route of its own, a packet for it would leave this machine by the default route.
    let hide = match index {
        0 => String::new(),
        _ => format!("ip route add unreachable {}\n", prefix(*address)),
    };
    let before = match index.checked_sub(1) {
        Some(before) => format!("ip -n {}", namespaces[before].name),
        None => "ip".to_owned(),
    };
    format!(
        "ip netns add {name}\n\
         {before} link add {name}a type veth peer name {name}b netns {name}\n\
         {before} addr add {outer}/30 dev {name}a\n\
         {before} link set {name}a up\n\
         ip -n {name} addr add {address}/30 dev {name}b\n\
         ip -n {name} link set {name}b up\n\
         ip -n {name} link set lo up\n{hide}"
    )
}

fn prefix(address: Ipv4Addr) -> String {
    let [a, b, c, last] = address.octets();
    format!("{}/30", Ipv4Addr::new(a, b, c, last & !3))
}

/// Removes the cables, which go with either end. A namespace that a process is still in loses its
/// name, and ends with the process.
fn removal(namespaces: &[Namespace]) -> String {
    let first = &namespaces[0].name;
    let mut script = format!("ip link del {first}a 2>/dev/null\n");
    for Namespace { name, address } in namespaces {
        script.push_str(&format!("ip route del unreachable {} 2>/dev/null\n", prefix(*address)));
        script.push_str(&format!(
            "if [ -e /run/netns/{name} ]; then ip -n {name} link del {name}b 2>/dev/null; \
             ip netns del {name}; fi\n"
        ));
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_cable_have_one_prefix() {
        assert_eq!(prefix(Ipv4Addr::new(10, 1, 2, 6)), "10.1.2.4/30");
        assert_eq!(prefix(Ipv4Addr::new(10, 1, 2, 5)), "10.1.2.4/30");
    }
}
