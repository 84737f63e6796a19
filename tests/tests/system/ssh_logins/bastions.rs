//! Passwords for routes through bastions: each is sent only to the host that it belongs to.

use hostlink::{Data, ErrorKind};
use hostlink_tests::sshd::{Sshd, SshdBuilder};
use hostlink_tests::user::TestUser;

use crate::ssh_logins::scene::{
    Knows, asking, assert_says, believing, connect_to, context, known_to, refusal_of, user_of,
};
use tempfile::NamedTempFile;

/// A bastion and a host, each with its own user.
struct Passwords {
    bastion: Sshd,
    inner: Sshd,
    guard: TestUser,
    user: TestUser,
    known: NamedTempFile,
}

const OF_BASTION: &str = "the bastion's own";
const OF_TARGET: &str = "the target's own";

impl Passwords {
    fn start(builder: impl Fn() -> SshdBuilder) -> Self {
        let (bastion, inner) = (builder().start(), builder().start());
        let [guard, user] = [OF_BASTION, OF_TARGET].map(|password| {
            let user = TestUser::create("/bin/sh");
            user.set_password(password);
            user
        });
        let known = known_to(&[&bastion, &inner]);
        Self { bastion, inner, guard, user, known }
    }

    /// Returns `user@host` of the bastion.
    fn hop(&self) -> String {
        format!("{}@127.0.0.1", self.guard.name())
    }

    /// Returns the data without the bastion's password.
    fn data(&self) -> Data {
        believing(self.known.path())
            .with("ssh_config_file", "none")
            .with("ssh_password", OF_TARGET)
            .with("ssh_proxy_jump", format!("{}:{}", self.hop(), self.bastion.port()))
    }

    fn target(&self) -> String {
        format!("{}@127.0.0.1:{}", self.user.name(), self.inner.port())
    }

    /// Returns logins and wrong tries on the bastion and on the target.
    fn counts(&self) -> [(usize, usize); 2] {
        [&self.bastion, &self.inner].map(|sshd| {
            sshd.wait_until_idle();
            (sshd.logins(), sshd.refused_passwords())
        })
    }

    async fn works(&self) {
        let data = self.data().with("ssh_proxy_jump_password", OF_BASTION);
        let link = connect_to(&self.target(), &data, &context()).await;
        assert_eq!(user_of(&link).await, self.user.name());
        link.disconnect().await.unwrap();
        assert_eq!(self.counts(), [(1, 0), (1, 0)], "{}", self.bastion.log());
    }
}

#[tokio::test]
async fn each_gets_its_own_password() {
    Passwords::start(|| Sshd::builder().passwords()).works().await;
}

#[tokio::test]
async fn each_gets_its_own_answer() {
    Passwords::start(|| Sshd::builder().keyboard_interactive()).works().await;
}

#[tokio::test]
async fn an_unknown_password_of_a_bastion_is_an_error_that_names_the_hop() {
    for builder in [Sshd::builder().passwords(), Sshd::builder().keyboard_interactive()] {
        let it = Passwords::start(|| builder.clone());
        let error = refusal_of(&it.target(), &it.data(), &context()).await;
        let expected = format!("the jump host {} wants a password", it.hop());
        assert_says(&error, ErrorKind::Auth, &[&expected, "set ssh_proxy_jump_password"]);
        assert_eq!(it.counts(), [(0, 0), (0, 0)], "{}", it.bastion.log());
    }
}

#[tokio::test]
async fn a_wrong_password_of_a_bastion_is_one_try_and_names_the_hop() {
    for builder in [Sshd::builder().passwords(), Sshd::builder().passwords().keyboard_interactive()]
    {
        let it = Passwords::start(|| builder.clone());
        let data = it.data().with("ssh_proxy_jump_password", "wr0ng");
        let error = refusal_of(&it.target(), &data, &context()).await;
        let expected =
            format!("the jump host {}:{} refused the password", it.hop(), it.bastion.port());
        assert_says(&error, ErrorKind::Auth, &[&expected]);
        assert_eq!(it.counts(), [(0, 1), (0, 0)], "{}", it.bastion.log());
    }
}

#[tokio::test]
async fn a_wrong_password_of_the_target_is_not_the_bastion_s_fault() {
    let it = Passwords::start(|| Sshd::builder().passwords());
    let mut data = it.data().with("ssh_proxy_jump_password", OF_BASTION);
    data.insert("ssh_password", "wr0ng");
    let error = refusal_of(&it.target(), &data, &context()).await;
    assert_says(&error, ErrorKind::Auth, &[it.user.name(), "refused the password"]);
    assert!(!error.message().contains("jump"), "{error}");
    assert_eq!(it.counts(), [(1, 0), (0, 1)], "{}", it.bastion.log());
}

#[tokio::test]
async fn the_prompt_for_the_bastion_s_password_names_the_bastion() {
    let it = Passwords::start(|| Sshd::builder().passwords());
    let somebody = Knows::new(&[(&it.hop(), OF_BASTION)]);
    let link = connect_to(&it.target(), &it.data(), &asking(&somebody)).await;
    assert_eq!(user_of(&link).await, it.user.name());
    link.disconnect().await.unwrap();
    assert_eq!(somebody.asked(), [format!("the password of {}", it.hop())]);
    assert_eq!(it.counts(), [(1, 0), (1, 0)], "{}", it.bastion.log());
}

#[tokio::test]
async fn a_bastion_of_the_configuration_gets_the_same_prompt() {
    let it = Passwords::start(|| Sshd::builder().passwords());
    let config = crate::ssh_logins::scene::file(&format!(
        "Host door\nHostName 127.0.0.1\nPort {}\nUser {}\nHost inner\nHostName 127.0.0.1\n\
         Port {}\nUser {}\nProxyJump door\n",
        it.bastion.port(),
        it.guard.name(),
        it.inner.port(),
        it.user.name()
    ));
    let data = believing(it.known.path())
        .with("ssh_config_file", crate::ssh_logins::scene::text(config.path()))
        .with("ssh_password", OF_TARGET);
    let somebody = Knows::new(&[(&it.hop(), OF_BASTION)]);
    let link = connect_to("inner", &data, &asking(&somebody)).await;
    assert_eq!(user_of(&link).await, it.user.name());
    link.disconnect().await.unwrap();
    let error = refusal_of("inner", &data, &context()).await;
    let expected = format!("the jump host {} wants a password", it.hop());
    assert_says(&error, ErrorKind::Auth, &[&expected]);
    assert_eq!(it.counts(), [(1, 0), (1, 0)], "{}", it.bastion.log());
}

#[tokio::test]
async fn a_bastion_with_the_target_s_user_and_address_does_not_get_its_password() {
    let it = Passwords::start(|| Sshd::builder().passwords());
    let mut data = it.data();
    let same = format!("{}@127.0.0.1:{}", it.user.name(), it.bastion.port());
    data.insert("ssh_proxy_jump", same);
    let error = refusal_of(&it.target(), &data, &context()).await;
    assert_says(&error, ErrorKind::Auth, &["the jump host", it.user.name(), "wants a password"]);
    assert_eq!(it.counts(), [(0, 0), (0, 0)], "{}", it.bastion.log());
}

#[tokio::test]
async fn two_bastions_of_one_name_both_get_their_password() {
    for builder in [Sshd::builder().passwords(), Sshd::builder().keyboard_interactive()] {
        let it = Passwords::start(|| builder.clone());
        let second = builder.start();
        let known = known_to(&[&it.bastion, &second, &it.inner]);
        let (hop, ports) = (it.hop(), [it.bastion.port(), second.port()]);
        let mut data = it.data().with("ssh_proxy_jump_password", OF_BASTION);
        data.insert("ssh_known_hosts_file", crate::ssh_logins::scene::text(known.path()));
        data.insert("ssh_proxy_jump", ports.map(|port| format!("{hop}:{port}")).join(","));
        let link = connect_to(&it.target(), &data, &context()).await;
        assert_eq!(user_of(&link).await, it.user.name());
        link.disconnect().await.unwrap();
        second.wait_until_idle();
        assert_eq!((second.logins(), second.refused_passwords()), (1, 0), "{}", second.log());
        assert_eq!(it.counts(), [(1, 0), (1, 0)], "{}", it.bastion.log());
    }
}
