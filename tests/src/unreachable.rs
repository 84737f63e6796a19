//! Hosts that do not answer, in different ways.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::keeper::Keeper;

/// Packets that the kernel drops, until the value is dropped or the test's process ends.
#[derive(Debug)]
pub struct Blackhole {
    address: IpAddr,
    _keeper: Keeper,
}

impl Blackhole {
    /// Returns an address that never answers: a connection attempt ends only by a timeout.
    ///
    /// # Panics
    ///
    /// If iptables does not work here.
    #[must_use]
    pub fn new() -> Self {
        let [b, c, ..] = getrandom::u32().expect("there is randomness").to_le_bytes();
        // The hosts of tests are 127.0.x.y.
        let address = IpAddr::from(Ipv4Addr::new(127, 64 | (b & 63), c, 1));
        Self::drop_packets(address, &[format!("-d {address}")])
    }

    /// Cuts the connection to a running server in both directions.
    ///
    /// # Panics
    ///
    /// If iptables does not work here.
    #[must_use]
    pub fn cut(address: IpAddr, port: u16) -> Self {
        let there = format!("-d {address} -p tcp --dport {port}");
        let back = format!("-s {address} -p tcp --sport {port}");
        Self::drop_packets(address, &[there, back])
    }

    /// Returns the address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    fn drop_packets(address: IpAddr, rules: &[String]) -> Self {
        let mut keeper = Keeper::start();
        // Incoming packets are dropped. Dropping outgoing ones would be an error for the sender.
        let make =
            rules.iter().map(|rule| format!("iptables -w -I INPUT {rule} -j DROP || exit\n"));
        let undo = rules.iter().map(|rule| {
            format!("while iptables -w -D INPUT {rule} -j DROP 2>/dev/null; do :; done\n")
        });
        let made = keeper.make(&make.collect::<String>(), &undo.collect::<String>());
        assert!(made, "iptables: {}", keeper.log());
        Self { address, _keeper: keeper }
    }
}

impl Default for Blackhole {
    fn default() -> Self {
        Self::new()
    }
}

/// A port that accepts connections and never sends a byte.
#[derive(Debug)]
pub struct Silent {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silent {
    /// Listens on a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If there is no port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it has an address");
        let ends = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ends);
        let thread = thread::spawn(move || hold(&listener, &flag));
        Self { address, ends, thread: Some(thread) }
    }

    /// Returns address and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // One more connection wakes the thread.
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn hold(listener: &TcpListener, ends: &AtomicBool) {
    let mut held = Vec::new();
    for stream in listener.incoming() {
        if ends.load(Ordering::SeqCst) {
            return;
        }
        held.push(stream);
    }
}

/// A port that never accepts: its queue is full, so the kernel drops new connections, and an
/// attempt ends only by a timeout.
#[derive(Debug)]
pub struct Full {
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Full {
    /// Listens on a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If there is no port, or the queue does not fill.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        rustix::net::listen(&listener, 0).expect("a listener's queue can be made shorter");
        let address = listener.local_addr().expect("it has an address");
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
        let queue: Vec<TcpStream> = (0..100).map_while(|_| connect()).collect();
        assert!(queue.len() < 100, "the queue does not fill");
        Self { listener, _queue: queue }
    }

    /// Returns address and port.
    ///
    /// # Panics
    ///
    /// Never: it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it listens")
    }
}
