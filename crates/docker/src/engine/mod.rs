//! An engine: its address, and its API.

mod address;
mod candidates;
mod contexts;
mod errors;
mod finding;
mod stdio;
mod tls;
mod wire;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::ContainerInspectResponse;
use bollard::{BollardRequest, Docker};
use bytes::Bytes;
use hostlink_core::{Context, Endpoint, Error, ErrorKind, LineSplitter, Result, Stream, Target};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::candidates::Transport;
pub(crate) use self::errors::{api_error, message_of, status};
use self::wire::{Dialler, Route};
use crate::brand::Brand;
use crate::settings::Settings;

/// The body of a request.
type Body = Full<Bytes>;

/// A stream that an engine has upgraded from HTTP.
pub(crate) type Hijacked = TokioIo<Upgraded>;

/// Time limit of an ordinary call. An engine that starts a hundred containers is slow.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Time limit of a call that reads a whole file system (a commit), or waits for a container to
/// stop.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Podman closes connections that are idle for 5 s.
const IDLE_LIMIT: Duration = Duration::from_secs(3);

/// A command on another target is slow to start, more so with sudo. Docker keeps idle connections.
const IDLE_LIMIT_BY_COMMAND: Duration = Duration::from_secs(60);

/// Connections that are kept for the next call.
const IDLE: usize = 4;

/// Concurrent calls by commands on another target: each uses one of its sessions.
const CALLS_BY_COMMAND: usize = 2;

/// Longer answers are refused.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A longer line of an answer that comes line by line is no line.
const MAX_LINE: usize = 64 * 1024;

/// An engine that has answered.
///
/// bollard makes the calls whose answers hold nothing that its types would drop and that come at
/// once. It gathers an answer of any length, so its streams have a bound ([`Dialler`]).
#[derive(Clone)]
pub(crate) struct Engine {
    brand: Brand,
    http: Http,
    api: Docker,
    shown: String,
    by_command: bool,
    here: bool,
    by_tcp: bool,
    machine: Option<String>,
}

/// HTTP to one engine.
#[derive(Clone)]
struct Http {
    client: Client<Dialler, Body>,
    /// Limits the concurrent calls.
    calls: Arc<Semaphore>,
}

/// Checks the engine's address in host data, without connecting.
///
/// # Errors
///
/// [`ErrorKind::Data`] if it cannot be used.
pub(crate) fn check(target: &Target, brand: Brand) -> Result<()> {
    finding::check(target, brand)
}

impl Engine {
    /// Finds the engine, and pings it.
    ///
    /// # Errors
    ///
    /// If no engine answers; the error says where it was looked for, and what happened there.
    pub(crate) async fn open(
        brand: Brand,
        settings: &Settings,
        target: &Target,
        context: &Context,
    ) -> Result<Self> {
        finding::find(brand, settings, target, context).await
    }

    /// Returns its address, for messages.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns an engine at the end of a route. It may not answer.
    fn at(brand: Brand, route: Route, shown: String, limit: Duration) -> Self {
        let by_command = matches!(route, Route::Command(_));
        let here = matches!(route, Route::Here(Transport::Unix(_)));
        let by_tcp = match &route {
            Route::Here(way) => !matches!(way, Transport::Unix(_)),
            Route::Through(_, to) => matches!(to, Endpoint::Tcp(..)),
            Route::Command(_) => false,
        };
        let idle_limit = match brand {
            Brand::Docker if by_command => IDLE_LIMIT_BY_COMMAND,
            _ => IDLE_LIMIT,
        };
        let machine = route.machine().map(str::to_owned);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(idle_limit).pool_timer(TokioTimer::new());
        // By command, both clients together keep as many as may be in use.
        builder.pool_max_idle_per_host(if by_command { CALLS_BY_COMMAND / 2 } else { IDLE });
        let to = Arc::new(route);
        let calls = if by_command { CALLS_BY_COMMAND } else { Semaphore::MAX_PERMITS };
        let calls = Arc::new(Semaphore::new(calls));
        let client = builder.build(Dialler { limit, to: to.clone(), bound: None });
        let http = Http { client, calls: calls.clone() };
        let client = builder.build(Dialler { limit, to, bound: Some(MAX_ANSWER) });
        let transport = move |request: BollardRequest| {
            let (client, calls) = (client.clone(), calls.clone());
            async move { within(&calls, client.request(request)).await }
        };
        let api = Docker::connect_with_custom_transport(
            transport,
            Some("http://engine"),
            CALL_LIMIT.as_secs(),
            bollard::API_DEFAULT_VERSION,
        )
        .expect("the constructor only stores its arguments");
        Self { brand, http, api, shown, by_command, here, by_tcp, machine }
    }

    pub(crate) fn brand(&self) -> Brand {
        self.brand
    }

    /// Returns the machine that it runs on, as it is known from here; `None` for this one.
    pub(crate) fn machine(&self) -> Option<&str> {
        self.machine.as_deref()
    }

    /// Returns whether it is reached by a socket of this machine: then it probably runs here.
    pub(crate) fn is_here(&self) -> bool {
        self.here
    }

    /// Returns whether it is reached by TCP, where a reset may discard data that were sent before.
    pub(crate) fn is_by_tcp(&self) -> bool {
        self.by_tcp
    }

    /// Returns whether each connection to it is a command on another target, whose sessions are
    /// limited.
    pub(crate) fn is_by_command(&self) -> bool {
        self.by_command
    }

    /// Returns the client for bollard's calls, to be made [`in_time`].
    pub(crate) fn api(&self) -> &Docker {
        &self.api
    }

    /// Returns the client for calls whose time depends on the size of their data.
    pub(crate) fn long_api(&self) -> Docker {
        self.api.clone().with_timeout(LONG_LIMIT)
    }

    /// Asks whether it answers.
    pub(crate) async fn ping(&self) -> Result<(), ApiError> {
        let request = request(Method::GET, "/_ping", None)?;
        in_time(CALL_LIMIT, self.bytes(request)).await.map(|_| ())
    }

    /// Makes a call and returns the raw answer: bollard's types would drop fields that they do not
    /// know.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        let request = request(Method::GET, path, None)?;
        in_time(CALL_LIMIT, self.answer(request)).await
    }

    /// Inspects a container. Podman has states that bollard does not know, and refuses.
    pub(crate) async fn container(&self, name: &str) -> Result<ContainerInspectResponse, ApiError> {
        let mut found = self.get(&format!("/containers/{name}/json")).await?;
        if let Some(state) = found["State"].as_object_mut() {
            state.remove("Status");
        }
        Ok(serde_json::from_value(found)?)
    }

    /// Lists all containers, in the engine's format.
    pub(crate) async fn containers(&self) -> Result<Vec<Value>, ApiError> {
        let found = self.get("/containers/json?all=true").await?;
        Ok(serde_json::from_value(found)?)
    }

    /// Makes a call that answers with lines of JSON for as long as it takes, and waits for its end.
    /// It may be silent for `silence`. bollard would gather a line of any length.
    pub(crate) async fn follow(&self, path: &str, silence: Duration) -> Result<(), ApiError> {
        let request = request(Method::POST, path, None)?;
        let mut body = in_time(silence, async {
            accepted(self.http.call(request).await?).await.map(Response::into_body)
        })
        .await?;
        let (mut lines, mut failed) = (LineSplitter::with_limit(MAX_LINE), None);
        while let Some(frame) = in_time(silence, async { Ok(body.frame().await) }).await? {
            let Ok(bytes) = frame.map_err(broken)?.into_data() else { continue };
            lines.push(Stream::Stdout, &bytes, |it| failed = failed.take().or(failure(&it.line)));
            if failed.is_some() {
                break;
            }
        }
        lines.finish(|it| failed = failed.take().or(failure(&it.line)));
        failed.map_or(Ok(()), |error| Err(ApiError::DockerStreamError { error }))
    }

    /// Makes a call like [`get`](Self::get), with a body and a time limit.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
        limit: Duration,
    ) -> Result<Value, ApiError> {
        let request = request(Method::POST, path, Some(body))?;
        in_time(limit, self.answer(request)).await
    }

    /// Loads an image from an archive, and returns the engine's message.
    pub(crate) async fn load(&self, archive: Vec<u8>) -> Result<String, ApiError> {
        let body = Full::new(Bytes::from(archive));
        let request = Request::post("http://engine/images/load?quiet=1")
            .header(HOST, "engine")
            .header(CONTENT_TYPE, "application/x-tar")
            .body(body)?;
        let answer = in_time(CALL_LIMIT, self.bytes(request)).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Makes a call that turns its connection into the stream of a process.
    pub(crate) async fn hijack(&self, path: &str, body: &Value) -> Result<Hijacked, ApiError> {
        let mut request = request(Method::POST, path, Some(body))?;
        request.headers_mut().insert(CONNECTION, "Upgrade".parse().expect("it is a word"));
        request.headers_mut().insert(UPGRADE, "tcp".parse().expect("it is a word"));
        in_time(CALL_LIMIT, async {
            // Its connection is no longer a call's: it is counted with the commands.
            let response = self.http.client.request(request).await.map_err(broken)?;
            let response = accepted(response).await?;
            let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
            Ok(TokioIo::new(upgraded))
        })
        .await
    }

    async fn bytes(&self, request: Request<Body>) -> Result<Bytes, ApiError> {
        bytes(accepted(self.http.call(request).await?).await?).await
    }

    async fn answer(&self, request: Request<Body>) -> Result<Value, ApiError> {
        let bytes = self.bytes(request).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Returns the error for an engine that fails in a call without a better error.
    pub(crate) fn does_not_answer(&self, error: ApiError) -> Error {
        api_error(&format!("the engine at {} does not answer", self.shown), error)
            .with_kind(ErrorKind::LinkLost)
    }
}

impl Http {
    async fn call(&self, request: Request<Body>) -> Result<Response<Incoming>, ApiError> {
        within(&self.calls, self.client.request(request)).await
    }
}

/// Makes a call once not too many others are under way.
async fn within(calls: &Semaphore, call: ResponseFuture) -> Result<Response<Incoming>, ApiError> {
    let _permit = calls.acquire().await.expect("the semaphore is never closed");
    call.await.map_err(broken)
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("brand", &self.brand)
            .field("place", &self.shown)
            .finish_non_exhaustive()
    }
}

/// A path without a version uses the engine's own version of the API.
fn request(method: Method, path: &str, body: Option<&Value>) -> Result<Request<Body>, ApiError> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let builder = Request::builder().method(method).uri(format!("http://engine{path}"));
    let builder = builder.header(HOST, "engine").header(CONTENT_TYPE, "application/json");
    Ok(builder.body(Full::new(Bytes::from(body)))?)
}

/// Encodes a value of a query.
pub(crate) fn in_query(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    });
    encoded.collect()
}

/// Returns what a line of JSON says of a failure.
fn failure(line: &str) -> Option<String> {
    let said: Value = serde_json::from_str(line).ok()?;
    let told = said["errorDetail"]["message"].as_str().or_else(|| said["error"].as_str())?;
    Some(told.to_owned())
}

/// Makes a call with a limit of its time. bollard's own limit ends with the head of the answer.
pub(crate) async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    timeout(limit, call).await.unwrap_or(Err(ApiError::RequestTimeoutError))
}

/// Returns the response, unless it is a refusal.
async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, ApiError> {
    let status = response.status();
    if status.is_success()
        || [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NOT_MODIFIED].contains(&status)
    {
        return Ok(response);
    }
    let bytes = bytes(response).await?;
    let told: Option<Value> = serde_json::from_slice(&bytes).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str()).map(str::to_owned);
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
    Err(ApiError::DockerResponseServerError { status_code: status.as_u16(), message })
}

async fn bytes(response: Response<Incoming>) -> Result<Bytes, ApiError> {
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    Ok(body.map_err(io::Error::other)?.to_bytes())
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
    ApiError::from(io::Error::other(error))
}
