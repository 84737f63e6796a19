//! The tools that give another user's rights, each as a target is set up for it and as a command asks for it.

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
    pub(crate) user: &'static str,
    /// How root becomes the caller, where it has to.
    pub(crate) entry: Entry,
    /// Only a terminal will do.
    pub(crate) wants_terminal: bool,
    /// What is asked for.
    pub(crate) arguments: fn() -> ConnectorArguments,
    /// Lines of sudoers(5).
    pub(crate) sudoers: &'static str,
    /// More to be done in the target, by root.
    pub(crate) setup: &'static str,
}

/// The user who has logged in, and an ordinary one beside it; one whose shell is nologin.
pub(crate) const CALLER: &str = "caller";
pub(crate) const OTHER: &str = "other";
pub(crate) const SERVICE: &str = "service";

const PLAIN: Tool = Tool {
    name: "",
    asked: Asked::Nobody,
    user: "root",
    entry: Entry::Doas,
    wants_terminal: false,
    arguments: || ConnectorArguments::new().with_sudo(true),
    sudoers: "caller ALL=(ALL:ALL) ALL",
    setup: "",
};

/// Every one.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "sudo_without_a_password",
        sudoers: "caller ALL=(ALL:ALL) NOPASSWD: ALL",
        ..PLAIN
    },
    Tool { name: "sudo_with_a_password", asked: Asked::Caller, ..PLAIN },
    Tool {
        name: "sudo_as_another_user",
        asked: Asked::Caller,
        user: OTHER,
        arguments: || ConnectorArguments::new().with_sudo(true).with_sudo_user(OTHER),
        ..PLAIN
    },
    Tool {
        name: "sudo_with_a_login_shell",
        asked: Asked::Caller,
        user: OTHER,
        arguments: || {
            let arguments = ConnectorArguments::new().with_sudo(true).with_sudo_user(OTHER);
            arguments.with_use_sudo_login(true)
        },
        ..PLAIN
    },
    Tool {
        name: "sudo_with_use_pty",
        asked: Asked::Caller,
        sudoers: "Defaults use_pty\ncaller ALL=(ALL:ALL) ALL",
        ..PLAIN
    },
    Tool {
        name: "sudo_with_requiretty",
        asked: Asked::Caller,
        wants_terminal: true,
        sudoers: "Defaults requiretty\ncaller ALL=(ALL:ALL) ALL",
        ..PLAIN
    },
    // As Debian's sudo is set up from 1.9.14 on, and hosts of a company may be.
    Tool {
        name: "sudo_with_requiretty_and_use_pty",
        asked: Asked::Caller,
        wants_terminal: true,
        sudoers: "Defaults requiretty, use_pty\ncaller ALL=(ALL:ALL) ALL",
        ..PLAIN
    },
    Tool {
        name: "sudo_rs_with_a_password",
        asked: Asked::Caller,
        setup: "install -m 4755 /opt/sudo-rs/bin/sudo /usr/local/bin/sudo",
        ..PLAIN
    },
    Tool {
        name: "su_with_a_password",
        asked: Asked::Other,
        user: OTHER,
        entry: Entry::Sudo,
        arguments: || ConnectorArguments::new().with_su_user(OTHER),
        ..PLAIN
    },
    // su takes another shell than that one only from root (su(1), --shell), whom it usually asks for nothing.
    Tool {
        name: "su_to_a_user_without_a_shell",
        asked: Asked::Other,
        user: SERVICE,
        arguments: || {
            let arguments = ConnectorArguments::new().with_sudo(true);
            arguments.with_su_user(SERVICE).with_su_shell("sh")
        },
        sudoers: "caller ALL=(ALL:ALL) NOPASSWD: ALL",
        setup: "sed -i /pam_rootok/d /etc/pam.d/su",
        ..PLAIN
    },
    Tool {
        name: "su_with_a_login_shell",
        asked: Asked::Other,
        user: OTHER,
        entry: Entry::Sudo,
        arguments: || ConnectorArguments::new().with_su_user(OTHER).with_use_su_login(true),
        ..PLAIN
    },
    Tool {
        name: "doas_without_a_password",
        user: OTHER,
        entry: Entry::Root,
        arguments: || ConnectorArguments::new().with_doas(true).with_doas_user(OTHER),
        setup: "printf 'permit nopass %s as other\\n' caller root >>/etc/doas.conf",
        ..PLAIN
    },
    Tool {
        name: "doas_with_a_password",
        asked: Asked::Caller,
        user: OTHER,
        entry: Entry::Root,
        wants_terminal: true,
        arguments: || ConnectorArguments::new().with_doas(true).with_doas_user(OTHER),
        setup: "printf 'permit %s as other\\n' caller root >>/etc/doas.conf",
        ..PLAIN
    },
    // dzdo is not free. It takes sudo's arguments.
    Tool {
        name: "dzdo_by_a_stand_in",
        user: OTHER,
        arguments: || ConnectorArguments::new().with_dzdo(true).with_dzdo_user(OTHER),
        sudoers: "caller ALL=(ALL:ALL) NOPASSWD: ALL",
        setup: r#"printf '#!/bin/sh\nexec sudo "$@"\n' >/usr/local/bin/dzdo; chmod 755 /usr/local/bin/dzdo"#,
        ..PLAIN
    },
];

impl Tool {
    /// What is asked for, with the password.
    pub(crate) fn arguments(&self, password: &str) -> ConnectorArguments {
        let mut arguments = (self.arguments)();
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
    pub(crate) fn arguments_of_root(&self, password: &str) -> ConnectorArguments {
        let arguments = self.arguments(password);
        match self.entry {
            Entry::Doas => arguments.with_doas(true).with_doas_user(CALLER),
            Entry::Sudo => arguments.with_sudo(true).with_sudo_user(CALLER),
            Entry::Root => arguments,
        }
    }
}
