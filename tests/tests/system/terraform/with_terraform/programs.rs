//! Which program is run, how often, and in which environment.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hostlink::Context;
use hostlink::connector::Connector;
use hostlink::connectors::TerraformConnector;

use crate::terraform::scene::{Directory, context, names, refused, text};

const ONE: &str =
    "output \"hostlink_inventory\" { value = [\"web1\"] }\noutput \"db\" { value = [\"db1\"] }";

fn terraform() -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap();
    let mut programs = std::env::split_paths(&folders).map(|it| it.join("terraform"));
    programs.find(|it| it.exists()).unwrap()
}

/// Returns Terraform with a counter: a line in a file for each start.
pub(super) fn counted(directory: &Directory) -> (PathBuf, PathBuf) {
    let log = directory.path().join("log");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nexec '{}' \"$@\"\n",
        log.display(),
        terraform().display()
    );
    let program = directory.write("counted", &script);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (program, log)
}

pub(super) fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn one_run_of_hostlink_asks_once() {
    let directory = Directory::applied(ONE);
    let (program, log) = counted(&directory);
    let with_program = |context: Context| {
        let settings = context.settings.clone().with("terraform_program", text(&program));
        Context { settings, ..context }
    };
    let connector = TerraformConnector::new();
    let context = with_program(directory.context());
    let clone = context.clone();
    let ask =
        |argument: Option<&'static str>, context| connector.make_names_data(argument, context);
    let (one, two, three) =
        tokio::join!(ask(None, &context), ask(Some("db"), &context), ask(Some("db.0"), &clone));
    for (found, name) in [(one, "web1"), (two, "db1"), (three, "db1")] {
        assert_eq!(found.unwrap()[0].name, name);
    }
    let asked = "output -json -no-color";
    assert_eq!(lines(&log), [asked]);

    // A later run sees what has changed since.
    directory.write("main.tf", &ONE.replace("db1", "db2"));
    directory.terraform(&["apply", "-auto-approve", "-input=false"]);
    let later = with_program(directory.context());
    assert_eq!(ask(Some("db"), &later).await.unwrap()[0].name, "db2");
    assert_eq!(ask(Some("db"), &context).await.unwrap()[0].name, "db1");
    assert_eq!(lines(&log), [asked; 2]);
    // Another workspace is queried again.
    let mut other = context.clone();
    other.environment.insert("TF_WORKSPACE".into(), "empty".into());
    assert!(ask(Some("db"), &other).await.is_err());
    assert_eq!(lines(&log).len(), 3);
    // So are the resources.
    directory.write("main.tf", "output \"x\" { value = 1 }");
    directory.terraform(&["apply", "-auto-approve", "-input=false"]);
    let later = with_program(directory.context());
    ask(None, &later).await.unwrap_err();
    assert_eq!(lines(&log)[3..], [asked, "show -json -no-color"]);
}

/// OpenTofu is not available here: the test calls Terraform by its name.
#[tokio::test]
async fn opentofu_is_run_if_there_is_no_terraform() {
    let directory = Directory::applied(ONE);
    let folder = Directory::new();
    symlink(terraform(), folder.path().join("tofu")).unwrap();
    let mut context = directory.context();
    context.environment.insert("PATH".into(), text(folder.path()));
    assert_eq!(names(None, &context).await, ["web1"]);

    fs::remove_file(folder.path().join("tofu")).unwrap();
    let without = "terraform_state reads a state, or saved JSON, without a program";
    assert_eq!(
        refused(None, &context).await,
        format!(
            "neither terraform nor tofu is on PATH: install one, or name it in terraform_program; {without}"
        )
    );
    // A file needs no program.
    let state = directory.path().join("terraform.tfstate");
    let of_file = crate::terraform::scene::of_file(&state);
    assert_eq!(
        names(None, &Context { environment: context.environment, ..of_file }).await,
        ["web1"]
    );
}

#[tokio::test]
async fn a_program_may_be_named() {
    let directory = Directory::applied(ONE);
    for program in ["terraform".to_owned(), text(&terraform())] {
        let settings = directory.context().settings.with("terraform_program", program);
        assert_eq!(names(None, &context(settings)).await, ["web1"]);
    }
    let named =
        |program: &str| context(directory.context().settings.with("terraform_program", program));
    let place = text(directory.path());
    assert_eq!(refused(None, &named("true")).await, format!("{place}: the program wrote no JSON"));
    assert_eq!(
        refused(None, &named("false")).await,
        format!("{place}: false output -json -no-color failed (exit status: 1)")
    );
    assert!(
        refused(None, &named("no-such-program"))
            .await
            .starts_with("terraform_program: there is no program \"no-such-program\" on PATH")
    );
}

/// A missing file makes Terraform warn at every command.
#[tokio::test]
async fn warnings_of_the_cli_configuration_do_no_harm() {
    let directory = Directory::applied(ONE);
    for file in [None, Some("/nowhere/terraformrc")] {
        let context = directory.context_with_cli_configuration(file);
        assert_eq!(names(None, &context).await, ["web1"], "{file:?}");
        let missing = refused(Some("x"), &context).await;
        assert!(
            missing.ends_with("there is no output \"x\"; there are: db, hostlink_inventory"),
            "{missing}"
        );
    }
}
