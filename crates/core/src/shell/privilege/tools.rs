//! The privilege tools. A new one is a row here, and its fields in `ConnectorArguments`.

use super::{Field, Given, Inside, Password, Privilege, PromptKind, Tool};
use crate::shell::command::StringCommand;

/// A field of `ConnectorArguments`, and what it is for.
macro_rules! field {
    ($kind:ident $name:ident) => {
        Field {
            key: concat!("_", stringify!($name)),
            given: |arguments| Given::$kind(&arguments.$name),
        }
    };
}

/// Every tool, outermost first: pyinfra's order.
pub(super) const TOOLS: [Tool; 4] = [
    Tool {
        name: "doas",
        request: field!(Switch doas),
        options: &[field!(User doas_user)],
        password: Some(Password {
            field: field!(Password doas_password),
            variable: "HOSTLINK_DOAS_PASSWORD",
            prompt: PromptKind::OnTerminal,
            always_prompts: false,
            may_be_unused: false,
        }),
        line: doas,
    },
    Tool {
        name: "dzdo",
        request: field!(Switch dzdo),
        options: &[field!(User dzdo_user)],
        password: None,
        line: dzdo,
    },
    Tool {
        name: "sudo",
        request: field!(Switch sudo),
        options: &[
            field!(User sudo_user),
            field!(Group sudo_group),
            field!(SetUp use_sudo_login),
            field!(Switch use_sudo_password),
            field!(SetUp preserve_sudo_env),
        ],
        password: Some(Password {
            field: field!(Password sudo_password),
            variable: "HOSTLINK_SUDO_PASSWORD",
            prompt: PromptKind::Token,
            always_prompts: false,
            may_be_unused: true,
        }),
        line: sudo,
    },
    Tool {
        name: "su",
        request: field!(User su_user),
        options: &[
            field!(SetUp use_su_login),
            field!(SetUp preserve_su_env),
            field!(Shell su_shell),
        ],
        password: Some(Password {
            field: field!(Password su_password),
            variable: "HOSTLINK_SU_PASSWORD",
            prompt: PromptKind::Colon,
            always_prompts: true,
            may_be_unused: false,
        }),
        line: su,
    },
];

fn doas(privilege: &Privilege<'_>, inside: Inside) -> Inside {
    // -n: no prompt on the terminal for a password that is not given.
    let doas = if privilege.answer().is_some() { "doas" } else { "doas -n" };
    let line = as_user(StringCommand::shell(doas), &privilege.arguments.doas_user);
    Inside::Words(line.command(inside.into_words()))
}

fn dzdo(privilege: &Privilege<'_>, inside: Inside) -> Inside {
    let line = as_user(StringCommand::shell("dzdo -H -n"), &privilege.arguments.dzdo_user);
    Inside::Words(line.command(inside.into_words()))
}

fn as_user(tool: StringCommand, user: &Option<String>) -> StringCommand {
    match user {
        Some(user) => tool.raw("-u").arg(user),
        None => tool,
    }
}

/// A line that is run reads the prompt for sudo from its input: every user of the target may read
/// an argument, and could prompt as sudo does.
fn sudo(privilege: &Privilege<'_>, inside: Inside) -> Inside {
    let arguments = privilege.arguments;
    let has_answer = privilege.answer().is_some();
    let reads_prompt = has_answer && privilege.cue.is_some();
    let keeps_env = arguments.preserve_sudo_env == Some(true);
    let is_login = arguments.use_sudo_login == Some(true);
    let mut line = StringCommand::shell("sudo -H");
    // -k: the password that is given is checked, whatever sudo remembers.
    line = match has_answer || arguments.use_sudo_password == Some(true) {
        true if reads_prompt => line.raw("-S -k"),
        true => line.raw("-S -k -p hostlink-prompt"),
        false => line.raw("-n"),
    };
    if is_login {
        line = line.raw("-i");
    }
    if keeps_env {
        line = line.raw("-E");
    }
    line = as_user(line, &arguments.sudo_user);
    if let Some(group) = &arguments.sudo_group {
        line = line.raw("-g").arg(group);
    }
    let inside = inside.after((reads_prompt && keeps_env).then_some("unset SUDO_PROMPT"));
    line = match is_login {
        true => line.raw("sh -c").for_sudo_login(inside.into_script()),
        false => line.command(inside.into_words()),
    };
    let read = "IFS= read -r SUDO_PROMPT || exit; export SUDO_PROMPT";
    Inside::Words(line).after(reads_prompt.then_some(read))
}

fn su(privilege: &Privilege<'_>, inside: Inside) -> Inside {
    let arguments = privilege.arguments;
    let mut line = StringCommand::shell("su");
    if arguments.use_su_login == Some(true) {
        line = line.raw("-l");
    }
    if arguments.preserve_su_env == Some(true) {
        line = line.raw("-m");
    }
    if let Some(shell) = &arguments.su_shell {
        // The name itself if it is not found, for su's message.
        let lookup = StringCommand::with_separator("").raw("\"$(command -v ").arg(shell);
        let lookup = lookup.raw(" || echo ").arg(shell).raw(")\"");
        line = line.raw("-s").command(lookup);
    }
    let line = arguments.su_user.iter().fold(line, StringCommand::arg);
    Inside::Words(line.raw("-c").for_any_shell(inside.into_script()))
}
