//! Several names of one target, and a login that the user has already.

use hostlink::{Data, ErrorKind, builtin_registry};
use hostlink_tests::cli::{code, run, stderr, stdout, wait_until};
use hostlink_tests::keys::Key;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;
use hostlink_tests::users_master::UsersMaster;

use crate::ssh_logins::scene::{
    assert_says, believing, connect_to, context, hostlink, key_of, refusal, says, text, user_of,
};

fn key_data(sshd: &Sshd, key: &Key) -> Data {
    believing(&sshd.known_hosts()).with("ssh_config_file", "none").with("ssh_key", text(key.path()))
}

#[tokio::test]
async fn a_user_whose_name_holds_a_space_logs_in() {
    let sshd = Sshd::builder().passwords().start();
    let user = TestUser::create_with_space("/bin/sh");
    user.set_password("pass word");
    let target = format!("{}@127.0.0.1:{}", user.name(), sshd.port());
    let data = believing(&sshd.known_hosts()).with("ssh_config_file", "none");
    for how in [key_data(&sshd, &key_of(&sshd)), data.with("ssh_password", "pass word")] {
        let link = connect_to(&target, &how, &context()).await;
        assert_eq!(user_of(&link).await, user.name());
    }
    assert_eq!((sshd.logins(), sshd.log().matches("Failed ").count()), (2, 0), "{}", sshd.log());
    let output = run(hostlink(&target, &key_data(&sshd, &key_of(&sshd)), "id -un"));
    assert_eq!(stdout(&output), format!("{}\n", user.name()), "{output:?}");
}

#[tokio::test]
async fn every_way_to_write_a_name_is_the_same_target() {
    let (sshd, user) = (Sshd::builder().start(), TestUser::create("/bin/sh"));
    let (key, port) = (key_of(&sshd), sshd.port());
    let bare = format!("{}@127.0.0.1:{port}", user.name());
    let resolve = async |name: &str| {
        let mut found = builtin_registry().resolve(name, &context()).await.unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    };
    let expected = resolve(&bare).await;
    for name in [bare.clone(), format!("@ssh/{bare}"), format!("ssh://{bare}")] {
        let found = resolve(&name).await;
        assert_eq!((&found.data, &found.groups), (&expected.data, &expected.groups), "{name}");
        let link = connect_to(&name, &key_data(&sshd, &key), &context()).await;
        assert_eq!(user_of(&link).await, user.name());
        let place = says(&link, "echo $SSH_CONNECTION | cut -d' ' -f3-").await;
        assert_eq!(place, format!("127.0.0.1 {port}"));
    }
    assert_eq!(sshd.logins(), 3);
}

#[test]
fn one_target_named_twice_is_one_login() {
    let sshd = Sshd::builder().start();
    let key = key_of(&sshd);
    let name = format!("root@127.0.0.1:{}", sshd.port());
    let twice = format!("{name},@ssh/{name}");
    let output = run(hostlink(&twice, &key_data(&sshd, &key), "echo hi"));
    let wanted = (0, format!("[{name}] hi\n"));
    assert_eq!((code(&output), stdout(&output)), wanted, "{}", stderr(&output));
    assert_eq!(sshd.logins(), 1);
}

#[tokio::test]
async fn data_that_is_given_wins_over_the_name() {
    let (sshd, user) = (Sshd::builder().start(), TestUser::create("/bin/sh"));
    let key = key_of(&sshd);
    let data = key_data(&sshd, &key)
        .with("ssh_hostname", "127.0.0.1")
        .with("ssh_port", i64::from(sshd.port()))
        .with("ssh_user", user.name());
    let link = connect_to("nobody@nowhere.invalid:1", &data, &context()).await;
    assert_eq!(user_of(&link).await, user.name());
}

#[tokio::test]
async fn a_master_of_the_user_is_used_and_left_alive() {
    let sshd = Sshd::builder().start();
    let socket = sshd.dir().join("user's master");
    let mut master = UsersMaster::start(&sshd, &key_of(&sshd), &socket);
    let data = master.data();
    for _ in 0..2 {
        let link = connect_to("127.0.0.1", &data, &context()).await;
        assert_eq!(user_of(&link).await, "root");
        link.disconnect().await.unwrap();
    }
    let output = run(hostlink("127.0.0.1", &data, "echo hi; exit 3"));
    assert_eq!((code(&output), stdout(&output)), (3, "hi\n".to_owned()), "{}", stderr(&output));
    // Dropped without a disconnect.
    let link = connect_to("127.0.0.1", &data, &context()).await;
    assert_eq!(user_of(&link).await, "root");
    drop(link);
    assert!(master.answers("check"), "the user's master is gone");
    assert!(master.runs());
    assert_eq!(sshd.logins(), 1, "all of it went over the user's login");
    assert!(master.answers("exit"));
    wait_until("it ends", || !master.runs());
}

#[tokio::test]
async fn a_master_that_is_not_there_is_named() {
    let sshd = Sshd::builder().start();
    let socket = sshd.dir().join("nobody");
    let error = refusal(&sshd, &Data::new().with("ssh_control_path", text(&socket))).await;
    assert_says(&error, ErrorKind::Connect, &[&text(&socket), "ssh_control_path", "ssh -M -S"]);
}
