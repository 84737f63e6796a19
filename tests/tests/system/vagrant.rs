//! `@vagrant` with the real Vagrant, whose machines are containers.

/// `cargo xtask test --no-docker` leaves modules of this name out.
mod with_docker {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use futures::future::join_all;
    use hostlink::connector::Connector;
    use hostlink::connectors::VagrantConnector;
    use hostlink::transfer::{GetOptions, PutOptions};
    use hostlink::{Context, Data, Error, ErrorKind, Registry, Value, builtin_registry};
    use hostlink_tests::cli::{becomes_true, code, count_running, stderr, stdout, unique_seconds};
    use hostlink_tests::ssh_target::{Details, said};
    use hostlink_tests::vagrant::VagrantProject;

    /// The options of the machines, one of each kind: groups and data that override Vagrant's.
    const OPTIONS: &str = r#"{
        "groups": {"web": ["app", "edge"], "gone": ["app"]},
        "data": {"web": {"app_port": 8080}, "db": {"ssh_connect_timeout": 30}}
    }"#;

    /// Returns a proxy command that leaves a trace, in bash alone. It ends when either side does.
    /// ssh replaces `%h` and `%p`.
    fn proxy() -> String {
        let bash = "echo used >>\"#{__dir__}/used\"; exec 3<>/dev/tcp/%h/%p 4<&0; \
                    cat <&4 >&3 & cat <&3 & wait -n; kill $(jobs -p)";
        format!(
            "machine.ssh.proxy_command = %Q(bash -c '{bash}')\nmachine.ssh.forward_agent = true"
        )
    }

    /// Starting two machines takes most of the time, so one test checks everything about them.
    #[tokio::test(flavor = "multi_thread")]
    async fn machines_are_listed_reached_halted_and_destroyed() {
        let project = VagrantProject::with_machines(&[("web", ""), ("db", &proxy())]);
        project.write("@vagrant.json", OPTIONS);
        before_they_are_made(&project).await;
        // One after the other: once, when they came up in parallel, web was listed twice.
        project.succeed(&["up", "--no-parallel", "--provider=docker"]);
        assert_eq!(project.containers(), 2, "the control for the last check");

        groups_and_data_are_those_of_both(&project).await;
        commands_run_on_both(&project);
        files_go_to_one_and_back(&project).await;
        many_names_cost_one_call(&project).await;

        // The first one: ssh-config then reports none.
        project.succeed(&["halt", "web"]);
        the_halted_machine_is_reported(&project).await;

        project.succeed(&["destroy", "--force"]);
        assert_eq!(project.containers(), 0);
    }

    async fn before_they_are_made(project: &VagrantProject) {
        let (connector, context) = (VagrantConnector::new(), project.context());
        let error = connector.make_names_data(None, &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Inventory);
        let expected = format!(
            "@vagrant: no machine of {} runs: start them with `vagrant up`; there are: web, db",
            project.directory().display()
        );
        assert_eq!(error.to_string(), expected);
        let error = connector.make_names_data(Some("web"), &context).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "@vagrant/web: it does not run (not created): start it with `vagrant up web`"
        );
    }

    async fn groups_and_data_are_those_of_both(project: &VagrantProject) {
        let listed = builtin_registry().list("@vagrant", &project.context()).await.unwrap();
        let names: Vec<&str> = listed.targets.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["@vagrant/web", "@vagrant/db"]);
        let [web, db] = &listed.targets[..] else { panic!("two") };
        assert_eq!(web.groups, ["@vagrant", "app", "edge"]);
        assert_eq!(db.groups, ["@vagrant"]);

        let text = |data: &Data, key: &str| data.get(key).map(Value::to_string).unwrap_or_default();
        assert_eq!(text(&web.data, "app_port"), "8080");
        assert_eq!(text(&web.data, "ssh_strict_host_key_checking"), "\"no\"");
        assert_eq!(text(&web.data, "ssh_known_hosts_file"), "\"/dev/null\"");
        assert_eq!(text(&web.data, "ssh_user"), "\"vagrant\"");
        let key = project.directory().join(".vagrant/machines/web/docker/private_key");
        assert_eq!(text(&web.data, "ssh_key"), format!("{key:?}"));
        assert!(text(&db.data, "ssh_proxy_command").contains("/dev/tcp/%h/%p"), "{:?}", db.data);
        assert_eq!(text(&db.data, "ssh_connect_timeout"), "30");
        assert_eq!(web.data.get("ssh_proxy_command"), None);
    }

    fn commands_run_on_both(project: &VagrantProject) {
        let used = || {
            let trace = std::fs::read_to_string(project.directory().join("used"));
            trace.unwrap_or_default().lines().count()
        };
        let before = used();
        let line = "echo $(hostname) $(id -un) $(sudo -n id -un)";
        let output = project.hostlink(&["@vagrant", "exec", "--", line]);
        let mut lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
        lines.sort();
        let expected = ["[@vagrant/db] db vagrant root", "[@vagrant/web] web vagrant root"];
        assert_eq!((code(&output), lines), (0, expected.map(str::to_owned).to_vec()), "{output:?}");
        assert!(used() > before, "the proxy command was not used");
        let warning = "@vagrant.json: there is no machine gone; there are: web, db";
        assert!(stderr(&output).contains(warning), "{output:?}");

        let output = project.hostlink(&["@vagrant/web", "exec", "--", "hostname"]);
        assert_eq!((code(&output), stdout(&output)), (0, "web\n".to_owned()), "{output:?}");
    }

    async fn files_go_to_one_and_back(project: &VagrantProject) {
        let context = project.context();
        let link = builtin_registry().connect("@vagrant/db", &Data::new(), &context).await.unwrap();
        let content: Vec<u8> = (0..100_000_u32).map(|it| (it % 251) as u8).collect();
        link.put_file(content.clone(), "there", &PutOptions::default()).await.unwrap();
        assert_eq!(said(&link, "wc -c <there; hostname").await, "100000\ndb\n");
        let back = project.directory().join("back");
        link.get_file("there", back.as_path(), &GetOptions::default()).await.unwrap();
        assert!(std::fs::read(&back).unwrap() == content, "it came back changed");
        link.disconnect().await.unwrap();
    }

    async fn many_names_cost_one_call(project: &VagrantProject) {
        let (connector, context, before) =
            (Arc::new(VagrantConnector::new()), project.context(), project.calls());
        let asked = [None, Some("web"), Some("db"), Some("web")]
            .map(|argument| connector.make_names_data(argument, &context));
        let found: Vec<usize> =
            join_all(asked).await.into_iter().map(|hosts| hosts.unwrap().len()).collect();
        assert_eq!(found, [2, 1, 1, 1]);
        connector.make_names_data(Some("db"), &context).await.unwrap();
        assert_eq!(project.calls(), before + 1);
        // The control: another connector queries again.
        VagrantConnector::new().make_names_data(None, &context).await.unwrap();
        assert_eq!(project.calls(), before + 2);
    }

    async fn the_halted_machine_is_reported(project: &VagrantProject) {
        let (connector, details) = (VagrantConnector::new(), Details::default());
        let context = Context { reporter: details.context().reporter, ..project.context() };
        let hosts = connector.make_names_data(None, &context).await.unwrap();
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["@vagrant/db"]);
        assert_eq!(details.with("left out: it does not run (stopped)").len(), 1);
        let error = connector.make_names_data(Some("web"), &context).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "@vagrant/web: it does not run (stopped): start it with `vagrant up web`"
        );
        let error = connector.make_names_data(Some("dbx"), &context).await.unwrap_err().to_string();
        assert!(error.ends_with(" has no such machine; there are: web, db"), "{error}");
        let output = project.hostlink(&["@vagrant", "exec", "--", "hostname"]);
        assert_eq!(
            (code(&output), stdout(&output)),
            (0, "[@vagrant/db] db\n".to_owned()),
            "{output:?}"
        );
        let output = project.hostlink(&["@vagrant/db,@vagrant/web", "exec", "--", "hostname"]);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{output:?}");
    }

    /// Returns the error of `@vagrant`.
    async fn refusal(project: &VagrantProject) -> Error {
        let connector = VagrantConnector::new();
        connector.make_names_data(None, &project.context()).await.unwrap_err()
    }

    /// Returns a Vagrantfile whose third line raises this Ruby expression.
    fn failing(message: &str) -> String {
        format!("Vagrant.configure('2') do\nraise {message}\nend\n")
    }

    #[tokio::test]
    async fn a_failing_vagrantfile_is_reported_in_rubys_words() {
        let project = VagrantProject::new(&failing("'oh dear'"));
        let error = refusal(&project).await;
        let file = project.directory().join("Vagrantfile");
        let expected = format!(
            "vagrant ssh-config failed (exit status: 1): {}:3:in `block in <top (required)>': \
             oh dear (RuntimeError)",
            file.display()
        );
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Inventory, expected));
        project.write("Vagrantfile", "Vagrant.configure('2') do |config\n");
        let error = refusal(&project).await.to_string();
        assert!(error.contains("There is a syntax error in the following Vagrantfile."), "{error}");
        assert!(error.contains("Vagrantfile:1: syntax error") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn bad_input_is_one_line_and_status_2() {
        let project = VagrantProject::new("");
        let told = |words: &[&str]| {
            let output = project.hostlink(words);
            assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{output:?}");
            let told = stderr(&output);
            assert_eq!(told.lines().count(), 1, "{told}");
            told
        };
        let all = ["@vagrant", "exec", "--", "true"];
        project.write("@vagrant.json", "{\n  \"groups\": 1\n}");
        let expected = "a project/@vagrant.json:2:13: invalid type: integer, expected a map\n";
        assert!(told(&all).ends_with(expected), "{}", told(&all));
        assert_eq!(project.calls(), 0, "vagrant was asked before that was told");

        std::fs::remove_file(project.directory().join("@vagrant.json")).unwrap();
        std::fs::remove_file(project.directory().join("Vagrantfile")).unwrap();
        let expected = "Run `vagrant init` to create a new Vagrant environment.";
        assert!(told(&all).contains(expected), "{}", told(&all));
        let expected = "@vagrant/: write @vagrant, or a machine's name after the slash";
        assert!(told(&["@vagrant/", "exec", "--", "true"]).contains(expected));
    }

    #[test]
    fn options_with_a_secret_that_others_can_read_are_warned_of() {
        let project = VagrantProject::new(&failing("'oh dear'"));
        let warned = |data: &str, mode: u32| {
            project.write("@vagrant.json", &format!("{{\"data\": {{\"web\": {data}}}}}"));
            let file = project.directory().join("@vagrant.json");
            std::fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
            let told = stderr(&project.hostlink(&["@vagrant", "inventory"]));
            assert!(!told.contains("hunter2") && told.contains("oh dear"), "{told}");
            told.matches("@vagrant.json contains a secret").count()
        };
        let secret = "{\"deep\": [{\"db_password\": \"hunter2\"}]}";
        assert_eq!(warned(secret, 0o644), 1);
        assert_eq!(warned(secret, 0o600), 0);
        assert_eq!(warned("{\"role\": \"hunter2\"}", 0o644), 0);
    }

    #[test]
    fn a_project_outside_the_limit_is_never_queried() {
        let project = VagrantProject::new(&failing("'oh dear'"));
        let inventory = "groups: {box: {hosts: ['@vagrant']}, other: {hosts: ['@local']}}\n";
        project.write("inv.yaml", inventory);
        let exec = |limit: &str| {
            project.hostlink(&["./inv.yaml", "--limit", limit, "exec", "--", "echo ran"])
        };
        let output = exec("other");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).contains("ran"), "{}", stdout(&output));
        assert_eq!(project.calls(), 0);
        assert_eq!(code(&exec("box")), 2, "the control");
        assert_eq!(project.calls(), 1);
    }

    #[tokio::test]
    async fn output_without_end_is_refused() {
        let project = VagrantProject::new("loop { puts 'x' * 1_000_000 }\n");
        let error = refusal(&project).await;
        let expected = "vagrant ssh-config wrote more than 16 MiB";
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Inventory, expected));
    }

    #[tokio::test]
    async fn without_vagrant_it_is_said_what_to_install() {
        let project = VagrantProject::new("");
        let mut context = project.context();
        context.environment.insert("PATH".to_owned(), "/nowhere".to_owned());
        let error = VagrantConnector::new().make_names_data(None, &context).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Inventory);
        let expected = "there is no vagrant on PATH: install it from your distribution";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_call_that_is_given_up_leaves_no_process() {
        let seconds = unique_seconds();
        let project = VagrantProject::new(&format!("system('sleep', '{seconds}')\n"));
        let mut registry = Registry::new();
        registry.register(Arc::new(VagrantConnector::new()));
        let context = project.context();
        let asking = tokio::spawn(async move { registry.list("@vagrant", &context).await });
        assert!(becomes_true(|| count_running("sleep", &seconds) == 1), "the control");
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        assert!(becomes_true(|| count_running("sleep", &seconds) == 0), "it runs on");
    }

    #[tokio::test]
    async fn it_sees_no_secret_of_hostlink_and_no_other_directory() {
        let names = "%w[HOSTLINK_SSH_PASSWORD HOSTLINK_SUDO_PASSWORD CONTROL VAGRANT_CWD]";
        let seen = format!("{names}.map {{ |name| \"#{{name}}=#{{ENV[name]}}\" }}.join(' ')");
        let project = VagrantProject::new(&failing(&seen));
        let mut context = project.context();
        for name in ["HOSTLINK_SSH_PASSWORD", "HOSTLINK_SUDO_PASSWORD", "CONTROL", "VAGRANT_CWD"] {
            context.environment.insert(name.to_owned(), "/hunter2".to_owned());
        }
        let error = VagrantConnector::new().make_names_data(None, &context).await.unwrap_err();
        let expected = "HOSTLINK_SSH_PASSWORD= HOSTLINK_SUDO_PASSWORD= CONTROL=/hunter2 VAGRANT_CWD= (RuntimeError)";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}
