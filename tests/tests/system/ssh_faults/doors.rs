//! Hosts that accept no login: without a server, or with too many clients.

use std::time::{Duration, Instant};

use hostlink::{Context, ErrorKind, builtin_registry};
use hostlink_tests::ssh_target::{SshTarget, said};
use hostlink_tests::sshd::Sshd;
use hostlink_tests::unreachable::Blackhole;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::{LIMIT, within};

#[tokio::test]
async fn an_address_that_drops_packets_is_given_up() {
    let hole = Blackhole::new();
    let data = hostlink::Data::new().with("ssh_connect_timeout", 2).with("ssh_config_file", "none");
    let (registry, context) = (builtin_registry(), Context::default());
    let name = hole.address().to_string();
    let error = within("connect", LIMIT, registry.connect(&name, &data, &context)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("timed out"), "{error}");
}

/// Closes connections as soon as they are made, as a firewall does.
async fn hang_up(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream);
    }
}

#[tokio::test]
async fn a_door_that_stays_full_is_given_up_when_the_time_to_connect_is_over() {
    let overloaded = SshTarget::start(Sshd::builder().max_startups("1:100:1"));
    let address = (overloaded.sshd.address(), overloaded.sshd.port());
    let held = let_in(address).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs_up = listener.local_addr().unwrap().port();
    tokio::spawn(hang_up(listener));
    let limit = Duration::from_secs(3);
    let context = Context { connect_timeout: limit, ..Context::default() };
    for (port, retries, words) in [
        (overloaded.sshd.port(), 0, "MaxStartups"),
        (overloaded.sshd.port(), 1, "MaxStartups"),
        (hangs_up, 0, "before its SSH banner"),
    ] {
        let data = overloaded.data.clone().with("ssh_port", i64::from(port));
        let data = data.with("ssh_connect_retries", retries);
        let registry = builtin_registry();
        let attempts = u32::try_from(retries).unwrap() + 1;
        let begun = Instant::now();
        let connect = registry.connect("127.0.0.1", &data, &context);
        let error = within(words, limit * attempts, connect).await.unwrap_err();
        assert!(begun.elapsed() > limit * attempts - Duration::from_secs(1), "it is tried again");
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // A slot becomes free in time: only after this connection has been refused too.
    let before = refused(&overloaded);
    let patient = Context { connect_timeout: Duration::from_secs(60), ..Context::default() };
    let make_room = async {
        while refused(&overloaded) == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(held);
    };
    let both = async { tokio::join!(overloaded.connect_in(&patient), make_room) };
    let (link, ()) = within("a place", patient.connect_timeout, both).await;
    let link = link.unwrap();
    assert_eq!(said(&link, "echo in").await, "in\n");
    link.disconnect().await.unwrap();
}

/// Returns how many connections the server has refused since all its slots were taken.
fn refused(target: &SshTarget) -> usize {
    target.sshd.log().matches("past MaxStartups").count()
}

/// Opens a connection that is greeted and does not log in. Earlier ones of the fixture may still be
/// counted.
async fn let_in(address: (std::net::IpAddr, u16)) -> TcpStream {
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut banner = [0; 4];
        if stream.read_exact(&mut banner).await.is_ok() && &banner == b"SSH-" {
            return stream;
        }
    }
}
