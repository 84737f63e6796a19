//! Inventories of Ansible.

use std::sync::Arc;

use hostlink_core::{Context, Value};
use hostlink_inventory::Inventory;

use crate::scene::{Files, Told, build, context, error, names, registry, value};

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

/// Each row: a file, then the hosts and a variable of the first one.
#[tokio::test]
async fn a_file_without_an_ending_is_yaml_if_its_first_line_says_so() {
    for (text, hosts, x) in [
        ("web:\n  hosts:\n    w1: {x: 1}\n", "w1", "1"),
        ("\n# web\n\nweb:   # of the shop\n  hosts:\n    w1: {x: 2}\n", "w1", "2"),
        ("# x\n---\nweb: {hosts: {w1: {x: 3}}}\n", "w1", "3"),
        ("\u{feff}all:\n  hosts: {w1: {x: 4}}\n", "w1", "4"),
        ("; all:\nw1 x=5\n", "w1", "5"),
        ("w1:22 x=6\n", "w1", "6"),
        ("[web]\nw1 x=7\n", "w1", "7"),
    ] {
        let files = Files::new(&[("hosts", text)]);
        let inventory = read(&files, "hosts").await;
        assert_eq!((&*names(&inventory), &*value(&inventory, "w1", "x")), (hosts, x), "{text}");
    }
}

#[tokio::test]
async fn variables_need_a_group_that_something_else_names() {
    for text in [
        "[a:vars]\nx=1\n[a]\nh1\n",
        "[a]\nh1\n[a:vars]\nx=1\n",
        "[a:vars]\nx=1\n[b]\nh1\n[a:children]\nb\n",
        "[a:vars]\nx=1\n[b:children]\na\n[b]\nh1\n[all:vars]\nx=1\n",
        "h1\n[ungrouped:vars]\nx=1\n",
    ] {
        let inventory = read(&Files::new(&[("hosts", text)]), "hosts").await;
        assert_eq!(value(&inventory, "h1", "x"), "1", "{text}");
    }
    // Another file may have named it.
    let files = Files::new(&[("i/1", "[a]\nh1\n"), ("i/2", "[a:vars]\nx=2\n")]);
    assert_eq!(value(&read(&files, "i").await, "h1", "x"), "2");
    let files = Files::new(&[("hosts", "[web]\nw1\n[wbe:vars]\nx=1\n[wbe:vars]\n[wb:vars]\n")]);
    let found = format!("@ansible/{}", files.path("hosts").display());
    let found = error(Inventory::builder().targets(&found).unwrap(), &files).await;
    assert_eq!(
        found,
        "hosts:3:1: [wbe:vars]: there is no group \"wbe\" (did you mean web?); \
         hosts:6:1: [wb:vars]: there is no group \"wb\" (did you mean web?)"
    );
}

#[tokio::test]
async fn a_comment_within_a_word_is_one_and_is_warned_of() {
    let text = "w1 a=x#y b=2\nw2 a='x#y' b=2 # c\nw3 ansible_password=abc#def\n[x:vars]\nc=1 # c\nd=1#d\ne=x # e\n[x]\nw2\n";
    let files = Files::new(&[("hosts", text)]);
    let told = Arc::new(Told::default());
    let context = Context { reporter: told.clone(), ..context() };
    let words = format!("@ansible/{}", files.path("hosts").display());
    let inventory = Inventory::builder().targets(&words).unwrap();
    let inventory = inventory.build(&registry(None), &context).await.unwrap();
    for (host, key, expected) in [
        ("w1", "a", "x"),
        ("w1", "b", "-"),
        ("w2", "a", "x#y"),
        ("w2", "b", "2"),
        // Values of groups are Python's literals, or the text as it is.
        ("w2", "c", "1"),
        ("w2", "d", "1"),
        ("w2", "e", "x # e"),
    ] {
        assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
    }
    let password = inventory.host("w3").unwrap().data().get("ssh_password").cloned().unwrap();
    assert!(matches!(password, Value::Secret(secret) if secret.expose() == "abc"));
    let warnings = told.warnings();
    let warnings: Vec<_> = warnings.iter().filter(|text| text.contains('#')).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("hosts:1: what follows the # is a comment"), "{warnings:?}");
    assert!(warnings[0].ends_with("(and in 1 more)"), "{warnings:?}");
}

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

#[tokio::test]
async fn scripts_without_meta_are_asked_for_each_host() {
    let script = r#"#!/bin/sh
case "$1 $2" in
"--list ") echo '{"web": {"hosts": ["w1", "w2", "w3"], "vars": {"layer": "web"}}, "db": ["d1", "w1"]}' ;;
"--host w1") echo '{"ansible_host": "10.0.0.1", "layer": "host", "token": {"__ansible_vault": "x"}}' ;;
"--host w2") echo '{}' ;;
"--host w3") ;;
"--host d1") echo '{"ansible_user": "postgres"}' ;;
*) exit 9 ;;
esac
"#;
    let files = Files::new(&[
        ("inv", script),
        ("fails", &script.replace("--host d1", "--host d2")),
        ("garbage", &script.replace("echo '{}'", "echo nothing")),
        ("guarded", &script.replace("ansible_user", "ssh_proxy_command")),
        ("many", "#!/bin/sh\necho '{\"web\": ['; seq -f '\"w%g\",' 1000; echo '\"w0\"]}'\n"),
    ]);
    let inventory = build(Inventory::builder().path(files.path("inv"))).await;
    assert_eq!(names(&inventory), "w1 w2 w3 d1");
    for (host, key, expected) in [
        ("w1", "ssh_hostname", "10.0.0.1"),
        ("w1", "layer", "host"),
        ("w1", "token", "-"),
        ("w2", "layer", "web"),
        ("w3", "layer", "web"),
        ("d1", "ssh_user", "postgres"),
    ] {
        assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
    }
    for (name, problem) in [
        ("fails", "fails failed (exit status: 9) for --host d1"),
        ("garbage", "what garbage printed for --host w2:1:2: this JSON cannot be read"),
        ("guarded", "ssh_proxy_command: what a program prints may not set this"),
        ("many", "it has no _meta, and 1001 hosts are more than the 1000"),
    ] {
        let found = error(Inventory::builder().path(files.path(name)), &files).await;
        assert!(found.contains(problem), "{name}: {found}");
    }
    let at = format!("@ansible/{}", files.path("inv").display());
    let found = error(Inventory::builder().targets(&at).unwrap(), &files).await;
    assert!(found.contains("inv: this is a program"), "{found}");
}

#[tokio::test]
async fn variables_of_ssh_and_of_becoming_another_user_are_translated() {
    let ini = "\u{feff}[web]
w1 ansible_become_pass=a ansible_sudo_pass=b ansible_sudo_user=www ansible_sudo_flags='-H -i'
w2 ansible_become_method=su ansible_su_pass=b ansible_become_user=x ansible_su_user=y
w3 ansible_become=no ansible_become_pass=a ansible_sudo_pass=b ansible_ksu_pass=c ansible_ssh_timeout=7
w4 ansible_host=a ansible_ssh_host=b ansible_ssh_host_key_checking=True
[web:vars]
ansible_become=yes
ansible_ssh_args=-C -o ControlMaster=auto -o ControlPersist=60s -o Compression=yes -J first
ansible_ssh_common_args=-C -J second -o 'ProxyCommand=nc %h %p'
ansible_ssh_extra_args=-oCompression=no
ansible_timeout=30
ansible_host_key_checking=False
";
    let yaml = "\u{feff}all: {hosts: {'w[01:05:2]:2200': {x: 1}, 'v:22': {ansible_port: 23}}}";
    let files = Files::new(&[("hosts", ini), ("hosts.yml", yaml)]);
    let inventory = read(&files, "hosts").await;
    for (host, key, expected) in [
        ("w1", "_sudo", "true"),
        ("w1", "_sudo_user", "www"),
        ("w1", "_use_sudo_login", "true"),
        ("w1", "_sudo_password", "***"),
        ("w1", "ssh_options", "[\"Compression=yes\", \"Compression=no\"]"),
        ("w1", "ssh_proxy_jump", "first"),
        ("w1", "ssh_proxy_command", "nc %h %p"),
        ("w1", "ssh_connect_timeout", "30"),
        ("w1", "ssh_strict_host_key_checking", "no"),
        ("w2", "_su_user", "y"),
        ("w2", "_su_password", "***"),
        ("w3", "_sudo", "-"),
        ("w3", "ssh_connect_timeout", "7"),
        ("w3", "ansible_ksu_pass", "***"),
        ("w4", "ssh_hostname", "b"),
        ("w4", "ssh_strict_host_key_checking", "yes"),
    ] {
        assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
    }
    for host in inventory.hosts() {
        let shown = host.data().iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
        let left =
            shown.iter().filter(|key| key.starts_with("ansible_") && *key != "ansible_ksu_pass");
        assert_eq!(left.count(), 0, "{}: {shown:?}", host.name());
    }
    let arguments = inventory.host("w1").unwrap().arguments().await.unwrap();
    assert_eq!(arguments.sudo_password.unwrap().expose(), "b");
    let inventory = read(&files, "hosts.yml").await;
    assert_eq!(names(&inventory), "w01 w03 w05 v");
    assert_eq!(value(&inventory, "w03", "ssh_port"), "2200");
    assert_eq!(value(&inventory, "v", "ssh_port"), "23");
}

#[tokio::test]
async fn faults_name_the_file_of_a_directory_and_the_line() {
    for (name, text, problem) in [
        (
            "b.yml",
            "web:\n  children: {db: {vars: {ansible_host: '{{ x }}'}, hosts: d1}}",
            "inv/b.yml:2:26: ansible_host is a template",
        ),
        (
            "b.ini",
            "\u{feff}[x]\nw1 a=1\nw2 ansible_port='{{ x }}'",
            "inv/b.ini:3:1: ansible_port is a template",
        ),
        (
            "b.ini",
            "[x]\nw9 ansible_connection=winrm",
            "inv/b.ini:2:1: ansible_connection=winrm is not known",
        ),
        ("b.ini", "[x:children]\nnone", "inv/b.ini:2:1: there is no group \"none\""),
        (
            "b.ini",
            "w[1:9:0]",
            "inv/b.ini:1:1: w[1:9:0]: [1:9:0] has a step that is no number above 0",
        ),
        (
            "host_vars/a1.yml",
            "x: 1\nansible_user: '{{ x }}'",
            "inv/host_vars/a1.yml:2:1: ansible_user is a template",
        ),
        ("group_vars/all", "- x", "inv/group_vars/all:1:1: variables is a map, and this is a list"),
    ] {
        let name = format!("inv/{name}");
        let files = Files::new(&[("inv/a.ini", "\n\na1\n"), (&name, text)]);
        let at = format!("@ansible/{}", files.path("inv").display());
        let found = error(Inventory::builder().targets(&at).unwrap(), &files).await;
        assert!(found.contains(problem), "{name}: {found}");
    }
}
