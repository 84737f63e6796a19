//! Which hosts a limit and an exclusion mean.

use hostlink_core::{Data, NameData};
use hostlink_inventory::{HostDefinition, Inventory, Pattern};

use crate::scene::{Cloud, Files, build, context, error, limited, names, registry, value};

const TEXT: &str = "
hosts: [h0, '@docker/c1']
groups:
  web: {hosts: [w1, w2], children: [edge]}
  edge: {hosts: [e1]}
  db: {hosts: [d1, w2]}
  docker: {hosts: [h0]}
  empty: {}
";

#[tokio::test]
async fn limits_mean_hosts_groups_and_connectors() {
    let files = Files::new(&[("inv.yaml", TEXT)]);
    for (limit, exclude, expected) in [
        ("", "", "h0 @docker/c1 w1 w2 e1 d1"),
        ("all", "", "h0 @docker/c1 w1 w2 e1 d1"),
        ("*", "", "h0 @docker/c1 w1 w2 e1 d1"),
        ("w1", "", "w1"),
        ("w1,d1", "", "w1 d1"),
        ("d1,w1", "", "w1 d1"),
        ("web", "", "w1 w2 e1"),
        ("edge", "", "e1"),
        ("@web", "", "w1 w2 e1"),
        ("@docker", "", "@docker/c1"),
        ("docker", "", "h0"),
        ("@docker/c1", "", "@docker/c1"),
        ("@ssh", "", "h0 w1 w2 e1 d1"),
        ("w*", "", "w1 w2 e1"),
        ("w?", "", "w1 w2"),
        ("w[1-2]", "", "w1 w2"),
        ("[a-z]1", "", "w1 e1 d1"),
        ("?[1-1]", "", "w1 e1 d1"),
        ("w[2-2]", "", "w2"),
        ("w[2]", "", "w2"),
        ("w[1-1],d[1]", "w[1]", "d1"),
        ("[d-e]1*", "", "e1 d1"),
        ("[d-e]?", "", "w2 e1 d1"),
        ("[d-d]b", "", "w2 d1"),
        ("all", "[d-e]*,w*", "@docker/c1"),
        ("web:&db", "", "w2"),
        ("web,&db", "", "w2"),
        ("web:!edge", "", "w1 w2"),
        ("web,!edge", "", "w1 w2"),
        ("web:&db:!w2,w1", "", ""),
        ("!web", "", "h0 @docker/c1 d1"),
        ("!w2,web", "", "w1 e1"),
        ("web,db", "", "w1 w2 e1 d1"),
        ("web:!w*", "", ""),
        ("", "web", "h0 @docker/c1 d1"),
        ("web", "w1", "w2 e1"),
        ("web", "@ssh", ""),
        ("all", "w[1-2],e1", "h0 @docker/c1 d1"),
        ("empty", "", ""),
        ("web", "empty", "w1 w2 e1"),
        (" web , d1 ", "", "w1 w2 e1 d1"),
        ("all", "!web", "w1 w2 e1"),
        ("all", "web:!w2", "h0 @docker/c1 w2 d1"),
        ("all", "web:&db", "h0 @docker/c1 w1 e1 d1"),
        ("all", "&web", "h0 @docker/c1 d1"),
        ("@*", "", "h0 @docker/c1 w1 w2 e1 d1"),
        ("@d*", "", "@docker/c1"),
    ] {
        let chosen = build(limited(&files, limit, exclude)).await;
        assert_eq!(names(&chosen), expected, "limit {limit}, exclude {exclude}");
    }
    for (limit, exclude, problem) in [
        ("wbe", "", "no host and no group is called wbe (did you mean web?)"),
        ("web:db", "", "no host and no group is called web:db"),
        ("web", "w9", "no host and no group is called w9 (did you mean"),
        ("x*", "", "no host and no group is called x*"),
        ("x[1-2]*", "", "no host and no group is called x[1-2]*"),
        ("w[9]", "", "no host and no group is called w[9]"),
        ("w[1-1001]*", "", "stands for 1001 names with wildcards"),
        ("w[1-9", "", "[ is not closed"),
        ("web,,db", "", "an element is empty"),
        ("web:&", "", "an element is empty"),
        ("&!w1", "", "one of & and ! is enough"),
        ("!!w1", "", "one of & and ! is enough"),
        ("a*", "", "no host and no group is called a*"),
        ("*ssh*", "", "no host and no group is called *ssh*"),
    ] {
        let found = match (Pattern::parse(limit), Pattern::parse(exclude)) {
            (Err(error), _) => error.to_string(),
            _ => error(limited(&files, limit, exclude), &files).await,
        };
        assert!(found.contains(problem), "limit {limit}, exclude {exclude}: {found}");
    }
}

/// Also where no host is by the connector.
#[tokio::test]
async fn a_name_of_a_connector_never_means_a_group_of_that_name() {
    let text = "groups: {docker: {hosts: [w1]}, web: {hosts: [w1, w2]}}";
    let files = Files::new(&[("inv.yaml", text)]);
    assert_eq!(names(&build(limited(&files, "docker", "")).await), "w1");
    assert_eq!(names(&build(limited(&files, "@web", "")).await), "w1 w2");
    // To leave out what there is none of is no mistake.
    for (limit, exclude) in [("", "@docker"), ("web:!@docker", ""), ("web", "all:&@docker")] {
        let chosen = build(limited(&files, limit, exclude)).await;
        assert_eq!(names(&chosen), "w1 w2", "limit {limit}, exclude {exclude}");
    }
    for limit in ["@docker", "web,@docker"] {
        let error = error(limited(&files, limit, ""), &files).await;
        let expected = "no host and no group is called @docker";
        assert!(error.starts_with(expected), "{limit}: {error}");
    }
    assert_eq!(names(&build(limited(&files, "web:&@docker", "")).await), "");
    // So a group called like that may only hold data.
    for (text, problem) in [
        ("groups: {'@docker': {hosts: [w1]}}", "inv.yaml:1:10: @docker are the hosts by that"),
        ("groups: {web: {}, '@docker': {children: [web]}}", "inv.yaml:1:19: @docker are the hosts"),
        (
            "groups: {'@dokcer': {data: {a: 1}}}",
            "inv.yaml:1:10: there is no connector \"dokcer\" whose hosts @dokcer could be (did you mean @docker?)",
        ),
    ] {
        let files = Files::new(&[("inv.yaml", text)]);
        let error = error(limited(&files, "", ""), &files).await;
        assert!(error.starts_with(problem), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_host_over_ssh_is_the_same_one_by_its_short_and_its_long_name() {
    let files = Files::new(&[
        ("e.ini", "[x]\ne1\n"),
        ("inv.yaml", "groups: {web: {hosts: [w9]}}\nhosts: ['@docker/web3', 'h/@chroot//c']"),
    ]);
    let (inv, ini) = (files.path("inv.yaml"), files.path("e.ini"));
    let plain = format!("@ssh/connectors,web1,@ssh/web2,{}", inv.display());
    // Where a connector is asked, hosts are known by what they turned out to be.
    let asked = format!("{plain},@ansible/{}", ini.display());
    for (limit, exclude, expected) in [
        ("connectors", "", "connectors"),
        ("@ssh/connectors", "", "connectors"),
        ("@ssh/web1,web2", "", "web1 web2"),
        ("@ssh/web[1-2]", "", "web1 web2"),
        ("@ssh/web[2-2]", "", "web2"),
        ("@ssh/web*", "", "web1 web2"),
        ("@ssh/web[1-2]*,@docker/*", "", "web1 web2 @docker/web3"),
        ("all:!@ssh/*", "", "@docker/web3 h/@chroot//c"),
        ("", "@ssh/connectors,@ssh/web[1-2],@ssh/e*", "@docker/web3 h/@chroot//c w9"),
        ("", "web1,web2,web,@docker,e*", "connectors h/@chroot//c"),
    ] {
        for targets in [&plain, &asked] {
            let exclude = match *targets == plain {
                true => exclude.replace(",@ssh/e*", "").replace(",e*", ""),
                false => exclude.to_owned(),
            };
            let mut builder = Inventory::builder().targets(targets).unwrap();
            if !limit.is_empty() {
                builder = builder.limit(Pattern::parse(limit).unwrap());
            }
            if !exclude.is_empty() {
                builder = builder.exclude(Pattern::parse(&exclude).unwrap());
            }
            let row = format!("{targets}: limit {limit}, exclude {exclude}");
            assert_eq!(names(&build(builder).await), expected, "{row}");
        }
    }
    // A group is not meant by the name of a host.
    let limited = limited(&files, "@ssh/web", "");
    assert!(error(limited, &files).await.starts_with("no host and no group is called @ssh/web"));
    // Both names are one host, with the data of either.
    let both = Inventory::builder()
        .host(HostDefinition::new("web1").with_data("a", 1))
        .host(HostDefinition::new("@ssh/web1").with_data("b", 2))
        .host_data("@ssh/web1", Data::new().with("c", 3));
    let both = build(both).await;
    assert_eq!(names(&both), "web1");
    let values = ["a", "b", "c"].map(|key| value(&both, "web1", key));
    assert_eq!(values, ["1", "2", "3"]);
}

/// The file is read in any case, so what it says of connections counts.
#[tokio::test]
async fn hosts_of_ansible_are_by_the_connector_that_reaches_them() {
    let files = Files::new(&[
        ("e.ini", "[web]\nw1\nd1 ansible_connection=docker\nl1 ansible_connection=local\n"),
        ("inv.yaml", "{hosts: ['@ansible/FILE'], groups: {'@docker': {data: {by: docker}}}}"),
    ]);
    let ini = files.path("e.ini").display().to_string();
    let text = std::fs::read_to_string(files.path("inv.yaml")).unwrap().replace("FILE", &ini);
    std::fs::write(files.path("inv.yaml"), text).unwrap();
    for (limit, exclude, expected) in [
        ("", "", "w1 d1 l1"),
        ("", "@docker", "w1 l1"),
        ("", "@local", "w1 d1"),
        ("", "@docker,@local", "w1"),
        ("web:!@docker", "", "w1 l1"),
        ("web:&@local", "", "l1"),
        ("@docker", "", "d1"),
        ("@ssh", "", "w1"),
        ("@ansible", "@d*", "w1 l1"),
        ("", "@chroot", "w1 d1 l1"),
    ] {
        let chosen = build(limited(&files, limit, exclude)).await;
        assert_eq!(names(&chosen), expected, "limit {limit}, exclude {exclude}");
        for host in chosen.hosts() {
            let by = if host.name() == "d1" { "docker" } else { "-" };
            assert_eq!(value(&chosen, host.name(), "by"), by);
        }
    }
}

#[tokio::test]
async fn a_host_that_is_named_is_of_the_connector_in_its_name_alone() {
    let files = Files::new(&[("inv.yaml", "hosts: ['@dockerssh/app', '@docker/c1']\n")]);
    let inventory = build(Inventory::builder().path(files.path("inv.yaml"))).await;
    let app = inventory.host("@dockerssh/app").unwrap();
    assert_eq!((app.groups(), app.connector()), (vec!["all", "@dockerssh"], "docker"));
    for (limit, exclude, chosen) in [
        ("@docker", "", "@docker/c1"),
        ("", "@docker", "@dockerssh/app"),
        ("@dockerssh", "", "@dockerssh/app"),
    ] {
        assert_eq!(
            names(&build(limited(&files, limit, exclude)).await),
            chosen,
            "{limit}/{exclude}"
        );
    }
}

#[tokio::test]
async fn several_limits_are_joined() {
    let files = Files::new(&[("inv.yaml", TEXT)]);
    let limits = limited(&files, "w1", "").limit(Pattern::parse("d1").unwrap());
    assert_eq!(names(&build(limits).await), "w1 d1");
}

/// Each row: limit, exclusion, the hosts, and how often the connector is asked.
#[tokio::test]
async fn what_is_outside_the_limit_is_not_asked() {
    let text = "
groups:
  web: {hosts: [w1, w2]}
  cloud: {hosts: ['@cloud']}
  mixed: {hosts: [w2], children: [red]}
";
    let files = Files::new(&[("inv.yaml", text)]);
    for (limit, exclude, expected, asked) in [
        ("", "", "w1 w2 c1 c2", 1),
        ("web", "", "w1 w2", 0),
        ("w1", "", "w1", 0),
        ("w[1-2]", "", "w1 w2", 0),
        ("cloud", "", "c1 c2", 1),
        ("@cloud", "", "c1 c2", 1),
        ("c1", "", "c1", 1),
        ("red", "", "c2", 1),
        ("mixed", "", "w2 c2", 1),
        ("c*", "", "c1 c2", 1),
        ("w*", "", "w1 w2", 1),
        // It could list a host that is known.
        ("all", "cloud", "w1 w2", 1),
        ("", "@cloud", "w1 w2", 1),
        ("", "c1", "w1 w2 c2", 1),
        // What is to be left out and is not known may be a group that a host which is known is put
        // in.
        ("web", "c1", "w1 w2", 1),
        ("web", "red", "w1 w2", 1),
        ("web", "c*", "w1 w2", 1),
        ("web:&cloud", "", "", 1),
        ("c*:&web", "", "", 1),
        ("c*:!cloud", "", "", 0),
        ("cloud", "@cloud", "", 0),
        ("web", "w*", "", 0),
    ] {
        let hosts = vec![NameData::new("c1"), NameData::new("c2").with_group("red")];
        let cloud = Cloud::new(hosts, vec![]);
        let registry = registry(Some(cloud.clone()));
        let built = limited(&files, limit, exclude).build(&registry, &context()).await;
        let row = format!("limit {limit}, exclude {exclude}");
        assert_eq!(
            names(&built.unwrap_or_else(|error| panic!("{row}: {error}"))),
            expected,
            "{row}"
        );
        assert_eq!(cloud.asked(), asked, "{row}");
    }
    let registry = registry(Some(Cloud::new(vec![NameData::new("c1")], vec![])));
    for (limit, exclude) in
        [("c9", ""), ("", "c9"), ("web", "c9"), ("web:!c9", ""), ("web:&c9", "")]
    {
        let error = limited(&files, limit, exclude).build(&registry, &context()).await.unwrap_err();
        let message = error.to_string();
        // `mixed` has a child that nobody lists, which is told where everybody was asked.
        assert!(message.contains("c9") || message.contains("\"red\""), "{message}");
    }
}

/// Groups of a host that another source names.
#[tokio::test]
async fn a_host_is_left_out_whichever_source_says_that_it_is_in_a_group() {
    let files = Files::new(&[
        ("inv.yaml", "groups: {web: {hosts: [web1, web2]}}"),
        ("m.ini", "[maintenance]\nweb1\n"),
        ("late.ini", "[y:children]\nx\n[x]\nother\n"),
        ("x.yaml", "groups: {x: {hosts: [h1]}}"),
        ("both.yaml", "groups: {maintenance: {hosts: [web9]}, web: {hosts: [web1, web2]}}"),
    ]);
    let list = |names: &str| {
        let path = |name: &str| match name.strip_prefix('@') {
            Some(name) => format!("@ansible/{}", files.path(name).display()),
            None => files.path(name).display().to_string(),
        };
        names.split(',').map(path).collect::<Vec<_>>().join(",")
    };
    for (targets, limit, exclude, expected) in [
        ("inv.yaml,@m.ini", "", "maintenance", "web2"),
        ("inv.yaml,m.ini", "", "maintenance", "web2"),
        ("@m.ini,inv.yaml", "web", "maintenance", "web2"),
        ("inv.yaml,@m.ini", "web:&maintenance", "", "web1"),
        ("inv.yaml,@m.ini", "web:!maintenance", "", "web2"),
        ("both.yaml,@m.ini", "web", "maintenance", "web2"),
        ("x.yaml,@late.ini", "y", "", "h1 other"),
    ] {
        let mut builder = Inventory::builder().targets(&list(targets)).unwrap();
        if !limit.is_empty() {
            builder = builder.limit(Pattern::parse(limit).unwrap());
        }
        if !exclude.is_empty() {
            builder = builder.exclude(Pattern::parse(exclude).unwrap());
        }
        assert_eq!(names(&build(builder).await), expected, "{targets} {limit} {exclude}");
    }
}

#[tokio::test]
async fn data_of_connectors_groups_count_whatever_chose_the_host() {
    let files = Files::new(&[
        (
            "d/inventory.yaml",
            "groups: {web: {hosts: [w1]}, other: {hosts: [w1], data: {x: other}}}",
        ),
        ("d/group_data/@ssh.yaml", "ssh_user: bob"),
    ]);
    for (limit, x) in [("web", "-"), ("w1", "other"), ("all", "other")] {
        let builder =
            Inventory::builder().path(files.path("d")).limit(Pattern::parse(limit).unwrap());
        let inventory = build(builder).await;
        assert_eq!(value(&inventory, "w1", "ssh_user"), "bob", "{limit}");
        assert_eq!(value(&inventory, "w1", "x"), x, "{limit}");
    }
}
