//! What of an Ansible inventory matters for one host, and what its files may say.

use hostlink_inventory::Inventory;

use crate::ansible_merge::{ansible, told};
use crate::scene::{Files, build, error, names, value};

#[tokio::test]
async fn a_host_that_cannot_be_used_is_listed_and_hinders_no_other() {
    let vault = "$ANSIBLE_VAULT;1.1;AES256\n6162\n";
    let files = Files::new(&[
        (
            "hosts",
            "[web]\nw1\n[win]\nx1\n[odd]\no1\n[here]\nl1 ansible_connection=local\n[dark]\nd1\n",
        ),
        ("group_vars/win.yml", "ansible_connection: winrm\n"),
        ("group_vars/odd.yml", "ansible_user: '{{ lookup(\"env\", \"USER\") }}'\n"),
        // These do not matter: nothing is done as another user, and l1 is this machine.
        ("group_vars/all.yml", "ansible_become_pass: '{{ vault_pass }}'\n"),
        ("group_vars/here.yml", "ansible_user: '{{ x }}'\nansible_ssh_args: '{{ x }}'\n"),
        ("group_vars/dark.yml", vault),
    ]);
    let inventory = build(ansible(&files, "hosts")).await;
    assert_eq!(names(&inventory), "w1 x1 o1 l1 d1");
    let place = files.path("group_vars").display().to_string();
    for (host, problem) in [
        ("w1", None),
        ("l1", None),
        ("x1", Some("win.yml:1:1: ansible_connection=winrm is not known here")),
        ("o1", Some("odd.yml:1:1: ansible_user is a template, and templates are not evaluated")),
        ("d1", Some("dark.yml: it is encrypted by Ansible Vault")),
    ] {
        let host = inventory.host(host).unwrap();
        let found = host.target().await.err().map(|error| error.to_string());
        match problem {
            None => assert!(found.is_none() && host.problems().is_empty(), "{found:?}"),
            Some(problem) => {
                let wanted = format!("{}: {place}/{problem}", host.name());
                assert!(found.as_ref().is_some_and(|it| it.starts_with(&wanted)), "{found:?}");
                assert_eq!(host.problems().len(), 1);
            }
        }
    }
    // What goes before it may give a value that can be used.
    let over = hostlink_core::Data::new().with("ssh_user", "me");
    let inventory = build(ansible(&files, "hosts").override_data(&over)).await;
    assert!(inventory.host("o1").unwrap().target().await.is_ok());
}

#[tokio::test]
async fn a_key_that_is_given_twice_is_warned_of_and_its_last_value_counts() {
    for (name, text, at) in [
        ("hosts.yml", "web: {hosts: {w1: {k: 1, k: 2}}}\n", "1:26"),
        ("hosts.json", "{\"web\": {\"hosts\": {\"w1\": {\"k\": 1, \"k\": 2}}}}", "1:35"),
    ] {
        let files = Files::new(&[(name, text)]);
        let (inventory, warnings) = told(&files, name).await;
        assert_eq!(value(&inventory, "w1", "k"), "2", "{name}");
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        let wanted =
            format!("{name}:{at}: the key \"k\" is given twice, and its last value counts");
        assert!(warning.contains(&wanted), "{warning}");
    }
    let files = Files::new(&[("a.yaml", "hosts: [{name: w1, data: {k: 1, k: 2}}]\n")]);
    let found = error(Inventory::builder().path(files.path("a.yaml")), &files).await;
    assert_eq!(found, "a.yaml:1:33: the key \"k\" is given twice");
}

#[tokio::test]
async fn arguments_of_ssh_are_settings_of_ours_where_they_mean_something() {
    for (arguments, key, expected) in [
        ("-F /etc/x", "ssh_config_file", "/etc/x"),
        ("-A", "ssh_forward_agent", "true"),
        ("-4", "ssh_options", "[\"AddressFamily=inet\"]"),
        ("-6 -b 10.0.0.1", "ssh_options", "[\"AddressFamily=inet6\", \"BindAddress=10.0.0.1\"]"),
        ("-q -v -vvv -C -tt -o ControlPersist=60s", "ssh_options", "-"),
        ("-p 2222 -p 2223", "ssh_port", "2222"),
        ("-qp2222", "ssh_port", "2222"),
        ("-i ~/.ssh/k -l deploy", "ssh_key", "~/.ssh/k"),
        ("-i ~/.ssh/k -ldeploy", "ssh_user", "deploy"),
        ("-oProxyJump=a -J b", "ssh_proxy_jump", "a"),
        ("-o 'ProxyCommand=ssh -W %h:%p b'", "ssh_proxy_command", "ssh -W %h:%p b"),
    ] {
        for variable in ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"] {
            let ini = format!("w1\n[all:vars]\n{variable}={arguments}\n");
            let files = Files::new(&[("a.ini", &ini)]);
            let inventory = build(Inventory::builder().path(files.path("a.ini"))).await;
            assert_eq!(value(&inventory, "w1", key), expected, "{variable} {arguments}");
        }
    }
    // As on the command line that Ansible makes, its own options come after the first arguments.
    for (variable, expected) in [("ansible_ssh_args", "2222"), ("ansible_ssh_extra_args", "22")] {
        let files = Files::new(&[("a.ini", &format!("w1 ansible_port=22 {variable}='-p 2222'\n"))]);
        let inventory = build(Inventory::builder().path(files.path("a.ini"))).await;
        assert_eq!(value(&inventory, "w1", "ssh_port"), expected, "{variable}");
    }
}
