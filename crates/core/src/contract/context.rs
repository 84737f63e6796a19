//! What a connector is given besides its target.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::values::data::Data;
use crate::values::report::{NobodyToAsk, Prompter, Reporter, Silent};

/// What a connector is given besides its target. The cli fills it from the process's environment.
#[derive(Clone, Debug)]
pub struct Context {
    /// How long opening one connection may take. Default: 10 s, as pyinfra's.
    pub connect_timeout: Duration,
    /// The environment that connectors may look settings up in (`DOCKER_HOST`). Default: empty.
    pub environment: BTreeMap<String, String>,
    /// Settings for connectors that list hosts (`terraform_directory`), by their keys. Default:
    /// none.
    pub settings: Data,
    /// Whether any listed data may set [guarded](crate::DataField::guarded) keys. Default:
    /// no.
    pub trust_data: bool,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Where private directories are made; the system's temporary directory if `None`.
    pub runtime_directory: Option<PathBuf>,
    /// Who is asked for secrets. Default: nobody.
    pub prompter: Arc<dyn Prompter>,
    /// Who is told what happens. Default: nobody.
    pub reporter: Arc<dyn Reporter>,
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
            prompter: Arc::new(NobodyToAsk),
            reporter: Arc::new(Silent),
        }
    }
}
