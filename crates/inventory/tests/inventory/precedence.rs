//! Which layer wins.

use hostlink_core::{Context, Data, GroupData, NameData};
use hostlink_inventory::{Inventory, Pattern};

use crate::scene::{Cloud, Files, build, context, of_yaml, registry, value};

/// What is given in each layer, from the weakest to the strongest.
const LAYERS: [&str; 8] =
    ["default", "all", "parent", "child", "later", "connector", "host", "override"];

/// The inventory in which only some layers give `x`, each its own name.
async fn with_layers(given: &[&str]) -> Inventory {
    let of = |layer: &str| match given.contains(&layer) {
        true => format!("{{x: {layer}}}"),
        false => "{}".to_owned(),
    };
    let text = format!(
        "data: {}\n\
         groups:\n  \
           later: {{data: {}, hosts: []}}\n  \
           child: {{data: {}}}\n  \
           parent: {{data: {}, children: [child]}}\n  \
           cloud: {{hosts: [{{name: '@cloud', data: {}}}]}}\n",
        of("all"),
        of("later"),
        of("child"),
        of("parent"),
        of("host"),
    );
    // Groups without parents come first; `later` is named before the others, so it is made a child
    // of `child`.
    let text = text.replace("child: {data: ", "child: {children: [later], data: ");
    let files = Files::new(&[("inv.yaml", &text)]);
    let mut listed = NameData::new("w1").with_group("later").with_group("parent");
    if given.contains(&"connector") {
        listed = listed.with_data("x", "connector");
    }
    let data = |layer: &str| match given.contains(&layer) {
        true => Data::new().with("x", layer),
        false => Data::new(),
    };
    let builder = Inventory::builder()
        .path(files.path("inv.yaml"))
        .default_data(&data("default"))
        .override_data(&data("override"));
    let registry = registry(Some(Cloud::new(vec![listed], vec![])));
    builder.build(&registry, &context()).await.unwrap()
}

/// Each layer alone, against each stronger one: 8 + 28 rows.
#[tokio::test]
async fn the_stronger_of_any_two_layers_wins() {
    let mut rows = 0;
    for (weak, name) in LAYERS.iter().enumerate() {
        assert_eq!(value(&with_layers(&[name]).await, "w1", "x"), *name);
        rows += 1;
        for strong in &LAYERS[weak + 1..] {
            let inventory = with_layers(&[name, strong]).await;
            assert_eq!(value(&inventory, "w1", "x"), *strong, "{name} and {strong}");
            rows += 1;
        }
    }
    println!("{rows} rows");
    assert!(rows >= 30);
    assert_eq!(value(&with_layers(&[]).await, "w1", "x"), "-");
}

/// Each row: the inventory, the limit, and `x` of w1.
#[tokio::test]
async fn groups_are_merged_in_their_order() {
    let host = "{hosts: [w1], data: {x: NAME}}";
    let group = |name: &str| format!("{name}: {}", host.replace("NAME", name));
    let two = format!("groups: {{{}, {}}}", group("a"), group("b"));
    let turned = format!("groups: {{{}, {}}}", group("b"), group("a"));
    let nested = "groups: {c: {data: {x: c}, children: [a]}, b: {data: {x: b}, hosts: [w1]}, a: {data: {x: a}, hosts: [w1]}}";
    let deep = "groups: {a: {data: {x: a}, hosts: [w1]}, b: {data: {x: b}, children: [a]}, c: {data: {x: c}, children: [b]}}";
    // Depth goes before the order of names.
    let deep_first = "groups: {c: {children: [a]}, a: {data: {x: a}, hosts: [w1]}, b: {data: {x: b}, hosts: [w1]}}";
    let diamond = "groups: {a: {data: {x: a}, children: [c, d]}, c: {data: {x: c}, children: [e]}, d: {data: {x: d}, children: [e]}, e: {hosts: [w1]}}";
    let null = "data: {x: all}\ngroups: {a: {hosts: [w1], data: {x: null}}}";
    for (text, limit, expected) in [
        (two.as_str(), "", "b"),
        (&two, "a", "a"),
        (&two, "b", "b"),
        (&two, "a,b", "b"),
        (&two, "w1", "b"),
        (&two, "all", "b"),
        (&two, "w*", "b"),
        (&two, "@ssh", "b"),
        (&two, "a,w1", "b"),
        (&two, "a:&b", "b"),
        (&turned, "", "a"),
        (&turned, "b", "b"),
        (nested, "", "a"),
        (nested, "c", "a"),
        (nested, "b", "b"),
        (deep, "", "a"),
        (deep, "c", "a"),
        (deep, "b", "a"),
        (deep_first, "", "a"),
        (diamond, "", "d"),
        (diamond, "c", "c"),
        (null, "", "-"),
        (null, "a", "-"),
    ] {
        let files = Files::new(&[("inv.yaml", text)]);
        let mut builder = Inventory::builder().path(files.path("inv.yaml"));
        if !limit.is_empty() {
            builder = builder.limit(Pattern::parse(limit).unwrap());
        }
        let inventory = build(builder).await;
        assert_eq!(value(&inventory, "w1", "x"), expected, "{text} limited to {limit}");
    }
}

#[tokio::test]
async fn data_of_files_go_before_those_of_inventories() {
    let files = Files::new(&[
        (
            "inv/inventory.yaml",
            "data: {a: inv}\ngroups: {web: {hosts: [{name: w1, data: {h: inv}}, w2], data: {g: inv, k: inv}}}",
        ),
        ("inv/group_data/web.toml", "g = 'file'"),
        ("inv/group_data/all.json", "{\"a\": \"file\"}"),
        ("inv/group_data/unused.yaml", "x: 1"),
        ("inv/host_data/w1.yaml", "h: file"),
        ("more/web.yaml", "g: more"),
        ("one/web.yaml", "k: one"),
    ]);
    let builder = Inventory::builder().path(files.path("inv"));
    let inventory = build(builder.clone()).await;
    let shown = |inventory: &Inventory| {
        ["a", "g", "h", "k"].map(|key| value(inventory, "w1", key)).join(" ")
    };
    assert_eq!(shown(&inventory), "file file file inv");
    assert_eq!(value(&inventory, "w2", "h"), "-");
    assert!(!inventory.groups().contains(&"unused"), "{:?}", inventory.groups());
    let builder = builder.group_data(files.path("more")).group_data(files.path("one/web.yaml"));
    let inventory = build(builder.host_data("w1", Data::new().with("h", "code"))).await;
    assert_eq!(shown(&inventory), "file more code one");
}

#[tokio::test]
async fn listed_groups_have_data_and_children_and_the_files_go_before_them() {
    let group = |name: &str, children: &[&str]| GroupData {
        name: name.into(),
        data: Data::new().with("x", format!("listed {name}")).with("y", name),
        children: children.iter().map(|&child| child.to_owned()).collect(),
    };
    let cloud = Cloud::new(
        vec![NameData::new("w1").with_group("db"), NameData::new("w2").with_group("web")],
        vec![group("all", &[]), group("web", &["db"]), group("db", &[])],
    );
    let files = Files::new(&[("inv.yaml", "hosts: ['@cloud']\ngroups: {web: {data: {x: file}}}")]);
    let builder = Inventory::builder().path(files.path("inv.yaml"));
    let inventory = builder.build(&registry(Some(cloud)), &context()).await.unwrap();
    assert_eq!(value(&inventory, "w1", "x"), "listed db");
    assert_eq!(value(&inventory, "w2", "x"), "file");
    assert_eq!(value(&inventory, "w2", "y"), "web");
    assert_eq!(inventory.host("w1").unwrap().groups(), ["all", "@cloud", "@ssh", "web", "db"]);
}

#[tokio::test]
async fn settings_of_an_entry_reach_its_connector() {
    for (text, expected) in [
        ("hosts: [{name: '@cloud', data: {cloud_region: here}}]", "here"),
        ("data: {cloud_region: all}\nhosts: ['@cloud']", "all"),
        ("groups: {g: {data: {cloud_region: group}, hosts: ['@cloud']}}", "group"),
    ] {
        let files = Files::new(&[("inv.yaml", text)]);
        let cloud = Cloud::new(vec![NameData::new("w1")], vec![]);
        let builder = Inventory::builder().path(files.path("inv.yaml"));
        let inventory = builder.build(&registry(Some(cloud)), &context()).await.unwrap();
        assert_eq!(value(&inventory, "w1", "region"), expected);
    }
}

/// Each row: an inventory, a file beside it, and the password for sudo of w1.
#[tokio::test]
async fn what_goes_before_another_in_one_layer_replaces_its_secret_in_whatever_way() {
    let files = Files::new(&[("secret", "from file\n")]);
    let path = files.path("secret").display().to_string();
    let (plain, file) = ("_sudo_password: plain", format!("_sudo_password_file: {path}"));
    for (weak, strong, expected) in [(plain, file.as_str(), "from file"), (&file, plain, "plain")] {
        for (inventory, beside) in [
            (format!("groups: {{web: {{hosts: [w1], data: {{{weak}}}}}}}"), "group_data/web.yaml"),
            (format!("hosts: [w1]\ndata: {{{weak}}}"), "group_data/all.yaml"),
            (format!("hosts: [{{name: w1, data: {{{weak}}}}}]"), "host_data/w1.yaml"),
        ] {
            let files =
                Files::new(&[("d/inventory.yaml", &inventory), (&format!("d/{beside}"), strong)]);
            let inventory = build(Inventory::builder().path(files.path("d"))).await;
            assert_eq!(sudo_password(&inventory).await, expected, "{beside}: {strong}");
        }
        let of = |data: &str| format!("groups: {{web: {{hosts: [w1], data: {{{data}}}}}}}");
        let files = Files::new(&[("a.yaml", &of(weak)), ("b.yaml", &of(strong))]);
        let builder = Inventory::builder().path(files.path("a.yaml")).path(files.path("b.yaml"));
        assert_eq!(sudo_password(&build(builder).await).await, expected, "{strong}");
        let data = |text: &str| {
            let (key, value) = text.split_once(": ").unwrap();
            Data::new().with(key, value)
        };
        let builder = Inventory::builder().host("w1").host_data("w1", data(weak));
        let inventory = build(builder.host_data("w1", data(strong))).await;
        assert_eq!(sudo_password(&inventory).await, expected, "{strong}");
        // What a connector lists is under it.
        let group = GroupData {
            name: "web".into(),
            data: data("_sudo_password: listed"),
            children: vec![],
        };
        let all = GroupData { name: "all".into(), ..group.clone() };
        let cloud = Cloud::new(vec![NameData::new("w1").with_group("web")], vec![group, all]);
        let text = format!("hosts: ['@cloud']\ngroups: {{web: {{data: {{{strong}}}}}}}");
        let files = Files::new(&[("a.yaml", &text)]);
        for trust_data in [false, true] {
            let context = Context { trust_data, ..context() };
            let builder = Inventory::builder().path(files.path("a.yaml"));
            let inventory = builder.build(&registry(Some(cloud.clone())), &context).await.unwrap();
            assert_eq!(sudo_password(&inventory).await, expected, "{strong}");
        }
    }
}

async fn sudo_password(inventory: &Inventory) -> String {
    let target = inventory.host("w1").unwrap().target().await.unwrap();
    let Some(hostlink_core::Value::Secret(secret)) = target.data.get("_sudo_password") else {
        panic!("{:?}", target.data)
    };
    secret.expose().to_owned()
}

#[tokio::test]
async fn secrets_of_a_stronger_layer_replace_those_of_a_weaker_one_in_whatever_way() {
    let files = Files::new(&[("secret", "from file\n")]);
    let path = files.path("secret").display().to_string();
    for (all, host, expected) in [
        ("ssh_password: weak".to_owned(), format!("ssh_password_file: {path}"), "from file"),
        (format!("ssh_password_file: {path}"), "ssh_password: strong".to_owned(), "strong"),
        (
            "ssh_password_command: exit 1".to_owned(),
            "ssh_password_command: 'printf print; echo ed'".to_owned(),
            "printed",
        ),
        (
            "_sudo_password_command: exit 1".to_owned(),
            "ssh_password: x, _sudo_password: y".to_owned(),
            "x",
        ),
    ] {
        let inventory =
            of_yaml(&format!("data: {{{all}}}\nhosts: [{{name: w1, data: {{{host}}}}}]")).await;
        let target = inventory.host("w1").unwrap().target().await.unwrap();
        let Some(hostlink_core::Value::Secret(secret)) = target.data.get("ssh_password") else {
            panic!("{:?}", target.data)
        };
        assert_eq!(secret.expose(), expected);
        let shown = format!("{:?} {:?}", inventory.host("w1").unwrap().data(), target);
        assert!(!shown.contains(expected), "{shown}");
    }
}
