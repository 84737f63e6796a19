//! The parts that the matrix leaves out, and why.

/// A part of the matrix that is not tested, or that does not hold.
struct LeftOut {
    tools: &'static str,
    places: &'static str,
    what: &'static str,
    reason: &'static str,
}

const LEFT_OUT: &[LeftOut] = &[
    LeftOut {
        tools: "doas with a password, sudo with requiretty",
        places: "ssh, docker",
        what: "stdout and stderr apart, secret variables",
        reason: "they take get_pty there: a terminal has one output, and a secret on one is refused",
    },
    LeftOut {
        tools: "su to a user whose shell is nologin",
        places: "all",
        what: "su_shell for callers other than root",
        reason: "su takes another shell only from root where the user's own is not in /etc/shells (su(1), --shell)",
    },
    LeftOut {
        tools: "doas; sudo with a login shell in a session",
        places: "all",
        what: "a PAM module that writes to standard output",
        reason: "both tools buffer its output and write it after the command's output, where it cannot be \
                 told apart; start-up files of the login shell are tested",
    },
    LeftOut {
        tools: "dzdo",
        places: "all",
        what: "the real tool, and a password",
        reason: "it is not free; the stand-in passes its arguments to sudo, which has the same ones",
    },
];

/// Prints them, so that a part that is not tested does not look tested.
pub(crate) fn print() {
    for LeftOut { tools, places, what, reason } in LEFT_OUT {
        eprintln!("left out: {tools} ({places}): {what}: {reason}");
    }
}
