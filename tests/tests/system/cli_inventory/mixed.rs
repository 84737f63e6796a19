//! Inventories some of whose hosts cannot be reached: they hinder no other host.

use hostlink_tests::cli::{code, stderr, stdout};

use crate::cli_inventory::Files;

const HOSTS: &str = "[web]\nw1 ansible_connection=local\n[win]\nx1\n[odd]\no1\n";

fn mixed() -> Files {
    Files::new(&[
        ("hosts", HOSTS),
        ("group_vars/win.yml", "ansible_connection: winrm\n"),
        ("group_vars/odd.yml", "ansible_user: '{{ lookup(\"env\", \"USER\") }}'\n"),
    ])
}

#[test]
fn hosts_outside_the_limit_may_say_what_is_not_known_here() {
    let files = mixed();
    let ran = files.shown(&["--limit", "web", "@ansible/hosts", "exec", "--", "echo in"]);
    assert_eq!(ran, "[w1] in\n");
    let output = files.hostlink(&["--limit", "win", "@ansible/hosts", "exec", "--", "echo in"]);
    let line = stderr(&output);
    assert_eq!(stdout(&output), "");
    assert!(
        line.contains("x1: ") && line.contains("ansible_connection=winrm is not known"),
        "{line}"
    );
}

#[test]
fn a_listing_shows_every_host_and_marks_those_that_cannot_be_reached() {
    let files = mixed();
    let output = files.hostlink(&["@ansible/hosts", "inventory"]);
    let (table, told) = (stdout(&output), stderr(&output));
    assert_eq!(code(&output), 0, "{told}");
    for host in ["w1", "x1", "o1"] {
        assert!(table.lines().any(|line| line.starts_with(host)), "{table}");
    }
    let both = table + &told;
    for mark in ["ansible_connection=winrm is not known here", "templates are not evaluated"] {
        assert_eq!(both.matches(mark).count(), 1, "{both}");
    }
}
