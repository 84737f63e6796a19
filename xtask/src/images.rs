//! The images that containers of the tests are made of, built here because no registry may be
//! reachable.
//!
//! A recipe is a shell script, which writes a tar archive. They are built once and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::engine::{self, LABEL};

/// Marks an image with what it was made by, so that a changed recipe is noticed.
const RECIPE_LABEL: &str = "hostlink.test.recipe";

/// One image without credentials; tests bring their own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) name: &'static str,
    /// A command that the recipe needs beyond the components; its package has the same name.
    pub(crate) tool: Option<&'static str>,
    /// Where the recipe is, because as an argument it would be in every message about it.
    script: &'static str,
    recipe: &'static str,
}

/// Every image; a test that needs another one adds its row here.
pub(crate) const IMAGES: &[Image] = &[
    Image {
        name: "hostlink-test-debian",
        tool: Some("mmdebstrap"),
        script: concat!(env!("CARGO_MANIFEST_DIR"), "/src/images/debian.sh"),
        recipe: include_str!("images/debian.sh"),
    },
    Image {
        name: "hostlink-test-busybox",
        tool: None,
        script: concat!(env!("CARGO_MANIFEST_DIR"), "/src/images/busybox.sh"),
        recipe: include_str!("images/busybox.sh"),
    },
];

/// The images that the engine does not have, or that another recipe has made.
pub(crate) fn missing(sh: &Shell) -> Vec<&'static Image> {
    IMAGES.iter().filter(|image| recipe_label(sh, image) != Some(image.version())).collect()
}

/// Makes an image, in place of the one that has its name.
///
/// # Errors
///
/// If the recipe fails, or the engine refuses the image.
pub(crate) fn build(sh: &Shell, image: &Image) -> anyhow::Result<()> {
    let Image { name, script, .. } = image;
    let archive = engine::state_file(&format!("{name}.tar"));
    let built = cmd!(sh, "sh {script} {archive}").quiet().run();
    let imported = built.map_err(anyhow::Error::from).and_then(|()| {
        let label = format!("LABEL {LABEL}= {RECIPE_LABEL}={}", image.version());
        let import = cmd!(sh, "docker import --change {label} {archive} {name}");
        Ok(import.quiet().ignore_stdout().run()?)
    });
    let _ = fs::remove_file(&archive);
    imported.with_context(|| format!("cannot build the image {name}"))?;
    remove_replaced(sh);
    Ok(())
}

/// Images that have lost their name to a newer one; one that is in use stays until the next time.
fn remove_replaced(sh: &Shell) {
    let label = format!("label={LABEL}");
    let prune = cmd!(sh, "docker image prune --force --filter {label}");
    let _ = prune.quiet().ignore_stdout().ignore_stderr().run();
}

fn recipe_label(sh: &Shell, image: &Image) -> Option<String> {
    let name = image.name;
    let format = format!("{{{{index .Config.Labels \"{RECIPE_LABEL}\"}}}}");
    cmd!(sh, "docker image inspect --format {format} {name}").quiet().ignore_stderr().read().ok()
}

impl Image {
    /// Tells recipes apart. A toolchain that hashes differently costs one build, and nothing else.
    fn version(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.recipe.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_recipe_is_another_version() {
        let image = |recipe| Image { name: "x", tool: None, script: "", recipe };
        assert_eq!(image("echo 1").version(), image("echo 1").version());
        assert_ne!(image("echo 1").version(), image("echo 2").version());
    }

    #[test]
    fn the_recipes_are_shell() {
        let sh = Shell::new().unwrap();
        for Image { script, .. } in IMAGES {
            cmd!(sh, "sh -n {script}").quiet().run().unwrap();
        }
    }
}
