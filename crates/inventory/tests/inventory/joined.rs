//! What several sources or groups say of one host, or of one name that lists hosts.

use hostlink_core::NameData;
use hostlink_inventory::Inventory;

use crate::scene::{Cloud, Files, build, context, error, names, registry, value};

fn two() -> Files {
    Files::new(&[
        ("two.ini", "[web]\nw1 ansible_host=10.0.0.1\nw2\n"),
        ("three.ini", "[blue]\nw1 ansible_host=10.0.0.3\n"),
        ("extra.yaml", "groups: {canary: {hosts: [w1], data: {canary: true}}}"),
        ("says.yaml", "hosts: [{name: w1, data: {ssh_hostname: 10.0.0.2}}]"),
    ])
}

#[tokio::test]
async fn who_only_names_a_host_means_the_one_that_a_list_knows() {
    let files = two();
    let (list, extra) =
        (format!("@ansible/{}", files.path("two.ini").display()), files.path("extra.yaml"));
    for builder in [
        Inventory::builder().targets(&list).unwrap().path(&extra),
        Inventory::builder().path(&extra).targets(&list).unwrap(),
        Inventory::builder().path(files.path("two.ini")).path(&extra),
    ] {
        let inventory = build(builder).await;
        for (key, expected) in [("ssh_hostname", "10.0.0.1"), ("canary", "true")] {
            assert_eq!(value(&inventory, "w1", key), expected);
        }
        let groups = inventory.host("w1").unwrap().groups();
        assert!(["web", "canary", "@ssh"].iter().all(|it| groups.contains(it)), "{groups:?}");
        assert_eq!(value(&inventory, "w2", "canary"), "-");
    }
}

#[tokio::test]
async fn two_that_say_something_else_of_a_host_are_told_apart() {
    let files = two();
    let name = |file: &str| format!("@ansible/{}", files.path(file).display());
    let list = Inventory::builder().targets(&name("two.ini")).unwrap();
    let found = error(list.clone().targets(&name("three.ini")).unwrap(), &files).await;
    let expected = "@ansible/three.ini: w1 is another target than the w1 of @ansible/two.ini: \
                    let only one of both name it";
    assert_eq!(found, expected);
    let found = error(list.path(files.path("says.yaml")), &files).await;
    let expected = "says.yaml:1:9: w1 is another target than the w1 of @ansible/two.ini";
    assert!(found.starts_with(expected), "{found}");
}

#[tokio::test]
async fn what_lists_hosts_is_not_asked_for_one_group_alone() {
    let refused = |eu: &str, us: &str| {
        format!(
            "groups: {{eu: {{hosts: ['@cloud'], data: {{{eu}}}}}, us: {{hosts: ['@cloud'], data: {{{us}}}, children: [eu2]}}, eu2: {{}}}}"
        )
    };
    let cloud = || Cloud::new(vec![NameData::new("c1")], vec![]);
    let built = async |text: &str| {
        let files = Files::new(&[("inv.yaml", text)]);
        let builder = Inventory::builder().path(files.path("inv.yaml"));
        let built = builder.build(&registry(Some(cloud())), &context()).await;
        built.map(|it| value(&it, "c1", "region")).map_err(|error| {
            error
                .to_string()
                .replace(&format!("{}/", files.path("").parent().unwrap().display()), "")
        })
    };
    let error = built(&refused("cloud_region: eu", "cloud_region: us")).await.unwrap_err();
    let expected = "@cloud is in eu and in us, which give it another cloud_region each: name it in each with a \
                    name of its own, like {name: of-eu, target: \"@cloud\"}";
    assert!(error.ends_with(expected) && error.contains("inv.yaml:1:"), "{error}");
    for (eu, us, region) in [
        ("cloud_region: eu", "cloud_region: eu", "eu"),
        ("cloud_region: eu", "other: us", "eu"),
        ("", "", "-"),
    ] {
        assert_eq!(built(&refused(eu, us)).await.unwrap(), region, "{eu} {us}");
    }
    // A group goes before the one that it is in, and the entry's own data before both.
    let inner = "groups: {outer: {hosts: ['@cloud'], data: {cloud_region: eu}, children: [inner]}, inner: {hosts: ['@cloud'], data: {cloud_region: us}}}";
    assert_eq!(built(inner).await.unwrap(), "us");
    let own = refused("cloud_region: eu", "cloud_region: us").replacen(
        "'@cloud'",
        "{name: '@cloud', data: {cloud_region: own}}",
        1,
    );
    assert_eq!(built(&own).await.unwrap(), "own");
}

#[tokio::test]
async fn a_host_behind_a_listed_one_has_the_data_of_its_later_group() {
    let host = "{hosts: ['@cloud/c/@chroot//srv'], data: {ssh_user: USER}}";
    let (a, b) = (host.replace("USER", "a"), host.replace("USER", "b"));
    let files = Files::new(&[("inv.yaml", &format!("groups: {{a: {a}, b: {b}}}"))]);
    let builder = Inventory::builder().path(files.path("inv.yaml"));
    let cloud = Cloud::new(vec![NameData::new("c")], vec![]);
    let inventory = builder.build(&registry(Some(cloud)), &context()).await.unwrap();
    assert_eq!(value(&inventory, "@cloud/c/@chroot//srv", "ssh_user"), "b");
}

#[tokio::test]
async fn what_lists_hosts_may_stand_under_several_names() {
    let text = "groups: {eu: {hosts: [{name: of-eu, target: '@cloud/a'}], data: {cloud_region: eu}}, us: {hosts: [{name: of-us, target: '@cloud/b'}], data: {cloud_region: us}}}";
    let hosts = vec![NameData::new("c1").with_group("a"), NameData::new("c2").with_group("b")];
    let cloud = Cloud::new(hosts, vec![]);
    let files = Files::new(&[("inv.yaml", text)]);
    let builder = Inventory::builder().path(files.path("inv.yaml"));
    let inventory = builder.build(&registry(Some(cloud.clone())), &context()).await.unwrap();
    assert_eq!(cloud.asked_for(), "a=\"eu\" b=\"us\"");
    assert_eq!(names(&inventory), "c1 c2");
    for (host, region, group) in [("c1", "eu", "eu"), ("c2", "us", "us")] {
        assert_eq!(value(&inventory, host, "region"), region);
        assert!(inventory.host(host).unwrap().groups().contains(&group), "{host}");
    }
}

#[tokio::test]
async fn the_listed_name_of_another_connectors_target_means_that_target() {
    let names = ["@docker/x", "h/@chroot//srv", "web1", "deploy@web2"].map(NameData::new);
    let cloud = Cloud::new(names.to_vec(), Vec::new());
    let registry = registry(Some(cloud));
    let build = async |targets: &str, context: &hostlink_core::Context| {
        Inventory::builder().targets(targets).unwrap().build(&registry, context).await
    };
    let inventory = build("@cloud", &context()).await.unwrap();
    let found: Vec<_> = inventory.hosts().map(|host| (host.name(), host.connector())).collect();
    let wanted = [
        ("@docker/x", "docker"),
        ("h/@chroot//srv", "chroot"),
        ("web1", "ssh"),
        ("deploy@web2", "ssh"),
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn what_is_not_trusted_lists_no_host_that_is_this_machine_by_its_name() {
    let cloud = Cloud::new(vec![NameData::new("@local")], Vec::new());
    let registry = registry(Some(cloud));
    for trust_data in [false, true] {
        let context = hostlink_core::Context { trust_data, ..context() };
        let inventory =
            Inventory::builder().targets("@cloud").unwrap().build(&registry, &context).await;
        match inventory {
            Ok(inventory) => {
                let connectors: Vec<_> = inventory.hosts().map(|host| host.connector()).collect();
                assert_eq!((trust_data, connectors), (true, vec!["local"]));
            }
            Err(error) => assert!(!trust_data && error.to_string().contains("--trust-data")),
        }
    }
}

#[tokio::test]
async fn settings_of_the_caller_go_before_those_of_sources_and_are_not_lost() {
    let files = Files::new(&[("inv.yaml", "data: {cloud_region: eu}\nhosts: ['@cloud']\n")]);
    let region = |region: &str| hostlink_core::Data::new().with("cloud_region", region);
    for (settings, overrides, wanted) in [
        (hostlink_core::Data::new(), hostlink_core::Data::new(), "-=\"eu\""),
        (region("us"), hostlink_core::Data::new(), "-=\"us\""),
        (region("us"), region("asia"), "-=\"asia\""),
    ] {
        let cloud = Cloud::new(vec![NameData::new("w1")], Vec::new());
        let context = hostlink_core::Context { settings, ..context() };
        let builder = Inventory::builder().path(files.path("inv.yaml")).override_data(&overrides);
        builder.build(&registry(Some(cloud.clone())), &context).await.unwrap();
        assert_eq!(cloud.asked_for(), wanted);
    }
}
