//! Every kind of source says the same.

use hostlink_core::{ConnectorArguments, NameData, StringCommand};
use hostlink_inventory::{GroupDefinition, HostDefinition, Inventory, Pattern};

use crate::scene::{Cloud, Files, build, context, names, registry, value};

const YAML: &str = "
data: {ssh_user: deploy}
hosts: [h0]
groups:
  web: {hosts: [w1, {name: w2, data: {layer: host}}], children: [edge], data: {layer: web}}
  edge: {hosts: ['e[1-2]']}
";

const TOML: &str = "
hosts = ['h0']
data = { ssh_user = 'deploy' }
[groups.web]
hosts = ['w1', { name = 'w2', data = { layer = 'host' } }]
children = ['edge']
data = { layer = 'web' }
[groups.edge]
hosts = ['e[1-2]']
";

const JSON: &str = r#"{"data": {"ssh_user": "deploy"}, "hosts": ["h0"], "groups": {
  "web": {"hosts": ["w1", {"name": "w2", "data": {"layer": "host"}}], "children": ["edge"], "data": {"layer": "web"}},
  "edge": {"hosts": ["e[1-2]"]}}}"#;

fn check(inventory: &Inventory, source: &str) {
    assert_eq!(names(inventory), "h0 w1 w2 e1 e2", "{source}");
    for (host, layer) in [("h0", "-"), ("w1", "web"), ("w2", "host"), ("e1", "web"), ("e2", "web")]
    {
        assert_eq!(value(inventory, host, "layer"), layer, "{source}: {host}");
        assert_eq!(value(inventory, host, "ssh_user"), "deploy", "{source}: {host}");
    }
    assert_eq!(inventory.host("e1").unwrap().groups(), ["all", "@ssh", "web", "edge"], "{source}");
    let members =
        |name: &str| inventory.group(name).map(|host| host.name()).collect::<Vec<_>>().join(" ");
    assert_eq!(members("web"), "w1 w2 e1 e2", "{source}");
    assert_eq!(members("all"), "h0 w1 w2 e1 e2", "{source}");
    assert_eq!(inventory.children("web"), ["edge"], "{source}");
    assert_eq!(members("nothing"), "");
}

#[tokio::test]
async fn files_in_every_format_programs_directories_and_code_say_the_same() {
    let script = format!("#!/bin/sh\n[ \"$1\" = --list ] || exit 1\ncat <<'EOF'\n{JSON}\nEOF\n");
    let files = Files::new(&[
        ("a.yaml", YAML),
        ("b.yml", YAML),
        ("c.toml", TOML),
        ("d.json", JSON),
        ("inv.sh", &script),
        ("dir/inventory.toml", TOML),
    ]);
    for name in ["a.yaml", "b.yml", "c.toml", "d.json", "inv.sh", "dir"] {
        let list = files.path(name).display().to_string();
        check(&build(Inventory::builder().targets(&list).unwrap()).await, name);
    }
    let w2 = HostDefinition::new("w2").with_data("layer", "host");
    let web = GroupDefinition::new()
        .with_host("w1")
        .with_host(w2)
        .with_child("edge")
        .with_data("layer", "web");
    let edge = GroupDefinition::new().with_host("e1").with_host("e2");
    let builder = Inventory::builder().data("ssh_user", "deploy").host("h0");
    check(&build(builder.group("web", web).group("edge", edge)).await, "code");
}

#[tokio::test]
async fn targets_are_names_ranges_files_and_chains_together() {
    let files = Files::new(&[("inv.yaml", "groups: {web: {hosts: [w1, w2]}}")]);
    let list = format!(
        "w2,{},db[1-2],@docker/x,@ssh/h/@chroot//srv,w2,@local",
        files.path("inv.yaml").display()
    );
    let inventory = build(Inventory::builder().targets(&list).unwrap()).await;
    assert_eq!(names(&inventory), "w2 w1 db1 db2 @docker/x @ssh/h/@chroot//srv @local");
    assert_eq!(inventory.host("w2").unwrap().groups(), ["all", "@ssh", "web"]);
    assert_eq!(inventory.host("@ssh/h/@chroot//srv").unwrap().connector(), "chroot");
}

#[tokio::test]
async fn a_host_says_how_it_is_reached() {
    let text = "hosts: [{name: a, target: '@docker/x'}, {name: b, target: h/@chroot//srv}, {name: c, target: '@local'}, d]";
    let files = Files::new(&[("inv.yaml", text)]);
    let inventory = build(Inventory::builder().path(files.path("inv.yaml"))).await;
    let connectors: Vec<&str> = inventory.hosts().map(|host| host.connector()).collect();
    assert_eq!(
        (names(&inventory).as_str(), connectors),
        ("a b c d", vec!["docker", "chroot", "local", "ssh"])
    );
}

#[tokio::test]
async fn the_same_host_from_two_sources_is_one() {
    let hosts =
        vec![NameData::new("c1").with_data("x", 1), NameData::new("c2").with_target("@docker/c2")];
    let files = Files::new(&[(
        "inv.yaml",
        "groups: {a: {hosts: ['@cloud']}, b: {hosts: ['@cloud/again']}}",
    )]);
    let registry = registry(Some(Cloud::new(hosts, vec![])));
    let inventory = Inventory::builder()
        .path(files.path("inv.yaml"))
        .build(&registry, &context())
        .await
        .unwrap();
    assert_eq!(names(&inventory), "c1 c2");
    assert_eq!(inventory.host("c1").unwrap().groups(), ["all", "@cloud", "@ssh", "a", "b"]);
    let builder = Inventory::builder().path(files.path("inv.yaml")).host("c1");
    let error = builder.build(&registry, &context()).await.unwrap_err().to_string();
    assert!(error.contains("c1 is another target than the c1 of"), "{error}");
}

#[tokio::test]
async fn a_host_is_reached_alike_whichever_of_its_mentions_says_how() {
    let plain = "g: {hosts: [a, '@cloud']}";
    let said = "h: {hosts: [{name: a, target: '@local'}, {name: '@cloud'}]}";
    for text in [format!("groups: {{{plain}, {said}}}"), format!("groups: {{{said}, {plain}}}")] {
        let files = Files::new(&[("inv.yaml", &text)]);
        for (limit, exclude, expected) in [
            ("@local", "", "a"),
            ("@ssh", "", "w1"),
            ("", "@local", "c1 w1"),
            ("@ssh", "@local", "w1"),
        ] {
            let mut builder = Inventory::builder().host("w1").path(files.path("inv.yaml"));
            if !limit.is_empty() {
                builder = builder.limit(Pattern::parse(limit).unwrap());
            }
            if !exclude.is_empty() {
                builder = builder.exclude(Pattern::parse(exclude).unwrap());
            }
            let connectors = registry(Some(Cloud::new(vec![NameData::new("c1")], vec![])));
            let inventory = builder.build(&connectors, &context()).await.unwrap();
            assert_eq!(names(&inventory), expected, "{text}: {limit} {exclude}");
        }
        let inventory = Inventory::builder().path(files.path("inv.yaml"));
        let connectors = registry(Some(Cloud::new(vec![NameData::new("c1")], vec![])));
        let inventory = inventory.build(&connectors, &context()).await.unwrap();
        let mut groups = inventory.host("a").unwrap().groups();
        groups.sort_unstable();
        assert_eq!(groups, ["@local", "all", "g", "h"], "{text}");
    }
}

#[tokio::test]
async fn what_lists_hosts_is_known_as_such_by_whichever_mention_says_so() {
    for text in
        ["hosts: [a, {name: a, target: '@cloud'}]", "hosts: [{name: a, target: '@cloud'}, a]"]
    {
        let files = Files::new(&[("inv.yaml", text)]);
        let connectors = registry(Some(Cloud::new(vec![NameData::new("c1")], vec![])));
        let builder = Inventory::builder().path(files.path("inv.yaml"));
        let inventory = builder.build(&connectors, &context()).await.unwrap();
        assert_eq!(names(&inventory), "c1", "{text}");
        let mut groups = inventory.host("c1").unwrap().groups();
        groups.sort_unstable();
        assert_eq!(groups, ["@cloud", "@ssh", "all"], "{text}");
    }
}

#[tokio::test]
async fn a_host_that_several_entries_stand_for_is_not_contradicted() {
    for (one, other, says) in [
        ("x: 1", "x: 2", Some("x")),
        ("x: 1", "x: null", Some("x")),
        ("x: null", "x: 1", Some("x")),
        ("x: 1, y: 1", "y: 1, z: 1", None),
    ] {
        let text = format!(
            "hosts: [{{name: '@cloud', data: {{{one}}}}}, {{name: '@cloud/again', data: {{{other}}}}}]"
        );
        let files = Files::new(&[("inv.yaml", &text)]);
        let connectors = registry(Some(Cloud::new(vec![NameData::new("c1")], vec![])));
        let built =
            Inventory::builder().path(files.path("inv.yaml")).build(&connectors, &context()).await;
        match (built, says) {
            (Ok(inventory), None) => {
                assert_eq!(["x", "y", "z"].map(|key| value(&inventory, "c1", key)), ["1"; 3]);
            }
            (Err(error), Some(key)) => {
                let said = format!("c1: its {key} is another one at ");
                assert!(error.to_string().contains(&said), "{text}: {error}");
            }
            (built, _) => panic!("{text}: {built:?}"),
        }
    }
}

#[tokio::test]
async fn ssh_config_lists_the_hosts_that_it_names() {
    let files = Files::new(&[
        (
            "home/.ssh/config",
            "Host web1 web2 # x\n  User a\nHost *.example.com !no\n  Include only\nInclude other\nMatch host db\n  Include other\nhost=\"db2\"\n\
             Match all\nInclude conf.d/*.conf conf.d/*/config \"my dir/inc\" conf.d/[ab]c none\n\
             Host \"two words\" -oX git@web9 'quoted' web\\1 a:b fe80::1 a,b\n",
        ),
        ("home/.ssh/only", "Host in.example.com outside *\nHost no\n"),
        ("home/.ssh/other", "Host other\n"),
        ("home/.ssh/conf.d/a.conf", "Include ~/.ssh/conf.d/b\nHost db1\nHost web1\n"),
        ("home/.ssh/conf.d/b", "Host last\n"),
        ("home/.ssh/conf.d/bc", "Host class\n"),
        ("home/.ssh/conf.d/x/config", "Host globbed\n"),
        ("home/.ssh/conf.d/.x/config", "Host hidden\n"),
        ("home/.ssh/conf.d/.y.conf", "Host hidden\n"),
        ("home/.ssh/my dir/inc", "Host spaced\n"),
        ("bad/.ssh/config", "Host a\nInclude b\n"),
        ("bad/.ssh/b", "\nHost \"x y\n"),
    ]);
    let listed_of = async |home: &str, targets: &str| {
        let context = hostlink_core::Context { home: Some(files.path(home)), ..context() };
        let built =
            Inventory::builder().targets(targets).unwrap().build(&registry(None), &context).await;
        built.map(|inventory| names(&inventory)).map_err(|error| error.to_string())
    };
    let listed = async |targets: &str| listed_of("home", targets).await;
    assert_eq!(listed("@sshconfig/web*").await.unwrap(), "web1 web2");
    assert_eq!(
        listed("@sshconfig").await.unwrap(),
        "web1 web2 in.example.com db2 last db1 globbed spaced class quoted fe80::1"
    );
    assert!(listed("@sshconfig/x*").await.unwrap_err().contains("names no host that matches x*"));
    let found = listed_of("bad", "@sshconfig").await.unwrap_err();
    assert!(found.ends_with("/bad/.ssh/b:2: a quote is not closed"), "{found}");
    let found = listed_of("nobody", "@sshconfig").await.unwrap_err();
    assert!(
        found.ends_with(
            "/nobody/.ssh/config: cannot be read: No such file or directory (os error 2)"
        ),
        "{found}"
    );
    let bytes = b"# caf\xe9\nHost b\xfcro web1\n  User m\xfcller\nHost web2\n";
    std::fs::write(files.path("bad/.ssh/config"), bytes).unwrap();
    assert_eq!(listed_of("bad", "@sshconfig").await.unwrap(), "web1 web2");
}

#[tokio::test]
async fn ssh_itself_knows_the_hosts_that_its_configuration_is_said_to_name() {
    let files = Files::new(&[]);
    let at = files.path("").display().to_string();
    let at = at.trim_end_matches('/');
    let named = |names: &str| format!("Host {names}\n  User named\n");
    for (name, text) in [
        ("my dir/inc", named("spaced")),
        ("conf.d/x/config", named("globbed")),
        ("conf.d/.x/config", named("hidden")),
        ("block", named("in.example.com") + &named("out")),
        (
            "config",
            format!(
                "Include \"{at}/my dir/inc\" {at}/conf.d/*/config\n{}Host *.example.com !no\nInclude {at}/block\n\
                 Match host db\nInclude {at}/block\nHost *\nUser other\n",
                named("\"two words\" 'quoted' back\\\\slash -oX plain # comment")
            ),
        ),
    ] {
        let path = files.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let config = files.path("config").display().to_string();
    let settings = hostlink_core::Data::new().with("ssh_config_file", config.as_str());
    let context = hostlink_core::Context { home: Some(files.path("")), settings, ..context() };
    let listed = registry(None).list("@sshconfig", &context).await.unwrap().targets;
    let listed: Vec<&str> = listed.iter().map(|target| target.name.as_str()).collect();
    let candidates = [
        "spaced",
        "globbed",
        "hidden",
        "in.example.com",
        "out",
        "two words",
        "quoted",
        "back\\slash",
        "-oX",
        "plain",
        "comment",
    ];
    for name in candidates {
        let ssh = std::process::Command::new("ssh")
            .args(["-F", &config, "-G", "--", name])
            .output()
            .unwrap();
        let printed = String::from_utf8(ssh.stdout).unwrap();
        let is_named = printed.lines().any(|line| line == "user named");
        assert_eq!(listed.contains(&name), is_named, "{name}: {listed:?}");
    }
    assert_eq!(listed, ["spaced", "globbed", "quoted", "plain", "in.example.com"]);
}

#[tokio::test]
async fn a_host_has_the_defaults_of_its_data() {
    let text = "data: {_sudo: true}\nhosts: [{name: w1, data: {_sudo_user: www, _env: {A: b}}}]";
    let files = Files::new(&[("inv.yaml", text)]);
    let inventory = build(Inventory::builder().path(files.path("inv.yaml"))).await;
    let host = inventory.host("w1").unwrap();
    let arguments = host.arguments().await.unwrap();
    assert_eq!((arguments.sudo, arguments.sudo_user.as_deref()), (Some(true), Some("www")));
    let arguments = ConnectorArguments::new().with_sudo_user("root");
    let command =
        host.make_unix_command(&StringCommand::shell("id"), &arguments).await.unwrap().to_string();
    assert!(
        command.contains("sudo") && command.contains("root") && !command.contains("www"),
        "{command}"
    );
}

#[tokio::test]
async fn data_are_read_by_type_and_every_fault_is_told_with_the_host() {
    let text = "data: {workers: four, api_token: [hunter2], role: web, port: '80', on: 'yes'}\nhosts: [w1]";
    let files = Files::new(&[("inv.yaml", text)]);
    let inventory = build(Inventory::builder().path(files.path("inv.yaml"))).await;
    let host = inventory.host("w1").unwrap();
    let read =
        host.read(|data| (data.own("role"), data.own("port"), data.own("on"), data.own("none")));
    let read: (Option<String>, Option<u32>, Option<bool>, Option<String>) = read.unwrap();
    assert_eq!(read, (Some("web".into()), Some(80), Some(true), None));
    let faults = host.read(|data| (data.own::<u32>("workers"), data.own::<String>("api_token")));
    assert_eq!(
        faults.unwrap_err().to_string(),
        "w1: workers: \"four\" is not a whole number, 0 or more; api_token: *** is not text"
    );
}
