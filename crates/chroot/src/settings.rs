//! The host data that `@chroot` reads.

use hostlink_core::{
    ConnectorArguments, Data, DataField, DataReader, Result, Secret, StringCommand,
    make_unix_command,
};

/// A field without a default.
const fn field(key: &'static str, type_name: &'static str, description: &'static str) -> DataField {
    DataField { key, description, type_name, default: "", secret: false }
}

/// What a name stands for.
pub(crate) const PATH: DataField =
    field("chroot_path", "path", "The root directory: what stands behind @chroot/ in the name.");
const DIRECTORY: DataField =
    field("chroot_directory", "path", "Another name of chroot_path, as in pyinfra.");
const MOUNTS: DataField = DataField {
    default: "false",
    ..field(
        "chroot_mounts",
        "true or false",
        "Give commands /proc, /sys, /dev and /etc/resolv.conf of the target that the root is on, in mounts that only they see.",
    )
};
const SUDO: DataField = DataField {
    default: "false",
    ..field("chroot_sudo", "true or false", "Enter the root with sudo; _sudo acts inside.")
};
const SUDO_USER: DataField = field(
    "chroot_sudo_user",
    "text",
    "The user to enter the root as, in the place of root; it must be one who may.",
);
const SUDO_PASSWORD: DataField = DataField {
    secret: true,
    ..field("chroot_sudo_password", "text", "The password that this sudo is given when it asks.")
};

/// Every field, in the order of help texts.
pub(crate) const FIELDS: &[DataField] = &[PATH, DIRECTORY, MOUNTS, SUDO, SUDO_USER, SUDO_PASSWORD];

/// One target's data, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Absolute.
    pub(crate) root: String,
    pub(crate) mounts: bool,
    /// What it takes to enter.
    pub(crate) privilege: ConnectorArguments,
}

impl Settings {
    /// Reads a target's data.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with everything that is wrong.
    pub(crate) fn parse(data: &Data) -> Result<Self> {
        let mut reader = DataReader::new(data);
        reader.refuse_unknown("chroot_", FIELDS);
        let root = root(&mut reader);
        let mounts = reader.get(&MOUNTS).unwrap_or(false);
        let privilege = privilege(&mut reader, data);
        reader.finish()?;
        Ok(Self { root, mounts, privilege })
    }
}

/// What is wrong with the path of a root, if anything is.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("{path:?} is no absolute path: write @chroot//DIRECTORY"));
    }
    if path.chars().any(char::is_control) {
        return Err(format!("{path:?} holds a control character"));
    }
    // A variable that is empty makes this of `@chroot/$ROOT/`, and everything would be done to the
    // target itself.
    if path.split('/').all(|part| part.is_empty() || part == ".") {
        return Err(format!("{path} is the target itself: leave @chroot out to mean that"));
    }
    Ok(())
}

fn root(reader: &mut DataReader<'_>) -> String {
    let paths = [PATH, DIRECTORY].map(|field| (field.key, reader.get::<String>(&field)));
    for (key, path) in &paths {
        if let Some(Err(problem)) = path.as_deref().map(check_path) {
            reader.fault(*key, problem);
        }
    }
    match paths.map(|(_, path)| path) {
        [Some(path), Some(directory)] if path != directory => {
            let problem = format!("{directory} is another root than chroot_path, {path}");
            reader.fault(DIRECTORY.key, problem);
            path
        }
        [Some(path), _] | [None, Some(path)] => path,
        [None, None] => {
            reader.fault(PATH.key, "it is missing: which directory is the root?");
            String::new()
        }
    }
}

fn privilege(reader: &mut DataReader<'_>, data: &Data) -> ConnectorArguments {
    let sudo = reader.get(&SUDO);
    for field in [&SUDO_USER, &SUDO_PASSWORD] {
        if data.get(field.key).is_some() && sudo != Some(true) {
            reader.fault(field.key, "it counts only with chroot_sudo");
        }
    }
    let privilege = ConnectorArguments {
        sudo,
        sudo_user: reader.get(&SUDO_USER),
        sudo_password: reader.get::<Secret>(&SUDO_PASSWORD),
        ..ConnectorArguments::new()
    };
    if make_unix_command(&StringCommand::shell(":"), &privilege).is_err() {
        let user = privilege.sudo_user.as_deref().unwrap_or_default();
        reader.fault(SUDO_USER.key, format!("{user:?} is no name for a user"));
    }
    privilege
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_become_settings() {
        let data = Data::new()
            .with("chroot_directory", "/srv/root")
            .with("chroot_mounts", true)
            .with("chroot_sudo", true)
            .with("chroot_sudo_password", "hunter2");
        let settings = Settings::parse(&data).unwrap();
        assert_eq!((settings.root.as_str(), settings.mounts), ("/srv/root", true));
        assert_eq!(settings.privilege.sudo, Some(true));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let path = |path: &str| Data::new().with("chroot_path", path);
        for (data, expected) in [
            (Data::new(), "chroot_path: it is missing: which directory is the root?"),
            (path("srv"), "chroot_path: \"srv\" is no absolute path: write @chroot//DIRECTORY"),
            (path("/a\nb"), "chroot_path: \"/a\\nb\" holds a control character"),
            (
                path("//./"),
                "chroot_path: //./ is the target itself: leave @chroot out to mean that",
            ),
            (
                path("/a").with("chroot_directory", "/b").with("chroot_mounts", "perhaps"),
                "chroot_directory: /b is another root than chroot_path, /a; \
                 chroot_mounts: \"perhaps\" is not true or false",
            ),
            (
                path("/a").with("chroot_sudo_password", "hunter2").with("chroot_suod", true),
                "chroot_suod: there is no such key (did you mean chroot_sudo?); \
                 chroot_sudo_password: it counts only with chroot_sudo",
            ),
            (
                path("/a").with("chroot_sudo", true).with("chroot_sudo_user", "-x"),
                "chroot_sudo_user: \"-x\" is no name for a user",
            ),
        ] {
            assert_eq!(Settings::parse(&data).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn both_names_of_the_root_may_be_given_if_they_agree() {
        let data = Data::new().with("chroot_path", "/a").with("chroot_directory", "/a");
        assert_eq!(Settings::parse(&data).unwrap().root, "/a");
    }
}
