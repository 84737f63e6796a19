//! One flag for each field of `ConnectorArguments`, generated from its table.

use std::path::PathBuf;

use clap::{Arg, ArgAction, value_parser};
use hostlink::connector::DataField;
use hostlink::{ConnectorArguments, Data, Error, Result, Value};

use crate::explain::usage;
use crate::flag_names::of_field;
use crate::levels::Levels;
use crate::passwords;

/// The field whose flag names a file.
pub(crate) const STDIN: &str = "_stdin";
const ENV: &str = "_env";
const HEADING: &str = "Command";

/// rsync's protocol cannot go through a terminal.
const NOT_FOR_RSYNC: &str = "_get_pty";

/// Fields that do not apply to file transfers.
const NOT_FOR_TRANSFERS: &[&str] = &[
    "_shell_executable",
    ENV,
    "_success_exit_codes",
    STDIN,
    "_retries",
    "_retry_delay",
    "_retry_until",
];

/// Fields that do not apply to an interactive command.
const NOT_FOR_SHELLS: &[&str] = &[
    "_success_exit_codes",
    "_get_pty",
    STDIN,
    "_retries",
    "_retry_delay",
    "_retry_until",
    "_temp_dir",
];

/// Returns the flags of all fields.
pub(crate) fn of_commands() -> impl Iterator<Item = Arg> {
    ConnectorArguments::FIELDS.iter().map(flag)
}

/// Returns the flags of the fields that a subcommand uses.
pub(crate) fn used_by(subcommand: &str) -> impl Iterator<Item = Arg> {
    ConnectorArguments::FIELDS.iter().filter(move |field| is_used_by(field, subcommand)).map(flag)
}

/// Refuses flags before TARGETS that the subcommand does not use.
pub(crate) fn refuse_unused(levels: &Levels<'_>, subcommand: &str) -> Result<()> {
    let mut fields =
        ConnectorArguments::FIELDS.iter().filter(|field| !is_used_by(field, subcommand));
    match fields.find(|field| levels.is_outer(field.key)) {
        Some(field) => Err(usage(format!("--{} does not apply to {subcommand}", of_field(field)))),
        None => Ok(()),
    }
}

/// Reads the flags, except the secrets and standard input, which are files.
pub(crate) fn read(levels: &Levels<'_>) -> Result<ConnectorArguments> {
    let fields = ConnectorArguments::FIELDS.iter();
    let mut data = Data::new();
    for field in fields.filter(|field| !field.secret && field.key != STDIN) {
        if let Some(value) = value(field, levels)? {
            data.insert(field.key, value);
        }
    }
    ConnectorArguments::from_data(&data).map_err(with_flag_names)
}

fn flag(field: &DataField) -> Arg {
    let arg = Arg::new(field.key).long(of_field(field)).help_heading(HEADING).help(help(field));
    if is_switch(field) {
        return arg.action(ArgAction::SetTrue);
    }
    let value_name = match (field.key, field.type_name) {
        (STDIN, _) | (_, _) if field.secret || field.key == STDIN => "FILE",
        (ENV, _) => "NAME=VALUE",
        ("_success_exit_codes", _) => "CODE,…",
        (_, "seconds") => "DURATION",
        (_, "number") => "NUMBER",
        _ => "TEXT",
    };
    let arg = arg.value_name(value_name);
    match value_name {
        "FILE" => arg.value_parser(value_parser!(PathBuf)),
        "NAME=VALUE" => arg.action(ArgAction::Append),
        _ => arg,
    }
}

fn help(field: &DataField) -> String {
    let description = field.description.trim_end_matches('.').replace('`', "");
    match field.default {
        _ if field.secret => {
            let variable = passwords::name_of_variable(field);
            format!("{description}; the first line of this file. Or set {variable}")
        }
        _ if field.key == STDIN => format!("{description}; - is hostlink's own [default: empty]"),
        "" | "false" => description,
        default => format!("{description} [default: {default}]"),
    }
}

fn is_switch(field: &DataField) -> bool {
    field.type_name == "true or false"
}

fn is_used_by(field: &DataField, subcommand: &str) -> bool {
    match subcommand {
        "exec" => true,
        "shell" => !NOT_FOR_SHELLS.contains(&field.key),
        "forward" => false,
        "rsync" if field.key == NOT_FOR_RSYNC => false,
        _ => !NOT_FOR_TRANSFERS.contains(&field.key),
    }
}

fn value(field: &DataField, levels: &Levels<'_>) -> Result<Option<Value>> {
    if is_switch(field) {
        return Ok(levels.flag(field.key).then_some(Value::Bool(true)));
    }
    if field.key != ENV {
        return Ok(levels.one::<String>(field.key).map(|text| text.as_str().into()));
    }
    let pairs = levels.all::<String>(ENV);
    if pairs.is_empty() {
        return Ok(None);
    }
    let variables: Result<_> = pairs.into_iter().map(|pair| variable(pair)).collect();
    Ok(Some(Value::Map(variables?)))
}

fn variable(pair: &str) -> Result<(String, Value)> {
    // The text is not shown: it may be a secret without a name.
    let (name, value) = pair
        .split_once('=')
        .ok_or_else(|| usage("--env: write NAME=VALUE, with an equals sign"))?;
    Ok((name.to_owned(), value.into()))
}

/// Names the keys of an error by the flags that set them, which is what the user wrote.
pub(crate) fn with_flag_names(error: Error) -> Error {
    with_names(error, |key| {
        ConnectorArguments::field(key).map(|field| format!("--{}", of_field(field)))
    })
}

/// Names the keys of an error by other names.
pub(crate) fn with_names(error: Error, name: impl Fn(&str) -> Option<String>) -> Error {
    if error.faults().is_empty() {
        return error;
    }
    let faults = error.faults().iter().map(|fault| fault.clone().renamed(&name)).collect();
    let renamed = Error::from_faults(faults);
    match error.target() {
        Some(target) => renamed.with_target(target),
        None => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

    fn parse(words: &[&str]) -> Result<ConnectorArguments> {
        let command = Command::new("x").args(of_commands()).no_binary_name(true);
        let matches = command.try_get_matches_from(words).unwrap();
        read(&Levels::new(&matches, &matches))
    }

    #[test]
    fn every_field_has_a_flag_and_every_flag_a_field() {
        let flags: Vec<_> =
            of_commands().filter_map(|arg| arg.get_long().map(String::from)).collect();
        let is_password = |name: &str| name.ends_with("_password") && !name.starts_with("use_");
        let expected: Vec<_> = ConnectorArguments::FIELDS
            .iter()
            .map(|field| {
                let name = field.key[1..].to_owned();
                assert_eq!(field.secret, is_password(&name), "{name}");
                let file = if field.secret { "-file" } else { "" };
                name.replace('_', "-") + file
            })
            .collect();
        assert_eq!(flags, expected);
    }

    #[test]
    fn what_means_nothing_to_a_subcommand_is_a_field() {
        for (subcommand, left_out) in [("put", NOT_FOR_TRANSFERS), ("shell", NOT_FOR_SHELLS)] {
            let heeded = used_by(subcommand).count();
            assert_eq!(heeded + left_out.len(), of_commands().count(), "{subcommand}");
        }
        assert_eq!(used_by("forward").count(), 0);
    }

    #[test]
    fn flags_are_read_as_host_data_is() {
        let arguments = parse(&[
            "--sudo",
            "--timeout",
            "1.5m",
            "--success-exit-codes",
            "0,3",
            "--env",
            "A=b=c",
            "--env",
            "D=",
        ])
        .unwrap();
        assert_eq!(arguments.sudo, Some(true));
        assert_eq!(arguments.doas, None);
        assert_eq!(arguments.timeout, Some(std::time::Duration::from_secs(90)));
        assert!(arguments.is_success(3));
        let env = arguments.env.unwrap();
        assert_eq!(env.keys().collect::<Vec<_>>(), ["A", "D"]);
    }

    #[test]
    fn what_does_not_fit_is_named_as_it_was_written() {
        let error = parse(&["--timeout", "abc", "--retries", "-"]).unwrap_err().to_string();
        assert!(error.starts_with("--timeout: \"abc\" is not"), "{error}");
        assert!(error.contains("; --retries: \"-\" is not"), "{error}");
        let error = parse(&["--timeout", "1; _sudo: needs _su_user"]).unwrap_err().to_string();
        assert!(error.starts_with("--timeout: \"1; _sudo: needs _su_user\" is not"), "{error}");
        assert!(!parse(&["--env", "hunter2"]).unwrap_err().to_string().contains("hunter2"));
    }
}
