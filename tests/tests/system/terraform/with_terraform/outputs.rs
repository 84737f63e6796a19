//! Outputs of every shape, as Terraform writes them.

use hostlink::connector::NameData;
use hostlink::{Data, Value};

use crate::terraform::scene::{Directory, listed, names, refused, text};

const SHAPES: &str = r#"
resource "terraform_data" "web" {
  count = 2
  input = "192.0.2.${count.index + 1}"
}
output "one"     { value = "192.0.2.9" }
output "list"    { value = terraform_data.web[*].output }
output "set"     { value = toset(["b.example", "a.example"]) }
output "map"     {
  value = {
    web = [for it in terraform_data.web : { name = "web-${it.output}", ssh_hostname = it.output }]
    db  = ["db.example", { name = "web-192.0.2.1", role = "both" }]
    none = []
  }
}
output "objects" {
  value = [{ name = "first host", ssh_hostname = "192.0.2.1", ssh_port = 2222, _sudo = true, deep = { a = [1, null] } },
           { ssh_hostname = "192.0.2.2" }]
}
output "deep"    { value = { eu = { "west.1" = ["192.0.2.7"] }, n = 5 } }
output "own"     { value = { value = ["192.0.2.8"] } }
output "empty"   { value = [] }
output "number"  { value = 5 }
output "wrong"   { value = { web = "hunter2" } }
"#;

#[tokio::test]
async fn outputs_of_every_shape_are_listed() {
    let directory = Directory::applied(SHAPES);
    let context = directory.context();
    for (argument, expected) in [
        ("one", vec!["192.0.2.9"]),
        ("list", vec!["192.0.2.1", "192.0.2.2"]),
        ("list.1", vec!["192.0.2.2"]),
        ("set", vec!["a.example", "b.example"]),
        // In the order of Terraform's maps.
        ("map", vec!["db.example", "web-192.0.2.1", "web-192.0.2.2"]),
        ("map.web", vec!["web-192.0.2.1", "web-192.0.2.2"]),
        ("map.web.1", vec!["web-192.0.2.2"]),
        ("objects", vec!["first host", "192.0.2.2"]),
        ("deep.eu", vec!["192.0.2.7"]),
        ("deep.eu.west.1", vec!["192.0.2.7"]),
        // pyinfra's spelling.
        ("deep.value.eu.west.1", vec!["192.0.2.7"]),
        ("list.value", vec!["192.0.2.1", "192.0.2.2"]),
        ("own.value", vec!["192.0.2.8"]),
        ("own.value.value", vec!["192.0.2.8"]),
        ("empty", vec![]),
    ] {
        assert_eq!(names(Some(argument), &context).await, expected, "{argument}");
    }

    let groups = |host: &NameData| (host.name.clone(), host.groups.join(" "));
    let found = listed(Some("map"), &context).await.unwrap();
    let both = ("web-192.0.2.1".to_owned(), "db web".to_owned());
    assert_eq!(found.iter().map(groups).collect::<Vec<_>>()[1], both);
    let data = Data::new().with("role", "both").with("ssh_hostname", "192.0.2.1");
    assert_eq!(found[1].data, data);

    let objects = listed(Some("objects"), &context).await.unwrap();
    let deep = [("a".to_owned(), Value::List(vec![Value::Int(1), Value::Null]))];
    let expected = Data::new()
        .with("_sudo", true)
        .with("deep", Value::Map(deep.into_iter().collect()))
        .with("ssh_hostname", "192.0.2.1")
        .with("ssh_port", 2222);
    assert_eq!(objects[0].data, expected);
}

#[tokio::test]
async fn a_missing_or_invalid_output_is_reported_with_the_existing_ones() {
    let directory = Directory::applied(SHAPES);
    let context = directory.context();
    let place = text(directory.path());
    let shapes =
        "text, a map with name or ssh_hostname, a list of these, or a map of groups to such lists";
    for (argument, problem) in [
        (
            "lits",
            "there is no output \"lits\"; there are: deep, empty, list, map, number, objects, one, own, set, wrong \
             (did you mean list?)"
                .to_owned(),
        ),
        ("deep.us", "deep has no key \"us\"; there are: eu, n".to_owned()),
        ("list.2", "list is a list: \"2\" is no number from 0 to 1".to_owned()),
        ("number", format!("number is a number, where hosts are expected: {shapes}")),
        (
            "wrong",
            format!("wrong is a map without name and ssh_hostname, where hosts are expected: {shapes}"),
        ),
    ] {
        assert_eq!(refused(Some(argument), &context).await, format!("{place}: {problem}"));
    }
    assert_eq!(
        refused(Some("list."), &context).await,
        "@terraform/list.: write the name of an output, or keys after it with dots: @terraform/OUTPUT.KEY"
    );
}

#[tokio::test]
async fn the_usual_outputs_are_taken_in_their_order() {
    let pyinfra = "output \"pyinfra_inventory\" { value = [\"of-pyinfra\"] }\n";
    let own = "output \"hostlink_inventory\" { value = [\"of-hostlink\"] }\n";
    let directory = Directory::applied(pyinfra);
    assert_eq!(names(None, &directory.context()).await, ["of-pyinfra"]);
    let directory = Directory::applied(&format!("{pyinfra}{own}"));
    assert_eq!(names(None, &directory.context()).await, ["of-hostlink"]);
}

#[tokio::test]
async fn without_a_usual_output_the_state_is_searched_for_machines() {
    let directory =
        Directory::applied("resource \"terraform_data\" \"x\" {}\noutput \"other\" { value = 1 }");
    assert_eq!(
        refused(None, &directory.context()).await,
        format!(
            "{}: there is no output hostlink_inventory or pyinfra_inventory, \
             and no resource of a type that is known as a machine (terraform_data)",
            text(directory.path())
        )
    );
}

#[tokio::test]
async fn a_sensitive_output_is_secret_all_through() {
    let directory = Directory::applied(
        r#"
        output "hostlink_inventory" {
          sensitive = true
          value     = [{ name = "web1", ssh_hostname = "hunter2.example", ssh_password = "hunter2", own = { key = ["hunter2"] } },
                       "hunter2.example"]
        }
        output "token" {
          sensitive = true
          value     = { inner = "hunter2" }
        }
        output "plain" { value = ["hunter2.example"] }
        "#,
    );
    let context = directory.context();
    let hosts = listed(None, &context).await.unwrap();
    assert_eq!(hosts[0].name, "web1");
    assert_eq!(hosts[1].name, "hostlink_inventory.1");
    let mut shown = format!("{hosts:?}");
    for host in &hosts {
        shown +=
            &host.data.iter().map(|(key, value)| format!("{key}={value} ")).collect::<String>();
    }
    let targets = hostlink::builtin_registry().resolve("@terraform", &context).await.unwrap();
    shown += &format!("{targets:?} {} {}", targets[0].name, targets[1].name);
    for argument in ["token", "token.inner.x", "token.other", "hostlink_inventory.1.x"] {
        shown += &refused(Some(argument), &context).await;
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    // The connector can use it; and without the mark it is printed.
    let Some(Value::Secret(password)) = hosts[0].data.get("ssh_password") else { panic!() };
    assert_eq!(password.expose(), "hunter2");
    let plain = listed(Some("plain"), &context).await.unwrap();
    assert!(format!("{plain:?}").contains("hunter2"));
}
