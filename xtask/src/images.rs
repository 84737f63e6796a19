//! The images for the tests' containers, and the roots for `chroot`, built here because a registry
//! may be unreachable.
//!
//! A recipe is a shell script that writes a tar archive. It is unpacked to a root, and imported as
//! an image into each engine. Both are built once and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::engine::{self, Engine, LABEL};

/// The label with the hash of the recipe, so that a changed recipe is noticed.
pub(crate) const RECIPE_LABEL: &str = "hostlink.test.recipe";

/// An image without credentials; tests add their own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) name: &'static str,
    /// A command that the recipe needs beyond the components; its package has the same name.
    pub(crate) tool: Option<&'static str>,
    /// The path of the recipe: as an argument, its text would be in every message about it.
    script: &'static str,
    recipe: &'static str,
}

/// All images. A test that needs another one adds its row here.
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

/// Returns the images that the engine lacks, or has from another recipe.
pub(crate) fn missing(sh: &Shell, engine: Engine) -> Vec<&'static Image> {
    IMAGES
        .iter()
        .filter(|image| recipe_label(sh, engine, image.name) != Some(image.version()))
        .collect()
}

/// Returns the images whose root is missing, or from another recipe.
pub(crate) fn missing_roots() -> Vec<&'static Image> {
    let has_root = |image: &&Image| {
        fs::read_to_string(image.root_version()).is_ok_and(|it| it == image.version())
    };
    IMAGES.iter().filter(|it| !has_root(it)).collect()
}

/// Makes the root of an image, replacing an older one.
///
/// # Errors
///
/// If the recipe fails, or the root cannot be written.
pub(crate) fn make_root(sh: &Shell, image: &Image) -> anyhow::Result<()> {
    let Image { name, script, .. } = image;
    let (root, new) = (image.root(), engine::state_file(&format!("roots/{name}.new")));
    let made = with_archive(image, |archive| {
        cmd!(sh, "sh {script} {archive}").quiet().run()?;
        sh.remove_path(&new)?;
        sh.create_dir(&new)?;
        // It has setuid programs, which other users of this machine must not reach.
        fs::set_permissions(engine::state_file("roots"), fs::Permissions::from_mode(0o700))?;
        cmd!(sh, "tar --extract --file={archive} --directory={new} --numeric-owner -p")
            .quiet()
            .run()?;
        sh.remove_path(image.root_version())?;
        sh.remove_path(&root)?;
        fs::rename(&new, &root)?;
        Ok(sh.write_file(image.root_version(), image.version())?)
    });
    made.with_context(|| format!("cannot make the root of {name}"))
}

/// Imports the root as an image into an engine, replacing the one of that name.
///
/// # Errors
///
/// If the engine refuses the image.
pub(crate) fn import(sh: &Shell, engine: Engine, image: &Image) -> anyhow::Result<()> {
    let (name, root) = (image.name, image.root());
    let imported = with_archive(image, |archive| {
        cmd!(sh, "tar --create --file={archive} --directory={root} --numeric-owner .")
            .quiet()
            .run()?;
        let archive = archive.display().to_string();
        let labels =
            [format!("LABEL {LABEL}="), format!("LABEL {RECIPE_LABEL}={}", image.version())];
        let words = ["import", "--change", &labels[0], "--change", &labels[1], &archive, name];
        Ok(engine.client(sh, &words).ignore_stdout().ignore_stderr().run()?)
    });
    imported.with_context(|| format!("cannot import the image {name} to {engine}"))?;
    remove_replaced(sh, engine);
    Ok(())
}

/// Removes images that have lost their name to a newer one. An image in use stays until the next
/// time.
pub(crate) fn remove_replaced(sh: &Shell, engine: Engine) {
    let label = format!("label={LABEL}");
    let prune = engine.client(sh, &["image", "prune", "--force", "--filter", &label]);
    let _ = prune.ignore_stdout().ignore_stderr().run();
}

/// Returns the hash of an image's recipe, if the engine has the image.
pub(crate) fn recipe_label(sh: &Shell, engine: Engine, image: &str) -> Option<String> {
    let format = format!("{{{{index .Config.Labels \"{RECIPE_LABEL}\"}}}}");
    let inspect = engine.client(sh, &["image", "inspect", "--format", &format, image]);
    inspect.ignore_stderr().read().ok()
}

/// Runs `work` with an archive, which is removed afterwards in any case.
fn with_archive(
    image: &Image,
    work: impl FnOnce(&PathBuf) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let archive = engine::state_file(&format!("{}.tar", image.name));
    let done = work(&archive);
    let _ = fs::remove_file(&archive);
    done
}

impl Image {
    /// Returns its root directory; the tests have the same path.
    fn root(&self) -> PathBuf {
        engine::state_file(&format!("roots/{}", self.name))
    }

    /// Returns a file that is written last: a root without it is incomplete.
    fn root_version(&self) -> PathBuf {
        engine::state_file(&format!("roots/{}.version", self.name))
    }

    /// Returns a hash of the recipe. A toolchain that hashes differently only costs one build.
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
