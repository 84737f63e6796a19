//! sudo, su and doas of a Debian container.

use hostlink::{ConnectorArguments, Link};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::docker_target::DockerTarget;

use super::{Table, failed};

const PASSWORD: &str = "correct horse";

/// Users with rules of their own, beside those of the image.
const SETUP: &str = r#"
for user in limited ended terminal; do useradd --create-home $user; done
usermod --shell /usr/sbin/nologin trusted
cat >>/etc/sudoers.d/hostlink-test <<END
limited ALL = NOPASSWD: /usr/bin/id
ended ALL = NOPASSWD: ALL
terminal ALL = NOPASSWD: ALL
Defaults:terminal requiretty
END
printf '%s\n' limited:secret ended:secret terminal:secret | chpasswd
chage --expiredate 1 ended
"#;

fn arguments() -> ConnectorArguments {
    ConnectorArguments::new()
}

async fn connect(container: &Container, user: &str) -> Link {
    DockerTarget::new(container.name()).with("docker_user", user).connect().await
}

#[tokio::test]
async fn of_privilege_tools() {
    let mut table = Table::new("privilege.txt");
    let container = Container::start(DEBIAN);
    table.mask(format!("@docker/{}", container.name()), "TARGET");
    table.mask(&container.shell("hostname")[..12], "HOST");
    let _ = container.shell(SETUP);
    for user in ["sudoer", "plain", "root"] {
        container.set_password(user, PASSWORD);
    }

    let sudo = || arguments().with_sudo(true);
    let given = || sudo().with_sudo_password(PASSWORD);
    let su = || arguments().with_su_user("root");
    let doas = || arguments().with_doas(true);
    for (user, situation, cause, arguments) in [
        ("plain", "sudo, by a user whom sudoers does not name", "not in the sudoers file", given()),
        ("sudoer", "sudo, without a password", "password", sudo()),
        (
            "sudoer",
            "sudo, with a wrong password",
            "not accepted",
            sudo().with_sudo_password("wrong"),
        ),
        (
            "trusted",
            "sudo, to a user who is not there",
            "unknown user nosuch",
            sudo().with_sudo_user("nosuch"),
        ),
        (
            "trusted",
            "sudo, with a group that is not there",
            "unknown group nosuch",
            sudo().with_sudo_group("nosuch"),
        ),
        (
            "limited",
            "sudo, by a user who may only run id",
            "sudoers has to allow sh",
            sudo().with_sudo_password("secret"),
        ),
        (
            "ended",
            "sudo, by a user whose account has expired",
            "account validation failure",
            sudo(),
        ),
        ("terminal", "sudo, that wants a terminal", "get_pty", sudo()),
        (
            "sudoer",
            "sudo -i, to a user without a shell",
            "not available",
            given().with_sudo_user("trusted").with_use_sudo_login(true),
        ),
        ("plain", "su, without a password", "password", su()),
        (
            "plain",
            "su, with a wrong password",
            ": su: Authentication failure",
            su().with_su_password("wrong"),
        ),
        (
            "root",
            "su, to a user who is not there",
            "nosuch does not exist",
            su().with_su_user("nosuch"),
        ),
        ("root", "su, to a user without a shell", "not available", su().with_su_user("trusted")),
        (
            "root",
            "su, with a shell that is not there",
            "/nowhere/sh",
            su().with_su_shell("/nowhere/sh"),
        ),
        ("root", "su, to a user whose account has expired", "expired", su().with_su_user("ended")),
        (
            "plain",
            "doas, by a user whom doas.conf does not name",
            "Operation not permitted",
            doas().with_get_pty(true).with_doas_password(PASSWORD),
        ),
        ("sudoer", "doas, without a password", "Authentication required", doas()),
        (
            "sudoer",
            "doas, with a wrong password",
            "Authentication failed",
            doas().with_get_pty(true).with_doas_password("wrong"),
        ),
        (
            "trusted",
            "doas, to a user who is not there",
            "unknown user",
            doas().with_doas_user("nosuch"),
        ),
        ("trusted", "dzdo, which the target lacks", "not found", arguments().with_dzdo(true)),
    ] {
        let link = connect(&container, user).await;
        table.add(situation, cause, &failed(&link, "true", &arguments).await);
        link.disconnect().await.unwrap();
    }

    let link = connect(&container, "sudoer").await;
    let _ = container.shell("rm /etc/doas.conf; chmod u-s /usr/bin/sudo /usr/bin/su");
    table.add("doas, without a doas.conf", "doas.conf", &failed(&link, "true", &doas()).await);
    table.add("sudo, without its setuid bit", "setuid", &failed(&link, "true", &sudo()).await);
    let error = failed(&link, "true", &su().with_su_password(PASSWORD)).await;
    table.add("su, without its setuid bit", "", &error);
    let _ = container.shell("chmod u+s /usr/bin/sudo; chmod 666 /etc/sudoers");
    table.add(
        "sudo, with a sudoers file that others may write",
        "world writable",
        &failed(&link, "true", &sudo()).await,
    );
    link.disconnect().await.unwrap();

    let rigid = Container::start_with(DEBIAN, &["--security-opt=no-new-privileges"]);
    table.mask(format!("@docker/{}", rigid.name()), "TARGET");
    let link = connect(&rigid, "trusted").await;
    table.add(
        "sudo, where no process gains privileges",
        "no new privileges",
        &failed(&link, "true", &sudo()).await,
    );
    table.add(
        "doas, where no process gains privileges",
        "doas",
        &failed(&link, "true", &doas()).await,
    );
    link.disconnect().await.unwrap();

    let small = Container::start(BUSYBOX);
    table.mask(format!("@docker/{}", small.name()), "TARGET");
    let link = connect(&small, "root").await;
    table.add("sudo, which the target lacks", "not found", &failed(&link, "true", &sudo()).await);
    table.add("doas, which the target lacks", "not found", &failed(&link, "true", &doas()).await);
    let error = failed(&link, "true", &su().with_su_user("nosuch")).await;
    table.add("su of busybox, to a user who is not there", "unknown user nosuch", &error);
    link.disconnect().await.unwrap();
    table.compare();
}
