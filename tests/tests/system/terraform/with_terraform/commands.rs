//! Commands on hosts that Terraform lists, on a real server.

use hostlink::{Context, Data, Value, builtin_registry};
use hostlink_tests::cli::{code, hostlink, run, stderr, stdout};
use hostlink_tests::ssh_target::{SshTarget, said};
use hostlink_tests::sshd::Sshd;

use crate::terraform::scene::{Directory, text};

/// The login data that an output may set; the user sets the rest.
const OF_OUTPUT: [&str; 3] = ["ssh_port", "ssh_user", "ssh_key"];

fn configuration(target: &SshTarget, sensitive: bool) -> String {
    let fields = target.data.iter().filter(|(key, _)| OF_OUTPUT.contains(key));
    let fields: Vec<String> = fields.map(|(key, value)| format!("{key} = {value}")).collect();
    format!(
        r#"
        resource "terraform_data" "web" {{
          count = 2
          input = {{ name = "web ${{count.index}}", ssh_hostname = "{}" }}
        }}
        output "hostlink_inventory" {{
          sensitive = {sensitive}
          value = {{ web = [for it in terraform_data.web[*].output : merge(it, {{ {} }})] }}
        }}
        "#,
        target.name(),
        fields.join(", "),
    )
}

/// Returns the data that the output does not set.
fn own_data(target: &SshTarget) -> Data {
    target
        .data
        .iter()
        .filter(|(key, _)| !OF_OUTPUT.contains(key))
        .map(|(key, value)| (key, value.clone()))
        .collect()
}

async fn commands_run(context: &Context, target: &SshTarget) {
    let targets = builtin_registry().resolve("@terraform", context).await.unwrap();
    assert_eq!(targets.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["web 0", "web 1"]);
    for found in targets {
        assert_eq!(found.groups, ["@terraform", "web"]);
        let link = found.with_data(&own_data(target)).connect(context).await.unwrap();
        assert_eq!(said(&link, "echo $((6*7))").await, "42\n");
        link.disconnect().await.unwrap();
    }
    assert_eq!(target.sshd.logins(), 2);
}

#[tokio::test]
async fn commands_run_on_the_hosts_of_an_output() {
    let target = SshTarget::start(Sshd::builder());
    commands_run(&Directory::applied(&configuration(&target, false)).context(), &target).await;
}

#[tokio::test]
async fn commands_run_on_the_hosts_of_a_sensitive_output() {
    let target = SshTarget::start(Sshd::builder());
    commands_run(&Directory::applied(&configuration(&target, true)).context(), &target).await;
}

#[test]
fn the_command_runs_on_the_hosts_of_the_directory_that_it_is_started_in() {
    let target = SshTarget::start(Sshd::builder());
    let directory = Directory::applied(&configuration(&target, false));
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let data = own_data(&target);
    let words = data
        .iter()
        .flat_map(|(key, value)| ["--data".to_owned(), format!("{key}={}", text(value))]);
    let words: Vec<String> =
        words.chain(["@terraform", "exec", "--", "echo", "it's"].map(str::to_owned)).collect();
    let mut command = hostlink(&words);
    command.current_dir(directory.path());
    let output = run(command);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[web 0] it's", "[web 1] it's"]);
}

#[test]
fn the_command_ends_with_2_and_one_line_for_what_cannot_be_listed() {
    let directory = Directory::applied("output \"web\" { value = [] }");
    for (target, problem) in [
        ("@terraform/wbe", "there is no output \"wbe\"; there are: web (did you mean web?)"),
        ("@terraform/web.0", "web is an empty list"),
        (
            "@terraform",
            "there is no output hostlink_inventory or pyinfra_inventory, and no resource either; is it applied?",
        ),
    ] {
        let mut command = hostlink([target, "exec", "--", "true"]);
        command.current_dir(directory.path());
        let output = run(command);
        let said = stderr(&output);
        assert_eq!(
            (code(&output), stdout(&output).as_str(), said.lines().count()),
            (2, "", 1),
            "{said}"
        );
        let expected = format!("{}: {problem}", text(directory.path()));
        assert!(said.contains(&expected), "{said}");
    }
}
