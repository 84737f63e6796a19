//! Hosts that do not answer, each in its own way.

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
    /// An address at which nothing is ever answered: connecting takes until somebody gives up.
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

    /// Cuts the link to a server that runs: neither side hears of the other any more.
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

    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    fn drop_packets(address: IpAddr, rules: &[String]) -> Self {
        let mut keeper = Keeper::start();
        // Where packets arrive: a packet that is not let out would be an error to who sends it.
        let make = rules.iter().map(|it| format!("iptables -w -I INPUT {it} -j DROP || exit\n"));
        let undo = rules
            .iter()
            .map(|it| format!("while iptables -w -D INPUT {it} -j DROP 2>/dev/null; do :; done\n"));
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

/// A port that takes connections and never says a word.
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

    /// Address and port.
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

/// A port that never accepts: its queue is full, so the kernel drops who comes, and connecting
/// takes until somebody gives up.
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

    /// Address and port.
    ///
    /// # Panics
    ///
    /// Never: it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it listens")
    }
}
