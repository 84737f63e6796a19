//! The image of Vagrant's machines: the Debian one with a running SSH server, and the user that
//! Vagrant logs in as.
//!
//! Only Docker gets it, since Vagrant's provider uses Docker.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::engine::{Engine, LABEL};
use crate::images::{self, RECIPE_LABEL};

/// The tests have the same name.
pub(crate) const IMAGE: &str = "hostlink-test-vagrant";

const BASE: &str = "hostlink-test-debian";

const RECIPE: &str = include_str!("images/vagrant.sh");

/// The command of its containers. The image has no host key.
const SERVER: &str =
    r#"CMD ["sh", "-c", "mkdir -p /run/sshd && ssh-keygen -A && exec /usr/sbin/sshd -D"]"#;

/// Returns whether Docker has it, made from the current base.
pub(crate) fn is_there(sh: &Shell) -> bool {
    let label = images::recipe_label(sh, Engine::Docker, IMAGE);
    label.is_some() && label == version(sh)
}

/// Makes it, replacing an older one.
///
/// # Errors
///
/// If Vagrant's key is not found, or if Docker or the recipe fails.
pub(crate) fn make(sh: &Shell) -> anyhow::Result<()> {
    let version = version(sh).with_context(|| format!("Docker has no image {BASE}"))?;
    let key = public_key(sh)?;
    let docker = |words: &[&str]| Engine::Docker.client(sh, words).ignore_stderr();
    let label = format!("{LABEL}=");
    let create = ["create", "--interactive", "--label", &label, BASE, "sh", "-c", RECIPE];
    let id = docker(&create).read().context("cannot make a container of it")?;
    let started = docker(&["start", "--attach", "--interactive", &id]).stdin(key).run();
    let recipe = format!("LABEL {RECIPE_LABEL}={version}");
    let commit = ["commit", "--change", SERVER, "--change", &recipe, &id, IMAGE];
    let made = started.and_then(|()| docker(&commit).ignore_stdout().run());
    docker(&["rm", "--force", &id]).ignore_stdout().run()?;
    made.with_context(|| format!("cannot make the image {IMAGE}"))?;
    images::remove_replaced(sh, Engine::Docker);
    Ok(())
}

/// Returns the version of what it is made from; `None` without the base.
fn version(sh: &Shell) -> Option<String> {
    let mut hasher = DefaultHasher::new();
    (RECIPE, SERVER, images::recipe_label(sh, Engine::Docker, BASE)?).hash(&mut hasher);
    Some(format!("{:016x}", hasher.finish()))
}

/// Returns the key of Vagrant's package, Debian's or HashiCorp's.
fn public_key(sh: &Shell) -> anyhow::Result<Vec<u8>> {
    let files = cmd!(sh, "dpkg --listfiles vagrant").quiet().ignore_stderr().read();
    let files = files.context("vagrant is of no package, so its public key is not found")?;
    let path = files.lines().find(|path| path.ends_with("/keys/vagrant.pub"));
    let path = path.context("the package vagrant has no keys/vagrant.pub")?;
    Ok(sh.read_binary_file(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_shell() {
        let sh = Shell::new().unwrap();
        cmd!(sh, "sh -n").stdin(RECIPE).quiet().run().unwrap();
    }
}
