//! `@fake`: targets that exist in memory only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Kind, Listing, NameData, Open, Result, Target,
};

use super::connection::FakeConnection;
use super::rule::{Answer, Matcher, Rule};

/// The connector `@fake`, whose targets give scripted answers to commands, and keep files in
/// memory.
///
/// `@fake` is one target; `@fake/a,b` is two, `@fake/a` and `@fake/b`. A command that matches no
/// rule succeeds without output. Clones share the recorded commands and the files.
///
/// ```
/// use std::sync::Arc;
///
/// use hostlink_core::{ConnectorArguments, Context, Data, Registry};
/// use hostlink_testkit::{Answer, FakeConnector};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let fake = FakeConnector::new().with_rule("uptime", Answer::new().with_stdout("up 3 days"));
/// let mut registry = Registry::new();
/// registry.register(Arc::new(fake.clone()));
///
/// let link = registry.connect("@fake/web1", &Data::new(), &Context::default()).await?;
/// let output = link.run_shell_command("uptime", &ConnectorArguments::new()).await?;
/// assert_eq!(output.stdout_lines(), ["up 3 days"]);
/// assert_eq!(fake.commands("@fake/web1"), ["sh -c uptime"]);
/// # Ok::<(), hostlink_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeConnector {
    rules: Vec<Rule>,
    targets: Arc<Mutex<BTreeMap<String, FakeTarget>>>,
}

/// The state of one target.
#[derive(Debug, Default)]
pub(super) struct FakeTarget {
    pub(super) commands: Vec<String>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl FakeConnector {
    /// Returns a connector on whose targets every command succeeds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule. The first rule that matches a command applies.
    #[must_use]
    pub fn with_rule(mut self, matcher: impl Into<Matcher>, answer: Answer) -> Self {
        self.rules.push(Rule { matcher: matcher.into(), answer });
        self
    }

    /// Returns the commands that a target has run, in order, as they are displayed: `sh -c 'apt-get
    /// update'`, secrets masked.
    #[must_use]
    pub fn commands(&self, target: &str) -> Vec<String> {
        self.targets().get(target).map(|known| known.commands.clone()).unwrap_or_default()
    }

    /// Returns the content of a file on a target.
    #[must_use]
    pub fn file(&self, target: &str, path: &str) -> Option<Vec<u8>> {
        self.targets().get(target)?.files.get(path).cloned()
    }

    /// Puts a file on a target.
    pub fn store(&self, target: &str, path: &str, content: impl Into<Vec<u8>>) {
        let mut targets = self.targets();
        let files = &mut targets.entry(target.to_owned()).or_default().files;
        files.insert(path.to_owned(), content.into());
    }

    /// Records a command and returns its answer.
    pub(super) fn answer(&self, target: &str, command: &str) -> Answer {
        let mut targets = self.targets();
        targets.entry(target.to_owned()).or_default().commands.push(command.to_owned());
        let rule = self.rules.iter().find(|rule| rule.matcher.matches(command));
        rule.map(|rule| rule.answer.clone()).unwrap_or_default()
    }

    fn targets(&self) -> MutexGuard<'_, BTreeMap<String, FakeTarget>> {
        self.targets.lock().expect("nothing panics while it holds the lock")
    }
}

#[async_trait]
impl Connector for FakeConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "fake",
            description: "Targets with scripted answers, for tests.",
            fields: &[],
            kind: Kind::Reaches(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        let Some(names) = argument else { return Ok(NameData::new("@fake").into()) };
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        Ok(names.map(|name| NameData::new(format!("@fake/{name}"))).collect::<Vec<_>>().into())
    }
}

#[async_trait]
impl Open for FakeConnector {
    async fn connect(&self, target: &Target, _context: &Context) -> Result<Box<dyn Connection>> {
        Ok(Box::new(FakeConnection { fake: self.clone(), target: target.name.clone() }))
    }
}
