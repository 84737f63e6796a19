//! Which variables of Ansible's inventories are read, and which one goes before which: what
//! `ansible-inventory` of ansible-core 2.19 says of the same files.

use std::sync::Arc;

use hostlink_core::Context;
use hostlink_inventory::Inventory;

use crate::scene::{Files, Told, build, context, error, names, registry, value};

pub(crate) fn ansible(files: &Files, name: &str) -> hostlink_inventory::Builder {
    Inventory::builder().targets(&format!("@ansible/{}", files.path(name).display())).unwrap()
}

/// The inventory, and what was warned of.
pub(crate) async fn told(files: &Files, name: &str) -> (Inventory, Vec<String>) {
    let told = Arc::new(Told::default());
    let context = Context { reporter: told.clone(), ..context() };
    let builder = match name.strip_prefix("./") {
        Some(name) => Inventory::builder().path(files.path(name)),
        None => ansible(files, name),
    };
    let inventory = builder.build(&registry(None), &context).await.unwrap();
    (inventory, told.warnings())
}

#[tokio::test]
async fn groups_are_merged_by_depth_then_priority_then_name() {
    let ini = "
[zeta]
h
[alpha]
h
[mid]
h
[top:children]
mid
[zeta:vars]
x=zeta
y=zeta
z=zeta
[alpha:vars]
x=alpha
y=alpha
z=alpha
ansible_group_priority=5
[mid:vars]
y=mid
[top:vars]
x=top
ansible_group_priority=99
";
    let list = r#"#!/bin/sh
echo '{"_meta": {"hostvars": {}}, "zeta": {"hosts": ["h"], "vars": {"x": "zeta", "y": "zeta", "z": "zeta"}}, "top": {"children": ["mid"],
"vars": {"x": "top", "ansible_group_priority": "99"}}, "mid": {"hosts": ["h"], "vars": {"y": "mid"}},
"alpha": {"hosts": ["h"], "vars": {"x": "alpha", "y": "alpha", "z": "alpha", "ansible_group_priority": 5}}}'
"#;
    let yaml = "
zeta: {hosts: h, vars: {x: zeta, y: zeta, z: zeta}}
top: {children: mid, vars: {x: top, ansible_group_priority: 99}}
mid: {hosts: h, vars: {y: mid}}
alpha: {hosts: h, vars: {x: alpha, y: alpha, z: alpha, ansible_group_priority: 5}}
";
    let files = Files::new(&[("a.ini", ini), ("b.yml", yaml), ("list", list)]);
    for inventory in [
        build(ansible(&files, "a.ini")).await,
        build(Inventory::builder().path(files.path("a.ini"))).await,
        build(ansible(&files, "b.yml")).await,
        build(Inventory::builder().path(files.path("list"))).await,
    ] {
        for (key, expected) in
            [("x", "top"), ("y", "mid"), ("z", "alpha"), ("ansible_group_priority", "-")]
        {
            assert_eq!(value(&inventory, "h", key), expected, "{key}");
        }
    }
    let files =
        Files::new(&[("a.ini", "[zeta]\nh\n[alpha]\nh\n[alpha:vars]\nx=a\n[zeta:vars]\nx=z\n")]);
    assert_eq!(value(&build(ansible(&files, "a.ini")).await, "h", "x"), "z");
}

#[tokio::test]
async fn a_priority_that_is_no_number_is_a_fault_with_its_line() {
    let files = Files::new(&[("a.ini", "[web]\nh\n[web:vars]\nansible_group_priority=high\n")]);
    let found = error(Inventory::builder().path(files.path("a.ini")), &files).await;
    assert_eq!(found, "a.ini:4:1: ansible_group_priority is a whole number, and this is none");
}

#[tokio::test]
async fn group_vars_go_before_what_inventories_say_of_any_group() {
    let files = Files::new(&[
        (
            "hosts",
            "[web]\nw1\nw2 d=host e=None\n[site:children]\nweb\n[web:vars]\na=web\nb=web\nc=web\nd=web\ne=web\nf=web\n[db]\nd1\n[db:vars]\na=db\n",
        ),
        ("group_vars/all.yml", "a: all\nb: all\nansible_group_priority: 7\n"),
        ("group_vars/site.yml", "b: site\nc: site\nd: site\n"),
        ("group_vars/web.yml", "e: beside\nf: null\n"),
    ]);
    let inventory = build(ansible(&files, "hosts")).await;
    for (host, key, expected) in [
        ("w1", "a", "all"),
        ("w1", "b", "site"),
        ("w1", "c", "site"),
        ("w1", "d", "site"),
        ("w1", "e", "beside"),
        ("w2", "d", "host"),
        // What is unset is unset by whoever goes before.
        ("w2", "e", "-"),
        ("w1", "f", "-"),
        ("d1", "a", "all"),
        ("d1", "ansible_group_priority", "-"),
    ] {
        assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
    }
}

#[tokio::test]
async fn a_host_unsets_what_its_groups_say() {
    let yaml = "
web:
  vars: {ansible_become: true, ansible_become_user: app}
  hosts: {w1: {}, w2: {x: own}, w3: {ansible_become: null}, w4: {ansible_become_user: null}}
";
    let files = Files::new(&[("hosts.yml", yaml)]);
    let inventory = build(ansible(&files, "hosts.yml")).await;
    for (host, sudo, user) in
        [("w1", "true", "app"), ("w2", "true", "app"), ("w3", "-", "-"), ("w4", "true", "-")]
    {
        assert_eq!(value(&inventory, host, "_sudo"), sudo, "{host}");
        assert_eq!(value(&inventory, host, "_sudo_user"), user, "{host}");
    }
}

#[tokio::test]
async fn variables_of_hosts_in_no_group_are_read() {
    let ini = "h1\n[ungrouped]\nh2\nw1\n[ungrouped:vars]\nx=none\n[web]\nw1\n";
    let files = Files::new(&[("hosts", ini), ("group_vars/ungrouped.yml", "y: none\n")]);
    let inventory = build(ansible(&files, "hosts")).await;
    for (host, expected) in [("h1", "none"), ("h2", "none"), ("w1", "-")] {
        assert_eq!(value(&inventory, host, "x"), expected, "{host}");
        assert_eq!(value(&inventory, host, "y"), expected, "{host}");
    }
    assert_eq!(
        inventory.group("ungrouped").map(|host| host.name()).collect::<Vec<_>>(),
        ["h1", "h2"]
    );
}

#[tokio::test]
async fn of_the_files_beside_only_those_are_read_that_ansible_reads() {
    let unreadable = "this: is: no: YAML";
    let vault = "$ANSIBLE_VAULT;1.1;AES256\n6162\n";
    let files = Files::new(&[
        ("inv/hosts", "[web]\nw1\n[db]\nd1\n"),
        ("inv/more/hosts.yml", "cache: {hosts: {c1: {x: nested}}}\n"),
        ("inv/notes.md", unreadable),
        ("inv/group_vars/README.md", unreadable),
        ("inv/group_vars/web.yml.bak", unreadable),
        ("inv/group_vars/web.toml", unreadable),
        ("inv/group_vars/other.yml", vault),
        ("inv/group_vars/web/a.yml", "a: 1\nb: 1\n"),
        ("inv/group_vars/web/nested/b", "b: 2\n"),
        ("inv/group_vars/web/nested.d/c.yml", unreadable),
        ("inv/group_vars/web/.hidden.yml", unreadable),
        ("inv/group_vars/web/old.yml~", unreadable),
        ("inv/group_vars/web/notes.txt", unreadable),
        // There is a directory of this name.
        ("inv/group_vars/web.yml", unreadable),
        ("inv/group_vars/db.yaml", "c: yaml\n"),
        ("inv/group_vars/db.json", unreadable),
        ("inv/host_vars/nobody.yml", vault),
        ("inv/host_vars/d1.json", "{\"d\": 4}"),
    ]);
    let inventory = build(ansible(&files, "inv")).await;
    assert_eq!(names(&inventory), "w1 d1 c1");
    for (host, key, expected) in [
        ("w1", "a", "1"),
        ("w1", "b", "2"),
        ("d1", "c", "yaml"),
        ("d1", "d", "4"),
        ("c1", "x", "nested"),
    ] {
        assert_eq!(value(&inventory, host, key), expected, "{host} {key}");
    }
    std::fs::write(files.path("inv/group_vars/db.yaml"), vault).unwrap();
    let found = error(ansible(&files, "inv"), &files).await;
    assert!(found.contains("inv/group_vars/db.yaml: it is encrypted by Ansible Vault"), "{found}");
}

#[tokio::test]
async fn what_vault_encrypted_is_left_out_and_told_but_where_it_would_matter() {
    let vault = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n";
    let vars =
        format!("token: {vault}api: {{list: [1, !vault $ANSIBLE_VAULT;1.1;AES256]}}\nplain: 1\n");
    let files = Files::new(&[("hosts", "[web]\nw1\n"), ("group_vars/web.yml", &vars)]);
    let (inventory, warnings) = told(&files, "hosts").await;
    for (key, expected) in [("plain", "1"), ("token", "-"), ("api", "-")] {
        assert_eq!(value(&inventory, "w1", key), expected, "{key}");
    }
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let end = "group_vars/web.yml: Ansible Vault encrypted 2 of its variables, which are left out: token, api";
    assert!(warning.ends_with(end), "{warning}");
    for (key, way_out) in [
        ("ansible_password", "ssh_password_command or ssh_password_file"),
        ("ansible_become_password", "_sudo_password_command or _sudo_password_file"),
        ("ansible_host", "write it as it is"),
    ] {
        std::fs::write(
            files.path("group_vars/web.yml"),
            format!("ansible_become: yes\n{key}: {vault}"),
        )
        .unwrap();
        let found = error(ansible(&files, "hosts"), &files).await;
        let start = format!("group_vars/web.yml:2:1: {key} is encrypted by Ansible Vault");
        assert!(found.contains(&start) && found.contains(way_out), "{found}");
    }
    // Files of our own have no vaults.
    std::fs::write(files.path("own.yaml"), format!("data:\n  x: {vault}")).unwrap();
    let found = error(Inventory::builder().path(files.path("own.yaml")), &files).await;
    assert!(
        found.contains("own.yaml:3:3: this YAML cannot be read: the tag !vault is not supported"),
        "{found}"
    );
}

#[tokio::test]
async fn secrets_in_files_of_ansible_that_others_can_read_are_told_once_a_file() {
    let mode = |files: &Files, name: &str, mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(files.path(name), mode).unwrap();
    };
    for (name, text) in [
        ("hosts.ini", "[web]\nw1 ansible_password=x\nw2 ansible_ssh_pass=y\n"),
        ("./hosts.ini", "[web]\nw1\n[web:vars]\nansible_become_pass=x\n"),
        ("hosts.yml", "web: {hosts: {w1: {ansible_sudo_pass: x}}}"),
        ("hosts.yml", "web: {hosts: {w1: {_sudo_password: x}}}"),
    ] {
        let file = name.trim_start_matches("./");
        let files = Files::new(&[(file, text), ("group_vars/web.yml", "ssh_password: x\n")]);
        mode(&files, file, 0o640);
        mode(&files, "group_vars/web.yml", 0o644);
        let (_, warnings) = told(&files, name).await;
        let ends = [
            format!("/{file} contains a secret"),
            "group_vars/web.yml contains a secret".to_owned(),
        ];
        assert!(
            warnings.len() == 2 && warnings.iter().zip(&ends).all(|(told, end)| told.contains(end)),
            "{name}: {warnings:?}"
        );
        mode(&files, file, 0o600);
        mode(&files, "group_vars/web.yml", 0o600);
        assert!(told(&files, name).await.1.is_empty());
    }
    let files =
        Files::new(&[("hosts", "w1 ansible_winrm_password='{{ vault }}' ssh_password_file=x\n")]);
    mode(&files, "hosts", 0o644);
    assert!(told(&files, "hosts").await.1.is_empty());
}

#[tokio::test]
async fn yes_and_no_are_what_ansible_takes_for_them_and_all_else_is_a_fault() {
    for (word, expected) in [
        ("y", "true"),
        ("yes", "true"),
        ("on", "true"),
        ("1", "true"),
        ("true", "true"),
        ("t", "true"),
        ("1.0", "true"),
        ("T", "true"),
        ("' YES '", "true"),
        ("n", "-"),
        ("no", "-"),
        ("off", "-"),
        ("0", "-"),
        ("FALSE", "-"),
        ("f", "-"),
        ("0.0", "-"),
    ] {
        let ini = format!("w1 ansible_become={word} ansible_host_key_checking={word}\n");
        let files = Files::new(&[("a.ini", &ini)]);
        let inventory = build(Inventory::builder().path(files.path("a.ini"))).await;
        assert_eq!(value(&inventory, "w1", "_sudo"), expected, "{word}");
        let checking = if expected == "true" { "yes" } else { "no" };
        assert_eq!(value(&inventory, "w1", "ssh_strict_host_key_checking"), checking, "{word}");
    }
    for word in ["ja", "2", "-1", "0.5", "''", "[True]"] {
        for key in ["ansible_become", "ansible_host_key_checking"] {
            let files = Files::new(&[("a.ini", &format!("\nw1\n[all:vars]\n{key}={word}\n"))]);
            let found = error(Inventory::builder().path(files.path("a.ini")), &files).await;
            let problem = format!("w1: a.ini:4:1: {key} is yes or no, and this is neither");
            assert_eq!(found, problem, "{word}");
        }
    }
}

#[tokio::test]
async fn what_has_no_meaning_is_told_where_it_stands() {
    let template = "is a template, and templates are not evaluated here: write what comes of it";
    let templates = format!("w1: host_vars/w1.yml:2:1: ansible_become {template}");
    let users = format!("w1: group_vars/web.yml:1:1: ansible_user {template}");
    let first = format!("w1: group_vars/web.yml:3:1: ansible_connection {template}");
    for (name, text, problem) in [
        ("host_vars/w1.yml", "x: 1\nansible_become: '{{ x }}'\n", templates.as_str()),
        ("group_vars/web.yml", "ansible_user: '{{ x }}'\n", &users),
        // Of several, that which decides what the others mean, wherever it stands.
        (
            "group_vars/web.yml",
            "x: 1\nansible_become_user: '{{ x }}'\nansible_connection: '{{ x }}'\n",
            &first,
        ),
        (
            "group_vars/all.yml",
            "a: 1\nansible_become: yes\nansible_become_method: runas\n",
            "w1: group_vars/all.yml:3:1: ansible_become_method=runas is not known here",
        ),
        (
            "group_vars/all.yml",
            "ansible_become: yes\nansible_sudo_flags: -H -X\n",
            "w1: group_vars/all.yml:2:1: the flag -X of sudo has no meaning here",
        ),
        (
            "group_vars/web.yml",
            "ansible_ssh_common_args: -W x:1\n",
            "w1: group_vars/web.yml:1:1: ansible_ssh_common_args: -W has no meaning here; -o, -F, -J, -i, -l, -p, -A, -4 and -6 have",
        ),
    ] {
        let files = Files::new(&[("hosts", "[web]\nw1\n"), (name, text)]);
        assert_eq!(error(ansible(&files, "hosts"), &files).await, problem);
    }
}

#[tokio::test]
async fn what_variables_of_a_group_mean_counts_where_the_group_does() {
    let ini = "
[g1]
w1
w2 ansible_become_user=app
[g2]
w1
w2
[inner]
w3
[g1:children]
inner
[g3]
w3
[g1:vars]
ansible_become=true
ansible_ssh_common_args=-J bastion
[g2:vars]
k=2
[inner:vars]
ansible_become=no
[all:vars]
ansible_become_method=doas
ansible_host_key_checking=no
";
    let files = Files::new(&[("a.ini", ini)]);
    let limited = async |limit: &str| {
        let limit = hostlink_inventory::Pattern::parse(limit).unwrap();
        build(Inventory::builder().path(files.path("a.ini")).limit(limit)).await
    };
    for (limit, host, doas, jump) in [
        ("g1", "w1", "true", "bastion"),
        ("all", "w1", "true", "bastion"),
        ("w1", "w1", "true", "bastion"),
        ("g2", "w1", "-", "-"),
        ("inner", "w3", "-", "bastion"),
        ("g3", "w3", "-", "-"),
        // Its own variables mean something with those of g1 alone: so all stays.
        ("g2", "w2", "true", "bastion"),
    ] {
        let inventory = limited(limit).await;
        assert_eq!(value(&inventory, host, "_doas"), doas, "{limit} {host}");
        assert_eq!(value(&inventory, host, "ssh_proxy_jump"), jump, "{limit} {host}");
        assert_eq!(value(&inventory, host, "ssh_strict_host_key_checking"), "no", "{limit} {host}");
    }
    assert_eq!(value(&limited("g1").await, "w2", "_doas_user"), "app");
}
