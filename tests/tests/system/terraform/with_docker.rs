//! Containers in a state.

use hostlink::builtin_registry;
use hostlink_tests::container::{Container, DEBIAN};
use hostlink_tests::ssh_target::said;

use crate::terraform::scene::{Directory, of_file};

#[tokio::test]
async fn a_command_runs_in_a_container_of_a_state() {
    let container = Container::start(DEBIAN);
    let name = container.name();
    let attributes = format!(r#"{{"id":"0","name":"{name}","labels":[]}}"#);
    let json = format!(
        r#"{{"version":4,"outputs":{{}},"resources":[{{"mode":"managed","type":"docker_container","name":"db",
            "instances":[{{"attributes":{attributes}}}]}}]}}"#
    );
    let directory = Directory::new();
    let context = of_file(&directory.write("terraform.tfstate", &json));
    let targets = builtin_registry().resolve("@terraform", &context).await.unwrap();
    assert_eq!(targets[0].groups, ["@terraform", "docker_container"]);
    assert_eq!(targets[0].name, name);
    let link = targets[0].connect(&context).await.unwrap();
    assert_eq!(said(&link, "cat /etc/hostname").await, container.shell("cat /etc/hostname"));
    link.disconnect().await.unwrap();
}
