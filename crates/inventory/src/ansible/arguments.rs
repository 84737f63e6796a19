//! The arguments of ssh's command line that Ansible's variables hold.

use hostlink_core::{Data, Value};

use super::ini::split;
use super::meaning::{Fault, fault, text};

/// In the order that they have on ssh's command line, which takes the first value of an option.
/// Ansible's own options (`ansible_port` …) come after the first of these.
pub(super) const ARGUMENTS: [&str; 3] =
    ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// Flags that change nothing that is done here. Compression is among Ansible's defaults.
const IGNORED: &str = "CNTafknqtvx";

/// Flags with a value that are an option of ssh_config(5).
const OPTIONS: [(char, &str); 5] = [
    ('b', "BindAddress"),
    ('B', "BindInterface"),
    ('c', "Ciphers"),
    ('m', "MACs"),
    ('J', "ProxyJump"),
];

/// Flags with a value that are a key of ours.
const KEYS: [(char, &str); 4] =
    [('F', "ssh_config_file"), ('i', "ssh_key"), ('l', "ssh_user"), ('p', "ssh_port")];

/// Sets what the arguments mean.
///
/// # Errors
///
/// An argument that has no meaning here.
pub(super) fn read(all: &Data, data: &mut Data) -> Result<(), Fault> {
    let options = match data.get("ssh_options") {
        Some(Value::List(options)) => options.clone(),
        _ => Vec::new(),
    };
    let mut found = Found { options, ..Found::default() };
    for key in ARGUMENTS {
        let Some(arguments) = text(key, all)? else { continue };
        let words = split(&arguments).map_err(|problem| fault(key, problem))?;
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            found.take(word, &mut words, key == ARGUMENTS[0]).map_err(|refused| {
                let problem = format!(
                    "{key}: {refused} has no meaning here; -o, -F, -J, -i, -l, -p, -A, -4 and -6 have"
                );
                fault(key, problem)
            })?;
        }
    }
    found.set(data);
    Ok(())
}

/// The settings in the arguments. Of several values, ssh takes the first one.
#[derive(Default)]
struct Found {
    options: Vec<Value>,
    /// Keys of ours, and whether they go before Ansible's own variables.
    keys: Vec<(&'static str, Value, bool)>,
}

impl Found {
    /// Takes an argument, with its value from `rest` if that is a word of its own. Returns the
    /// argument that it does not know.
    fn take<'a>(
        &mut self,
        word: &'a str,
        rest: &mut impl Iterator<Item = &'a str>,
        is_first: bool,
    ) -> Result<(), &'a str> {
        let flags = word.strip_prefix('-').filter(|flags| !flags.is_empty()).ok_or(word)?;
        for (at, flag) in flags.char_indices() {
            match flag {
                'A' => self.key("ssh_forward_agent", true, is_first),
                '4' => self.option("AddressFamily=inet"),
                '6' => self.option("AddressFamily=inet6"),
                _ if IGNORED.contains(flag) => {}
                _ => {
                    let joined = &flags[at + flag.len_utf8()..];
                    let value = match joined {
                        "" => rest.next().ok_or(word)?,
                        joined => joined,
                    };
                    return self.with_value(flag, value, is_first).then_some(()).ok_or(
                        // The value of an option may be a secret's place, and says what is meant.
                        if flag == 'o' { value } else { word },
                    );
                }
            }
        }
        Ok(())
    }

    /// Returns whether the flag is known.
    fn with_value(&mut self, flag: char, value: &str, is_first: bool) -> bool {
        if let Some((_, key)) = KEYS.iter().find(|(known, _)| *known == flag) {
            self.key(key, value, is_first);
            return true;
        }
        if let Some((_, option)) = OPTIONS.iter().find(|(known, _)| *known == flag) {
            return self.named(option, value);
        }
        let named = value.split_once(['=', ' ']).filter(|_| flag == 'o');
        named.is_some_and(|(name, value)| self.named(name, value))
    }

    fn named(&mut self, name: &str, value: &str) -> bool {
        match name.to_ascii_lowercase().as_str() {
            "proxyjump" => self.key("ssh_proxy_jump", value, true),
            "proxycommand" => self.key("ssh_proxy_command", value, true),
            // Our connections are shared and kept already.
            name if name.starts_with("control") => {}
            _ => self.option(&format!("{name}={value}")),
        }
        true
    }

    fn option(&mut self, option: &str) {
        self.options.push(option.into());
    }

    fn key(&mut self, key: &'static str, value: impl Into<Value>, is_first: bool) {
        if self.keys.iter().all(|(known, ..)| *known != key) {
            self.keys.push((key, value.into(), is_first));
        }
    }

    fn set(self, data: &mut Data) {
        for (key, value, is_first) in self.keys {
            if is_first || data.get(key).is_none() {
                data.insert(key, value);
            }
        }
        if !self.options.is_empty() {
            data.insert("ssh_options", self.options);
        }
    }
}
