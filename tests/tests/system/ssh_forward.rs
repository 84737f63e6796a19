//! Ports and sockets that are forwarded through a login, each with bytes in both directions.

use std::fmt::Debug;
use std::path::Path;
use std::time::{Duration, Instant};

use hostlink::forward::{Endpoint, Forward, Forwarding};
use hostlink::{ErrorKind, Link};
use hostlink_tests::ports::free_port;
use hostlink_tests::ssh_target::{SshTarget, said};
use hostlink_tests::sshd::Sshd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

const HERE: &str = "127.0.0.1";

/// Sends back what it receives.
async fn echo(stream: impl AsyncRead + AsyncWrite) {
    let (mut reader, mut writer) = split(stream);
    // The client may close the connection.
    let _ = copy(&mut reader, &mut writer).await;
    let _ = writer.shutdown().await;
}

/// Starts a TCP server that echoes.
async fn tcp_echo() -> Endpoint {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    Endpoint::Tcp(HERE.into(), port)
}

/// Starts a Unix socket server that echoes.
fn unix_echo(directory: &Path) -> Endpoint {
    let path = directory.join("echo");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    unix(&path)
}

fn unix(path: &Path) -> Endpoint {
    Endpoint::Unix(path.display().to_string())
}

fn tcp(port: u16) -> Endpoint {
    Endpoint::Tcp(HERE.into(), port)
}

fn a_port() -> u16 {
    free_port(&[HERE.parse().unwrap()])
}

/// Checks that 300 KB are echoed while both sides write.
async fn echoes(stream: impl AsyncRead + AsyncWrite) {
    let mut sent = vec![0; 300_000];
    getrandom::fill(&mut sent).unwrap();
    let (mut reader, mut writer) = split(stream);
    let mut back = Vec::new();
    let there = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let limited = async { tokio::join!(there, reader.read_to_end(&mut back)) };
    let ((), read) = tokio::time::timeout(Duration::from_secs(60), limited).await.unwrap();
    read.unwrap();
    assert!(back == sent, "{} bytes of {}", back.len(), sent.len());
}

/// Connects to a listener that leads to an echo server.
async fn call(listen: &Endpoint) {
    match listen {
        Endpoint::Tcp(_, port) => echoes(TcpStream::connect((HERE, *port)).await.unwrap()).await,
        Endpoint::Unix(path) => echoes(UnixStream::connect(path).await.unwrap()).await,
    }
}

async fn ends(listen: &Endpoint) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let there = match listen {
            Endpoint::Tcp(_, port) => TcpStream::connect((HERE, *port)).await.is_ok(),
            Endpoint::Unix(path) => UnixStream::connect(path).await.is_ok(),
        };
        if !there {
            return;
        }
        assert!(Instant::now() < deadline, "{listen} is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Opens a forward from a free port. Another test may have taken it meanwhile.
async fn forward(link: &Link, make: impl Fn(u16) -> Forward) -> Box<dyn Forwarding> {
    let mut tries = 0..20;
    loop {
        match link.forward(&make(a_port())).await {
            Ok(forwarding) => return forwarding,
            Err(error) => assert!(tries.next().is_some(), "{error:?}"),
        }
    }
}

async fn link() -> (SshTarget, Link) {
    let target = SshTarget::start(Sshd::builder());
    let link = target.connect().await;
    (target, link)
}

#[tokio::test]
async fn local_ports_and_sockets_reach_what_the_host_reaches() {
    let ((_target, link), directory) = (link().await, tempfile::tempdir().unwrap());
    let (tcp_echo, unix_echo) = (tcp_echo().await, unix_echo(directory.path()));
    for (number, to) in [tcp_echo, unix_echo].into_iter().enumerate() {
        let port = |port| Forward::Local { listen: tcp(port), to: to.clone() };
        let from_port = forward(&link, port).await;
        let socket = unix(&directory.path().join(format!("listen{number}")));
        let local = Forward::Local { listen: socket.clone(), to: to.clone() };
        let from_socket = link.forward(&local).await.unwrap();
        assert_eq!(from_socket.listen(), &socket);
        for forwarding in [from_port, from_socket] {
            let listen = forwarding.listen().clone();
            call(&listen).await;
            // Several at the same time.
            tokio::join!(call(&listen), call(&listen));
            forwarding.close().await.unwrap();
            forwarding.close().await.unwrap();
            ends(&listen).await;
        }
    }
    assert_eq!(said(&link, "echo here").await, "here\n");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn remote_ports_and_sockets_reach_what_we_reach() {
    let ((target, link), directory) = (link().await, tempfile::tempdir().unwrap());
    let to = [tcp_echo().await, unix_echo(directory.path())];
    for (number, to) in to.into_iter().enumerate() {
        let port = |port| Forward::Remote { listen: tcp(port), to: to.clone() };
        let from_port = forward(&link, port).await;
        let chosen = link.forward(&port(0)).await.unwrap();
        let Endpoint::Tcp(_, port) = chosen.listen() else { panic!("it was a port") };
        assert_ne!(*port, 0, "the port that the host chose");
        let socket = unix(&target.sshd.dir().join(format!("listen{number}")));
        let remote = Forward::Remote { listen: socket, to: to.clone() };
        let from_socket = link.forward(&remote).await.unwrap();
        for forwarding in [from_port, chosen, from_socket] {
            let listen = forwarding.listen().clone();
            call(&listen).await;
            tokio::join!(call(&listen), call(&listen));
            forwarding.close().await.unwrap();
            ends(&listen).await;
        }
    }
    link.disconnect().await.unwrap();
}

/// Requests a connection from a SOCKS server (RFC 1928).
async fn through_socks(listen: &Endpoint, port: u16) -> TcpStream {
    let Endpoint::Tcp(_, socks) = listen else { panic!("it is a port") };
    let mut stream = TcpStream::connect((HERE, *socks)).await.unwrap();
    // Version 5, one login method: none.
    stream.write_all(&[5, 1, 0]).await.unwrap();
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await.unwrap();
    assert_eq!(chosen, [5, 0]);
    let name = b"localhost";
    let length = u8::try_from(name.len()).unwrap();
    let request = [&[5, 1, 0, 3, length], &name[..], &port.to_be_bytes()].concat();
    stream.write_all(&request).await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..2], [5, 0], "it is connected");
    stream
}

#[tokio::test]
async fn a_dynamic_port_is_a_socks_server() {
    let (_target, link) = link().await;
    let Endpoint::Tcp(_, port) = tcp_echo().await else { panic!("it is a port") };
    let forwarding = forward(&link, |port| Forward::Dynamic { listen: tcp(port) }).await;
    let listen = forwarding.listen().clone();
    echoes(through_socks(&listen, port).await).await;
    tokio::join!(async { echoes(through_socks(&listen, port).await).await }, async {
        echoes(through_socks(&listen, port).await).await
    });
    forwarding.close().await.unwrap();
    ends(&listen).await;
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_forward_ends_with_its_value_and_with_its_link() {
    let (_target, link) = link().await;
    let to = tcp_echo().await;
    let local = |port| Forward::Local { listen: tcp(port), to: to.clone() };
    let remote = |port| Forward::Remote { listen: tcp(port), to: to.clone() };
    let dynamic = |port| Forward::Dynamic { listen: tcp(port) };
    for forwarding in
        [forward(&link, local).await, forward(&link, remote).await, forward(&link, dynamic).await]
    {
        let listen = forwarding.listen().clone();
        assert!(TcpStream::connect(address(&listen)).await.is_ok(), "the control");
        drop(forwarding);
        ends(&listen).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let unix = Forward::Local { listen: unix(&socket), to: to.clone() };
    drop(link.forward(&unix).await.unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while socket.exists() {
        assert!(Instant::now() < deadline, "its file is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left = [forward(&link, local).await, forward(&link, remote).await];
    link.disconnect().await.unwrap();
    for forwarding in left {
        ends(forwarding.listen()).await;
        forwarding.close().await.unwrap();
    }
}

fn address(listen: &Endpoint) -> (&'static str, u16) {
    match listen {
        Endpoint::Tcp(_, port) => (HERE, *port),
        Endpoint::Unix(path) => panic!("{path} is no port"),
    }
}

fn refused<T: Debug>(result: hostlink::Result<T>) {
    let error = result.unwrap_err();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let (_target, link) = link().await;
    let to = tcp_echo().await;
    let taken = to.clone();
    for forward in [
        Forward::Local { listen: taken.clone(), to: to.clone() },
        Forward::Remote { listen: taken.clone(), to: to.clone() },
        Forward::Dynamic { listen: taken },
    ] {
        refused(link.forward(&forward).await);
    }
    let nowhere = Endpoint::Unix("/nowhere/socket".into());
    refused(link.forward(&Forward::Local { listen: nowhere.clone(), to: to.clone() }).await);
    refused(link.forward(&Forward::Remote { listen: nowhere, to }).await);
    assert_eq!(said(&link, "echo here").await, "here\n");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn streams_are_dialled_to_sockets_of_the_host() {
    let ((target, link), directory) = (link().await, tempfile::tempdir().unwrap());
    for to in [tcp_echo().await, unix_echo(directory.path())] {
        echoes(link.dial(&to).await.unwrap()).await;
        let many = (0..20).map(|_| async { echoes(link.dial(&to).await.unwrap()).await });
        let many: Vec<_> = many.collect();
        for one in many {
            one.await;
        }
        // A stream stays open while others come and go.
        let kept = link.dial(&to).await.unwrap();
        echoes(link.dial(&to).await.unwrap()).await;
        echoes(kept).await;
    }
    assert_eq!(target.sshd.logins(), 1);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_dial_to_a_port_without_a_listener_is_an_error() {
    let (target, link) = link().await;
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
    for host in [HERE, "no-such-host.invalid"] {
        let to = Endpoint::Tcp(host.into(), closed);
        let begun = Instant::now();
        refused(link.dial(&to).await.map(drop));
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
    // The link still works, and so does a port with a listener.
    echoes(link.dial(&tcp_echo().await).await.unwrap()).await;
    assert_eq!(said(&link, "echo here").await, "here\n");
    assert_eq!(target.sshd.logins(), 1);
    link.disconnect().await.unwrap();
}
