//! Settings that every connector gets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::SECRET_VARIABLES;
use crate::values::data::Data;
use crate::values::report::{NoPrompter, Prompter, Reporter, Silent};

/// Settings that every connector gets.
///
/// The default knows neither the environment nor the home directory; [`from_env`](Self::from_env)
/// does.
#[derive(Clone, Debug)]
pub struct Context {
    /// Time limit for opening one connection. Default: 10 s, like pyinfra's.
    pub connect_timeout: Duration,
    /// The environment in which connectors look up settings (`DOCKER_HOST`). Default: empty.
    pub environment: BTreeMap<String, String>,
    /// Settings for connectors that list hosts (`terraform_directory`), by their keys. Default:
    /// none.
    pub settings: Data,
    /// True if any listed data may set [guarded](crate::DataField::guarded) keys. Default: no.
    pub trust_data: bool,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The directory for private directories. Default: the system's temporary directory.
    pub runtime_directory: Option<PathBuf>,
    /// Asks the user for secrets. Default: every question fails.
    pub prompter: Arc<dyn Prompter>,
    /// Receives events. Default: drops them.
    pub reporter: Arc<dyn Reporter>,
}

impl Context {
    /// A context with this process's environment, without hostlink's own secrets
    /// ([`SECRET_VARIABLES`]), and the user's home directory. Programs start from this one, so that
    /// `DOCKER_HOST`, for one, means what it means to other programs.
    ///
    /// Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn from_env() -> Self {
        let variables = std::env::vars_os();
        let texts = variables
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        Self {
            environment: texts
                .filter(|(key, _)| !SECRET_VARIABLES.contains(&key.as_str()))
                .collect(),
            home: home.map(Into::into),
            ..Self::default()
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            environment: BTreeMap::new(),
            settings: Data::new(),
            trust_data: false,
            home: None,
            runtime_directory: None,
            prompter: Arc::new(NoPrompter),
            reporter: Arc::new(Silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Context;
    use crate::SECRET_VARIABLES;

    const CHILD: &str = "HOSTLINK_TEST_CHILD";

    /// The test runs itself with an environment of its own.
    #[test]
    fn the_environment_comes_without_hostlinks_secrets() {
        if std::env::var_os(CHILD).is_some() {
            let context = Context::from_env();
            let variable = |name: &str| context.environment.get(name).map(String::as_str);
            assert_eq!(variable("DOCKER_HOST"), Some("unix:///a.sock"));
            assert_eq!(context.home.as_deref().and_then(|home| home.to_str()), Some("/home/a"));
            for name in SECRET_VARIABLES {
                assert!(std::env::var_os(name).is_some(), "the control: {name}");
                assert_eq!(variable(name), None, "{name}");
            }
            return;
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        let path = module_path!().split_once("::").unwrap().1;
        let test = format!("{path}::the_environment_comes_without_hostlinks_secrets");
        child.args(["--exact", &test]).env(CHILD, "1");
        child.env("DOCKER_HOST", "unix:///a.sock").env("HOME", "/home/a");
        child.envs(SECRET_VARIABLES.iter().map(|name| (name, "hunter2")));
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}
