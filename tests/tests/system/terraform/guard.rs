//! The content of an output may not act on this machine.

use hostlink::{Context, Data, ErrorKind, builtin_registry};

use crate::terraform::scene::{Directory, of_file};

/// Resolves the host of a saved output with this field.
async fn resolved(field: &str, trust_data: bool) -> hostlink::Result<Vec<Data>> {
    let directory = Directory::new();
    let host = format!(r#"[{{"name":"web1","ssh_hostname":"192.0.2.1",{field}}}]"#);
    let json = format!(r#"{{"hostlink_inventory":{{"sensitive":false,"value":{host}}}}}"#);
    let context = Context { trust_data, ..of_file(&directory.write("output.json", &json)) };
    let targets = builtin_registry().resolve("@terraform", &context).await?;
    Ok(targets.into_iter().map(|target| target.data).collect())
}

#[tokio::test]
async fn an_output_may_not_set_what_runs_code_or_reads_files() {
    for (key, value) in [
        ("ssh_proxy_command", r#""touch /tmp/owned""#),
        ("ssh_options", r#"["ProxyCommand=touch /tmp/owned"]"#),
        ("ssh_config_file", r#""/etc/passwd""#),
        ("x_command", r#""id""#),
        ("x_file", r#""/etc/shadow""#),
        ("terraform_program", r#""/tmp/x""#),
        ("terraform_state", r#""/tmp/x""#),
    ] {
        let field = format!("\"{key}\":{value}");
        let error = resolved(&field, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert_eq!(
            error.to_string(),
            format!(
                "web1: {key}: data from @terraform may not set this, since it acts on this machine; --trust-data allows it"
            )
        );
        let data = resolved(&field, true).await.unwrap();
        assert!(data[0].get(key).is_some(), "{key}");
    }
    // The control: other keys are accepted.
    let data = resolved("\"ssh_user\":\"deploy\",\"mine\":[1]", false).await.unwrap();
    assert_eq!(data[0].get("ssh_user"), Some(&"deploy".into()));
    assert_eq!(data[0].get("ssh_hostname"), Some(&"192.0.2.1".into()));
}

#[tokio::test]
async fn an_output_may_not_say_that_a_host_is_this_machine() {
    for target in ["@local", "@chroot//srv"] {
        let field = format!("\"target\":\"{target}\"");
        let error = resolved(&field, false).await.unwrap_err().to_string();
        assert!(error.contains("--trust-data allows it"), "{error}");
        assert_eq!(resolved(&field, true).await.unwrap().len(), 1);
    }
    let data = resolved("\"target\":\"@docker/db\"", false).await.unwrap();
    assert_eq!(data[0].get("docker_identifier"), Some(&"db".into()));
}
