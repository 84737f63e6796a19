//! What comes from elsewhere neither runs code here, nor reads files or variables, nor speaks for
//! others' hosts.

use std::sync::Arc;

use hostlink_core::{Context, Data, GroupData, NameData};
use hostlink_inventory::Inventory;

use crate::scene::{Cloud, Files, Told, build, context, error, names, of_yaml, registry, value};

fn printing(json: &str) -> Files {
    Files::new(&[("p", &format!("#!/bin/sh\ncat <<'EOF'\n{json}\nEOF\n"))])
}

#[tokio::test]
async fn what_a_program_prints_does_not_reach_this_machine() {
    for (json, problem) in [
        (
            r#"{"hosts": [{"name": "h", "data": {"_sudo_password_env": "AWS_SECRET"}}]}"#,
            "_sudo_password_env: what a program prints may not set this",
        ),
        (
            r#"{"hosts": [{"name": "h", "data": {"ssh_password_env": "AWS_SECRET"}}]}"#,
            "ssh_password_env: what a program prints may not set this",
        ),
        (
            r#"{"groups": {"g": {"data": {"ssh_proxy_command": "x"}}}}"#,
            "ssh_proxy_command: what a program prints may not set this",
        ),
        (r#"{"hosts": ["x/@ansible//etc/passwd"]}"#, "x/@ansible//etc/passwd is on this machine"),
        (r#"{"hosts": ["@ssh/h/@ansible//etc/passwd"]}"#, "is on this machine"),
        (r#"{"hosts": ["x/@sshconfig"]}"#, "x/@sshconfig is on this machine"),
        (r#"{"hosts": [{"name": "h", "target": "x/@local"}]}"#, "x/@local is on this machine"),
        (r#"{"hosts": ["@chroot//etc"]}"#, "@chroot//etc is on this machine"),
        (
            r#"{"_meta": {"hostvars": {"h": {"ansible_connection": "docker", "ansible_host": "c/@sshconfig"}}}, "g": ["h"]}"#,
            "c/@sshconfig is on this machine",
        ),
        (
            r#"{"groups": {"@ssh": {"data": {"ssh_user": "evil"}}}}"#,
            "@ssh is the group of a connector",
        ),
    ] {
        let files = printing(json);
        let found = error(Inventory::builder().path(files.path("p")), &files).await;
        assert!(found.contains(problem), "{json}: {found}");
    }
    // The control: own words that end alike, and a root behind a host.
    let files = printing(
        r#"{"hosts": [{"name": "h", "target": "x/@chroot//srv", "data": {"app_env": "prod", "_env": {}}}]}"#,
    );
    assert_eq!(names(&build(Inventory::builder().path(files.path("p"))).await), "h");
}

#[tokio::test]
async fn no_host_is_called_like_a_directory() {
    for name in [".", "..", "a/.."] {
        let listed = NameData::new(name).with_target("@docker/x");
        let builder = Inventory::builder().host("@cloud");
        let connectors = registry(Some(Cloud::new(vec![listed], vec![])));
        let told = builder.build(&connectors, &context()).await.unwrap_err().to_string();
        assert!(told.contains(&format!("{name:?} is not a valid host name")), "{told}");
        let files =
            printing(&format!(r#"{{"hosts": [{{"name": "{name}", "target": "@docker/x"}}]}}"#));
        let found = error(Inventory::builder().path(files.path("p")), &files).await;
        assert!(found.contains(&format!("{name:?} is not a valid host name")), "{found}");
    }
    let found = error(Inventory::builder().host(".."), &Files::new(&[])).await;
    assert!(found.contains("\"..\" is not a valid host name"), "{found}");
    // The control: dots that are no directory, and paths of connectors.
    let listed = vec![NameData::new("...").with_target("@docker/x"), NameData::new("a..b")];
    let connectors = registry(Some(Cloud::new(listed, vec![])));
    let builder = Inventory::builder().host("@cloud").host("@chroot//srv/../x");
    let inventory = builder.build(&connectors, &context()).await.unwrap();
    assert_eq!(names(&inventory), "... a..b @chroot//srv/../x");
}

#[tokio::test]
async fn what_only_lists_hosts_stands_behind_nothing() {
    for name in ["x/@sshconfig", "@ssh/x/@ansible//etc/passwd", "@docker/x/@cloud"] {
        let cloud = Cloud::new(vec![NameData::new("c1")], vec![]);
        let builder = Inventory::builder().host(name);
        let error = builder.build(&registry(Some(cloud.clone())), &context()).await.unwrap_err();
        assert!(error.to_string().contains("cannot follow another target"), "{name}: {error}");
        assert_eq!(cloud.asked(), 0);
    }
}

#[tokio::test]
async fn what_is_said_of_all_hosts_from_elsewhere_holds_for_those_that_come_from_there() {
    let files = printing(r#"{"data": {"x": "program"}, "hosts": ["p1"]}"#);
    let inventory = build(Inventory::builder().host("mine").path(files.path("p"))).await;
    assert_eq!(
        (value(&inventory, "p1", "x"), value(&inventory, "mine", "x")),
        ("program".into(), "-".into())
    );
    let all =
        GroupData { name: "all".into(), data: Data::new().with("x", "cloud"), children: vec![] };
    let cloud = Cloud::new(vec![NameData::new("c1")], vec![all]);
    let builder = Inventory::builder().host("mine").host("@cloud");
    let inventory =
        builder.clone().build(&registry(Some(cloud.clone())), &context()).await.unwrap();
    assert_eq!(
        (value(&inventory, "c1", "x"), value(&inventory, "mine", "x")),
        ("cloud".into(), "-".into())
    );
    let trusting = Context { trust_data: true, ..context() };
    let inventory = builder.build(&registry(Some(cloud)), &trusting).await.unwrap();
    assert_eq!(value(&inventory, "mine", "x"), "cloud");
}

#[tokio::test]
async fn groups_that_no_limit_could_name_are_refused() {
    for group in ["a:b", "*", "web servers", "a,b", ""] {
        let cloud = Cloud::new(vec![NameData::new("c1").with_group(group)], vec![]);
        let builder = Inventory::builder().host("@cloud");
        let error = builder.build(&registry(Some(cloud)), &context()).await.unwrap_err();
        assert!(error.to_string().contains("is not a valid group name"), "{group}: {error}");
    }
}

#[tokio::test]
async fn pipes_are_not_waited_for() {
    let files = Files::new(&[("x", "")]);
    let path = files.path("fifo.yaml");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let found = error(Inventory::builder().path(&path), &files).await;
    assert!(found.contains("fifo.yaml: cannot be read: it is no regular file"), "{found}");
    let found = error(Inventory::builder().host("w1").group_data(&path), &files).await;
    assert!(found.contains("no regular file"), "{found}");
}

#[tokio::test]
async fn data_for_a_group_or_a_host_that_there_is_not_are_told() {
    let files = Files::new(&[
        ("d/inventory.yaml", "groups: {web: {hosts: [w1]}}"),
        ("d/group_data/webb.yaml", "x: 1"),
        ("d/group_data/elsewhere.yaml", "x: 1"),
        ("d/host_data/w11.yaml", "x: 1"),
    ]);
    let told = Arc::new(Told::default());
    let context = Context { reporter: told.clone(), ..context() };
    Inventory::builder().path(files.path("d")).build(&registry(None), &context).await.unwrap();
    assert_eq!(
        told.warnings(),
        [
            "there is no group \"webb\" (did you mean web?), and there are data for it",
            "there is no host \"w11\" (did you mean w1?), and there are data for it",
        ]
    );
}

#[tokio::test]
async fn names_of_hosts_are_no_patterns() {
    for name in ["!w1", "w*", "a&b", "w?"] {
        let files = Files::new(&[("a.yaml", &format!("hosts: ['{name}']"))]);
        let found = error(Inventory::builder().path(files.path("a.yaml")), &files).await;
        assert!(
            found.contains("a.yaml:1:9: ") && found.contains("--limit and --exclude"),
            "{found}"
        );
    }
    assert_eq!(names(&of_yaml("hosts: ['@docker/a?b']").await), "@docker/a?b");
    // Nor are those of what connectors list.
    let listed = async |name: &str| {
        let cloud = Cloud::new(vec![NameData::new(name).with_target("@ssh/h")], vec![]);
        let builder = Inventory::builder().host("@cloud");
        builder.build(&registry(Some(cloud)), &context()).await
    };
    for name in ["", "all", "w*", "!w", "..", " w", "w\t1"] {
        let found = listed(name).await.unwrap_err().to_string();
        assert!(found.contains("@cloud lists a host that cannot be: "), "{name:?}: {found}");
    }
    // Machines of Terraform may have such names.
    assert_eq!(names(&listed("w 1").await.unwrap()), "w 1");
}
