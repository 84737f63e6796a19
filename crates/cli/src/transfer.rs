//! The files of `put` and `get`, checked on this machine.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{Error, Result};

use crate::explain::usage;
use crate::grammar::{DEST, FOLLOW, MODE, PRESERVE, RECURSIVE, SRC};
use crate::input::{Input, unreadable};

/// `put SRC DEST`.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) source: Input,
    pub(crate) destination: String,
    pub(crate) recursive: bool,
    pub(crate) options: PutOptions,
}

/// `get SRC DEST`.
#[derive(Debug)]
pub(crate) struct Get {
    pub(crate) source: String,
    pub(crate) destination: PathBuf,
    pub(crate) recursive: bool,
    pub(crate) options: GetOptions,
}

/// The destination of a target's copy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Destination {
    /// Standard output.
    Standard,
    /// A file or a directory.
    Path(PathBuf),
}

/// The placeholder for the target's name in DEST.
const HOST: &str = "{host}";

impl Put {
    pub(crate) fn read(matches: &ArgMatches) -> Result<Self> {
        let path = matches.get_one::<PathBuf>(SRC).expect("the grammar requires SRC");
        let source = Input::new(path);
        let recursive = matches.get_flag(RECURSIVE);
        match recursive {
            true => check_directory(&source)?,
            false => check_file(&source)?,
        }
        let options = PutOptions {
            mode: matches.get_one::<String>(MODE).map(|text| mode(text)).transpose()?,
            preserve: matches.get_flag(PRESERVE),
            follow: matches.get_flag(FOLLOW).then_some(true),
            ..PutOptions::default()
        };
        let destination = remote(matches, DEST)?;
        check_placeholders(&destination)?;
        Ok(Self { source, destination, recursive, options })
    }
}

impl Get {
    pub(crate) fn read(matches: &ArgMatches) -> Result<Self> {
        let destination = matches.get_one::<PathBuf>(DEST).expect("the grammar requires DEST");
        let recursive = matches.get_flag(RECURSIVE);
        if recursive && destination == Path::new("-") {
            return Err(usage("a directory cannot go to standard output: name a directory"));
        }
        let options = GetOptions::default().with_preserve(matches.get_flag(PRESERVE));
        let source = remote(matches, SRC)?;
        let mut destination = match destination.to_str() {
            // Symlinks to what a pipe has no path for.
            Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") if !recursive => "-".into(),
            _ => destination.clone(),
        };
        if let Some(text) = destination.to_str() {
            check_placeholders(text)?;
            if text.ends_with('/') && !recursive {
                destination.extend(file_name_of(&source));
            }
        }
        Ok(Self { source, destination, recursive, options })
    }

    /// Returns the destination of a target's copy.
    pub(crate) fn destination_for(&self, target: &str) -> Destination {
        if self.destination == Path::new("-") {
            return Destination::Standard;
        }
        let mut path = match self.destination.to_str() {
            Some(text) => for_target(text, target).into(),
            None => self.destination.clone(),
        };
        if !self.recursive && path.is_dir() {
            path.extend(file_name_of(&self.source));
        }
        Destination::Path(path)
    }

    /// Refuses to mix a file with the results of `--json`.
    pub(crate) fn refuse_standard_output(&self) -> Result<()> {
        if self.destination == Path::new("-") {
            return Err(usage(
                "--json and the file cannot both go to standard output: name a file",
            ));
        }
        Ok(())
    }

    /// Refuses destinations that cannot be written, or that two targets would share.
    pub(crate) fn check_destinations(&self, targets: &[&str]) -> Result<()> {
        let mut taken = HashMap::new();
        for target in targets {
            let destination = self.destination_for(target);
            let path = match &destination {
                Destination::Path(path) => path.clone(),
                Destination::Standard => "-".into(),
            };
            if let Some(other) = taken.insert(path.clone(), target) {
                let shown = path.display();
                return Err(usage(format!(
                    "{other} and {target} would both go to {shown}: put {HOST} into DEST"
                )));
            }
            if destination != Destination::Standard {
                self.check_path(&path)?;
            }
        }
        Ok(())
    }

    /// Makes the directories of a target's copy that have the target's name.
    pub(crate) fn make_directories(&self, path: &Path) -> Result<()> {
        let Some(directory) = self.own_directory().and(path.parent()) else { return Ok(()) };
        fs::create_dir_all(directory)
            .map_err(|error| Error::from_io(format!("cannot make {}", directory.display()), error))
    }

    /// The outermost directory in DEST that each target has for itself.
    fn own_directory(&self) -> Option<&Path> {
        let directories = self.destination.ancestors().skip(1);
        let own = |path: &&Path| path.to_str().is_some_and(|text| text.contains(HOST));
        directories.filter(own).last()
    }

    fn check_path(&self, path: &Path) -> Result<()> {
        let shown = path.display();
        if path.is_dir() && !self.recursive {
            return Err(usage(format!("{shown} is a directory: name the file")));
        }
        let above = self.own_directory().unwrap_or(path);
        let parent = above.parent().filter(|parent| !parent.as_os_str().is_empty());
        match parent {
            Some(parent) if !parent.is_dir() => {
                let parent = parent.display();
                Err(usage(format!("cannot write {shown}: there is no directory {parent}")))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the last part of a path on a target.
fn file_name_of(path: &str) -> Option<&str> {
    path.rsplit('/').next().filter(|name| !["", ".", ".."].contains(name))
}

/// Returns the path of a file in a directory of a target.
pub(crate) fn inside(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

/// Refuses other placeholders than the target's name.
fn check_placeholders(destination: &str) -> Result<()> {
    let after = destination.split('{').skip(1);
    let names = after.filter_map(|text| text.split_once('}')).map(|(name, _)| name);
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    match names.filter(is_name).find(|name| *name != "host") {
        Some(name) => Err(usage(format!(
            "DEST: {{{name}}} is not known: only {HOST} is replaced, by the target's name"
        ))),
        None => Ok(()),
    }
}

/// Returns a DEST with the target's name in it.
pub(crate) fn for_target(destination: &str, target: &str) -> String {
    destination.replace(HOST, &file_name(target))
}

/// Returns a target's name as a file name: it cannot lead elsewhere.
fn file_name(target: &str) -> String {
    match target {
        "." | ".." => "_".repeat(target.len()),
        name => name.replace('/', "_"),
    }
}

fn check_file(source: &Input) -> Result<()> {
    match source {
        Input::File(path) if path.is_dir() => {
            Err(usage(format!("{} is a directory: put it with -r", path.display())))
        }
        input => input.check_file(),
    }
}

fn check_directory(source: &Input) -> Result<()> {
    let Input::File(path) = source else {
        return Err(usage("standard input is not a directory: put it without -r"));
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Err(usage(format!("{} is not a directory: put it without -r", path.display())));
    }
    fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    Ok(())
}

fn remote(matches: &ArgMatches, id: &str) -> Result<String> {
    let path = matches.get_one::<String>(id).expect("the grammar requires both paths");
    match path.as_str() {
        "" => Err(usage(format!("{id} is empty: name the file on the target"))),
        "-" => Err(usage(format!("{id} is on the target: - is not valid there"))),
        path => Ok(path.to_owned()),
    }
}

fn mode(text: &str) -> Result<u32> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    mode.filter(|_| !text.starts_with('+'))
        .ok_or_else(|| usage(format!("--mode: {text:?} is not an octal mode like 0644")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(destination: &str) -> Get {
        Get {
            source: "x".into(),
            destination: destination.into(),
            recursive: false,
            options: GetOptions::default(),
        }
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(mode("0644").unwrap(), 0o644);
        assert_eq!(mode("7777").unwrap(), 0o7777);
        for bad in ["", "8", "u+x", "+644", "-1", "17777", "0o644"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_placeholder_that_is_not_known_is_refused() {
        for good in ["a", "{host}", "{}", "a{b", "{a b}", "}{", "{host}/{host}"] {
            check_placeholders(good).unwrap();
        }
        for bad in ["{name}", "/srv/{host}/{inventory_hostname}", "{{host}}/{x}"] {
            assert!(check_placeholders(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_target_has_its_own_destination() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let own = get(&path("{host}.log"));
        assert_eq!(own.destination_for("@a/b"), Destination::Path(path("@a_b.log").into()));
        own.check_destinations(&["@a/b", "@a/c"]).unwrap();
        let inside = get("DEST/{host}/x");
        for (name, expected) in [
            ("..", "DEST/__/x"),
            (".", "DEST/_/x"),
            ("../..", "DEST/.._../x"),
            ("...", "DEST/.../x"),
            ("w.1", "DEST/w.1/x"),
        ] {
            assert_eq!(inside.destination_for(name), Destination::Path(expected.into()), "{name}");
        }
        get("-").check_destinations(&["@a/b"]).unwrap();
        get(&path("{host}/new/x")).check_destinations(&["a", "b"]).unwrap();
        get("{host}/x").check_destinations(&["a", "b"]).unwrap();
        get("here").check_destinations(&["@a/b"]).unwrap();
        let into = get(&path("")).destination_for("a");
        assert_eq!(into, Destination::Path(path("x").into()));
        for (get, targets) in [
            (get("-"), &["a", "b"][..]),
            (get(&path("same")), &["a", "b"]),
            (get(&path("")), &["a", "b"]),
            (get(&path("{host}")), &["a/b", "a_b"]),
            (get(&path("missing/x")), &["a"]),
            (get(&path("missing/{host}")), &["a"]),
            (get(&path("missing/{host}/x")), &["a"]),
        ] {
            assert!(get.check_destinations(targets).is_err(), "{get:?}");
        }
    }
}
