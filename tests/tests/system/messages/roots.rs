//! chroot, where a root cannot be entered.

use std::fs;

use hostlink::{ConnectorArguments, Context, Data, builtin_registry};
use hostlink_tests::chroot::{Root, target};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

use super::{Table, failed};

#[tokio::test]
async fn of_roots() {
    let mut table = Table::new("roots.txt");
    let (root, user) = (Root::busybox(), TestUser::create("/bin/sh"));
    let host = SshTarget::as_user(user.name(), Sshd::builder());
    table.mask(format!("@ssh/{}", host.name()), "HOST");
    table.mask(root.dir().display().to_string(), "/srv");
    table.mask(user.name(), "USER");
    fs::write(root.path("file"), "").unwrap();
    fs::create_dir_all(root.path("empty/bin")).unwrap();
    fs::create_dir_all(root.path("odd/bin")).unwrap();
    fs::write(root.path("odd/bin/sh"), "#!/nowhere\n").unwrap();
    let here = |inside: &str| target(&root.path(inside));
    let there = |inside: &str| format!("@ssh/{}/{}", host.name(), here(inside));
    let sudo = host.data.clone().with("chroot_sudo", true);
    for (situation, cause, name, data) in [
        ("a root that is not there", "no such directory", here("none"), Data::new()),
        ("a file as root", "is not a directory", here("file"), Data::new()),
        ("a root without a shell", "no sh", here("empty"), Data::new()),
        ("a root whose shell does not start", "no sh", here("odd"), Data::new()),
        ("this machine's own root", "itself", "@chroot//".to_owned(), Data::new()),
        ("by a user without rights", "chroot_sudo", there(""), host.data.clone()),
        ("by a user who may not use sudo", "password", there(""), sudo),
    ] {
        let connected = builtin_registry().connect(&name, &data, &Context::default()).await;
        table.add(situation, cause, &connected.expect_err(situation));
    }
    let name = root.target();
    let link = builtin_registry().connect(&name, &Data::new(), &Context::default()).await.unwrap();
    let plain = ConnectorArguments::new;
    for (situation, cause, arguments) in [
        ("sudo, which the root lacks", "not found", plain().with_sudo(true)),
        ("su, to a user whom the root lacks", "nosuch", plain().with_su_user("nosuch")),
        ("a directory that the root lacks", "/none", plain().with_chdir("/none")),
    ] {
        table.add(situation, cause, &failed(&link, "true", &arguments).await);
    }
    link.disconnect().await.unwrap();
    table.compare();
}
