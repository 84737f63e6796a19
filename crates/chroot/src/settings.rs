//! The host data for one root, checked before anything connects.

use hostlink_core::{
    ConnectorArguments, Data, DataReader, Result, StringCommand, make_unix_command,
};

use crate::fields::{self, FIELDS, Given};

/// One target's data, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// An absolute path.
    pub(crate) root: String,
    pub(crate) mounts: bool,
    /// The privilege options to enter the root.
    pub(crate) privilege: ConnectorArguments,
}

impl Settings {
    /// Reads a target's data.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`](hostlink_core::ErrorKind::Data) with all faults.
    pub(crate) fn parse(data: &Data) -> Result<Self> {
        let mut reader = DataReader::new(data);
        reader.refuse_unknown("chroot_", FIELDS);
        let given = Given::read(&mut reader);
        let (root, mounts) = (root(&mut reader, &given, data), given.mounts);
        let privilege = privilege(&mut reader, given, data);
        reader.finish()?;
        Ok(Self { root, mounts, privilege })
    }
}

/// Returns the root. If both of its names are given, they must agree.
fn root(reader: &mut DataReader<'_>, given: &Given, data: &Data) -> String {
    match (given.path.clone(), given.directory.clone()) {
        (Some(path), Some(directory)) if path != directory => {
            let problem = format!("{directory} differs from chroot_path, {path}");
            reader.fault(fields::DIRECTORY.key, problem);
            path
        }
        (Some(path), _) | (None, Some(path)) => path,
        (None, None) => {
            if [fields::PATH, fields::DIRECTORY].iter().all(|it| data.get(it.key).is_none()) {
                reader.fault(fields::PATH.key, "missing: set the directory of the root");
            }
            String::new()
        }
    }
}

fn privilege(reader: &mut DataReader<'_>, given: Given, data: &Data) -> ConnectorArguments {
    for field in [fields::SUDO_USER, fields::SUDO_PASSWORD] {
        if data.get(field.key).is_some() && !given.sudo {
            reader.needs(field.key, fields::SUDO.key);
        }
    }
    let is_sudo = given.sudo;
    let privilege = ConnectorArguments {
        sudo: Some(is_sudo),
        sudo_user: given.sudo_user,
        sudo_password: given.sudo_password,
        ..ConnectorArguments::new()
    };
    if is_sudo && make_unix_command(&StringCommand::shell(":"), &privilege).is_err() {
        let user = privilege.sudo_user.as_deref().unwrap_or_default();
        reader.fault(fields::SUDO_USER.key, format!("{user:?} is not a valid user name"));
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
    fn all_faults_are_reported_together() {
        let path = |path: &str| Data::new().with("chroot_path", path);
        for (data, expected) in [
            (Data::new(), "chroot_path: missing: set the directory of the root"),
            (path("srv"), "chroot_path: \"srv\" is not an absolute path: write @chroot//DIRECTORY"),
            (path("/a\nb"), "chroot_path: \"/a\\nb\" contains a control character"),
            (path("//./"), "chroot_path: //./ is the target itself: to use it, leave @chroot out"),
            (
                path("/a").with("chroot_directory", "/b").with("chroot_mounts", "perhaps"),
                "chroot_mounts: \"perhaps\" is not true or false; \
                 chroot_directory: /b differs from chroot_path, /a",
            ),
            (
                path("/a").with("chroot_sudo_password", "hunter2").with("chroot_suod", true),
                "chroot_suod: there is no such key (did you mean chroot_sudo?); \
                 chroot_sudo_password: has no effect without chroot_sudo",
            ),
            (
                path("/a").with("chroot_sudo", true).with("chroot_sudo_user", "-x"),
                "chroot_sudo_user: \"-x\" is not a valid user name",
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
