//! What a tool says that refuses, and how soon.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hostlink::{ErrorKind, Link, StringCommand};

use crate::places::{Cell, Place};
use crate::tools::TOOLS;

/// Tools, and what they say of a wrong password, or of one that nobody may have.
const SAID: [(&str, &str); 3] = [
    ("sudo_with_a_password", "1 incorrect password attempt"),
    ("sudo_as_another_user", "1 incorrect password attempt"),
    ("su_with_a_password", "Authentication failure"),
];

/// The cells in which a password is refused, with what is said.
pub(crate) fn cells() -> impl Iterator<Item = (Cell, &'static str)> {
    let places = [Place::Ssh, Place::Docker, Place::Chroot];
    SAID.into_iter().flat_map(move |(name, says)| {
        let tool = TOOLS.iter().find(|tool| tool.name == name).expect("it is one of them");
        // Without noise that takes its time, or is in another language.
        places.into_iter().map(move |place| (Cell::with_motd(tool, place), says))
    })
}

/// A wrong password is an error within 5 s, in the tool's own words; it is tried once, and nothing has to be killed.
pub(crate) async fn check(cell: &Cell, link: &Link, says: &str) -> Result<()> {
    let mut arguments = cell.arguments();
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
    ensure!(tail.contains(says), "{tail}");
    ensure!(error.kill_confirmed().is_none(), "{error:?}");
    ensure!(took < Duration::from_secs(5), "it took {took:?}");
    Ok(())
}
