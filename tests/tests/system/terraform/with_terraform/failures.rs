//! Directories in which Terraform fails or waits.

use std::fs;
use std::process::Command;

use hostlink::Context;
use hostlink_tests::cli::wait_until;

use crate::terraform::scene::{Directory, context, listed, refused, text};

#[tokio::test]
async fn terraforms_own_words_are_reported() {
    for (configuration, words) in [
        (
            "output \"x\" { value = ",
            "Error: Missing expression on main.tf line 1, in output \"x\": \
             Expected the start of an expression, but found the end of the file.",
        ),
        (
            "terraform {\n backend \"local\" {\n  path = \"x.tfstate\"\n }\n}",
            "Error: Backend initialization required, please run \"terraform init\"",
        ),
        (
            // With a warning, on standard output. The line that Terraform quotes is not reported.
            "provider \"terraform\" { version = \"1\" }\nvariable \"x\" {\n type = \"string\" # hunter2\n}",
            "Error: Invalid quoted type constraints on main.tf line 3, in variable \"x\": Terraform 0.11",
        ),
    ] {
        let directory = Directory::with(configuration);
        for file in [None, Some("/nowhere/terraformrc")] {
            let context = directory.context_with_cli_configuration(file);
            let told = refused(None, &context).await;
            let place = text(directory.path());
            let expected = format!(
                "{place}: terraform output -json -no-color failed (exit status: 1): {words}"
            );
            assert!(told.starts_with(&expected) && !told.contains("hunter2"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_broken_state_is_reported_by_terraform() {
    let directory = Directory::with("output \"x\" { value = 1 }");
    directory.write("terraform.tfstate", "{\"version\": 4, ");
    let told = refused(Some("x"), &directory.context()).await;
    assert!(told.contains("failed (exit status: 1): Error: "), "{told}");
}

#[tokio::test]
async fn an_empty_directory_is_reported() {
    let directory = Directory::new();
    assert_eq!(
        refused(None, &directory.context()).await,
        format!(
            "{}: there is no output hostlink_inventory or pyinfra_inventory, and no resource either; is it applied?",
            text(directory.path())
        )
    );
    let absent = directory.path().join("absent");
    let settings = hostlink::Data::new().with("terraform_directory", text(&absent));
    assert_eq!(
        refused(None, &context(settings)).await,
        format!("terraform_directory: {:?} is no directory", text(&absent))
    );
}

/// Returns the processes whose working directory it is.
fn processes_in(directory: &Directory) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let directories = entries.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
    directories.filter(|path| path == directory.path()).count()
}

/// Reading a pipe without a writer blocks forever.
#[tokio::test(flavor = "multi_thread")]
async fn a_terraform_that_waits_is_killed_with_the_caller() {
    let directory = Directory::applied("output \"x\" { value = 1 }");
    let state = directory.path().join("terraform.tfstate");
    fs::remove_file(&state).unwrap();
    assert!(Command::new("mkfifo").arg(&state).status().unwrap().success());
    let context: Context = directory.context();
    let asking = tokio::spawn(async move { listed(Some("x"), &context).await });
    wait_until("Terraform runs", || processes_in(&directory) > 0);
    assert!(!asking.is_finished());
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    wait_until("Terraform is gone", || processes_in(&directory) == 0);
}
