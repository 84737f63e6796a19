//! Runs `hostlink TARGET forward` on any target that is this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::cli::{command, send_signal, wait_for_exit, wait_until};

/// The limit of every wait for a line or for bytes.
const LIMIT: Duration = Duration::from_secs(60);

/// A running `hostlink TARGET forward`.
#[derive(Debug)]
pub struct Forwards {
    child: Child,
    lines: Receiver<String>,
}

impl Forwards {
    /// Starts `program DATA… TARGET forward SPECS…`.
    ///
    /// # Panics
    ///
    /// If the command cannot be started.
    #[must_use]
    pub fn start(program: &Path, target: &str, data: &[&str], specs: &[&str]) -> Self {
        let words = [data, &[target, "forward"], specs].concat();
        let mut child = command(program, words).spawn().expect("the command starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Returns the next line of standard error.
    ///
    /// # Panics
    ///
    /// If there is no line.
    #[must_use]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a line is written")
    }

    /// Returns the port in the next line, which reports a listener.
    ///
    /// # Panics
    ///
    /// If the line has no port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let line = self.line();
        let words: Vec<&str> = line.split(' ').collect();
        let at = words.iter().position(|word| *word == "on").map_or("", |on| words[on + 1]);
        let port = at.rsplit(':').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {line:?}"))
    }

    /// Sends a signal like `INT`.
    ///
    /// # Panics
    ///
    /// If the signal cannot be sent.
    pub fn signal(&self, signal: &str) {
        send_signal(&self.child, signal);
    }

    /// Waits for the end of the command.
    ///
    /// # Panics
    ///
    /// If the command does not end.
    pub fn ended(mut self) -> ExitStatus {
        wait_for_exit(&mut self.child)
    }
}

impl Drop for Forwards {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server on this machine that sends back what it receives, and returns its port. It lives
/// as long as the test.
///
/// # Panics
///
/// If no port is free.
#[must_use]
pub fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Connects to a port of this machine.
///
/// # Panics
///
/// If there is no listener.
#[must_use]
pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("there is a listener");
    stream.set_read_timeout(Some(LIMIT)).expect("a socket has a timeout");
    stream
}

/// Returns whether there is a listener at this port of this machine.
#[must_use]
pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Checks that bytes come back.
///
/// # Panics
///
/// If they do not.
pub fn expect_echo(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("it can be sent");
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).expect("it comes back");
    assert_eq!(String::from_utf8_lossy(&back), text);
}

/// Asks a SOCKS 5 proxy (RFC 1928) to connect to a port of the other side.
///
/// # Panics
///
/// If the proxy refuses.
pub fn ask_proxy(stream: &mut TcpStream, port: u16) {
    stream.write_all(&[5, 1, 0]).expect("it can be sent");
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).expect("the proxy chooses");
    assert_eq!(chosen, [5, 0]);
    let [high, low] = port.to_be_bytes();
    stream.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, high, low]).expect("it can be sent");
    let mut reply = [0; 10];
    stream.read_exact(&mut reply).expect("the proxy replies");
    assert_eq!(reply[..2], [5, 0], "{reply:?}");
}

/// Checks that forwards of all three kinds carry bytes at the same time, report where they listen,
/// and are gone after each signal. `target` must be this machine, also seen from the target.
///
/// # Panics
///
/// If a check fails.
pub fn forwards_carry_bytes_and_leave_nothing(program: &Path, target: &str, data: &[&str]) {
    let echo = echo_server();
    let to_echo = format!("127.0.0.1:0:127.0.0.1:{echo}");
    let specs = ["-L", &to_echo, "-R", &to_echo, "-D", "127.0.0.1:0"];
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let forwards = Forwards::start(program, target, data, &specs);
        let ports: [u16; 3] = std::array::from_fn(|_| forwards.port());
        for (port, is_proxy) in ports.into_iter().zip([false, false, true]) {
            let mut stream = connect(port);
            if is_proxy {
                ask_proxy(&mut stream, echo);
            }
            expect_echo(&mut stream, "there and back");
        }
        assert!(ports.into_iter().all(listens), "the control: they listen");
        forwards.signal(signal);
        assert_eq!(forwards.ended().code(), Some(expected), "{signal}");
        wait_until("no listener is left", || !ports.into_iter().any(listens));
    }
}

/// Checks that one failed forward fails all: exit status 255, and the first has no listener.
///
/// # Panics
///
/// If a check fails.
pub fn one_that_fails_leaves_nothing(program: &Path, target: &str, data: &[&str]) {
    let taken = echo_server();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let (good, bad) = (format!("127.0.0.1:{port}:127.0.0.1:{taken}"), format!("127.0.0.1:{taken}"));
    let forwards = Forwards::start(program, target, data, &["-L", &good, "-D", &bad]);
    let line = forwards.line();
    assert!(line.contains(&format!("-D 127.0.0.1:{taken}")), "{line}");
    assert_eq!(forwards.ended().code(), Some(255), "{line}");
    assert!(!listens(port), "the first still listens");
}
