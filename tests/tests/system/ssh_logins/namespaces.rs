//! Hosts that only a bastion reaches, in their own networks.

use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use hostlink::{Context, Data, ErrorKind};
use hostlink_tests::keys::{Agent, Key};
use hostlink_tests::network::{Namespace, Network};
use hostlink_tests::sshd::Sshd;
use tempfile::{NamedTempFile, TempDir};

use crate::ssh_logins::scene::{
    assert_says, believing, connect_to, context, file, key_of, known_to, refusal_of, says, text,
    with_agent,
};

/// A bastion, and a host on the bastion's own loopback, both with one key.
struct Behind {
    _network: Network,
    bastion: Sshd,
    inner: Sshd,
    key: Key,
    known: NamedTempFile,
}

fn sshd_in(namespace: &Namespace, address: &str) -> Sshd {
    Sshd::builder().listen(address).in_namespace(namespace).start()
}

impl Behind {
    fn start() -> Self {
        let network = Network::one();
        let bastion = sshd_in(network.first(), &network.first().address().to_string());
        let inner = sshd_in(network.first(), "127.0.0.1");
        let key = key_of(&bastion);
        inner.authorize(&key.public());
        let known = known_to(&[&bastion, &inner]);
        Self { _network: network, bastion, inner, key, known }
    }

    /// Returns the lines of ssh_config(5) for both.
    fn config(&self) -> String {
        format!(
            "Host bastion\nHostName {}\nPort {}\nHost inner\nHostName 127.0.0.1\nPort {}\n\
             ProxyJump bastion\nHost *\nUser root\nIdentityFile {}\n",
            self.bastion.address(),
            self.bastion.port(),
            self.inner.port(),
            text(self.key.path()),
        )
    }
}

fn home_with(config: &str) -> (TempDir, Context) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".ssh")).unwrap();
    fs::write(home.path().join(".ssh/config"), config).unwrap();
    let context = Context { home: Some(home.path().to_owned()), ..context() };
    (home, context)
}

fn is_reached(address: IpAddr, port: u16) -> bool {
    TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(5)).is_ok()
}

fn config_data(config: &Path, known: &NamedTempFile) -> Data {
    believing(known.path()).with("ssh_config_file", text(config))
}

#[tokio::test]
async fn a_loopback_through_a_bastion_is_the_bastion_s() {
    let it = Behind::start();
    // This machine has no listener there.
    assert!(!is_reached(it.inner.address(), it.inner.port()));
    let (_home, context) = home_with(&it.config());
    let data = believing(it.known.path());
    let link = connect_to("inner", &data, &context).await;
    let namespace = says(&link, "readlink /proc/self/ns/net").await;
    assert_ne!(namespace, text(&fs::read_link("/proc/self/ns/net").unwrap()));
    link.disconnect().await.unwrap();

    // A local listener at that address is not reached.
    let decoy = TcpListener::bind((it.inner.address(), it.inner.port())).unwrap();
    decoy.set_nonblocking(true).unwrap();
    let link = connect_to("inner", &data, &context).await;
    assert_eq!(says(&link, "readlink /proc/self/ns/net").await, namespace);
    assert_eq!(decoy.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!((it.bastion.logins(), it.inner.logins()), (2, 2));
}

#[tokio::test]
async fn a_jump_of_the_data_reaches_it_too() {
    let it = Behind::start();
    let agent = Agent::start(&[&it.key]);
    let data = believing(it.known.path())
        .with("ssh_config_file", "none")
        .with("ssh_allow_agent", true)
        .with("ssh_proxy_jump", format!("root@{}:{}", it.bastion.address(), it.bastion.port()));
    let target = format!("root@127.0.0.1:{}", it.inner.port());
    let link = connect_to(&target, &data, &with_agent(&agent.socket())).await;
    let from = says(&link, "echo $SSH_CONNECTION | cut -d' ' -f1").await;
    assert_eq!((from.as_str(), it.inner.logins()), ("127.0.0.1", 1));
}

#[tokio::test]
async fn a_jump_that_is_switched_off_is_not_taken() {
    let it = Behind::start();
    let (_home, context) = home_with(&it.config());
    let data = believing(it.known.path()).with("ssh_proxy_jump", "none");
    let error = refusal_of("inner", &data, &context).await;
    assert_says(&error, ErrorKind::Connect, &["Connection refused", "127.0.0.1"]);

    let without = format!("Host inner\nProxyJump none\n{}", it.config());
    let config = file(&without);
    let data = config_data(config.path(), &it.known);
    let error = refusal_of("inner", &data, &context).await;
    assert_says(&error, ErrorKind::Connect, &["Connection refused", "127.0.0.1"]);
    assert_eq!(it.bastion.logins(), 0);
}

#[tokio::test]
async fn two_bastions_lead_to_the_loopback_of_the_second() {
    let network = Network::two();
    let first = sshd_in(network.first(), &network.first().address().to_string());
    let second = sshd_in(network.second(), &network.second().address().to_string());
    let inner = sshd_in(network.second(), "127.0.0.1");
    let key = key_of(&first);
    second.authorize(&key.public());
    inner.authorize(&key.public());
    assert!(!is_reached(second.address(), second.port()), "only the first bastion reaches it");
    assert!(!is_reached(inner.address(), inner.port()));
    let known = known_to(&[&first, &second, &inner]);
    let config = file(&format!(
        "Host inner\nHostName 127.0.0.1\nPort {}\nProxyJump second\n\
         Host second\nHostName {}\nPort {}\nProxyJump first\nHost first\nHostName {}\nPort {}\n\
         Host *\nUser root\nIdentityFile {}\n",
        inner.port(),
        second.address(),
        second.port(),
        first.address(),
        first.port(),
        text(key.path()),
    ));
    let link = connect_to("inner", &config_data(config.path(), &known), &context()).await;
    assert_eq!(says(&link, "echo $SSH_CONNECTION | cut -d' ' -f3").await, "127.0.0.1");
    link.disconnect().await.unwrap();

    // The same route as a list in the data.
    let agent = Agent::start(&[&key]);
    let hop = |sshd: &Sshd| format!("root@{}:{}", sshd.address(), sshd.port());
    let data = believing(known.path())
        .with("ssh_config_file", "none")
        .with("ssh_allow_agent", true)
        .with("ssh_proxy_jump", format!("{},{}", hop(&first), hop(&second)));
    let target = hop(&inner);
    let link = connect_to(&target, &data, &with_agent(&agent.socket())).await;
    assert_eq!(says(&link, "echo $SSH_CONNECTION | cut -d' ' -f3").await, "127.0.0.1");
    assert_eq!([&first, &second, &inner].map(Sshd::logins), [2, 2, 2]);
}

#[tokio::test]
async fn the_policy_of_host_keys_holds_for_every_hop() {
    let it = Behind::start();
    let config = file(&it.config());
    let known_after = |known: NamedTempFile| fs::read_to_string(known.path()).unwrap();

    let known = known_to(&[&it.inner]);
    let error = refusal_of("inner", &config_data(config.path(), &known), &context()).await;
    let hop = format!("{}:{}", it.bastion.address(), it.bastion.port());
    assert_says(&error, ErrorKind::HostKey, &["the jump host", &hop, "is not known"]);

    let known = known_to(&[&it.bastion]);
    let error = refusal_of("inner", &config_data(config.path(), &known), &context()).await;
    assert_says(&error, ErrorKind::HostKey, &["is not known", "accept-new"]);
    assert!(!error.message().contains("jump"), "{error}");
    assert_eq!(known_after(known).lines().count(), 1);

    let known = file("");
    let mut data = config_data(config.path(), &known);
    data.insert("ssh_strict_host_key_checking", "accept-new");
    connect_to("inner", &data, &context()).await.disconnect().await.unwrap();
    let kept = known_after(known);
    let lines = [
        format!("[{}]:{} ", it.bastion.address(), it.bastion.port()),
        format!("[127.0.0.1]:{} ", it.inner.port()),
    ];
    assert_eq!(kept.lines().count(), 2, "{kept}");
    assert!(lines.iter().all(|line| kept.contains(line)), "{kept}");
}
