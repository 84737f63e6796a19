//! The tools that give another user's rights, each as a target is set up for it and as a command
//! asks for it.

use hostlink::{ConnectorArguments, Secret};

/// Who is asked for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nobody,
    /// The user who has logged in.
    Caller,
    /// The user whose rights are wanted.
    Other,
}

/// How a command gets to be the caller's in a root, which everybody enters as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// By another tool, within which this one nests.
    Doas,
    Sudo,
    /// Root itself is the caller.
    Root,
}

/// One tool, in one way of using it.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) asked: Asked,
    /// Whose rights are wanted.
    pub(crate) rights_of: RightsOf,
    /// How root becomes the caller, where it has to.
    pub(crate) entry: Entry,
    /// Only a terminal will do.
    pub(crate) wants_terminal: bool,
    /// What is asked for.
    pub(crate) arguments: fn(&Users) -> ConnectorArguments,
    /// Lines of sudoers(5), in which `{caller}` is one of the [`Users`].
    pub(crate) sudoers: &'static str,
    /// More to be done in the target, by root; with names of the users, too.
    pub(crate) setup: &'static str,
    /// What is done in the target would change other tools.
    pub(crate) has_own_target: bool,
}

/// Whose rights a tool gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RightsOf {
    Root,
    Other,
    Service,
}

/// The users of one cell: cells share a target, and have nothing else in common.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    /// The user who has logged in.
    pub(crate) caller: String,
    /// An ordinary one beside it.
    pub(crate) other: String,
    /// One whose shell is nologin.
    pub(crate) service: String,
}

impl Users {
    /// Those of the cell with this number.
    pub(crate) fn of(number: usize) -> Self {
        let name = |role| format!("{role}{number}");
        Self { caller: name("caller"), other: name("other"), service: name("service") }
    }

    /// The name of the user whose rights are wanted.
    pub(crate) fn name(&self, of: RightsOf) -> &str {
        match of {
            RightsOf::Root => "root",
            RightsOf::Other => &self.other,
            RightsOf::Service => &self.service,
        }
    }

    /// Puts their names into a text.
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

/// Every one.
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
    // As Debian's sudo is set up from 1.9.14 on, and hosts of a company may be.
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
    // su takes another shell than that one only from root (su(1), --shell), whom it usually asks
    // for nothing.
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
    // dzdo is not free. It takes sudo's arguments.
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
    /// What is asked for, with the password.
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

    /// The same for root, who becomes the caller first.
    pub(crate) fn arguments_of_root(&self, users: &Users, password: &str) -> ConnectorArguments {
        let arguments = self.arguments(users, password);
        match self.entry {
            Entry::Doas => arguments.with_doas(true).with_doas_user(&*users.caller),
            Entry::Sudo => arguments.with_sudo(true).with_sudo_user(&*users.caller),
            Entry::Root => arguments,
        }
    }
}
