//! Login options: flags and hostlink's environment, as host data of the targets whose connectors
//! read it.

use std::path::PathBuf;

use hostlink::inventory::{Host, Inventory, secret_of_file};
use hostlink::{Context, Data, Error, Result, Secret, Value};

use crate::explain::usage;
use crate::flag_names::{PASSWORD, PASSWORD_FLAG, QUESTIONS, Question, SETTINGS, Setting, keys};
use crate::levels::Levels;
use crate::{flags, passwords, prompt};

/// The variable that may hold the login password.
const PASSWORD_VARIABLE: &str = "HOSTLINK_SSH_PASSWORD";

/// The login options of the command line and hostlink's environment.
#[derive(Debug)]
pub(crate) struct Login {
    flags: Data,
    questions: Vec<&'static str>,
    /// The password in the environment. Host data override it, as they are specific to a host.
    password: Option<Secret>,
}

impl Login {
    pub(crate) fn read(levels: &Levels<'_>) -> Result<Self> {
        let given = |setting: &Setting| Some((setting.key, levels.one::<String>(setting.key)?));
        let mut flags: Data =
            SETTINGS.iter().filter_map(given).map(|(key, text)| (key, text.as_str())).collect();
        let asked = QUESTIONS.iter().map(|question| question.key).filter(|key| levels.flag(key));
        let questions: Vec<&str> = asked.collect();
        if let Some(path) = levels.one::<PathBuf>(PASSWORD_FLAG) {
            if questions.contains(&PASSWORD) {
                return Err(usage(
                    "--ssh-password-prompt and --ssh-password-file cannot be combined",
                ));
            }
            flags.insert(PASSWORD, Value::Secret(secret_of_file(path)?));
        }
        let password = passwords::variable(PASSWORD_VARIABLE)?;
        Ok(Self { flags, questions, password })
    }

    /// Returns the values of flags, which override all data.
    pub(crate) fn given(&self) -> &Data {
        &self.flags
    }

    /// Returns the password of the environment, which is weaker than all data: those are about a
    /// host.
    pub(crate) fn of_environment(&self) -> Data {
        let password = self.password.iter();
        password.map(|password| (PASSWORD, Value::Secret(password.clone()))).collect()
    }

    /// Returns whether something is asked for before anything is connected to.
    pub(crate) fn asks(&self) -> bool {
        !self.questions.is_empty()
    }

    /// Refuses options that no target reads, before the user is prompted.
    pub(crate) fn check(&self, inventory: &Inventory) -> Result<()> {
        for (key, flag) in keys() {
            let given = self.flags.get(key).is_some() || self.questions.contains(&key);
            let reads = |host: &&Host| host.data_fields().any(|field| field.key == key);
            if given && inventory.hosts().find(reads).is_none() {
                return Err(usage(format!("--{flag} has no effect: no target reads {key}")));
            }
            // What is said of one host goes before what is said of all.
            let mut readers = inventory.hosts().filter(reads).peekable();
            if given
                && let Some(first) = readers.peek().map(|host| host.name())
                && readers.all(|host| host.names(key))
            {
                let problem = format!("{key} is in the name of the target {first}");
                return Err(usage(format!("--{flag} has no effect: {problem}")));
            }
        }
        Ok(())
    }

    /// Prompts for each missing value once, and gives the answers to every target.
    pub(crate) async fn ask(&self, inventory: &Inventory, context: &Context) -> Result<()> {
        if !self.asks() {
            return Ok(());
        }
        let mut answers = Data::new();
        for question in QUESTIONS.iter().filter(|question| self.questions.contains(&question.key)) {
            answers.insert(question.key, Value::Secret(question.ask().await?));
        }
        inventory.override_data(&answers);
        for host in inventory.hosts() {
            host.target().await?.check(context)?;
        }
        Ok(())
    }

    /// Names the keys of an error by the flags that set them, which is what the user wrote.
    pub(crate) fn with_flag_names(&self, error: Error) -> Error {
        let flag = |key: &str| {
            self.flags.get(key)?;
            keys().find(|(known, _)| *known == key).map(|(_, flag)| format!("--{flag}"))
        };
        flags::with_names(error, flag)
    }
}

impl Question {
    async fn ask(&self) -> Result<Secret> {
        let refused = |why: &str| usage(format!("--{}: {why}", self.flag()));
        match prompt::ask(self.question).await {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) if self.key == PASSWORD => Err(refused(&format!(
                "there is no terminal to prompt on; set {PASSWORD_VARIABLE} to the password"
            ))),
            Ok(None) => Err(refused("there is no terminal to prompt on")),
            Err(error) => Err(refused("the terminal gave no answer").with_source(error)),
        }
    }
}
