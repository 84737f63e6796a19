//! Which program is asked.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{self, Path, PathBuf};

use hostlink_core::{Error, ErrorKind, Result};
use hostlink_local::find_program;

use crate::fields;

/// The names that are looked for, first one first.
const NAMES: [&str; 2] = ["terraform", "tofu"];

/// The program of this name or path, or else the first of the usual ones that is there.
///
/// # Errors
///
/// [`ErrorKind::Data`]: there is none.
pub(crate) fn find(
    wanted: Option<&str>,
    environment: &BTreeMap<String, String>,
) -> Result<PathBuf> {
    let folders = environment.get("PATH").map_or("", String::as_str);
    let found = match wanted {
        // It is started in another directory than the one that it is meant from.
        Some(path) if path.contains('/') => {
            path::absolute(path).ok().filter(|path| is_executable(path))
        }
        Some(name) => on_path(name, folders),
        None => NAMES.iter().find_map(|name| on_path(name, folders)),
    };
    found.ok_or_else(|| Error::new(ErrorKind::Data, missing(wanted)))
}

fn on_path(name: &str, folders: &str) -> Option<PathBuf> {
    path::absolute(find_program(name, folders)?).ok()
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

fn missing(wanted: Option<&str>) -> String {
    let without = format!("{} reads a state, or saved JSON, without a program", fields::STATE.key);
    let key = fields::PROGRAM.key;
    match wanted {
        Some(path) if path.contains('/') => {
            format!("{key}: {path:?} is no program; {without}")
        }
        Some(name) => format!("{key}: there is no program {name:?} on PATH; {without}"),
        None => format!(
            "neither {} is on PATH: install one, or name it in {key}; {without}",
            NAMES.join(" nor ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(path: &str) -> BTreeMap<String, String> {
        [("PATH".to_owned(), path.to_owned())].into_iter().collect()
    }

    #[test]
    fn a_name_is_looked_for_on_the_path_it_was_given() {
        let found = find(Some("sh"), &environment("/nowhere::/bin")).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        assert_eq!(find(Some("/bin/sh"), &BTreeMap::new()).unwrap(), Path::new("/bin/sh"));
    }

    #[test]
    fn a_program_that_is_missing_is_told_with_what_helps() {
        let without = "terraform_state reads a state, or saved JSON, without a program";
        for (wanted, problem) in [
            (
                None,
                "neither terraform nor tofu is on PATH: install one, or name it in terraform_program",
            ),
            (Some("sh"), "terraform_program: there is no program \"sh\" on PATH"),
            (Some("/etc/passwd"), "terraform_program: \"/etc/passwd\" is no program"),
        ] {
            let error = find(wanted, &environment("/nowhere")).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::Data, format!("{problem}; {without}"))
            );
        }
    }
}
