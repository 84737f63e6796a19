//! The images that containers of the tests are made of, and the roots for `chroot`, built here
//! because no registry may be reachable.
//!
//! A recipe is a shell script, which writes a tar archive. It is unpacked to a root, and each
//! engine gets that as an image. They are built once and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::engine::{self, Engine, LABEL};

/// Marks an image with what it was made by, so that a changed recipe is noticed.
pub(crate) const RECIPE_LABEL: &str = "hostlink.test.recipe";

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
pub(crate) fn missing(sh: &Shell, engine: Engine) -> Vec<&'static Image> {
    IMAGES
        .iter()
        .filter(|image| recipe_label(sh, engine, image.name) != Some(image.version()))
        .collect()
}

/// The images whose root is not there, or was made by another recipe.
pub(crate) fn missing_roots() -> Vec<&'static Image> {
    let has_root = |image: &&Image| {
        fs::read_to_string(image.root_version()).is_ok_and(|it| it == image.version())
    };
    IMAGES.iter().filter(|it| !has_root(it)).collect()
}

/// Makes the root of an image, in place of an older one.
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
        // It has programs that act as root, which no other user of this machine shall reach.
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

/// Gives an engine an image of the root, in place of the one that has its name.
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

/// Images that have lost their name to a newer one; one that is in use stays until the next time.
pub(crate) fn remove_replaced(sh: &Shell, engine: Engine) {
    let label = format!("label={LABEL}");
    let prune = engine.client(sh, &["image", "prune", "--force", "--filter", &label]);
    let _ = prune.ignore_stdout().ignore_stderr().run();
}

/// What an image was made by, if the engine has it.
pub(crate) fn recipe_label(sh: &Shell, engine: Engine, image: &str) -> Option<String> {
    let format = format!("{{{{index .Config.Labels \"{RECIPE_LABEL}\"}}}}");
    let inspect = engine.client(sh, &["image", "inspect", "--format", &format, image]);
    inspect.ignore_stderr().read().ok()
}

/// The archive is gone after that, however it ends.
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
    /// Its root directory; the tests have the same path.
    fn root(&self) -> PathBuf {
        engine::state_file(&format!("roots/{}", self.name))
    }

    /// Written last, so that a root without it was not finished.
    fn root_version(&self) -> PathBuf {
        engine::state_file(&format!("roots/{}.version", self.name))
    }

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
