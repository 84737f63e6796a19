//! The flags that set host data.

use std::path::PathBuf;

use clap::{Arg, ArgAction, value_parser};
use hostlink::ConnectorArguments;
use hostlink::connector::DataField;

/// A flag whose value is host data.
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    value_name: &'static str,
    help: &'static str,
}

pub(crate) const SETTINGS: [Setting; 3] = [
    Setting { key: "ssh_user", value_name: "NAME", help: "Log in as this user" },
    Setting { key: "ssh_port", value_name: "NUMBER", help: "Connect to this port" },
    Setting { key: "ssh_key", value_name: "FILE", help: "Log in with this private key" },
];

/// A flag that prompts for a secret, which becomes host data.
pub(crate) struct Question {
    pub(crate) key: &'static str,
    pub(crate) question: &'static str,
    help: &'static str,
}

pub(crate) const QUESTIONS: [Question; 2] = [
    Question {
        key: PASSWORD,
        question: "SSH password for all targets",
        help: "Prompt once for the login password. Or set HOSTLINK_SSH_PASSWORD",
    },
    Question {
        key: "ssh_key_password",
        question: "passphrase of the SSH key",
        help: "Prompt once for the passphrase of the private key",
    },
];

/// The key of the login password.
pub(crate) const PASSWORD: &str = "ssh_password";

/// The flag that names the file of the login password.
pub(crate) const PASSWORD_FLAG: &str = "ssh-password-file";

impl Question {
    /// Returns the long name of the flag.
    pub(crate) fn flag(&self) -> String {
        format!("{}-prompt", dashed(self.key))
    }
}

/// Returns the login flags.
pub(crate) fn login() -> impl Iterator<Item = Arg> {
    let settings = SETTINGS.iter().map(|Setting { key, value_name, help }| {
        let arg = Arg::new(*key).long(dashed(key)).value_name(*value_name);
        let alias = key.trim_start_matches("ssh_");
        arg.visible_alias(alias).help(format!("{help}; overrides the targets' data"))
    });
    let questions = QUESTIONS.iter().map(|question| {
        let arg = Arg::new(question.key).long(question.flag());
        arg.action(ArgAction::SetTrue).help(question.help)
    });
    let file = Arg::new(PASSWORD_FLAG).long(PASSWORD_FLAG).value_name("FILE");
    let file = file.value_parser(value_parser!(PathBuf));
    let file = file.help("The login password: the first line of this file");
    settings.chain(questions).chain([file]).map(|arg| arg.help_heading("Login"))
}

/// Returns every key of host data that a login flag sets, and the flag.
pub(crate) fn keys() -> impl Iterator<Item = (&'static str, String)> {
    let settings = SETTINGS.iter().map(|setting| (setting.key, dashed(setting.key)));
    let questions = QUESTIONS.iter().map(|question| (question.key, question.flag()));
    settings.chain([(PASSWORD, PASSWORD_FLAG.to_owned())]).chain(questions)
}

/// Returns the long name of the flag of an argument. A secret is read from a file: every user can
/// read a process's arguments.
pub(crate) fn of_field(field: &DataField) -> String {
    let name = dashed(field.key.trim_start_matches('_'));
    if field.secret { format!("{name}-file") } else { name }
}

/// Returns the flags that set a key of host data: `--data`, if it has none of its own.
pub(crate) fn of_key(key: &str) -> Vec<String> {
    let login = keys().filter(|(known, _)| *known == key).map(|(_, flag)| flag);
    let argument = ConnectorArguments::field(key).map(of_field);
    let flags: Vec<_> = login.chain(argument).map(|flag| format!("--{flag}")).collect();
    match flags.is_empty() {
        true if key.ends_with("_password") => vec![format!("--data {key}_file=FILE")],
        true => vec![format!("--data {key}=VALUE")],
        false => flags,
    }
}

fn dashed(key: &str) -> String {
    key.replace('_', "-")
}
