//! Finds the engine of a target.

use std::time::Duration;

use bollard::errors::Error as ApiError;
use hostlink_core::{
    ConnectorArguments, Context, Endpoint, Error, ErrorKind, Link, Result, RunOptions,
    StringCommand, Target, Value, quote,
};
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::candidates::{self, Candidate, Transport};
use super::errors::own_error;
use super::stdio::Stdio;
use super::wire::Route;
use super::{Engine, message_of};
use crate::brand::Brand;
use crate::fields;
use crate::settings::Settings;

/// How much is kept of what another target says of sockets: paths and words.
const MOST_SAID: usize = 64 * 1024;

/// Checks the engine's address in host data, without connecting. Whether it is used from here or
/// from another target is not known yet.
pub(super) fn check(target: &Target, brand: Brand) -> Result<()> {
    let key = fields::place(brand).key;
    let Some(Value::String(text)) = target.data.get(key) else { return Ok(()) };
    let parsed = Address::parse(text, brand.word());
    parsed.map(|_| ()).map_err(|problem| Error::new(ErrorKind::Data, format!("{key}: {problem}")))
}

/// Finds the engine.
pub(super) async fn find(
    brand: Brand,
    settings: &Settings,
    target: &Target,
    context: &Context,
) -> Result<Engine> {
    let mut search = Search {
        brand,
        limit: context.connect_timeout,
        deadline: Instant::now() + context.connect_timeout,
        tried: Vec::new(),
    };
    let data = settings.place.as_deref();
    let found = match &target.outer {
        None => search.here(candidates::here(brand, data, context)?).await,
        Some(link) => {
            let said = candidates::configured_here(brand, data, link, context)?;
            let data = said.as_deref().or(data);
            search.there(link, data, settings).await?
        }
    };
    found.ok_or_else(|| search.nothing(settings, target.outer.is_some()))
}

/// The addresses that were tried, and the results.
struct Search {
    brand: Brand,
    limit: Duration,
    deadline: Instant,
    tried: Vec<Tried>,
}

struct Tried {
    shown: String,
    /// The path of a socket on another target.
    socket: Option<String>,
    kind: ErrorKind,
    why: String,
}

impl Search {
    async fn here(&mut self, places: Vec<Candidate>) -> Option<Engine> {
        for place in places {
            let shown = place.to_string();
            if let Some(engine) = self.try_route(Route::Here(place.transport), shown).await {
                return Some(engine);
            }
        }
        None
    }

    /// Searches on another target: first sockets, which need no session, then the engine's command.
    async fn there(
        &mut self,
        link: &Link,
        data: Option<&str>,
        settings: &Settings,
    ) -> Result<Option<Engine>> {
        let sudo = settings.given.sudo;
        let said = candidates::there(self.brand, data)?;
        let is_said = said.is_some();
        let mut places = match said {
            Some(said) => vec![said],
            None => candidates::defaults(self.brand, None, None),
        };
        if !sudo {
            if let Some(engine) = self.try_there(link, std::mem::take(&mut places)).await {
                return Ok(Some(engine));
            }
            if !is_said {
                let of_user = self.user_sockets(link).await;
                if let Some(engine) = self.try_there(link, of_user).await {
                    return Ok(Some(engine));
                }
            }
        }
        let arguments = self.arguments(settings, data);
        if sudo && settings.given.sudo_password.is_none() {
            self.become_root(link).await;
        }
        let with = if sudo { "sudo " } else { "" };
        let shown = format!("{with}{} system dial-stdio", self.brand.word());
        let stdio = Stdio { link: link.clone(), brand: self.brand, arguments };
        let found = self.try_route(Route::Command(Box::new(stdio)), shown).await;
        if found.is_none() {
            self.explain_sockets(link).await;
        }
        Ok(found)
    }

    async fn try_there(&mut self, link: &Link, places: Vec<Candidate>) -> Option<Engine> {
        for place in places {
            let shown = place.to_string();
            let endpoint = match place.transport {
                Transport::Unix(path) => Endpoint::Unix(path),
                Transport::Tcp(host, port) | Transport::Tls(host, port, _) => {
                    Endpoint::Tcp(host, port)
                }
            };
            if let Some(engine) =
                self.try_route(Route::Through(link.clone(), endpoint), shown).await
            {
                return Some(engine);
            }
        }
        None
    }

    /// Returns the output of a line in another target's shell.
    async fn ask(&self, link: &Link, line: &str) -> String {
        let arguments = ConnectorArguments::new().with_timeout(self.limit);
        let options = RunOptions::default().with_output_limit(MOST_SAID);
        let line = StringCommand::shell(line);
        let said = link.run_shell_command_with(line, &arguments, &options).await;
        said.map(|said| String::from_utf8_lossy(&said.stdout()).into_owned()).unwrap_or_default()
    }

    /// Finds out why sockets could not be opened: the forwarding host does not say.
    async fn explain_sockets(&mut self, link: &Link) {
        let sockets = || self.tried.iter().filter_map(|it| it.socket.as_deref());
        let look = |path: &str| {
            let path = quote::shell(path.as_bytes());
            let path = String::from_utf8_lossy(&path).into_owned();
            format!(
                "if [ -w {path} ]; then echo open; elif [ -e {path} ]; then echo closed; else echo none; fi\n"
            )
        };
        let script: String = sockets().map(look).collect();
        if script.is_empty() {
            return;
        }
        let said = self.ask(link, &script).await;
        let tried = self.tried.iter_mut().filter(|it| it.socket.is_some());
        for (tried, said) in tried.zip(said.lines()) {
            match said {
                "closed" => {
                    tried.kind = ErrorKind::PermissionDenied;
                    tried.why = "permission denied".to_owned();
                }
                "none" => tried.why = "there is no such socket".to_owned(),
                _ => {
                    let why = "there is no listener, or the host does not forward it";
                    tried.why = format!("{why} ({})", tried.why);
                }
            }
        }
    }

    /// Returns the sockets of an engine that runs as the target's user.
    async fn user_sockets(&mut self, link: &Link) -> Vec<Candidate> {
        const ASK: &str = r#"echo "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; echo "$HOME""#;
        let said = self.ask(link, ASK).await;
        let mut lines = said.lines();
        let (runtime, home) = (lines.next(), lines.next());
        let known = candidates::defaults(self.brand, None, None);
        let mut places = candidates::defaults(self.brand, runtime, home);
        places.retain(|place| !known.iter().any(|it| it.to_string() == place.to_string()));
        places
    }

    /// Lets sudo prompt for a password if it needs one; the link remembers it for the engine's
    /// command. An error shows there again.
    async fn become_root(&mut self, link: &Link) {
        let begun = Instant::now();
        let arguments = ConnectorArguments::new().with_sudo(true).with_timeout(self.limit);
        let options = RunOptions::default().with_output_limit(0);
        let _ = link.run_shell_command_with(StringCommand::shell(":"), &arguments, &options).await;
        // A user may take time to answer a prompt.
        self.deadline += begun.elapsed();
    }

    /// Returns the options for the engine's command. The user's `_sudo…` options apply to commands
    /// in the container.
    fn arguments(&self, settings: &Settings, place: Option<&str>) -> ConnectorArguments {
        let mut arguments = ConnectorArguments::new();
        if settings.given.sudo {
            arguments.sudo = Some(true);
            arguments.sudo_password.clone_from(&settings.given.sudo_password);
        }
        if let Some(place) = place {
            let variable = match self.brand {
                Brand::Docker => "DOCKER_HOST",
                Brand::Podman => "CONTAINER_HOST",
            };
            let place =
                if place.starts_with('/') { format!("unix://{place}") } else { place.to_owned() };
            arguments.env =
                Some([(variable.to_owned(), place.as_str().into())].into_iter().collect());
        }
        arguments
    }

    /// Pings the engine: a missing one shows only at the first request. Its version would take
    /// Podman a quarter of a second, since it asks the package manager for the versions of its
    /// programs.
    async fn try_route(&mut self, route: Route, shown: String) -> Option<Engine> {
        let socket = match &route {
            Route::Through(_, Endpoint::Unix(path)) => Some(path.clone()),
            _ => None,
        };
        let engine = Engine::at(self.brand, route, shown.clone(), self.limit);
        let asked = timeout_at(self.deadline, engine.ping()).await;
        let error = match asked {
            Ok(Ok(())) => return Some(engine),
            Ok(Err(error)) => error,
            Err(_) => ApiError::RequestTimeoutError,
        };
        let (kind, why) = match own_error(&error) {
            Some(own) => (own.kind(), with_last_words(own)),
            None => (ErrorKind::Connect, message_of(&error)),
        };
        self.tried.push(Tried { shown, socket, kind, why });
        None
    }

    /// Returns the error for an engine that was not found.
    fn nothing(&self, settings: &Settings, through: bool) -> Error {
        let (name, word) = (self.brand.name(), self.brand.word());
        let is_denied = |it: &&Tried| {
            it.kind == ErrorKind::PermissionDenied
                || it.why.to_lowercase().contains("permission denied")
        };
        let there = if through { " there" } else { "" };
        let tried: Vec<String> =
            self.tried.iter().map(|Tried { shown, why, .. }| format!("{shown}: {why}")).collect();
        let tried = tried.join("; ");
        if !settings.given.sudo && self.tried.iter().any(|it| is_denied(&it)) {
            let group = match self.brand {
                Brand::Docker => "join the group docker, or ",
                Brand::Podman => "",
            };
            let message = format!(
                "you may not use the {name} engine{there}: {group}set docker_sudo=true ({tried})"
            );
            return Error::new(ErrorKind::PermissionDenied, message).with_remedy(&["docker_sudo"]);
        }
        let kind = match &self.tried[..] {
            [only] => only.kind,
            _ => ErrorKind::Connect,
        };
        if kind == ErrorKind::Privilege {
            let with = match settings.given.sudo_password {
                Some(_) => "docker_sudo_password",
                None => "docker_sudo without docker_sudo_password",
            };
            let message = format!("cannot reach the {name} engine{there} with {with} ({tried})");
            return Error::new(kind, message);
        }
        let where_to_say = match (self.brand, through) {
            (Brand::Docker, false) => "set docker_host=ADDRESS or DOCKER_HOST",
            (Brand::Podman, false) => "set podman_socket=PATH or CONTAINER_HOST",
            // The environment is not that of the other target.
            (brand, true) => &format!("set {}", fields::place(brand).key),
        };
        let message = format!(
            "no {name} engine answers{there} ({tried}): is {word} running? {where_to_say} if it is elsewhere"
        );
        let remedy = match self.brand {
            Brand::Docker => &["docker_host"],
            Brand::Podman => &["podman_socket"],
        };
        Error::new(kind, message).with_remedy(remedy)
    }
}

/// Returns an error's message, and the last output of the other side, on one line.
fn with_last_words(error: &Error) -> String {
    let tail = error.stderr_tail().unwrap_or_default();
    let said = tail.lines().map(str::trim).filter(|line| !line.is_empty());
    [error.message()].into_iter().chain(said).collect::<Vec<_>>().join("; ")
}
