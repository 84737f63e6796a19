//! Finding the engine that a target means.

use std::time::Duration;

use bollard::errors::Error as ApiError;
use hostlink_core::{
    ConnectorArguments, Context, Endpoint, Error, ErrorKind, Link, Result, StringCommand, Target,
    Value,
};
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::errors::our_own;
use super::place::{self, Place, Way};
use super::stdio::Stdio;
use super::wire::Route;
use super::{Engine, words};
use crate::brand::Brand;
use crate::fields;
use crate::settings::Settings;

/// Checks what host data says about the engine's place, without reaching it. Whether that is seen from here or from
/// another target is not known yet.
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
        None => search.here(place::here(brand, data, context)?).await,
        Some(link) => search.there(link, data, settings.sudo, &target.data).await?,
    };
    found.ok_or_else(|| search.nothing(settings.sudo))
}

/// What was tried, and how it ended.
struct Search {
    brand: Brand,
    limit: Duration,
    deadline: Instant,
    tried: Vec<(String, ErrorKind, String)>,
}

impl Search {
    async fn here(&mut self, places: Vec<Place>) -> Option<Engine> {
        for place in places {
            let shown = place.to_string();
            if let Some(engine) = self.try_route(Route::Here(place.way), shown).await {
                return Some(engine);
            }
        }
        None
    }

    /// Looks on another target: sockets first, which need no session of it, then the engine's command.
    async fn there(
        &mut self,
        link: &Link,
        data: Option<&str>,
        sudo: bool,
        target: &hostlink_core::Data,
    ) -> Result<Option<Engine>> {
        let said = place::there(self.brand, data)?;
        let is_said = said.is_some();
        let mut places = match said {
            Some(said) => vec![said],
            None => place::usual(self.brand, None, None),
        };
        if !sudo {
            if let Some(engine) = self.try_there(link, std::mem::take(&mut places)).await {
                return Ok(Some(engine));
            }
            if !is_said {
                let of_user = self.places_of_user(link).await;
                if let Some(engine) = self.try_there(link, of_user).await {
                    return Ok(Some(engine));
                }
            }
        }
        if is_said && !sudo {
            return Ok(None);
        }
        let arguments = self.arguments(sudo, data, target)?;
        let with = if sudo { "sudo " } else { "" };
        let shown = format!("{with}{} system dial-stdio on {}", self.brand.word(), link.name());
        let stdio = Stdio { link: link.clone(), brand: self.brand, arguments };
        Ok(self.try_route(Route::Command(stdio), shown).await)
    }

    async fn try_there(&mut self, link: &Link, places: Vec<Place>) -> Option<Engine> {
        for place in places {
            let shown = format!("{place} on {}", link.name());
            let endpoint = match place.way {
                Way::Unix(path) => Endpoint::Unix(path),
                Way::Tcp(host, port) | Way::Tls(host, port, _) => Endpoint::Tcp(host, port),
            };
            if let Some(engine) =
                self.try_route(Route::Through(link.clone(), endpoint), shown).await
            {
                return Some(engine);
            }
        }
        None
    }

    /// The sockets of an engine that runs as the user there.
    async fn places_of_user(&mut self, link: &Link) -> Vec<Place> {
        const ASK: &str = r#"echo "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; echo "$HOME""#;
        let arguments = ConnectorArguments::new().with_timeout(self.limit);
        let command = StringCommand::shell(ASK);
        let Ok(said) = link.run_shell_command(&command, &arguments).await else {
            return Vec::new();
        };
        let said = String::from_utf8_lossy(&said.stdout()).into_owned();
        let mut lines = said.lines();
        let (runtime, home) = (lines.next(), lines.next());
        let known = place::usual(self.brand, None, None);
        let mut places = place::usual(self.brand, runtime, home);
        places.retain(|place| !known.iter().any(|it| it.to_string() == place.to_string()));
        places
    }

    /// How the engine's command is run. The user's own `_sudo…` say how a password is given, and are for commands in the
    /// container otherwise.
    fn arguments(
        &self,
        sudo: bool,
        place: Option<&str>,
        data: &hostlink_core::Data,
    ) -> Result<ConnectorArguments> {
        let mut arguments = ConnectorArguments::new();
        if sudo {
            let said = ConnectorArguments::from_data(data)?;
            arguments.sudo = Some(true);
            arguments.sudo_password = said.sudo_password;
            arguments.use_sudo_password = said.use_sudo_password;
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
        Ok(arguments)
    }

    /// Asks for the version: an engine that is not there shows only at the first question.
    async fn try_route(&mut self, route: Route, shown: String) -> Option<Engine> {
        let engine = Engine::behind(self.brand, route, shown.clone(), self.limit);
        let asked = timeout_at(self.deadline, engine.api().version()).await;
        let error = match asked {
            Ok(Ok(_)) => return Some(engine),
            Ok(Err(error)) => error,
            Err(_) => ApiError::RequestTimeoutError,
        };
        let (kind, why) = match our_own(&error) {
            Some(own) => (own.kind(), own.to_string()),
            None => (ErrorKind::Connect, words(&error)),
        };
        self.tried.push((shown, kind, why));
        None
    }

    /// The error for an engine that was not found.
    fn nothing(&self, sudo: bool) -> Error {
        let (name, word) = (self.brand.name(), self.brand.word());
        let denied = |why: &str| why.to_lowercase().contains("permission denied");
        let is_denied = |(_, kind, why): &(String, ErrorKind, String)| {
            *kind == ErrorKind::PermissionDenied || denied(why)
        };
        let tried: Vec<String> =
            self.tried.iter().map(|(place, _, why)| format!("{place}: {why}")).collect();
        let tried = tried.join("; ");
        if !sudo && let Some((place, ..)) = self.tried.iter().find(|it| is_denied(it)) {
            let group = match self.brand {
                Brand::Docker => "join the group docker, or ",
                Brand::Podman => "",
            };
            let message = format!(
                "you may not use the {name} engine at {place}: {group}set docker_sudo ({tried})"
            );
            return Error::new(ErrorKind::PermissionDenied, message);
        }
        let kind = match &self.tried[..] {
            [(_, kind, _)] => *kind,
            _ => ErrorKind::Connect,
        };
        let where_to_say = match self.brand {
            Brand::Docker => "docker_host or DOCKER_HOST",
            Brand::Podman => "podman_socket or CONTAINER_HOST",
        };
        let message = format!(
            "no {name} engine answers ({tried}): is {word} running? {where_to_say} say where it is"
        );
        Error::new(kind, message)
    }
}
