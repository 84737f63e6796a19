//! Files that Terraform has written, read without it.

use hostlink::connector::NameData;

use crate::terraform::scene::{Directory, context, listed, names, of_file, refused, text};

const CONFIGURATION: &str = r#"
resource "terraform_data" "x" { input = "192.0.2.1" }
output "hostlink_inventory" {
  sensitive = true
  value = { web = [{ name = "web1", ssh_hostname = terraform_data.x.output, ssh_password = "hunter2" }] }
}
output "other" { value = ["192.0.2.2"] }
"#;

#[tokio::test]
async fn a_state_and_saved_json_list_the_same_as_the_directory() {
    let directory = Directory::applied(CONFIGURATION);
    let live: Vec<NameData> = listed(None, &directory.context()).await.unwrap();
    assert_eq!(live[0].groups, ["web"]);
    let show = directory.write("show.json", &directory.terraform(&["show", "-json"]));
    let output = directory.write("output.json", &directory.terraform(&["output", "-json"]));
    for file in [directory.path().join("terraform.tfstate"), show, output] {
        let mut context = of_file(&file);
        // No program is looked for.
        context.environment.clear();
        let found = listed(None, &context).await.unwrap();
        assert_eq!(found, live, "{}", file.display());
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(names(Some("other"), &context).await, ["192.0.2.2"], "{}", file.display());
    }
}

#[tokio::test]
async fn a_plan_is_no_state() {
    let directory = Directory::with(CONFIGURATION);
    directory.terraform(&["init", "-input=false", "-no-color"]);
    directory.terraform(&["plan", "-out=plan", "-input=false", "-no-color"]);
    let saved = directory.write("plan.json", &directory.terraform(&["show", "-json", "plan"]));
    let problem = refused(None, &of_file(&saved)).await;
    assert!(problem.contains("plan.json: this is a plan, and a state is required"), "{problem}");
}

#[tokio::test]
async fn an_unreadable_file_is_reported() {
    let directory = Directory::new();
    let binary = directory.write("plan", "PK\u{3}\u{4}");
    let half = directory.write("half.tfstate", "{\"version\": 4,\n  \"outputs\": {");
    for (path, problem) in [
        (binary, "is no JSON: expected value at line 1 column 1"),
        (half, "is no JSON: EOF while parsing an object at line 2 column 14"),
        (directory.path().join("absent"), "terraform_state: "),
        (directory.path().to_owned(), "terraform_state: "),
    ] {
        let told = refused(None, &of_file(&path)).await;
        assert!(told.contains(problem) && told.contains(&text(&path)), "{told}");
    }
    let both = context(of_file(directory.path()).settings.with("terraform_directory", "."));
    assert!(refused(None, &both).await.contains("leave one of the two out"));
}
