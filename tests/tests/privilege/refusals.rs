//! The messages of tools that refuse, and how soon they arrive.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hostlink::{ErrorKind, Link, StringCommand};

use crate::places::{Cell, Noise, PASSWORDS, PLACES};
use crate::tools::{TOOLS, Users};

/// How long a tool may take to answer: `FAIL_DELAY` of login.defs(5) is 3 s, and PAM adds up to
/// half as much (pam_fail_delay(3)).
const ANSWER: Duration = Duration::from_secs(5);

/// The limit for an error, which comes within 5 s of the tool's answer. Waiting for a tool that
/// does not answer would take longer than both.
pub(crate) const SOON: Duration = ANSWER.saturating_add(Duration::from_secs(5));

/// A cell in which a password is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) cell: Cell,
    /// In the tool's words.
    says: &'static str,
}

/// Tools, and their messages for a wrong password, or for an account without one.
const SAID: [(&str, &str); 3] = [
    ("sudo_with_a_password", "1 incorrect password attempt"),
    ("sudo_as_another_user", "1 incorrect password attempt"),
    ("su_with_a_password", "Authentication failure"),
];

/// Messages in German, which prove that the tools use the locale.
const SAID_IN_GERMAN: [(&str, &str); 2] = [
    ("sudo_with_a_password", "1 Fehlversuch bei der Passwort-Eingabe"),
    ("su_with_a_password", "Fehler bei Authentifizierung"),
];

/// Returns all of them. None is slow on purpose.
pub(crate) fn all() -> impl Iterator<Item = Refusal> {
    let english = SAID.into_iter().map(|said| (said, Noise::Motd));
    let german = SAID_IN_GERMAN.into_iter().map(|said| (said, Noise::Locale));
    english.chain(german).flat_map(|((name, says), noise)| {
        let tool = TOOLS.iter().find(|tool| tool.name == name).expect("it is one of them");
        PLACES.into_iter().map(move |place| {
            let cell = Cell { tool, place, noise, password: PASSWORDS[0] };
            Refusal { cell, says }
        })
    })
}

/// A wrong password is an error within 5 s, in the tool's own words. It is tried once, and nothing
/// has to be killed.
pub(crate) async fn check(refusal: &Refusal, users: &Users, link: &Link) -> Result<()> {
    let mut arguments = refusal.cell.arguments(users);
    for password in [&mut arguments.sudo_password, &mut arguments.su_password] {
        *password = password.as_ref().map(|_| "wrong".into());
    }
    let begun = Instant::now();
    let command = StringCommand::shell("id");
    let Err(error) = link.run_shell_command(&command, &arguments).await else {
        bail!("it ran");
    };
    let took = begun.elapsed();
    ensure!(error.kind() == ErrorKind::Privilege, "{error:?}");
    let tail = error.stderr_tail().context("the tool's words are missing")?;
    ensure!(tail.contains(refusal.says), "{tail}");
    ensure!(error.kill_confirmed().is_none(), "{error:?}");
    println!("refused after {took:.1?}");
    ensure!(took < SOON, "it took {took:?}");
    Ok(())
}
