//! `cargo xtask tidy`: the rules of this workspace that no compiler lint covers.
//!
//! Each rule is a function from a file to its violations, with a test that plants one: a check that
//! finds nothing may be looking at nothing.

pub(crate) mod links;
mod manifests;
mod modules;
mod names;
mod rust;
mod source;
mod text;

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use self::source::{Finding, Source};

/// The rules that look at one file.
const RULES: &[fn(&Source) -> Vec<Finding>] = &[
    names::vague_names,
    text::trailing_whitespace,
    text::final_newline,
    text::private_keys,
    text::machine_paths,
    text::ignored_examples,
    rust::long_files,
    rust::long_comments,
    rust::ignored_tests,
    manifests::own_versions,
];

/// Inputs of fuzz targets, which are malformed on purpose.
const INPUTS: &str = "fuzz/corpus/";

/// Applies every rule to every file that is committed, or would be.
///
/// # Errors
///
/// If there are findings, which are all printed first, or if the files cannot be listed.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let sources = sources(sh)?;
    let findings = findings(&sources);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("tidy: 1 finding in {} files", sources.len()),
        several => bail!("tidy: {several} findings in {} files", sources.len()),
    }
}

fn findings(sources: &[Source]) -> Vec<Finding> {
    let of_files = sources.iter().flat_map(|it| RULES.iter().flat_map(move |rule| rule(it)));
    let of_all = names::missing_readmes(sources).into_iter().chain(modules::cycles(sources));
    let of_all = of_all.chain(modules::stale_table(sources)).chain(links::broken_links(sources));
    let of_all = of_all.chain(links::missing_chapters(sources));
    of_files.chain(of_all).collect()
}

/// Prints the layers of core, as in ARCHITECTURE.
///
/// # Errors
///
/// If the files cannot be listed.
pub(crate) fn print_layers(sh: &Shell) -> anyhow::Result<()> {
    print!("{}", modules::layers(&sources(sh)?));
    Ok(())
}

/// Tracked files, and untracked ones that are not ignored; without those deleted on disk.
fn sources(sh: &Shell) -> anyhow::Result<Vec<Source>> {
    let listing = cmd!(sh, "git ls-files -z --cached --others --exclude-standard").quiet().read();
    let listing = listing.context("cannot list the files of the workspace")?;
    // A file in a merge conflict is listed once per side.
    let paths: BTreeSet<&str> = listing.split_terminator('\0').collect();
    let root = sh.current_dir();
    let sources: anyhow::Result<Vec<_>> = paths
        .into_iter()
        .filter(|path| !path.starts_with(INPUTS) && root.join(path).is_file())
        .map(|path| Source::read(&root, path))
        .collect();
    let sources = sources?;
    if sources.is_empty() {
        bail!("git lists no file of the workspace");
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_applied_to_every_file() {
        let sources = [Source::new("a.rs", "fn a() {} \n"), Source::new("b/utils.md", "text")];
        let printed: Vec<_> = findings(&sources).iter().map(ToString::to_string).collect();
        assert_eq!(printed.len(), 3, "{printed:?}");
        assert_eq!(printed[0], "a.rs:1: trailing whitespace");
        assert!(printed[1].starts_with("b/utils.md:1: "));
        assert_eq!(printed[2], "b/utils.md:1: the file does not end in a newline");
    }
}
