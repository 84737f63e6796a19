//! Options of sudo without sudo, sudo with groups, and its messages where a password would not
//! help.

use hostlink::transfer::{GetOptions, PutOptions, Source};
use hostlink::{ConnectorArguments, Context, Data, ErrorKind, builtin_registry};

/// Without the tool the file would be the caller's.
#[tokio::test]
async fn a_transfer_refuses_options_of_a_tool_that_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file").display().to_string();
    let link = builtin_registry().connect("@local", &Data::new(), &Context::default()).await;
    let link = link.unwrap();
    let (login, says) =
        (ConnectorArguments::new().with_use_sudo_login(true), "no effect without _sudo");
    let options = PutOptions::default().with_arguments(login.clone());
    let put = link.put_file(Source::bytes(b"text".to_vec()), &path, &options).await;
    let options = GetOptions::default().with_arguments(login);
    let get = link.get_file("/etc/passwd", &mut Vec::new(), &options).await;
    for error in [put.unwrap_err(), get.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Data, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    link.put_file(Source::bytes(b"text".to_vec()), &path, &PutOptions::default()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"text", "the control");
}

mod with_docker {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use hostlink::connect::Prompter;
    use hostlink::transfer::{PutOptions, Source};
    use hostlink::{
        ConnectorArguments, Error, ErrorKind, Link, Refusal, Result, Secret, StringCommand,
    };
    use hostlink_tests::container::{Container, DEBIAN};
    use hostlink_tests::docker_target::DockerTarget;

    const PASSWORD: &str = "correct horse";

    /// Knows the password, and counts the prompts.
    #[derive(Debug, Default)]
    struct Asked(AtomicUsize);

    impl Asked {
        fn times(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[async_trait]
    impl Prompter for Asked {
        async fn ask_secret(&self, _target: &str, _question: &str) -> Result<Secret> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(PASSWORD.into())
        }
    }

    async fn connect(container: &Container, user: &str) -> (Link, Arc<Asked>) {
        let asked = Arc::<Asked>::default();
        let mut target = DockerTarget::new(container.name()).with("docker_user", user);
        target.context.prompter = asked.clone();
        (target.connect().await, asked)
    }

    fn sudo() -> ConnectorArguments {
        ConnectorArguments::new().with_sudo(true)
    }

    async fn run(link: &Link, line: &str, arguments: &ConnectorArguments) -> Result<String> {
        let output = link.run_shell_command(&StringCommand::shell(line), arguments).await?;
        Ok(String::from_utf8(output.check()?.stdout()).unwrap())
    }

    #[tokio::test]
    async fn a_terminal_that_sudo_requires_is_reported_without_a_prompt() {
        let container = Container::start(DEBIAN);
        container.set_password("sudoer", PASSWORD);
        container.write_file("/etc/sudoers.d/tty", "440", b"Defaults:trusted requiretty\n");
        let (link, asked) = connect(&container, "trusted").await;
        let error = run(&link, "id -un", &sudo()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
        assert!(error.to_string().contains("get_pty"), "{error}");
        assert!(error.stderr_tail().unwrap().contains("you must have a tty"), "{error:?}");
        assert_eq!(asked.times(), 0);
        let on_terminal = sudo().with_get_pty(true);
        assert_eq!(run(&link, "id -un", &on_terminal).await.unwrap().trim(), "root");
        assert_eq!(asked.times(), 0);
        link.disconnect().await.unwrap();

        // The control: a user who needs a password is prompted.
        let (link, asked) = connect(&container, "sudoer").await;
        assert_eq!(run(&link, "id -un", &sudo()).await.unwrap(), "root\n");
        assert_eq!(asked.times(), 1);
        link.disconnect().await.unwrap();
    }

    #[tokio::test]
    async fn a_password_prompt_names_a_user() {
        let container = Container::start(DEBIAN);
        for user in ["sudoer", "trusted"] {
            let (link, asked) = connect(&container, user).await;
            for (arguments, says) in [
                (sudo().with_sudo_user("nosuch"), "unknown user nosuch"),
                (sudo().with_sudo_group("nosuch"), "unknown group nosuch"),
            ] {
                let error = run(&link, "id", &arguments).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Privilege, "{error}");
                assert!(error.stderr_tail().unwrap().contains(says), "{error:?}");
            }
            assert_eq!(asked.times(), 0, "{user}");
            link.disconnect().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_command_and_its_files_have_the_group_that_sudo_gives() {
        let container = Container::start(DEBIAN);
        container.set_password("sudoer", PASSWORD);
        for user in ["trusted", "sudoer"] {
            let (link, _) = connect(&container, user).await;
            let staff = sudo().with_sudo_group("staff");
            let cases = [
                (staff.clone(), user),
                (staff.clone().with_sudo_user("root"), "root"),
                (staff.with_sudo_user("plain"), "plain"),
            ];
            for (arguments, whose) in cases {
                let who = run(&link, "id -un; id -gn", &arguments).await.unwrap();
                assert_eq!(who, format!("{whose}\nstaff\n"), "{user}");
                let path = format!("/tmp/{user}-{whose}");
                let options = PutOptions::default().with_arguments(arguments.clone());
                link.put_file(Source::bytes(b"text".to_vec()), &path, &options).await.unwrap();
                let owner = container.shell(&format!("stat -c %U:%G {path}"));
                assert_eq!(owner, format!("{whose}:staff\n"), "{user}");

                let limited = arguments.with_timeout(Duration::from_secs(2));
                let error = run(&link, "sleep 4242", &limited).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                assert_eq!(error.kill_confirmed(), Some(true), "{user} as {whose}: {error:?}");
                assert!(!container.shell("ps -ef").contains("sleep 4242"));
            }
            link.disconnect().await.unwrap();
        }
    }

    /// Why sudo does not run `id` for the user that a script makes in a container.
    async fn refused(script: &str) -> Error {
        let container = Container::start(DEBIAN);
        let _ = container.shell(&format!("useradd -m req; echo req:pw | chpasswd; {script}"));
        let (link, _) = connect(&container, "req").await;
        run(&link, "echo one; id", &sudo().with_sudo_password("pw")).await.unwrap_err()
    }

    #[tokio::test]
    async fn sudo_tells_its_own_reason_and_not_its_last_line() {
        let allow = |what: &str| format!("echo 'req ALL=(ALL) {what}' >/etc/sudoers.d/req");
        let expired = format!("{}; chage -d 2000-01-01 -M 10 -I 5 req", allow("ALL"));
        let must_change = format!("{}; chage -d 0 req", allow("ALL"));
        for (script, refusal, said) in [
            (allow("/usr/bin/id"), Some(Refusal::NotAllowed), "sh -c …' as root on"),
            (allow("/usr/bin/id"), Some(Refusal::NotAllowed), "sudoers has to allow sh"),
            (expired, None, "sudo: account validation failure"),
            (
                must_change,
                Some(Refusal::NoPassword),
                "sudo: Account or password is expired, reset your",
            ),
            (":".into(), None, "req is not in the sudoers file"),
        ] {
            let error = refused(&script).await;
            assert_eq!((error.kind(), error.refusal()), (ErrorKind::Privilege, refusal), "{error}");
            let told = error.to_string();
            assert!(told.contains(said) && !told.contains("echo one"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_password_that_would_not_help_is_not_asked_for() {
        for (spoil, says) in [
            ("chage --expiredate 1 trusted", "account validation failure"),
            ("chmod 666 /etc/sudoers", "world writable"),
            ("echo 'Defaults requiretty' >>/etc/sudoers", "you must have a tty"),
        ] {
            let container = Container::start(DEBIAN);
            let (link, asked) = connect(&container, "trusted").await;
            assert_eq!(run(&link, "id -un", &sudo()).await.unwrap(), "root\n", "the control");
            let _ = container.shell(spoil);
            let error = run(&link, "id -un", &sudo()).await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!((error.kind(), asked.times()), (ErrorKind::Privilege, 0), "{error}");
            link.disconnect().await.unwrap();
        }
    }
}
