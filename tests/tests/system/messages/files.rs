//! Files and directories through SFTP, scp, coreutils, busybox, GNU tar and Docker's copies.

use std::path::Path;

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{Context, Error, Link, builtin_registry};
use hostlink_tests::cli;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use hostlink_tests::user::TestUser;

use super::Table;

/// What a user finds below `$1`, most of which is root's. `$2` is the user.
const SETUP: &str = r#"umask 022
cd "$1" && mkdir open shut dark tree tree/inner own && cd open && mkdir dir full full/sub conflict
ln -s loop loop; mkfifo pipe; : >file; : >full/sub/file; : >conflict/sub
cd .. && : >shut/file; : >dark/file; : >secret; echo text >tree/inner/file; : >tree/inner/secret
chmod 600 secret tree/inner/secret; chmod 700 dark; chown -R "$2" open"#;

/// A way to a target, and the directory on it that `SETUP` has filled.
struct Route<'a> {
    name: &'a str,
    link: &'a Link,
    base: &'a str,
    /// A directory with room for 64 KiB, and one that is read-only.
    has_small: bool,
}

impl Route<'_> {
    async fn put(&self, path: &str) -> Error {
        let source = Source::bytes(vec![b'x'; 256 * 1024]);
        self.link.put_file(source, path, &PutOptions::default()).await.expect_err(path)
    }

    async fn get(&self, path: &str) -> Error {
        let mut bytes = Vec::new();
        self.link.get_file(path, &mut bytes, &GetOptions::default()).await.expect_err(path)
    }

    async fn put_dir(&self, path: &str, source: &Path) -> Error {
        self.link.put_dir(source, path, &PutOptions::default()).await.expect_err(path)
    }

    async fn get_dir(&self, path: &str) -> Error {
        let here = tempfile::tempdir().unwrap();
        let destination = here.path().join("copy");
        self.link.get_dir(path, destination, &GetOptions::default()).await.expect_err(path)
    }

    async fn add_all(&self, table: &mut Table) {
        let base = self.base;
        let long = "n".repeat(300);
        for (situation, cause, path) in [
            ("into a directory that may not be written", "ermission denied", "shut/new"),
            ("in the place of a file that may not be replaced", "ermission denied", "shut/file"),
            ("into a directory that is not there", "directory", "none/new"),
            ("into a directory that may not be entered", "ermission denied", "dark/new"),
            ("to a directory", "is a directory", "open/dir"),
            ("into a file", "", "open/file/new"),
            ("with a name that is too long", "", &format!("open/{long}")),
            ("through a circle of symlinks", "symlink", "open/loop"),
            ("to a device that is full", "", "/dev/full"),
        ] {
            let path =
                if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
            let error = self.put(&path).await;
            table.add(&format!("{}: put {situation}", self.name), cause, &error);
        }
        for (situation, cause, path) in [
            ("of a file that is not there", "open/none is not there", "open/none"),
            ("of a file that may not be read", "ermission denied", "secret"),
            ("of a file in a directory that may not be entered", "ermission denied", "dark/file"),
            ("of a directory", "is a directory", "open/dir"),
            ("of a pipe", "not a regular file", "open/pipe"),
            ("of a file below a file", "", "open/file/none"),
            ("of a circle of symlinks", "is a circle of symlinks", "open/loop"),
        ] {
            let error = self.get(&format!("{base}/{path}")).await;
            table.add(&format!("{}: get {situation}", self.name), cause, &error);
        }
        let here = tempfile::tempdir().unwrap();
        let tree = here.path().join("tree");
        std::fs::create_dir_all(tree.join("sub")).unwrap();
        std::fs::write(tree.join("large"), vec![b'x'; 256 * 1024]).unwrap();
        for (situation, cause, path) in [
            ("into a directory that may not be written", "ermission denied", "shut/new"),
            ("into a directory that is not there", "directory", "none/new"),
            ("to a file", "is not a directory", "open/file"),
            ("with a file in the way of a directory", "in the way", "open/conflict"),
        ] {
            let error = self.put_dir(&format!("{base}/{path}"), &tree).await;
            table.add(&format!("{}: put -r {situation}", self.name), cause, &error);
        }
        for (situation, cause, path) in [
            ("of a directory that is not there", "is not there", "open/none"),
            ("of a file", "is not a directory", "open/file"),
            ("of a directory that may not be read", "ermission denied", "dark"),
            ("of a file inside that may not be read", "ermission denied", "tree"),
        ] {
            let error = self.get_dir(&format!("{base}/{path}")).await;
            table.add(&format!("{}: get -r {situation}", self.name), cause, &error);
        }
        if self.has_small {
            let full = "No space left on device";
            table.add(
                &format!("{}: put to a full disk", self.name),
                full,
                &self.put("/small/new").await,
            );
            let error = self.put_dir("/small/new", &tree).await;
            // GNU tar does not give the reason.
            let full = if self.name == "busybox" { full } else { "is the disk full" };
            table.add(&format!("{}: put -r to a full disk", self.name), full, &error);
            let read_only = "ead-only file system";
            let error = self.put("/fixed/new").await;
            table.add(
                &format!("{}: put to a disk that is read-only", self.name),
                read_only,
                &error,
            );
            let error = self.put_dir("/fixed/new", &tree).await;
            table.add(
                &format!("{}: put -r to a disk that is read-only", self.name),
                read_only,
                &error,
            );
        }
    }
}

#[tokio::test]
async fn of_files_over_ssh() {
    let mut table = Table::new("files-over-ssh.txt");
    let user = TestUser::create("/bin/sh");
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().display().to_string();
    std::fs::set_permissions(&base, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let words = ["-c", SETUP, "sh", &base, user.name()];
    let made = cli::run(cli::command("sh".as_ref(), words));
    assert_eq!(cli::code(&made), 0, "{}", cli::stderr(&made));
    let host = SshTarget::as_user(user.name(), Sshd::builder());
    table.mask(format!("@ssh/{}", host.name()), "TARGET");
    table.mask(host.name(), "TARGET");
    table.mask(base.clone(), "/srv");
    for (name, protocol) in [("sftp", "sftp"), ("scp", "scp")] {
        let mut data = host.data.clone();
        data.insert("ssh_file_transfer_protocol", protocol);
        let context = Context::default();
        let link = builtin_registry().connect(&host.name(), &data, &context).await.unwrap();
        Route { name, link: &link, base: &base, has_small: false }.add_all(&mut table).await;
        link.disconnect().await.unwrap();
    }
    table.compare();
}

mod with_docker {
    use hostlink::{Context, Link};
    use hostlink_testkit::WithoutFastPaths;
    use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
    use hostlink_tests::docker_target::DockerTarget;

    use super::{Route, SETUP, Table};

    #[tokio::test]
    async fn of_files_in_containers() {
        let mut table = Table::new("files-in-containers.txt");
        let options = ["--tmpfs=/small:size=64k,mode=1777", "--tmpfs=/fixed:ro,mode=1777"];
        for (image, routes) in [(DEBIAN, &["docker", "coreutils"][..]), (BUSYBOX, &["busybox"])] {
            let container = Container::start_with(image, &options);
            let _ = container.shell(&format!("set -- /srv 1000; mkdir -p /srv; {SETUP}"));
            let target = DockerTarget::new(container.name()).with("docker_user", "1000");
            let link = target.connect().await;
            table.mask(target.name, "TARGET");
            for name in routes {
                let link = match *name {
                    "coreutils" => {
                        let slow = Box::new(WithoutFastPaths::new(link.clone()));
                        Link::new(slow, link.name(), Context::default())
                    }
                    _ => link.clone(),
                };
                Route { name, link: &link, base: "/srv", has_small: true }
                    .add_all(&mut table)
                    .await;
            }
            link.disconnect().await.unwrap();
        }
        table.compare();
    }
}
