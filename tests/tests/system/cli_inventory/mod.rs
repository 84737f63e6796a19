//! The command with inventories: printed, limited, completed, and used.

mod completion;
mod guarded;
mod mixed;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Output;

use hostlink_tests::cli::{code, hostlink, run, send_signal, stderr, stdout, wait_for_exit};
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;

const TEXT: &str = "
data: {ssh_user: deploy, api_token: hunter2, _sudo_password: hunter3}
hosts: [h0]
groups:
  web: {hosts: [w1, {name: w2, data: {layer: host}}], children: [edge], data: {layer: web}}
  edge: {hosts: ['e[1-2]']}
  db: {hosts: [w2, {name: d1, target: '@docker/x'}], data: {layer: db, db: true}}
";

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mode = if text.starts_with("#!") { 0o700 } else { 0o600 };
            let mut options = std::fs::OpenOptions::new();
            let options =
                std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create(true), mode);
            options.open(path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs hostlink in the directory of the files.
    fn hostlink(&self, words: &[&str]) -> Output {
        let mut command = hostlink(words);
        command.current_dir(self.0.path());
        run(command)
    }

    fn shown(&self, words: &[&str]) -> String {
        let output = self.hostlink(words);
        assert_eq!((code(&output), &*stderr(&output)), (0, ""), "{words:?}");
        stdout(&output)
    }

    fn refused(&self, words: &[&str], says: &str) {
        let output = self.hostlink(words);
        let line = stderr(&output);
        assert_eq!((code(&output), &*stdout(&output)), (2, ""), "{words:?}: {line}");
        assert!(line.lines().count() == 1 && line.contains(says), "{words:?}: {line}");
        assert!(!line.contains("hunter"), "{line}");
    }
}

#[test]
fn an_inventory_is_shown_as_a_table_a_tree_and_json() {
    let files = Files::new(&[("inv.yaml", TEXT)]);
    assert_eq!(
        files.shown(&["inv.yaml", "inventory"]),
        "HOST  CONNECTOR  GROUPS\n\
         h0    @ssh\n\
         w1    @ssh       web\n\
         w2    @ssh       web,db\n\
         e1    @ssh       web,edge\n\
         e2    @ssh       web,edge\n\
         d1    @docker    db\n"
    );
    assert_eq!(
        files.shown(&["--limit", "web", "inv.yaml", "inventory", "--graph"]),
        "all\n└─ web:\n   ├─ w1\n   ├─ w2\n   └─ edge:\n      ├─ e1\n      └─ e2\n".replace(
            "└─ web:\n   ├─ w1\n   ├─ w2\n   └─ edge:\n      ├─ e1\n      └─ e2\n",
            "├─ web:\n│  ├─ w1\n│  ├─ w2\n│  └─ edge:\n│     ├─ e1\n│     └─ e2\n└─ db:\n   └─ w2\n"
        )
    );
    let lines = files.shown(&["inv.yaml", "--limit", "w2", "inventory", "--json"]);
    assert_eq!(
        lines,
        "{\"host\":\"w2\",\"connector\":\"ssh\",\"groups\":[\"all\",\"@ssh\",\"web\",\"db\"],\
         \"data\":{\"ssh_user\":\"deploy\",\"api_token\":\"***\",\"_sudo_password\":\"***\",\
         \"layer\":\"host\",\"db\":true,\"ssh_hostname\":\"w2\"}}\n"
    );
    let narrowed = files.shown(&[
        "inv.yaml",
        "--limit",
        "web:&db",
        "--exclude",
        "edge",
        "inventory",
        "--json",
    ]);
    assert!(narrowed.contains("\"layer\":\"host\"") && narrowed.lines().count() == 1, "{narrowed}");
    let one =
        files.shown(&["--limit", "web", "--exclude", "w1,edge", "inv.yaml", "inventory", "--json"]);
    assert!(!one.contains("\"db\":true"), "only chosen groups' data count: {one}");
    let over =
        files.shown(&["--data", "layer=said", "inv.yaml", "--limit", "w2", "inventory", "--json"]);
    assert!(over.contains("\"layer\":\"said\""), "{over}");
}

#[test]
fn a_name_of_any_length_is_a_line_of_the_table() {
    let long = "a".repeat(70_000);
    let files = Files::new(&[("inv.yaml", &format!("hosts: [w1, {long}]"))]);
    let shown = files.shown(&["inv.yaml", "inventory"]);
    assert_eq!(shown, format!("HOST  CONNECTOR  GROUPS\nw1    @ssh\n{long}  @ssh\n"));
}

#[test]
fn flags_for_logging_in_are_shown_as_the_data_that_they_are() {
    let files = Files::new(&[
        ("inv.yaml", "{data: {ssh_user: deploy}, hosts: [w1]}"),
        ("password", "hunter2\n"),
    ]);
    let words = ["--user", "bob", "--port", "2222", "--ssh-password-file", "password"];
    let shown = files.shown(&[&words[..], &["inv.yaml", "inventory", "--json"]].concat());
    for said in ["\"ssh_user\":\"bob\"", "\"ssh_port\":\"2222\"", "\"ssh_password\":\"***\""] {
        assert!(shown.contains(said) && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn what_a_name_writes_out_is_stronger_than_what_is_said_of_all_in_chains_too() {
    let files = Files::new(&[]);
    let words = ["--data", "ssh_user=all", "--port", "22", "--data", "ssh_key=k"];
    let names = "a@w1,w2:1,@ssh/b@w3:2/@chroot//srv,@dockerssh/c@w4:web,w5";
    let shown = files.shown(&[&words[..], &[names, "inventory", "--json"]].concat());
    for (line, (user, port)) in shown.lines().zip([
        ("a", "\"22\""),
        ("all", "1"),
        ("b", "2"),
        ("c", "\"22\""),
        ("all", "\"22\""),
    ]) {
        let host: serde_json::Value = serde_json::from_str(line).unwrap();
        let data = &host["data"];
        let expected = (user.to_owned(), port.to_owned(), "k".to_owned());
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("ssh_user"), data["ssh_port"].to_string(), text("ssh_key")), expected);
    }
    assert_eq!(shown.lines().count(), 5);
}

#[test]
fn group_data_and_directories_are_read_from_where_they_are_said_to_be() {
    let files = Files::new(&[
        ("inv/inventory.yaml", TEXT),
        ("inv/group_data/web.yaml", "layer: directory\n"),
        ("more/web.toml", "layer = 'more'\n"),
    ]);
    let layer = |words: &[&str]| {
        let text = files.shown(&[words, &["--limit", "w1", "inventory", "--json"]].concat());
        text.split("\"layer\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(layer(&["inv/"]), "directory");
    assert_eq!(layer(&["--group-data", "more", "inv/"]), "more");
    assert_eq!(
        layer(&["--group-data", "more", "--group-data", "inv/group_data/web.yaml", "inv/"]),
        "directory"
    );
}

#[test]
fn what_is_wrong_with_an_inventory_is_one_line() {
    let files = Files::new(&[
        ("inv.yaml", TEXT),
        ("bad.yaml", "hosts: [w1]\nhots: []\n"),
        ("cycle.yaml", "groups:\n  a: {children: [b]}\n  b: {children: [a]}\n"),
        ("keys.yaml", "hosts: [{name: w1, data: {_sudo_usr: hunter2}}]\n"),
        ("secret.yaml", "hosts: [{name: w1, data: {_sudo_password_env: HL_NOT_SET}}]\n"),
        ("fails", "#!/bin/sh\necho 'no such region' >&2; exit 1\n"),
        (
            "guarded",
            "#!/bin/sh\necho '{\"hosts\": [{\"name\": \"w1\", \"data\": {\"ssh_proxy_command\": \"touch x\"}}]}'\n",
        ),
    ]);
    let run = ["exec", "--", "true"];
    for (words, says) in [
        (&["bad.yaml"][..], "bad.yaml:2:1: an inventory has no key \"hots\" (did you mean hosts?)"),
        (&["cycle.yaml"], "groups are in one another: "),
        (&["keys.yaml"], "w1: _sudo_usr: there is no such key (did you mean _sudo_user?)"),
        (&["secret.yaml"], "w1: _sudo_password_env: the variable HL_NOT_SET is not set"),
        (&["missing.yaml"], "missing.yaml: this inventory cannot be read: No such file"),
        (&["./fails"], "./fails failed (exit status: 1): no such region"),
        (&["./guarded"], "ssh_proxy_command: what a program prints may not set this"),
        (&["--limit", "wbe", "inv.yaml"], "no host and no group is called wbe (did you mean web?)"),
        (&["--exclude", "all", "inv.yaml"], "--limit and --exclude leave no host"),
        (&["--limit", "w[9-1]", "inv.yaml"], "--limit w[9-1]: [9-1] runs backwards"),
        (&["web[1-1000000000]"], "1000000000 names are more than the 1000000"),
        (&["--group-data", "nowhere", "inv.yaml"], "nowhere"),
        (&["--data", "_sudo_usr=x", "inv.yaml"], "--data _sudo_usr: there is no such key"),
    ] {
        files.refused(&[words, &run].concat(), says);
    }
    for reserved in ["connectors", "schema", "completions", "help"] {
        let output = files.hostlink(&[reserved, "exec", "--", "true"]);
        assert_eq!(code(&output), 2, "{reserved}");
    }
    let output = files.hostlink(&["@ssh/connectors", "inventory", "--json"]);
    assert!(stdout(&output).starts_with("{\"host\":\"connectors\""), "{}", stderr(&output));
    let trusted = files.hostlink(&["--trust-data", "./guarded", "inventory", "--json"]);
    assert!(stdout(&trusted).contains("ssh_proxy_command"), "{}", stderr(&trusted));
}

#[test]
fn all_faults_of_a_hosts_data_are_reported_together() {
    let files = Files::new(&[(
        "inv.yaml",
        "hosts: [{name: w1, data: {_sudo: maybe, _timeout: x, _sudo_usr: q, ssh_porrt: 22, \
         ssh_password_env: NOT_SET}}]\n",
    )]);
    for says in [
        "w1: _sudo_usr: there is no such key (did you mean _sudo_user?); ",
        "_sudo: \"maybe\" is not true or false; ",
        "_timeout: \"x\" is not a number of seconds",
        "; ssh_porrt: there is no such key (did you mean ssh_port?)",
    ] {
        files.refused(&["inv.yaml", "exec", "--", "true"], says);
    }
}

#[test]
fn all_output_of_a_program_is_reported_at_full_verbosity() {
    let script = "#!/bin/sh\nprintf 'first\\nsecond\\033[1m\\nlast\\n' >&2; exit 1\n";
    let files = Files::new(&[("fails", script)]);
    let line = "hostlink: ./fails failed (exit status: 1): last\n";
    files.refused(&["./fails", "inventory"], line);
    let output = files.hostlink(&["-v", "./fails", "inventory"]);
    let all = "hostlink:   first\nhostlink:   second [1m\nhostlink:   last\n";
    assert_eq!((code(&output), stderr(&output)), (2, format!("{line}{all}")));
}

#[test]
fn a_path_may_have_an_at_sign_in_it() {
    let files = Files::new(&[
        ("srv/@data/inv.yaml", "hosts: [a]"),
        ("my@dir/inv.yaml", "hosts: [b]"),
        ("h/@docker/inv.yaml", "hosts: [c]"),
    ]);
    let hosts = |targets: &str| {
        let shown = files.shown(&[targets, "inventory"]);
        let hosts = shown.lines().skip(1).map(|line| line.split(' ').next().unwrap_or_default());
        hosts.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(hosts("w1,srv/@data/inv.yaml,my@dir/inv.yaml,w2"), "w1 a b w2");
    // A chain of existing connectors stays a chain, even if files have these names.
    assert_eq!(hosts("h/@docker/inv.yaml,./h/@docker/inv.yaml"), "h/@docker/inv.yaml c");
    let says = "there is no connector \"data\" (a file of this name is ./srv/@data/other.yaml)";
    files.refused(&["srv/@data/other.yaml", "inventory"], says);
}

#[test]
fn secrets_in_world_readable_files_are_reported() {
    let files = Files::new(&[("inv.yaml", TEXT)]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(files.path("inv.yaml"), mode).unwrap();
    let output = files.hostlink(&["inv.yaml", "inventory"]);
    let told = stderr(&output);
    assert_eq!(code(&output), 0, "{told}");
    assert!(
        told.starts_with("hostlink: warning: inv.yaml contains a secret")
            && told.lines().count() == 1,
        "{told}"
    );
}

#[test]
fn the_schema_takes_what_is_read_and_refuses_what_is_not() {
    let files = Files::new(&[]);
    let schema: serde_json::Value =
        serde_json::from_str(&files.shown(&["schema", "inventory"])).unwrap();
    let described = &schema["$defs"]["data"]["properties"]["ssh_user"]["description"];
    assert!(described.as_str().unwrap().contains("User to log in as"), "{described}");
    files.refused(&["schema", "playbook"], "playbook");
    files.refused(&["@local", "schema", "inventory"], "schema takes no TARGETS");
}

#[test]
fn commands_run_on_the_hosts_of_an_inventory_that_a_limit_chooses() {
    let (first, second) = (SshTarget::start(Sshd::builder()), SshTarget::start(Sshd::builder()));
    let host = |name: &str, target: &SshTarget| {
        let data = serde_json::to_string(&target.data).unwrap();
        format!("{{\"name\": \"{name}\", \"target\": \"{}\", \"data\": {data}}}", target.name())
    };
    let text = format!(
        "{{\"groups\": {{\"web\": {{\"hosts\": [{}], \"data\": {{\"_env\": {{\"LAYER\": \"web\"}}}}}}, \
         \"db\": {{\"hosts\": [{}]}}}}, \"hosts\": [{{\"name\": \"here\", \"target\": \"@local\"}}]}}",
        host("w1", &first),
        host("d1", &second),
    );
    let files = Files::new(&[("inv.json", &text)]);
    let exec = ["exec", "--", "echo ${LAYER-none}"];
    let run = |words: &[&str]| {
        let output = files.hostlink(&[words, &exec].concat());
        assert_eq!(code(&output), 0, "{words:?}: {}", stderr(&output));
        let text = stdout(&output);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join(" ")
    };
    assert_eq!(run(&["inv.json"]), "[d1] none [here] none [w1] web");
    assert_eq!((first.sshd.logins(), second.sshd.logins()), (1, 1));
    // An inventory stands for many hosts, and the form of the output does not follow their number.
    assert_eq!(run(&["--limit", "web", "inv.json"]), "[w1] web");
    assert_eq!(run(&["--exclude", "web,d1", "inv.json"]), "[here] none");
    let fails =
        |words: &[&str]| code(&files.hostlink(&[words, &["exec", "--", "exit 7"]].concat()));
    assert_eq!(fails(&["--limit", "here", "inv.json"]), 1);
    assert_eq!(fails(&["@local"]), 7, "the control: one target");
    assert_eq!(fails(&["--limit", "@local", "@local,127.0.0.1"]), 1);
    assert_eq!((first.sshd.logins(), second.sshd.logins()), (2, 1));
    let words = files.hostlink(&["inv.json", "forward", "-D", "1080"]);
    assert!(stderr(&words).contains("TARGETS names 3"), "{}", stderr(&words));
}

#[test]
fn what_is_in_a_group_is_shown_once_in_the_tree() {
    let files = Files::new(&[(
        "inv.yaml",
        "hosts: [h0]\ngroups:\n  a: {children: [c, d]}\n  b: {hosts: [w1], children: [empty, d, c]}\n  c: {hosts: [w1], children: [d]}\n  \
         d: {hosts: [w2]}\n  empty: {children: [emptier]}\n  emptier: {}\n",
    )]);
    assert_eq!(
        files.shown(&["inv.yaml", "inventory", "--graph"]),
        "all\n├─ h0\n├─ a:\n│  ├─ c:\n│  │  ├─ w1\n│  │  └─ d:\n│  │     └─ w2\n│  └─ d: (see above)\n\
         └─ b:\n   ├─ w1\n   ├─ d: (see above)\n   └─ c: (see above)\n"
    );
}

#[test]
fn the_tree_of_groups_of_any_depth_is_written_as_it_is_made_and_can_be_stopped() {
    const DEPTH: usize = 8000;
    let chain = (0..DEPTH).map(|n| format!("\"g{n}\": {{\"children\": [\"g{}\"]}}, ", n + 1));
    let chain: String = chain.collect();
    let list = format!("{{\"groups\": {{{chain}\"g{DEPTH}\": {{\"hosts\": [\"w1\"]}}}}}}");
    let files = Files::new(&[("list.json", &list), ("prints", "#!/bin/sh\ncat list.json\n")]);
    let words = ["./prints", "inventory", "--graph"];
    let shown = files.shown(&words);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!((lines.len(), lines[1].trim()), (DEPTH + 3, "└─ g0:"));
    assert_eq!(lines[DEPTH + 2].trim(), "└─ w1");
    // A reader that reads a little and then stops.
    let mut command = hostlink(words);
    command.current_dir(files.0.path());
    let mut child = command.spawn().unwrap();
    let mut begin = [0; 100];
    child.stdout.as_mut().unwrap().read_exact(&mut begin).unwrap();
    send_signal(&child, "INT");
    assert_eq!(wait_for_exit(&mut child).code(), Some(130));
}
