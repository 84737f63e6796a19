//! `@sshconfig/PATTERN`: the hosts that ssh's own configuration names.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use hostlink_core::{Connector, Context, DataField, Error, ErrorKind, NameData, Result};
use wildmatch::WildMatch;

use crate::source;

/// How deep files may include one another, as ssh has it (readconf.c).
const DEEPEST: usize = 16;

const CONFIG_FILE: DataField = DataField {
    key: "ssh_config_file",
    description: "File to read in the place of ~/.ssh/config.",
    type_name: "path",
    default: "",
    secret: false,
};

/// The hosts of `~/.ssh/config`, as far as they are named and not only matched by a pattern. Each is reached over SSH by that
/// name, so that everything that the file says of it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SshConfigConnector;

#[async_trait]
impl Connector for SshConfigConnector {
    fn name(&self) -> &'static str {
        "sshconfig"
    }

    fn description(&self) -> &'static str {
        "Hosts that ~/.ssh/config names: @sshconfig, or @sshconfig/PATTERN for some of them."
    }

    fn handles_execution(&self) -> bool {
        false
    }

    /// The file is the user's own.
    fn is_trusted(&self) -> bool {
        true
    }

    fn data_fields(&self) -> &'static [DataField] {
        &[CONFIG_FILE]
    }

    async fn make_names_data(
        &self,
        argument: Option<&str>,
        context: &Context,
    ) -> Result<Vec<NameData>> {
        let refused = |message: String| Error::new(ErrorKind::Inventory, message);
        let given = context.settings.get(CONFIG_FILE.key).map(|value| match value {
            hostlink_core::Value::String(path) => Ok(PathBuf::from(path)),
            _ => Err(refused(format!("{}: this is no path", CONFIG_FILE.key))),
        });
        let home = context.home.as_deref();
        let usual = || {
            home.map(|home| home.join(".ssh/config")).ok_or_else(|| {
                refused("there is no home directory to look for .ssh/config in".to_owned())
            })
        };
        let path = given.unwrap_or_else(usual)?;
        let mut names = Vec::new();
        read(&path, home, 0, &mut names)?;
        let pattern = argument.filter(|pattern| !pattern.is_empty()).unwrap_or("*");
        let glob = WildMatch::new(pattern);
        let chosen: Vec<NameData> =
            names.iter().filter(|name| glob.matches(name)).map(NameData::new).collect();
        if chosen.is_empty() {
            let path = path.display();
            return Err(refused(format!("{path} names no host that matches {pattern}")));
        }
        Ok(chosen)
    }
}

/// Adds the names of a file and of those that it includes.
fn read(path: &Path, home: Option<&Path>, depth: usize, names: &mut Vec<String>) -> Result<()> {
    if depth > DEEPEST {
        let message = format!("{}: files include one another too deeply", path.display());
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    for line in source::text(path)?.lines() {
        let line = line.trim();
        let (keyword, rest) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
        let words = rest.trim_start_matches(['=', ' ', '\t']).split_whitespace();
        let words =
            words.take_while(|word| !word.starts_with('#')).map(|word| word.trim_matches('"'));
        match keyword.to_ascii_lowercase().as_str() {
            "host" => {
                for word in words.filter(|word| !word.contains(['*', '?', '!'])) {
                    if !names.iter().any(|known| known == word) {
                        names.push(word.to_owned());
                    }
                }
            }
            "include" => {
                for word in words {
                    for file in included(word, home) {
                        read(&file, home, depth + 1, names)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The files of a word behind `Include`, which are relative to `~/.ssh` (ssh_config(5)) and may have a pattern for a name.
fn included(word: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let Some(home) = home else { return Vec::new() };
    let path = match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => home.join(".ssh").join(word),
    };
    let (Some(directory), Some(name)) =
        (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        // One that is not there is nothing to ssh either.
        return if path.is_file() { vec![path] } else { Vec::new() };
    }
    let glob = WildMatch::new(name);
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let matching =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| glob.matches(name)));
    let mut files: Vec<PathBuf> =
        matching.map(|entry| entry.path()).filter(|file| file.is_file()).collect();
    files.sort();
    files
}
