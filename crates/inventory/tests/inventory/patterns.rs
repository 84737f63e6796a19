//! Ansible's further elements of limits.

use hostlink_core::NameData;
use hostlink_inventory::{Inventory, Pattern};

use crate::scene::{Cloud, Files, build, context, limited, names, registry};

const HOSTS: &str = "hosts: [x1, x2]
groups: {web: {hosts: [w1, w2], children: [edge]}, edge: {hosts: [w3]}, db: {hosts: [d1]}}
";

#[tokio::test]
async fn elements_of_ansible_mean_what_they_mean_there() {
    let files = Files::new(&[
        ("inv.yaml", HOSTS),
        ("retry.txt", "# failed\nw2\n\n d* \n"),
        ("more_hosts", "x1\n"),
    ]);
    let retry = format!("@{}", files.path("retry.txt").display());
    let without = format!("web,db,!{retry}");
    for (limit, wanted) in [
        ("web[0]", "w1"),
        ("web[-1]", "w3"),
        ("web[1:]", "w2 w3"),
        ("web[0:1]", "w1 w2"),
        ("web[0-1]", "w1 w2"),
        ("web[1:],db", "w2 w3 d1"),
        ("web:!web[0]", "w2 w3"),
        ("web:&web[1:]", "w2 w3"),
        // There is no group w, so this is a range.
        ("w[1:2]", "w1 w2"),
        ("~w[12]", "w1 w2"),
        ("~[dx]", "x1 x2 d1"),
        ("~.1$", "x1 w1 d1"),
        ("~e", "w3"),
        ("!~w", "x1 x2 d1"),
        ("ungrouped", "x1 x2"),
        ("all:!ungrouped", "w1 w2 w3 d1"),
        ("w1,", "w1"),
        ("w1,w2, ", "w1 w2"),
        (retry.as_str(), "w2 d1"),
        (without.as_str(), "w1 w3"),
    ] {
        let mut found: Vec<_> =
            names(&build(limited(&files, limit, "")).await).split(' ').map(str::to_owned).collect();
        found.sort_unstable();
        let mut wanted: Vec<_> = wanted.split(' ').collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{limit}");
    }
}

#[tokio::test]
async fn positions_are_those_among_all_hosts_whoever_lists_them() {
    let files = Files::new(&[("inv.yaml", "groups: {web: {hosts: [\"@cloud\", w1]}}")]);
    for (limit, wanted) in [("web[0]", "c1"), ("web[-1]", "w1"), ("web:!web[0]", "w1")] {
        let cloud = Cloud::new(vec![NameData::new("c1")], Vec::new());
        let builder = limited(&files, limit, "");
        let inventory = builder.build(&registry(Some(cloud.clone())), &context()).await.unwrap();
        assert_eq!((names(&inventory).as_str(), cloud.asked()), (wanted, 1), "{limit}");
    }
    // A host that a connector puts into a group is not ungrouped.
    let files = Files::new(&[("inv.yaml", "hosts: [\"@cloud\", w1]")]);
    let cloud = Cloud::new(vec![NameData::new("c1").with_group("web")], Vec::new());
    let builder = limited(&files, "ungrouped", "");
    let inventory = builder.build(&registry(Some(cloud)), &context()).await.unwrap();
    assert_eq!(names(&inventory), "w1");
}

#[tokio::test]
async fn what_is_no_element_is_refused() {
    for (limit, problem) in [
        ("~(", "~(: not a regular expression: "),
        ("@./nowhere.txt", "./nowhere.txt: cannot be read"),
        ("web,,db", "an element is empty"),
        (",", "an element is empty"),
    ] {
        let error = Pattern::parse(limit).unwrap_err().to_string();
        assert!(error.contains(problem), "{limit}: {error}");
    }
    let builder = Inventory::builder().host("w1").limit(Pattern::parse("web[1:]").unwrap());
    let error = builder.build(&registry(None), &context()).await.unwrap_err().to_string();
    assert!(error.contains("no host and no group is called web[1:]"), "{error}");
}
