//! The tools that switch the user: how a target is set up for each, and how a command requests it.

use hostlink::{ConnectorArguments, Secret};

/// The user whose password the tool asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nobody,
    /// The user who has logged in.
    Caller,
    /// The user to switch to.
    Other,
}

/// How a command becomes the caller's in a root directory, which is entered as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Through another tool, within which this one runs.
    Doas,
    Sudo,
    /// Root itself is the caller.
    Root,
}

/// A tool, used in one way.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) asked: Asked,
    /// The user to switch to.
    pub(crate) rights_of: RightsOf,
    /// How root becomes the caller, if necessary.
    pub(crate) entry: Entry,
    /// The tool needs a terminal.
    pub(crate) wants_terminal: bool,
    /// The arguments that request the tool.
    pub(crate) arguments: fn(&Users) -> ConnectorArguments,
    /// Lines of sudoers(5); `{caller}` and other names are replaced by the [`Users`].
    pub(crate) sudoers: &'static str,
    /// More setup commands for the target, run by root; names are replaced too.
    pub(crate) setup: &'static str,
    /// The setup would affect other tools.
    pub(crate) has_own_target: bool,
}

/// The user that a tool switches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RightsOf {
    Root,
    Other,
    Service,
}

/// The users of one cell. Cells share a target, and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    /// The user who has logged in.
    pub(crate) caller: String,
    /// Another ordinary user.
    pub(crate) other: String,
    /// A user whose shell is nologin.
    pub(crate) service: String,
}

impl Users {
    /// Returns the users of the cell with this number.
    pub(crate) fn of(number: usize) -> Self {
        let name = |role| format!("{role}{number}");
        Self { caller: name("caller"), other: name("other"), service: name("service") }
    }

    /// Returns the name of the user to switch to.
    pub(crate) fn name(&self, of: RightsOf) -> &str {
        match of {
            RightsOf::Root => "root",
            RightsOf::Other => &self.other,
            RightsOf::Service => &self.service,
        }
    }

    /// Replaces the placeholders in a text by their names.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{caller}", &self.caller).replace("{other}", &self.other)
    }
}

const PLAIN: Tool = Tool {
    name: "",
    asked: Asked::Nobody,
    rights_of: RightsOf::Root,
    entry: Entry::Doas,
    wants_terminal: false,
    arguments: |_| ConnectorArguments::new().with_sudo(true),
    sudoers: "{caller} ALL=(ALL:ALL) ALL",
    setup: "",
    has_own_target: false,
};

/// All tools.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "sudo_without_a_password",
        sudoers: "{caller} ALL=(ALL:ALL) NOPASSWD: ALL",
        ..PLAIN
    },
    Tool { name: "sudo_with_a_password", asked: Asked::Caller, ..PLAIN },
    Tool {
        name: "sudo_as_another_user",
        asked: Asked::Caller,
        rights_of: RightsOf::Other,
        arguments: |users| ConnectorArguments::new().with_sudo(true).with_sudo_user(&*users.other),
        ..PLAIN
    },
    Tool {
        name: "sudo_with_a_login_shell",
        asked: Asked::Caller,
        rights_of: RightsOf::Other,
        arguments: |users| {
            let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_user(&*users.other);
            arguments.with_use_sudo_login(true)
        },
        ..PLAIN
    },
    Tool {
        name: "sudo_with_use_pty",
        asked: Asked::Caller,
        sudoers: "Defaults:{caller} use_pty\n{caller} ALL=(ALL:ALL) ALL",
        ..PLAIN
    },
    Tool {
        name: "sudo_with_requiretty",
        asked: Asked::Caller,
        wants_terminal: true,
        sudoers: "Defaults:{caller} requiretty\n{caller} ALL=(ALL:ALL) ALL",
        ..PLAIN
    },
    // Debian's sudo is set up like this since 1.9.14, and so may be a company's hosts.
    Tool {
        name: "sudo_with_requiretty_and_use_pty",
        asked: Asked::Caller,
        wants_terminal: true,
        sudoers: "Defaults:{caller} requiretty, use_pty\n{caller} ALL=(ALL:ALL) ALL",
        ..PLAIN
    },
    Tool {
        name: "sudo_rs_with_a_password",
        asked: Asked::Caller,
        setup: "install -m 4755 /opt/sudo-rs/bin/sudo /usr/local/bin/sudo",
        has_own_target: true,
        ..PLAIN
    },
    Tool {
        name: "su_with_a_password",
        asked: Asked::Other,
        rights_of: RightsOf::Other,
        entry: Entry::Sudo,
        arguments: |users| ConnectorArguments::new().with_su_user(&*users.other),
        ..PLAIN
    },
    // su uses another shell only when root calls it (su(1), --shell), whom it usually does not ask
    // for a password.
    Tool {
        name: "su_to_a_user_without_a_shell",
        asked: Asked::Other,
        rights_of: RightsOf::Service,
        arguments: |users| {
            let arguments = ConnectorArguments::new().with_sudo(true);
            arguments.with_su_user(&*users.service).with_su_shell("sh")
        },
        sudoers: "{caller} ALL=(ALL:ALL) NOPASSWD: ALL",
        setup: "sed -i /pam_rootok/d /etc/pam.d/su",
        ..PLAIN
    },
    Tool {
        name: "su_with_a_login_shell",
        asked: Asked::Other,
        rights_of: RightsOf::Other,
        entry: Entry::Sudo,
        arguments: |users| {
            ConnectorArguments::new().with_su_user(&*users.other).with_use_su_login(true)
        },
        ..PLAIN
    },
    Tool {
        name: "doas_without_a_password",
        rights_of: RightsOf::Other,
        entry: Entry::Root,
        arguments: |users| ConnectorArguments::new().with_doas(true).with_doas_user(&*users.other),
        setup: "doas_rule 'permit nopass' {caller} {other}; doas_rule 'permit nopass' root {other}",
        ..PLAIN
    },
    Tool {
        name: "doas_with_a_password",
        asked: Asked::Caller,
        rights_of: RightsOf::Other,
        entry: Entry::Root,
        wants_terminal: true,
        arguments: |users| ConnectorArguments::new().with_doas(true).with_doas_user(&*users.other),
        setup: "doas_rule permit {caller} {other}; doas_rule permit root {other}",
        ..PLAIN
    },
    // dzdo is not free. It accepts sudo's arguments.
    Tool {
        name: "dzdo_by_a_stand_in",
        rights_of: RightsOf::Other,
        arguments: |users| ConnectorArguments::new().with_dzdo(true).with_dzdo_user(&*users.other),
        sudoers: "{caller} ALL=(ALL:ALL) NOPASSWD: ALL",
        setup: r#"printf '#!/bin/sh\nexec sudo "$@"\n' >/usr/local/bin/dzdo; chmod 755 /usr/local/bin/dzdo"#,
        ..PLAIN
    },
];

impl Tool {
    /// Returns the arguments that request it, with the password.
    pub(crate) fn arguments(&self, users: &Users, password: &str) -> ConnectorArguments {
        let mut arguments = (self.arguments)(users);
        if self.asked == Asked::Nobody {
            return arguments;
        }
        let password = Some(Secret::from(password));
        if arguments.su_user.is_some() {
            arguments.su_password = password;
        } else if arguments.doas == Some(true) {
            arguments.doas_password = password;
        } else {
            arguments.sudo_password = password;
        }
        arguments
    }

    /// Returns the arguments for root, who first becomes the caller.
    pub(crate) fn arguments_of_root(&self, users: &Users, password: &str) -> ConnectorArguments {
        let arguments = self.arguments(users, password);
        match self.entry {
            Entry::Doas => arguments.with_doas(true).with_doas_user(&*users.caller),
            Entry::Sudo => arguments.with_sudo(true).with_sudo_user(&*users.caller),
            Entry::Root => arguments,
        }
    }
}
