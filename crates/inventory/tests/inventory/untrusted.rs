//! What is not trusted speaks of its own hosts alone.

use std::sync::Arc;

use hostlink_core::{Context, Data, GroupData, NameData};
use hostlink_inventory::{Builder, Inventory, Pattern};

use crate::scene::{Cloud, Files, Told, build, context, error, names, registry, value};

const USERS: &str =
    "groups: {web: {hosts: [w1], data: {ssh_user: deploy}}, db: {hosts: [d1], data: {role: db}}}";

/// The user's file, and a program that prints this.
fn beside(json: &str) -> Files {
    Files::new(&[("u.yaml", USERS), ("p", &format!("#!/bin/sh\ncat <<'EOF'\n{json}\nEOF\n"))])
}

/// The user's file before the program, and after it.
fn both_orders(files: &Files) -> [Builder; 2] {
    let (user, program) = (files.path("u.yaml"), files.path("p"));
    [[&user, &program], [&program, &user]]
        .map(|paths| paths.into_iter().fold(Inventory::builder(), Builder::path))
}

fn trusting() -> Context {
    Context { trust_data: true, ..context() }
}

#[tokio::test]
async fn a_program_gives_others_hosts_neither_a_target_nor_data() {
    for said in [
        r#""data": {"ssh_hostname": "evil.example", "_env": {"A": "b"}}"#,
        r#""target": "@ssh/evil.example""#,
    ] {
        for json in [
            format!(r#"{{"hosts": [{{"name": "w1", {said}}}]}}"#),
            format!(r#"{{"groups": {{"g": {{"hosts": [{{"name": "w1", {said}}}]}}}}}}"#),
        ] {
            let files = beside(&json);
            for builder in both_orders(&files) {
                let found = error(builder.clone(), &files).await;
                let (_, problem) = found.split_once(": ").unwrap();
                assert!(found.starts_with("p:1:"), "{found}");
                assert!(problem.starts_with("w1 is a host of u.yaml:1:"), "{found}");
                assert!(found.contains("--trust-data"), "{found}");
                let inventory = builder.build(&registry(None), &trusting()).await.unwrap();
                assert_eq!(names(&inventory).replace("d1 w1", "w1 d1"), "w1 d1");
            }
            // By another program.
            let other = beside(r#"{"hosts": ["w1"]}"#);
            for paths in [[files.path("p"), other.path("p")], [other.path("p"), files.path("p")]] {
                let builder = paths.into_iter().fold(Inventory::builder(), Builder::path);
                let found = error(builder, &files).await;
                assert!(found.starts_with("p:1:") && found.contains("w1 is a host of "), "{found}");
            }
            // By the command line, and by the other name of the same host.
            for name in ["w1", "@ssh/w1"] {
                let builder = Inventory::builder().host(name).path(files.path("p"));
                let found = error(builder, &files).await;
                assert!(found.contains("w1 is "), "{found}");
            }
        }
    }
}

#[tokio::test]
async fn a_program_says_nothing_of_others_hosts_by_their_groups() {
    let json = r#"{
        "data": {"from_all": 1, "ssh_hostname": "evil"},
        "hosts": ["w1"],
        "groups": {
            "web": {"hosts": ["p1", "w1"], "data": {"ssh_user": "x", "_env": {"A": "b"}}},
            "db": {"hosts": ["p2"]},
            "top": {"children": ["db"], "data": {"ssh_proxy_jump": "evil"}},
            "over": {"children": ["top"], "data": {"over": 1}},
            "mixed": {"hosts": ["w1", "p2"]},
            "around": {"children": ["mixed"]}
        }
    }"#;
    let files = beside(json);
    for builder in both_orders(&files) {
        let inventory = build(builder.clone()).await;
        let shown = |host: &str| {
            ["ssh_user", "_env", "ssh_proxy_jump", "over", "from_all", "role"]
                .map(|key| value(&inventory, host, key))
                .join(" ")
        };
        assert_eq!(shown("w1"), "deploy - - - - -");
        assert_eq!(shown("d1"), "- - - - - db");
        // Its own hosts, for which the user's data go before it.
        assert_eq!(shown("p1"), "deploy {\"A\": \"b\"} - - 1 -");
        assert_eq!(shown("p2"), "- - evil 1 1 db");
        assert_eq!(
            inventory.host("p2").unwrap().groups(),
            ["all", "@ssh", "over", "around", "top", "mixed", "db"]
        );
        assert_eq!(inventory.host("w1").unwrap().groups(), ["all", "@ssh", "web", "mixed"]);
        let limited = async |limit: &str| {
            let builder = builder.clone().limit(Pattern::parse(limit).unwrap());
            names(&build(builder).await)
        };
        assert_eq!(limited("top").await, "p2");
        assert_eq!(limited("over").await, "p2");
        assert_eq!(limited("web:!w1").await, "p1");
        assert_eq!(limited("db:!top").await, "d1");
        assert_eq!(limited("mixed:!around").await, "w1");
        assert_eq!(limited("around").await, "p2");
        // Trusted, it says all that of theirs, too.
        let inventory = builder.build(&registry(None), &trusting()).await.unwrap();
        assert_eq!(value(&inventory, "d1", "ssh_proxy_jump"), "evil");
        assert_eq!(value(&inventory, "w1", "from_all"), "1");
    }
}

#[tokio::test]
async fn a_limit_takes_the_data_of_groups_that_a_program_puts_into_one_another() {
    let json = r#"{"groups": {
        "top": {"children": ["db"], "data": {"t": 1}}, "db": {"hosts": ["p1"], "data": {"d": 1}}
    }}"#;
    // With a host of the user's in `db`, and without.
    for user in [USERS, "groups: {db: {data: {role: db}}, top: {data: {user: 1}}}"] {
        let files = Files::new(&[
            ("u.yaml", user),
            ("p", &format!("#!/bin/sh\ncat <<'EOF'\n{json}\nEOF\n")),
        ]);
        for limit in ["top", "db"] {
            let builder = Inventory::builder().path(files.path("u.yaml")).path(files.path("p"));
            let builder = builder.limit(Pattern::parse(limit).unwrap());
            let inventory = build(builder).await;
            for (key, expected) in [("t", "1"), ("d", "1"), ("role", "db")] {
                assert_eq!(value(&inventory, "p1", key), expected, "{limit}: {key}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_user_says_holds_for_the_hosts_of_programs() {
    let json = r#"{"hosts": [{"name": "p1", "data": {"ssh_hostname": "10.0.0.1", "x": "program"}}],
        "groups": {"web": {"hosts": ["p1"], "data": {"x": "program", "y": "program"}}}}"#;
    let files = Files::new(&[
        ("d/inventory.yaml", "data: {a: user}\ngroups: {prod: {children: [web], data: {z: user}}}"),
        ("d/group_data/web.yaml", "y: user"),
        ("d/host_data/p1.yaml", "x: user"),
        ("p", &format!("#!/bin/sh\ncat <<'EOF'\n{json}\nEOF\n")),
    ]);
    let (user, program) = (files.path("d"), files.path("p"));
    let builder = Inventory::builder().path(&program).path(&user);
    let inventory = build(builder).await;
    let shown = ["a", "x", "y", "z", "ssh_hostname"].map(|key| value(&inventory, "p1", key));
    assert_eq!(shown.join(" "), "user user user user 10.0.0.1");
    // The same host from the same program is one.
    let builder = Inventory::builder().path(&program).path(&program);
    assert_eq!(names(&build(builder).await), "p1");
}

#[tokio::test]
async fn what_a_connector_lists_of_groups_holds_for_its_own_hosts() {
    let group = |name: &str, key: &str, children: &[&str]| GroupData {
        name: name.into(),
        data: Data::new().with(key, "evil"),
        children: children.iter().map(|&child| child.to_owned()).collect(),
    };
    let groups = vec![
        group("all", "from_all", &[]),
        group("web", "ssh_user", &[]),
        group("top", "ssh_proxy_jump", &["db"]),
    ];
    let hosts = vec![
        NameData::new("w1").with_group("web"),
        NameData::new("c1").with_group("web"),
        NameData::new("c2").with_group("db"),
    ];
    let cloud = Cloud::new(hosts, groups);
    let files = Files::new(&[("u.yaml", USERS)]);
    let told = Arc::new(Told::default());
    let context = Context { reporter: told.clone(), ..context() };
    let builder = Inventory::builder().path(files.path("u.yaml")).host("@cloud");
    let connectors = registry(Some(cloud));
    let inventory = builder.clone().build(&connectors, &context).await.unwrap();
    let shown = |inventory: &Inventory, host: &str| {
        ["ssh_user", "ssh_proxy_jump", "from_all"].map(|key| value(inventory, host, key)).join(" ")
    };
    assert_eq!(shown(&inventory, "w1"), "deploy - -");
    assert_eq!(shown(&inventory, "d1"), "- - -");
    assert_eq!(shown(&inventory, "c1"), "deploy - evil");
    assert_eq!(shown(&inventory, "c2"), "- evil evil");
    assert_eq!(
        told.warnings(),
        [
            "@cloud names hosts that others name, too: what it says of groups does not hold for these; --trust-data allows it"
        ]
    );
    let inventory = builder.build(&connectors, &trusting()).await.unwrap();
    assert_eq!(shown(&inventory, "d1"), "- evil evil");
    // A host of the same name that is another one.
    let listed = NameData::new("w1").with_data("ssh_hostname", "evil.example");
    let builder = Inventory::builder().path(files.path("u.yaml")).host("@cloud");
    let connectors = registry(Some(Cloud::new(vec![listed], vec![])));
    let found = builder.build(&connectors, &context).await.unwrap_err().to_string();
    assert!(found.contains("w1 is another target than the w1 of "), "{found}");
    assert!(found.contains("let only one of both name it"), "{found}");
}
