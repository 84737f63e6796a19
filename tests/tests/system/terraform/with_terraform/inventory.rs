//! Terraform's hosts in an inventory: groups, data, and when it is queried.

use hostlink::inventory::{Inventory, Pattern};
use hostlink::{ConnectorArguments, StringCommand, builtin_registry};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;

use super::programs::{counted, lines};
use crate::terraform::scene::{Directory, context, text};

/// Each row: a limit, the hosts, and how often Terraform is queried.
#[tokio::test]
async fn a_directory_outside_the_limit_is_never_queried() {
    let configuration =
        "output \"hostlink_inventory\" { value = { amber = [\"c1\"], blue = [\"c2\"] } }";
    for (limit, expected, asked) in [
        ("", "w1 c1 c2", 1),
        ("web", "w1", 0),
        ("w1", "w1", 0),
        ("cloud", "c1 c2", 1),
        ("@terraform", "c1 c2", 1),
        ("amber", "c1", 1),
        ("c2", "c2", 1),
        ("w1:!c2", "w1", 1),
        // It could list w1, which would have to be excluded.
        ("!cloud", "w1", 1),
        ("all:!@terraform", "w1", 1),
        ("cloud:!@terraform", "", 0),
    ] {
        let directory = Directory::applied(configuration);
        let (program, log) = counted(&directory);
        let inventory = format!(
            "groups:\n  web: {{hosts: [w1]}}\n  cloud:\n    hosts: ['@terraform']\n    \
             data: {{terraform_directory: {}, terraform_program: {}, of: cloud}}\n",
            text(directory.path()),
            text(&program),
        );
        let path = directory.write("inv.yaml", &inventory);
        let mut builder = Inventory::builder().path(path);
        if !limit.is_empty() {
            builder = builder.limit(Pattern::parse(limit).unwrap());
        }
        let inventory =
            builder.build(&builtin_registry(), &context(Default::default())).await.unwrap();
        let names: Vec<&str> = inventory.hosts().map(|host| host.name()).collect();
        assert_eq!(names.join(" "), expected, "{limit}");
        let asks = if log.exists() { lines(&log).len() } else { 0 };
        assert_eq!(asks, asked, "{limit}");
        for host in inventory.group("cloud") {
            // If the host was chosen by its own group or name, the data of the other group do not
            // apply.
            let of_cloud = host.data().get("of").is_some();
            assert_eq!(of_cloud, limit != "amber", "{limit}: {}", host.name());
        }
    }
}

#[tokio::test]
async fn commands_run_on_its_hosts_with_the_data_of_their_groups() {
    let target = SshTarget::start(Sshd::builder());
    let directory = Directory::applied(&format!(
        "output \"hostlink_inventory\" {{ value = {{ web = [{{ name = \"w1\", ssh_hostname = \"{}\" }}] }} }}",
        target.name()
    ));
    let data = serde_json::to_string(&target.data).unwrap();
    let inventory = format!(
        "{{\"hosts\": [\"@terraform\"], \"data\": {{\"terraform_directory\": \"{}\"}}, \
         \"groups\": {{\"@terraform\": {{\"data\": {data}}}, \"web\": {{\"data\": {{\"_env\": {{\"ROLE\": \"web\"}}}}}}}}}}",
        text(directory.path()),
    );
    let path = directory.write("inv.json", &inventory);
    let builder = Inventory::builder().path(path);
    let inventory = builder.build(&builtin_registry(), &context(Default::default())).await.unwrap();
    let host = inventory.host("w1").unwrap();
    let command = StringCommand::shell("echo $ROLE");
    let output = host.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    assert_eq!(output.stdout(), b"web\n");
    assert_eq!(target.sshd.logins(), 1);
    inventory.disconnect().await.unwrap();
}
