//! Arguments in, line out: every privilege field, and every nesting.

use super::*;
use crate::shell::privilege::{Cue, SECRET_VARIABLES};
use crate::values::error::ErrorKind;
use crate::values::secret::Secret;

fn a() -> ConnectorArguments {
    ConnectorArguments::new()
}

fn c(line: &str) -> StringCommand {
    StringCommand::shell(line)
}

fn words<const N: usize>(words: [&str; N]) -> StringCommand {
    StringCommand::from_words(words)
}

#[rustfmt::skip]
fn table() -> Vec<(StringCommand, ConnectorArguments, &'static str)> {
    vec![
        (c("uname -a"), a(),
            r###"sh -c 'uname -a'"###),
        (c("a; b"), a(),
            r###"sh -c 'a; b'"###),
        (words(["echo", "it's", ""]), a(),
            r###"sh -c 'echo '"'"'it'"'"'"'"'"'"'"'"'s'"'"' '"'"''"'"''"###),
        (c("echo").secret("hunter2"), a(),
            r###"sh -c 'echo ***'"###),
        (c("id"), a().with_chdir("/srv"),
            r###"sh -c 'cd /srv || exit; id'"###),
        (c("id"), a().with_chdir("rel/dir"),
            r###"sh -c 'cd ./rel/dir || exit; id'"###),
        (c("id"), a().with_chdir("./rel"),
            r###"sh -c 'cd ./rel || exit; id'"###),
        (c("id"), a().with_chdir(".."),
            r###"sh -c 'cd .. || exit; id'"###),
        (c("id"), a().with_chdir("-"),
            r###"sh -c 'cd ./- || exit; id'"###),
        (c("id"), a().with_chdir("..x"),
            r###"sh -c 'cd ./..x || exit; id'"###),
        (c("id"), a().with_chdir("a b"),
            r###"sh -c 'cd '"'"'./a b'"'"' || exit; id'"###),
        (c("a; b"), a().with_chdir("/srv"),
            r###"sh -c 'cd /srv || exit; a; b'"###),
        (c("id"), a().with_env_var("K", "v"),
            r###"sh -c 'export K=v || exit; id'"###),
        (c("id"), a().with_env_var("K", "v w").with_env_var("L", ""),
            r###"sh -c 'export K='"'"'v w'"'"' || exit; export L='"'"''"'"' || exit; id'"###),
        (c("id"), a().with_env_var("K", "it's $HOME"),
            r###"sh -c 'export K='"'"'it'"'"'"'"'"'"'"'"'s $HOME'"'"' || exit; id'"###),
        (c("id"), a().with_env_var("K", Secret::from("hunter2")),
            r###"sh -c 'export K=*** || exit; id'"###),
        (c("id"), a().with_env_var("K", "v").with_chdir("/srv"),
            r###"sh -c 'cd /srv || exit; export K=v || exit; id'"###),
        (c("id"), a().with_shell_executable("sh"),
            r###"sh -c id"###),
        (c("id"), a().with_shell_executable("bash"),
            r###"sh -c 'exec bash -c id'"###),
        (c("echo 'x'"), a().with_shell_executable("bash"),
            r###"sh -c 'exec bash -c '"'"'echo '"'"'"'"'"'"'"'"'x'"'"'"'"'"'"'"'"''"'"''"###),
        (c("id"), a().with_shell_executable("bash -e"),
            r###"sh -c 'exec bash -e -c id'"###),
        (c("id"), a().with_shell_executable("/opt/my$sh"),
            r###"sh -c 'exec '"'"'/opt/my$sh'"'"' -c id'"###),
        (c("id"), a().with_shell_executable("bash").with_chdir("/srv").with_env_var("K", "v"),
            r###"sh -c 'cd /srv || exit; export K=v || exit; exec bash -c id'"###),
        (c("id"), a().with_sudo(true),
            r###"sudo -H -n sh -c id"###),
        (c("id"), a().with_sudo(false),
            r###"sh -c id"###),
        (c("id"), a().with_sudo(true).with_sudo_user("web"),
            r###"sudo -H -n -u web sh -c id"###),
        (c("id"), a().with_sudo(true).with_sudo_user("a b"),
            r###"sudo -H -n -u 'a b' sh -c id"###),
        (c("id"), a().with_sudo(true).with_sudo_group("www data"),
            r###"sudo -H -n -g 'www data' sh -c id"###),
        (c("id"), a().with_sudo(true).with_sudo_user("web").with_sudo_group("adm").with_use_sudo_login(true),
            r###"sudo -H -n -i -u web -g adm sh -c id"###),
        (c("id"), a().with_dzdo(true).with_sudo(true).with_sudo_group("adm").with_su_user("web"),
            r###"dzdo -H -n sudo -H -n -g adm su web -c 'exec sh -c id'"###),
        (c("id"), a().with_sudo(true).with_preserve_sudo_env(true),
            r###"sudo -H -n -E sh -c id"###),
        (c("id"), a().with_sudo(true).with_use_sudo_login(true),
            r###"sudo -H -n -i sh -c id"###),
        (c("echo $HOME"), a().with_sudo(true).with_use_sudo_login(true),
            r###"sudo -H -n -i sh -c 'echo $HOME'"###),
        (c("id"), a().with_sudo(true).with_use_sudo_login(true).with_sudo_user("web"),
            r###"sudo -H -n -i -u web sh -c id"###),
        (c("id"), a().with_sudo(true).with_use_sudo_login(true).with_preserve_sudo_env(true),
            r###"sudo -H -n -i -E sh -c id"###),
        (c("id"), a().with_sudo(true).with_sudo_password("hunter2"),
            r###"sudo -H -S -k -p hostlink-prompt sh -c id"###),
        (c("id"), a().with_sudo(true).with_use_sudo_password(true),
            r###"sudo -H -S -k -p hostlink-prompt sh -c id"###),
        (c("id"), a().with_sudo(true).with_sudo_password("hunter2").with_sudo_user("web"),
            r###"sudo -H -S -k -p hostlink-prompt -u web sh -c id"###),
        (c("id"), a().with_sudo(false).with_sudo_user("web"),
            r###"sh -c id"###),
        (c("id"), a().with_sudo(false).with_sudo_password("hunter2").with_use_sudo_login(true),
            r###"sh -c id"###),
        (c("id"), a().with_sudo(true).with_shell_executable("bash"),
            r###"sudo -H -n sh -c 'exec bash -c id'"###),
        (c("id"), a().with_sudo(true).with_chdir("/srv"),
            r###"sudo -H -n sh -c 'cd /srv || exit; id'"###),
        (c("id"), a().with_sudo(true).with_env_var("K", "v"),
            r###"sudo -H -n sh -c 'export K=v || exit; id'"###),
        (c("id"), a().with_sudo(true).with_env_var("K", Secret::from("hunter2")),
            r###"sudo -H -n sh -c 'export K=*** || exit; id'"###),
        (c("id"), a().with_su_user("web"),
            r###"su web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("a b"),
            r###"su 'a b' -c 'exec sh -c id'"###),
        (c("echo $HOME"), a().with_su_user("web"),
            r###"su web -c 'exec sh -c '"'"'echo $HOME'"'"''"###),
        (c("echo 'x'"), a().with_su_user("web"),
            r###"su web -c 'exec sh -c '"'"'echo '"'"'"'"'"'"'"'"'x'"'"'"'"'"'"'"'"''"'"''"###),
        (c("id"), a().with_su_user("web").with_use_su_login(true),
            r###"su -l web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("web").with_preserve_su_env(true),
            r###"su -m web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("web").with_use_su_login(true).with_preserve_su_env(true),
            r###"su -l -m web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("web").with_su_shell("bash"),
            r###"su -s "$(command -v bash || echo bash)" web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("web").with_su_shell("my shell"),
            r###"su -s "$(command -v 'my shell' || echo 'my shell')" web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("web").with_su_password("hunter2"),
            r###"su web -c 'exec sh -c id'"###),
        (c("id"), a().with_su_user("web").with_chdir("/srv"),
            r###"su web -c 'exec sh -c '"'"'cd /srv || exit; id'"'"''"###),
        (c("id"), a().with_su_user("web").with_shell_executable("bash"),
            r###"su web -c 'exec sh -c '"'"'exec bash -c id'"'"''"###),
        (c("id"), a().with_use_sudo_login(false).with_use_su_login(false).with_preserve_su_env(false),
            r###"sh -c id"###),
        (c("id"), a().with_doas(true),
            r###"doas -n sh -c id"###),
        (c("id"), a().with_doas(true).with_doas_user("web"),
            r###"doas -n -u web sh -c id"###),
        (c("id"), a().with_doas(false).with_doas_user("web"),
            r###"sh -c id"###),
        (c("id"), a().with_dzdo(true),
            r###"dzdo -H -n sh -c id"###),
        (c("id"), a().with_dzdo(true).with_dzdo_user("web"),
            r###"dzdo -H -n -u web sh -c id"###),
        (c("id"), a().with_dzdo(false).with_dzdo_user("web"),
            r###"sh -c id"###),
        (c("id"), a().with_sudo(true).with_su_user("web"),
            r###"sudo -H -n su web -c 'exec sh -c id'"###),
        (c("id"), a().with_sudo(true).with_use_sudo_login(true).with_su_user("web"),
            r###"sudo -H -n -i sh -c 'exec su web -c '"'"'exec sh -c id'"'"''"###),
        (c("id"), a().with_doas(true).with_sudo(true),
            r###"doas -n sudo -H -n sh -c id"###),
        (c("id"), a().with_doas(true).with_dzdo(true),
            r###"doas -n dzdo -H -n sh -c id"###),
        (c("id"), a().with_dzdo(true).with_sudo(true),
            r###"dzdo -H -n sudo -H -n sh -c id"###),
        (c("id"), a().with_dzdo(true).with_su_user("web"),
            r###"dzdo -H -n su web -c 'exec sh -c id'"###),
        (c("id"), a().with_doas(true).with_su_user("web"),
            r###"doas -n su web -c 'exec sh -c id'"###),
        (c("id"), a().with_doas(true).with_dzdo(true).with_sudo(true),
            r###"doas -n dzdo -H -n sudo -H -n sh -c id"###),
        (c("id"), a().with_doas(true).with_sudo(true).with_su_user("web"),
            r###"doas -n sudo -H -n su web -c 'exec sh -c id'"###),
        (c("id"), a().with_doas(true).with_doas_user("u1").with_dzdo(true).with_dzdo_user("u2").with_sudo(true).with_sudo_user("u3").with_su_user("u4"),
            r###"doas -n -u u1 dzdo -H -n -u u2 sudo -H -n -u u3 su u4 -c 'exec sh -c id'"###),
        (c("id"), a().with_doas(true).with_dzdo(true).with_sudo(true).with_su_user("web").with_chdir("/srv").with_env_var("K", "v").with_shell_executable("bash"),
            r###"doas -n dzdo -H -n sudo -H -n su web -c 'exec sh -c '"'"'cd /srv || exit; export K=v || exit; exec bash -c id'"'"''"###),
    ]
}

#[test]
fn each_row_of_arguments_makes_its_line() {
    let table = table();
    assert!(table.len() >= 60, "the table has lost rows");
    for (command, arguments, line) in table {
        assert_eq!(make_unix_command(&command, &arguments).unwrap().to_string(), line);
    }
}

#[test]
fn options_of_a_tool_that_is_not_asked_for_are_refused() {
    let rows = [
        (a().with_sudo_user("web"), "_sudo_user: has no effect without _sudo"),
        (a().with_sudo_group("adm"), "_sudo_group: has no effect without _sudo"),
        (a().with_use_sudo_login(true), "_use_sudo_login: has no effect without _sudo"),
        (a().with_use_sudo_password(true), "_use_sudo_password: has no effect without _sudo"),
        (a().with_preserve_sudo_env(true), "_preserve_sudo_env: has no effect without _sudo"),
        (a().with_use_su_login(true), "_use_su_login: has no effect without _su_user"),
        (a().with_preserve_su_env(true), "_preserve_su_env: has no effect without _su_user"),
        (a().with_su_shell("bash"), "_su_shell: has no effect without _su_user"),
        (a().with_su_password("hunter2"), "_su_password: has no effect without _su_user"),
        (a().with_doas_user("web"), "_doas_user: has no effect without _doas"),
        (a().with_doas_password("hunter2"), "_doas_password: has no effect without _doas"),
        (a().with_dzdo_user("web"), "_dzdo_user: has no effect without _dzdo"),
    ];
    for (arguments, says) in rows {
        let error = make_unix_command(&c("id"), &arguments).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Data, says));
        assert_eq!(privilege::check(&arguments).unwrap_err().message(), says);
    }
}

#[test]
fn every_password_has_its_variable_and_comes_only_with_its_tool() {
    let secrets = ConnectorArguments::FIELDS.iter().filter(|field| field.secret);
    let mut variables: Vec<_> =
        secrets.map(|field| format!("HOSTLINK{}", field.key.to_uppercase())).collect();
    variables.push("HOSTLINK_SSH_PASSWORD".to_owned());
    let mut known = SECRET_VARIABLES.to_vec();
    variables.sort();
    known.sort();
    assert_eq!(known, variables);

    let passwords = a().with_sudo_password("a").with_su_password("b").with_doas_password("c");
    let given = |arguments: ConnectorArguments| -> Vec<String> {
        let arguments = arguments.or_passwords(&passwords);
        arguments.passwords().map(|password| password.expose().to_owned()).collect()
    };
    assert!(given(a().with_dzdo(true).with_doas(false)).is_empty());
    assert_eq!(given(a().with_sudo(true).with_sudo_password("x")), ["x"]);
    assert_eq!(given(a().with_su_user("web").with_doas(true)), ["c", "b"]);
    let tools = a().with_sudo(true).with_su_user("web").with_sudo_user("db").tools_only();
    let line = make_unix_command(&c("id"), &tools).unwrap().to_string();
    assert_eq!(line, "sudo -H -n su web -c 'exec sh -c id'");
}

#[test]
fn a_password_that_is_given_is_not_asked_for() {
    let given = a().with_sudo(true).with_sudo_password("hunter2");
    let error = make_unix_command(&c("id"), &given.clone().with_use_sudo_password(true));
    let says = "_use_sudo_password: cannot be combined with _sudo_password";
    assert_eq!(error.unwrap_err().message(), says);
    assert!(make_unix_command(&c("id"), &given.with_use_sudo_password(false)).is_ok());
    // The answer is where the question was.
    let asked = a().with_sudo(true).with_use_sudo_password(true);
    let line = make_unix_command(&c("id"), &asked.clone().answered("hunter2".into())).unwrap();
    assert_eq!(line.to_string(), make_unix_command(&c("id"), &asked).unwrap().to_string());
}

#[test]
fn a_password_of_several_lines_is_refused_and_not_shown() {
    for (arguments, key) in [
        (a().with_sudo(true).with_sudo_password("one\ntwo"), "_sudo_password"),
        (a().with_su_user("web").with_su_password("one\r"), "_su_password"),
        (a().with_doas(true).with_doas_password("one\0"), "_doas_password"),
    ] {
        let error = make_unix_command(&c("id"), &arguments).unwrap_err();
        let expected = format!("{key}: must be one line, without a NUL byte");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Data, &*expected));
    }
}

#[test]
fn the_raw_line_has_the_secrets_and_the_shown_one_has_not() {
    let arguments = a().with_env_var("K", Secret::from("hunter2")).with_su_user("web");
    let line = make_unix_command(&c("id"), &arguments).unwrap();
    assert!(String::from_utf8(line.get_raw_value()).unwrap().contains("K=hunter2"));
    assert!(!line.to_string().contains("hunter2"));
}

#[test]
fn a_group_is_that_of_the_command_and_of_its_kill() {
    let arguments = a().with_sudo(true).with_sudo_user("web").with_sudo_group("adm");
    let arguments = arguments.with_sudo_password("hunter2");
    let cue = Cue { line: "HR".to_owned(), command: "echo HR".to_owned() };
    let mut sudo = arguments.privileges().next().unwrap();
    sudo.cue = Some(cue);
    let line = privileged(c("id"), &[sudo]).to_string();
    let expected = "sh -c 'echo HR; IFS= read -r SUDO_PROMPT || exit; export SUDO_PROMPT; \
                    exec sudo -H -S -k -u web -g adm sh -c id'";
    assert_eq!(line, expected);
    let mut kill = arguments.with_use_sudo_login(true).privilege_only();
    kill.sudo_password = None;
    let line = make_unix_command(&c("id"), &kill).unwrap().to_string();
    assert_eq!(line, "sudo -H -n -u web -g adm sh -c id");
    for group in ["", "-g", "a\nb"] {
        let error = make_unix_command(&c("id"), &a().with_sudo(true).with_sudo_group(group));
        let says = format!("_sudo_group: {group:?} is not a valid group name");
        assert_eq!(error.unwrap_err().message(), says);
    }
}

#[test]
fn what_cannot_arrive_is_refused_with_every_fault() {
    let arguments = a().with_env_var("9x", "v").with_sudo_user("-u").with_su_user("a\nb");
    let message = make_unix_command(&c("a\0b"), &arguments).unwrap_err().to_string();
    for fault in
        ["command: must not", "\"9x\" is not a valid", "_sudo_user: \"-u\"", "_su_user: \"a\\nb\""]
    {
        assert!(message.contains(fault), "{fault} is not in {message}");
    }
}
