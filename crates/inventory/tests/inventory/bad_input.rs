//! One clear line, with the file, the line and the column.

use hostlink_core::Context;
use hostlink_inventory::Inventory;
use std::sync::Arc;

use crate::scene::{Files, Told, context, error, registry};

#[tokio::test]
async fn faults_name_file_line_and_column() {
    let deep = format!("data: {}{}", "[".repeat(200), "]".repeat(200));
    for (name, text, problem) in [
        (
            "a.yaml",
            "hosts: [w1]\nhots: [w2]",
            "a.yaml:2:1: an inventory has no key \"hots\" (did you mean hosts?)",
        ),
        (
            "a.yaml",
            "groups:\n  web: {host: [w1]}",
            "a.yaml:2:9: a group has no key \"host\" (did you mean hosts?)",
        ),
        (
            "a.yaml",
            "hosts: [{nme: w1}]",
            "a.yaml:1:10: a host has no key \"nme\" (did you mean name?)",
        ),
        ("a.yaml", "hosts: [{data: {x: 1}}]", "a.yaml:1:9: this host has no name"),
        ("a.yaml", "hosts: w1", "a.yaml:1:8: hosts is a list, and this is text"),
        (
            "a.yaml",
            "hosts: [[w1]]",
            "a.yaml:1:9: a host is a name, or a map with name, target and data; this is a list",
        ),
        ("a.yaml", "groups: [web]", "a.yaml:1:9: groups is a map, and this is a list"),
        ("a.yaml", "data: 5", "a.yaml:1:7: data is a map, and this is a number"),
        ("a.yaml", "hosts: ['w 1']", "a.yaml:1:9: \"w 1\" is not a valid host name"),
        ("a.yaml", "groups: {'a,b': {}}", "a.yaml:1:10: \"a,b\" is not a valid group name"),
        ("a.yaml", "groups: {all: {}}", "a.yaml:1:10: all is the group of every host"),
        ("a.yaml", "hosts: ['w[9-1]']", "a.yaml:1:9: w[9-1]: [9-1] runs backwards"),
        (
            "a.yaml",
            "hosts: ['w[1-1000000000]']",
            "a.yaml:1:9: w[1-1000000000]: 1000000000 names are more than",
        ),
        (
            "a.yaml",
            "hosts: ['@nowhere/x']",
            "a.yaml:1:9: there is no connector @nowhere; there are: @local",
        ),
        ("a.yaml", "groups:\n  a: {children: [b]}", "a.yaml:2:18: there is no group \"b\""),
        ("a.yaml", "groups: {a: {children: [all]}}", "a.yaml:1:25: all is the group of every host"),
        ("a.yaml", "hosts: [w1, all]", "a.yaml:1:13: all is the group of every host"),
        (
            "a.yaml",
            "data: {id: 123456789012345678901}",
            "a.yaml:1:12: this YAML cannot be read: this whole number does not fit into 64 bits",
        ),
        (
            "a.yaml",
            "groups:\n  a: {children: [b]}\n  b: {children: [a]}",
            "groups are in one another: ",
        ),
        (
            "a.yaml",
            "groups:\n  a: {children: [a]}",
            "a.yaml:2:18: groups are in one another: a > a",
        ),
        (
            "a.yaml",
            "hosts: [{name: w1, data: {x: 1}}]\ngroups: {g: {hosts: [{name: w1, data: {x: 2}}]}}",
            "a.yaml:2:22: w1: its x is another one at a.yaml:1:9",
        ),
        (
            "a.yaml",
            "hosts: [{name: w1, target: '@local'}, {name: w1, target: '@docker/x'}]",
            "a.yaml:1:39: w1: its target is another one at a.yaml:1:9",
        ),
        (
            "a.yaml",
            "hosts: [{name: w1, data: {x: 1}}, {name: w1, data: {x: null}}]",
            "a.yaml:1:35: w1: its x is another one at a.yaml:1:9",
        ),
        (
            "a.yaml",
            "hosts: [{name: w1, data: {x: null}}, {name: w1, data: {x: 1}}]",
            "a.yaml:1:38: w1: its x is another one at a.yaml:1:9",
        ),
        ("a.yaml", "hosts: ['..']", "a.yaml:1:9: \"..\" is not a valid host name: it would be"),
        ("a.yaml", "hosts: [{name: '.', target: '@local'}]", "a.yaml:1:9: \".\" is not a valid"),
        ("a.yaml", "hosts: ['a/../b']", "a.yaml:1:9: \"a/../b\" is not a valid host name"),
        ("a.yaml", "hosts: ['../@docker/x']", "a.yaml:1:9: \"../@docker/x\" is not a valid"),
        ("a.ini", "[web]\n.. x=1", "a.ini:2:1: \"..\" is not a valid host name"),
        (
            "a.yaml",
            "all: {hosts: {w1: {}}}",
            "a.yaml:1:1: this looks like an inventory of Ansible: write @ansible/a.yaml",
        ),
        ("a.toml", "[data]\nx = 1\nx = 2", "a.toml:3:1: this TOML cannot be read"),
        ("a.toml", "hots = []", "a.toml:1:1: an inventory has no key \"hots\""),
        ("a.json", "{\"hosts\": [5, true]}", "a.json:1:"),
        ("a.json", "{", "a.json:1:1: this JSON cannot be read"),
        ("a.yaml", &deep, "nested too deeply"),
        ("a.yaml", "- w1", "a.yaml:1:1: an inventory is a map, and this is a list"),
        ("a.ini", "[web\nw1", "a.ini:1:1: "),
        (
            "a.ini",
            "[web:hosts]\nw1",
            "a.ini:1:1: [web:hosts]: there are :vars and :children, and no :hosts",
        ),
        ("a.ini", "w1 ansible_host", "a.ini:1:1: a host is followed by KEY=VALUE"),
        ("a.ini", "w1 x='y", "a.ini:1:1: a ' is not closed"),
        ("a.ini", "[web:children]\ndb\n", "a.ini:2:1: there is no group \"db\""),
        (
            "a.ini",
            "[web]\nw1\n[wbe:vars]\nx=1\n",
            "a.ini:3:1: [wbe:vars]: there is no group \"wbe\" (did you mean web?)",
        ),
        ("a.ini", "[web:vars]\n", "a.ini:1:1: [web:vars]: there is no group \"web\""),
        ("a.ini", "w[9-1]", "a.ini:1:1: w[9-1]: [9-1] runs backwards"),
        ("a.ini", "w1:x", "a.ini:1:1: w1:x: this is no port"),
        (
            "a.ini",
            "w1 ansible_connection=winrm",
            "a.ini:1:1: ansible_connection=winrm is not known here",
        ),
        ("a.ini", "w1 ansible_host={{x}}", "a.ini:1:1: ansible_host is a template"),
        (
            "a.ini",
            "d1 ansible_connection=docker ansible_docker_extra_args='-H tcp://h:1 --tls'",
            "a.ini:1:1: ansible_docker_extra_args: only -H URL has a meaning here",
        ),
        (
            "a.ini",
            "[w]\nw1\n[w:vars]\nansible_become=yes\nansible_become_exe=/opt/sudo",
            "a.ini:5:1: ansible_become_exe: another program than sudo has no meaning here",
        ),
        (
            "a.ini",
            "w1\n[@local]\nw1\n",
            "a.ini:2:1: @local are the hosts by that connector: it has data, no hosts",
        ),
        ("a.ini", "$ANSIBLE_VAULT;1.1;AES256\n00", "a.ini: it is encrypted by Ansible Vault"),
    ] {
        let files = Files::new(&[(name, text)]);
        let found = error(Inventory::builder().path(files.path(name)), &files).await;
        assert!(found.contains(problem) && !found.contains('\n'), "{text:.60}: {found}");
    }
}

#[tokio::test]
async fn every_fault_of_a_file_is_told_at_once() {
    let files = Files::new(&[("a.yaml", "hots: []\ngrups: {}\nhosts: ['w[2-1]', 'a b']\n")]);
    let found = error(Inventory::builder().path(files.path("a.yaml")), &files).await;
    assert_eq!(found.matches("a.yaml:").count(), 4, "{found}");
}

#[tokio::test]
async fn paths_that_are_no_inventories_are_refused() {
    let files = Files::new(&[
        ("plain", "w1"),
        ("dir/x.yaml", ""),
        ("two/inventory.yaml", ""),
        ("two/inventory.toml", ""),
        ("data/web.yaml", ""),
        ("data/web.toml", ""),
        ("bytes.yaml", "x"),
        ("links/README", ""),
        ("nested/all/main.yaml", ""),
        ("nested/README", ""),
        ("at.ini", "[@local]\nw1\n"),
        ("children.ini", "[web]\nw1\n[@docker:children]\nweb\n"),
        ("ec2.yml", "plugin: amazon.aws.aws_ec2\nregions: [x]\n"),
        ("s.tfstate", "{}"),
    ]);
    std::fs::write(files.path("bytes.yaml"), [0x61, 0xff]).unwrap();
    std::fs::write(files.path("late.yaml"), b"hosts:\n  - n\xc3\xb6\xff\n").unwrap();
    for (name, problem) in [
        ("missing.yaml", "missing.yaml: this inventory cannot be read: No such file or directory"),
        (
            "plain",
            "plain: this is not an inventory: one ends in .toml, .yaml, .yml, .json or .ini, is",
        ),
        ("dir", "this directory has no inventory: inventory.toml, inventory.yaml"),
        ("two", "this directory has 2 inventories"),
        ("bytes.yaml", "bytes.yaml:1:2: this is not UTF-8"),
        ("late.yaml", "late.yaml:2:7: this is not UTF-8"),
        (
            "s.tfstate",
            "s.tfstate: this is a state of Terraform: name @terraform, with --data terraform_state=s.tfstate",
        ),
    ] {
        let found = error(Inventory::builder().path(files.path(name)), &files).await;
        assert!(found.contains(problem), "{name}: {found}");
    }
    for (words, problem) in [
        (
            "no/host",
            "no/host: this inventory cannot be read: No such file or directory (os error 2); a host is written without a slash, or as @ssh/HOST",
        ),
        (
            "no.yaml",
            "no.yaml: this inventory cannot be read: No such file or directory (os error 2); a host of this name is @ssh/no.yaml",
        ),
        ("@ansible/no", "no: cannot be read: No such file or directory (os error 2)"),
    ] {
        let found = error(Inventory::builder().targets(words).unwrap(), &files).await;
        assert_eq!(found, problem, "{words}");
    }
    for (name, problem) in [
        (
            "ec2.yml",
            "ec2.yml:1:1: this is for a plugin of Ansible, and plugins are not run here: read what ansible-inventory --list says",
        ),
        ("at.ini", "lists w1 in a group that cannot be: @local is the group of a connector"),
        ("children.ini", "lists web in @docker, the group of a connector"),
    ] {
        let words = format!("@ansible/{}", files.path(name).display());
        let found = error(Inventory::builder().targets(&words).unwrap(), &files).await;
        assert!(found.contains(problem), "{name}: {found}");
    }
    for name in ["nowhere", "nowhere.yaml"] {
        let builder = Inventory::builder().host("w1").group_data(files.path(name));
        let problem = format!("{name}: cannot be read: No such file or directory (os error 2)");
        assert_eq!(error(builder, &files).await, problem);
    }
    let builder = Inventory::builder().host("w1").group_data(files.path("plain"));
    let found = error(builder, &files).await;
    assert_eq!(found, "plain: data are in files like web.toml, web.yaml, web.yml or web.json");
    std::os::unix::fs::symlink("/no/where.yaml", files.path("links/web.yaml")).unwrap();
    for (name, problem) in [
        ("links", "web.yaml: cannot be read: No such file or directory (os error 2)"),
        (
            "nested",
            "nested/all: this is a directory, and data are in files like web.toml, web.yaml, web.yml or web.json",
        ),
    ] {
        let builder = Inventory::builder().host("w1").group_data(files.path(name));
        assert!(error(builder, &files).await.ends_with(problem), "{name}");
    }
    let builder = Inventory::builder().host("w1").group_data(files.path("data"));
    let found = error(builder, &files).await;
    assert!(found.contains("there is another file for web beside it"), "{found}");
}

#[tokio::test]
async fn programs_that_fail_or_print_garbage_are_told_with_their_own_words() {
    let files = Files::new(&[
        ("fails", "#!/bin/sh\necho 'no token' >&2\nexit 3\n"),
        ("garbage", "#!/bin/sh\necho 'a warning' >&2\necho 'hello'\n"),
        ("wrong", "#!/bin/sh\necho '{\"hosts\": [], \"hots\": []}'\n"),
        (
            "guarded",
            "#!/bin/sh\necho '{\"hosts\": [{\"name\": \"w1\", \"data\": {\"ssh_proxy_command\": \"x\"}}]}'\n",
        ),
        ("local", "#!/bin/sh\necho '{\"hosts\": [{\"name\": \"w1\", \"target\": \"@local\"}]}'\n"),
        ("lists", "#!/bin/sh\necho '{\"hosts\": [\"@ansible/etc/passwd\"]}'\n"),
        (
            "secret",
            "#!/bin/sh\necho '{\"data\": {\"_sudo_password_command\": \"x\"}, \"hosts\": [\"w1\"]}'\n",
        ),
        ("missing", "#!/no/such/interpreter\n"),
    ]);
    for (name, problem) in [
        ("fails", "fails failed (exit status: 3): no token"),
        (
            "garbage",
            "what garbage printed:1:1: this JSON cannot be read: expected value: a warning",
        ),
        ("wrong", "what wrong printed:1:15: an inventory has no key \"hots\""),
        ("guarded", "ssh_proxy_command: what a program prints may not set this"),
        ("local", "@local is on this machine, and a program printed it"),
        ("lists", "@ansible/etc/passwd is on this machine, and a program printed it"),
        ("secret", "_sudo_password_command: what a program prints may not set this"),
        ("missing", "missing cannot be started: "),
    ] {
        let found = error(Inventory::builder().path(files.path(name)), &files).await;
        assert!(found.contains(problem), "{name}: {found}");
    }
    let trusting = Context { trust_data: true, ..context() };
    for name in ["guarded", "local", "secret"] {
        let builder = Inventory::builder().path(files.path(name));
        assert_eq!(builder.build(&registry(None), &trusting).await.unwrap().hosts().len(), 1);
    }
}

#[tokio::test]
async fn secrets_that_others_can_read_are_told_once_a_file() {
    let text = "data: {_sudo_password: x, ssh_password_file: /dev/null}\nhosts: [{name: w1, data: {ssh_password: y}}]";
    let files =
        Files::new(&[("a.yaml", text), ("b.yaml", "data: {ssh_password_file: x}\nhosts: [w2]")]);
    let told = Arc::new(Told::default());
    let context = Context { reporter: told.clone(), ..context() };
    let build = async || {
        let builder = Inventory::builder().path(files.path("a.yaml")).path(files.path("b.yaml"));
        builder.build(&registry(None), &context).await.unwrap();
    };
    let mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(files.path("a.yaml"), mode).unwrap();
    };
    mode(0o600);
    build().await;
    assert!(told.warnings().is_empty(), "{:?}", told.warnings());
    mode(0o640);
    build().await;
    // A secret of the user's own, which is masked for its name, is one, too.
    std::fs::write(files.path("a.yaml"), "hosts: [{name: w1, data: {db: {password: y}}}]").unwrap();
    let own = files.path("a.yaml");
    let before = told.warnings().len();
    build().await;
    assert_eq!(told.warnings().len(), before + 1, "{:?}", told.warnings());
    std::fs::write(own, "hosts: [{name: w1, data: {password_file: y, has_secrets: true}}]")
        .unwrap();
    build().await;
    assert_eq!(told.warnings().len(), before + 1, "{:?}", told.warnings());
    let warnings = told.warnings()[..before].to_vec();
    assert!(
        warnings.len() == 1 && warnings[0].contains("a.yaml contains a secret"),
        "{warnings:?}"
    );
}
