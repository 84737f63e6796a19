//! Inventories of Ansible.

use hostlink_inventory::Inventory;

use crate::scene::{Files, build, names, value};

const INI: &str = "
# the mail host is in no group
mail.example.com ansible_port=2222

[web]
w[1:2] http_port=80 ansible_user='deploy er'   ; comment is no comment
web9:2200 ansible_host=10.0.0.9

[web:vars]
ansible_become=yes
ansible_ssh_private_key_file = ~/.ssh/web
greeting = hello # world
motd = \"a b\"
list = ['a', 1]

[db]
d1 ansible_connection=docker ansible_host=db-container ansible_user=postgres
d2 ansible_become_method=su ansible_become_user=postgres ansible_become_password='p w'

[db:vars]
ansible_become=true

[site:children]
web
db

[site:vars]
layer=site
ansible_ssh_common_args=-o ProxyJump=bastion -oServerAliveInterval=5
";

async fn read(files: &Files, name: &str) -> Inventory {
    build(
        Inventory::builder().targets(&format!("@ansible/{}", files.path(name).display())).unwrap(),
    )
    .await
}

#[tokio::test]
async fn ini_is_read_and_translated() {
    let ini = INI.replace("   ; comment is no comment", "   # comment");
    let files = Files::new(&[("hosts", &ini), ("hosts.ini", &ini)]);
    for inventory in [
        read(&files, "hosts").await,
        build(Inventory::builder().path(files.path("hosts.ini"))).await,
    ] {
        assert_eq!(names(&inventory), "mail.example.com w1 w2 web9 d1 d2");
        for (host, key, expected) in [
            ("mail.example.com", "ssh_port", "2222"),
            ("mail.example.com", "layer", "-"),
            ("w1", "http_port", "80"),
            ("w2", "ssh_user", "deploy er"),
            ("w2", "ssh_key", "~/.ssh/web"),
            ("w2", "_sudo", "true"),
            ("w2", "_sudo_user", "-"),
            ("w2", "greeting", "hello # world"),
            ("w2", "motd", "a b"),
            ("w2", "list", "[\"a\", 1]"),
            ("w2", "layer", "site"),
            ("w2", "ssh_proxy_jump", "bastion"),
            ("w2", "ssh_options", "[\"ServerAliveInterval=5\"]"),
            ("w2", "ansible_become", "-"),
            ("web9", "ssh_port", "2200"),
            ("web9", "ssh_hostname", "10.0.0.9"),
            ("d1", "docker_user", "postgres"),
            ("d2", "_su_user", "postgres"),
            ("d2", "_su_password", "***"),
            ("d2", "_sudo", "-"),
            ("d2", "ansible_become_password", "-"),
        ] {
            assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
        }
        assert_eq!(inventory.host("d1").unwrap().connector(), "docker");
        let groups = inventory.host("w1").unwrap().groups();
        assert!(groups.ends_with(&["site", "web"]), "{groups:?}");
    }
}

#[tokio::test]
async fn yaml_and_the_variables_beside_it_are_read() {
    let yaml = "
all:
  vars: {ansible_user: root}
  hosts: {mail: }
  children:
    web:
      hosts:
        'w[1:2]': {x: 1}
      vars: {layer: inventory, kept: here}
    db: {hosts: d1}
web: {children: {edge: {hosts: {e1: {ansible_host: 10.0.0.5}}}}}
";
    let files = Files::new(&[
        ("inv/hosts.yml", yaml),
        ("inv/group_vars/web.yml", "layer: group_vars\n"),
        ("inv/group_vars/all/a.yml", "everywhere: true\n"),
        ("inv/group_vars/other.yml", "nobody: 1\n"),
        ("inv/host_vars/w2", "layer: host_vars\nansible_become: true\n"),
    ]);
    for name in ["inv/hosts.yml", "inv"] {
        let inventory = read(&files, name).await;
        assert_eq!(names(&inventory), "mail w1 w2 d1 e1");
        for (host, key, expected) in [
            ("mail", "ssh_user", "root"),
            ("mail", "everywhere", "true"),
            ("w1", "x", "1"),
            ("w1", "layer", "group_vars"),
            ("w1", "kept", "here"),
            ("w2", "layer", "host_vars"),
            ("w2", "_sudo", "true"),
            ("e1", "layer", "group_vars"),
            ("e1", "ssh_hostname", "10.0.0.5"),
        ] {
            assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
        }
    }
}

#[tokio::test]
async fn what_scripts_print_for_list_is_read() {
    let script = r#"#!/bin/sh
echo '{"_meta": {"hostvars": {"w1": {"ansible_host": "10.0.0.1"}}}, "all": {"children": ["web", "ungrouped"]},
"web": {"hosts": ["w1", "w2"], "vars": {"layer": "web"}}, "db": ["d1"], "ungrouped": {"hosts": ["x"]}}'
"#;
    let files = Files::new(&[("inv.sh", script)]);
    let inventory = build(Inventory::builder().path(files.path("inv.sh"))).await;
    assert_eq!(names(&inventory), "w1 w2 d1 x");
    assert_eq!(value(&inventory, "w1", "ssh_hostname"), "10.0.0.1");
    assert_eq!(value(&inventory, "w2", "layer"), "web");
    assert_eq!(inventory.host("x").unwrap().groups(), ["all", "@ssh"]);
}
