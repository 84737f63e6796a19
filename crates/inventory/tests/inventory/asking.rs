//! Who is asked for hosts where a limit narrows: exactness goes before not asking.

use std::sync::Arc;

use hostlink_core::NameData;
use hostlink_inventory::Host;

use crate::scene::{Cloud, Files, context, limited, names, registry, value};

/// Three hosts, each of which is also listed by its groups.
fn cloud() -> Arc<Cloud> {
    let host = |name: &str, groups: &[&str]| {
        let host = NameData::new(name);
        groups.iter().fold(host, |host, group| host.with_group(*group))
    };
    let hosts =
        vec![host("w1", &["any", "old", "new"]), host("w2", &["any", "new"]), host("w3", &["any"])];
    Cloud::new(hosts, vec![])
}

/// Each row: limit, exclusion, the hosts, and what the connector is asked for.
async fn check(text: &str, rows: &[(&str, &str, &str, &str)]) {
    let files = Files::new(&[("inv.yaml", text), ("e.ini", "[web]\ne1\n")]);
    for (limit, exclude, expected, asked) in rows {
        let cloud = cloud();
        let built =
            limited(&files, limit, exclude).build(&registry(Some(cloud.clone())), &context()).await;
        let row = format!("limit {limit}, exclude {exclude}");
        let mut chosen: Vec<String> = (built.unwrap_or_else(|error| panic!("{row}: {error}")))
            .hosts()
            .map(|host| host.name().to_owned())
            .collect();
        chosen.sort_unstable();
        assert_eq!(chosen.join(" "), *expected, "{row}");
        assert_eq!(cloud.asked_for(), *asked, "{row}");
    }
}

#[tokio::test]
async fn what_narrows_is_asked_where_anything_is_left_beside_it() {
    let text = "
hosts: ['@cloud/any']
groups:
  old: {hosts: ['@cloud/old']}
  new: {hosts: ['@cloud/new']}
  static: {hosts: [w2, s1]}
  old-too: {children: [old]}
";
    check(
        text,
        &[
            ("", "", "s1 w1 w2 w3", "any new old"),
            // What is left out may be listed by somebody else.
            ("", "old", "s1 w2 w3", "any new old"),
            ("", "old-too", "s1 w2 w3", "any new old"),
            ("", "@cloud/old", "s1 w2 w3", "any new old"),
            ("", "@cloud/o*", "s1 w2 w3", "any new old"),
            ("!old", "", "s1 w2 w3", "any new old"),
            ("new:!old", "", "w2", "new old"),
            ("new", "old", "w2", "new old"),
            ("new:!@cloud/old", "", "w2", "new old"),
            ("all:!@cloud", "", "s1", "any new old"),
            ("static", "@cloud", "s1", "any new old"),
            ("static", "new", "s1", "new"),
            ("static:!new", "", "s1", "new"),
            // Both sides of `&`, whichever comes first.
            ("new:&old", "", "w1", "new old"),
            ("old:&new", "", "w1", "new old"),
            ("static:&new", "", "w2", "new"),
            ("new:&static", "", "w2", "new"),
            ("@cloud/new:&static", "", "w2", "new"),
            ("static:&@cloud/new", "", "w2", "new"),
            ("new:&w2", "", "w2", "new"),
            ("w2:&new", "", "w2", "new"),
            ("", "new:&old", "s1 w2 w3", "any new old"),
            ("", "new:&static", "s1 w1 w3", "any new old"),
            ("static", "all:!new", "w2", "new"),
            ("static", "!new", "w2", "new"),
            // What a connector lists is meant by the name of its entry.
            ("@cloud/old", "", "w1", "old"),
            ("@cloud/o*,s1", "", "s1 w1", "any new old"),
            ("@cloud/old,s1", "", "s1 w1", "old"),
            // It makes no difference.
            ("static", "", "s1 w2", ""),
            ("s1", "static", "", ""),
            ("old", "old", "", ""),
            ("s1:!s1", "new", "", ""),
            ("static:&s1", "", "s1", ""),
            ("static", "s1", "w2", ""),
            ("s1:&static", "", "s1", ""),
        ],
    )
    .await;
    // The hosts of a file that is read anyway are left out, too.
    let text = "
hosts: ['@ansible/FILE']
groups: {web: {}, old: {hosts: ['@cloud/old']}}
";
    let files = Files::new(&[("e.ini", "[web]\nw1\nw9\n")]);
    let text = text.replace("FILE", &files.path("e.ini").display().to_string());
    check(&text, &[("web", "", "w1 w9", ""), ("web", "old", "w9", "old")]).await;
}

#[tokio::test]
async fn a_group_with_a_child_that_nobody_knows_is_left_out_as_a_whole() {
    let text = "{hosts: ['@cloud'], groups: {a: {hosts: [w1, w2, s1]}, b: {children: [old]}}}";
    check(text, &[("a", "", "s1 w1 w2", ""), ("a:!b", "", "s1 w2", "-"), ("a", "b", "s1 w2", "-")])
        .await;
}

#[tokio::test]
async fn a_wildcard_means_connectors_only_if_it_begins_like_them() {
    let text = "{hosts: ['@cloud/any', d1]}";
    check(
        text,
        &[
            ("", "*d*", "w1 w2 w3", "any"),
            ("*d*", "", "d1", "any"),
            ("@cloud/*", "", "w1 w2 w3", "any"),
        ],
    )
    .await;
    let files = Files::new(&[("inv.yaml", text)]);
    let built = limited(&files, "", "*/a*").build(&registry(Some(cloud())), &context()).await;
    let error = built.unwrap_err().to_string();
    assert!(error.starts_with("no host and no group is called */a*"), "{error}");
}

/// A chain whose first link a connector lists.
#[tokio::test]
async fn what_a_host_is_reached_through_is_asked_with_its_settings_and_only_inside_the_limit() {
    let text = "
data: {cloud_region: eu}
hosts: ['@cloud/old/@chroot//srv', w9, {name: w8, target: '@cloud/old/@chroot//8', data: {cloud_region: us}}]
groups: {one: {hosts: ['@cloud/any']}}
";
    let chain = "@cloud/old/@chroot//srv";
    check(
        text,
        &[
            ("", "", "@cloud/old/@chroot//srv w1 w2 w3 w8 w9", "any=\"eu\" old=\"eu\" old=\"us\""),
            (chain, "", chain, "old=\"eu\""),
            ("w8", "", "w8", "old=\"us\""),
            ("w9", "", "w9", ""),
            ("one", "", "w1 w2 w3", "any=\"eu\""),
            ("w*", "w8", "w1 w2 w3 w9", "any=\"eu\""),
            ("@chroot", "w8", chain, "old=\"eu\""),
        ],
    )
    .await;
    // Somebody else lists a host of this name.
    let text = text.replace("w8", "w3");
    let files = Files::new(&[("inv.yaml", &text)]);
    let built = limited(&files, "one", "").build(&registry(Some(cloud())), &context()).await;
    let error = built.unwrap_err().to_string();
    assert!(error.contains("inv.yaml:3:40: ") && error.contains("w3 is another target"), "{error}");
    assert_eq!(
        names(
            &limited(&files, "w9", "").build(&registry(Some(cloud())), &context()).await.unwrap()
        ),
        "w9"
    );
}

/// A connector lists one host by another connector, and one over SSH.
#[tokio::test]
async fn a_listed_host_is_among_those_by_the_connector_that_reaches_it() {
    for (others, rows) in [
        (
            "",
            [
                ("", "", "c1 c2 w1", 1),
                ("@docker", "", "c1", 1),
                ("", "@docker", "c2 w1", 1),
                ("all:!@docker", "", "c2 w1", 1),
                ("all:&@docker", "", "c1", 1),
                ("@cloud:!@docker", "", "c2", 1),
                ("@cloud:&@docker", "", "c1", 1),
                ("@docker:&@cloud", "", "c1", 1),
                ("@cloud", "@d*", "c2", 1),
                ("", "@ssh", "c1", 1),
                ("w1", "@docker", "w1", 0),
                ("w1:!@docker", "", "w1", 0),
            ],
        ),
        (
            ", '@docker/k'",
            [
                ("", "", "@docker/k c1 c2 w1", 1),
                // It is known, and so not looked for elsewhere.
                ("@docker", "", "@docker/k", 0),
                ("", "@docker", "c2 w1", 1),
                ("all:!@docker", "", "c2 w1", 1),
                ("all:&@docker", "", "@docker/k c1", 1),
                ("@cloud:!@docker", "", "c2", 1),
                ("@cloud:&@docker", "", "c1", 1),
                ("@docker:&@cloud", "", "c1", 1),
                ("@cloud", "@d*", "c2", 1),
                ("", "@ssh", "@docker/k c1", 1),
                ("w1", "@docker", "w1", 0),
                ("w1:!@docker", "", "w1", 0),
            ],
        ),
    ] {
        let text = format!(
            "{{hosts: ['@cloud', w1{others}], groups: {{'@docker': {{data: {{by: docker, on: group}}}}}}, data: {{by: all}}}}"
        );
        let files = Files::new(&[("inv.yaml", &text)]);
        for (limit, exclude, expected, asked) in rows {
            let by_docker =
                NameData::new("c1").with_target("@docker/c1").with_data("on", "connector");
            let cloud = Cloud::new(vec![by_docker, NameData::new("c2")], vec![]);
            let registry = registry(Some(cloud.clone()));
            let built = limited(&files, limit, exclude).build(&registry, &context()).await;
            let row = format!("others {others:?}, limit {limit}, exclude {exclude}");
            let built = built.unwrap_or_else(|error| panic!("{row}: {error}"));
            let mut chosen: Vec<&str> = built.hosts().map(Host::name).collect();
            chosen.sort_unstable();
            assert_eq!((&*chosen.join(" "), cloud.asked()), (expected, asked), "{row}");
            for host in chosen {
                let by_docker = ["@docker/k", "c1"].contains(&host);
                assert_eq!(value(&built, host, "by"), if by_docker { "docker" } else { "all" });
            }
            if let Some(host) = built.host("c1") {
                assert_eq!(host.groups(), ["all", "@cloud", "@docker"], "{row}");
                assert_eq!(value(&built, "c1", "on"), "connector");
            }
        }
    }
}
