//! Targets whose files are this machine's.

use hostlink::{Context, Data, Link, builtin_registry};
use hostlink_testkit::SpawnOnly;
use hostlink_tests::chroot::Root;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::{Sshd, Subsystem};

use super::{FullDisk, get_from, large_tree, put_to, put_too_much};

async fn both(link: Link) {
    let (disk, from) = (FullDisk::new(), tempfile::tempdir().unwrap());
    large_tree(from.path());
    put_to(&link, disk.path().to_str().unwrap()).await;
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "nothing is left");
    get_from(&link, from.path().to_str().unwrap()).await;
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn the_cause_is_told_of_this_machine() {
    both(builtin_registry().connect("@local", &Data::new(), &Context::default()).await.unwrap())
        .await;
}

#[tokio::test]
async fn the_cause_is_told_without_tar() {
    let connection = SpawnOnly::without(&["tar"]).unwrap();
    both(Link::new(Box::new(connection), "without tar", Context::default())).await;
}

#[tokio::test]
async fn the_cause_is_told_over_ssh() {
    for protocol in ["stream", "scp", "sftp", "auto"] {
        let target = SshTarget::start(Sshd::builder()).with("ssh_file_transfer_protocol", protocol);
        both(target.connect().await).await;
    }
}

#[tokio::test]
async fn the_cause_is_told_where_no_command_starts() {
    let builder = Sshd::builder().subsystem(Subsystem::InternalSftp);
    let target = SshTarget::start(builder.config_where("User root", "ForceCommand internal-sftp"));
    let (link, disk) = (target.connect().await, FullDisk::new());
    put_too_much(&link, disk.path().to_str().unwrap()).await;
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0, "nothing is left");
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn the_cause_is_told_of_a_root_directory() {
    let root = Root::debian();
    large_tree(&root.path("srv/tree"));
    let registry = builtin_registry();
    let link = registry.connect(&root.target(), &Data::new(), &Context::default()).await.unwrap();
    get_from(&link, "/srv/tree").await;
    link.disconnect().await.unwrap();
}
