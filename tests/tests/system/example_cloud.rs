//! `examples/cloud` against an API on this machine, which gets real requests, and servers that are
//! real sshds.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hostlink::connector::{Connector, NameData};
use hostlink::{
    ConnectorArguments, Context, Data, Error, ErrorKind, StringCommand, builtin_registry,
};
use hostlink_example_cloud::CloudConnector;
use hostlink_tests::ssh_target::SshTarget;
use hostlink_tests::sshd::Sshd;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const TOKEN: &str = "hunter2";

/// How the API answers a request with the right path and token.
#[derive(Clone)]
enum Answer {
    /// The pages, from 1.
    Pages(Vec<String>),
    Status(StatusCode),
    Never,
}

/// An API on a port of this machine; it ends with the runtime.
struct Cloud {
    address: SocketAddr,
    /// The path and query of each request, and its token.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Cloud {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cloud = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = cloud.asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, asked) = (answer.clone(), asked.clone());
                let serve =
                    service_fn(move |request| respond(request, answer.clone(), asked.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
            }
        });
        cloud
    }

    fn context(&self, token: &str) -> Context {
        let url = format!("http://{}/v1", self.address);
        let settings = Data::new().with("cloud_url", url).with("cloud_token", token);
        Context { settings, ..Context::default() }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn refusal(&self, context: &Context) -> Error {
        let error = CloudConnector.make_names_data(None, context).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(
            !told.contains(TOKEN) && !told.contains("wrong") && !error.to_string().contains('\n')
        );
        error
    }
}

async fn respond(
    request: Request<Incoming>,
    answer: Answer,
    asked: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let token = request.headers().get(AUTHORIZATION).map(|it| it.to_str().unwrap().to_owned());
    let token = token.unwrap_or_default();
    asked.lock().unwrap().push(format!("{} {} {token}", request.method(), request.uri()));
    let page = request.uri().query().and_then(|it| it.strip_prefix("page=")?.parse::<usize>().ok());
    let (status, body) = match (request.uri().path(), page, answer) {
        _ if token != format!("Bearer {TOKEN}") => (StatusCode::UNAUTHORIZED, String::new()),
        (_, _, Answer::Never) => pending().await,
        (_, _, Answer::Status(status)) => (status, "<html>\nno\n</html>".to_owned()),
        ("/v1/servers", Some(page), Answer::Pages(pages)) if (1..=pages.len()).contains(&page) => {
            (StatusCode::OK, pages[page - 1].clone())
        }
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    Ok(response)
}

fn pages(texts: &[&str]) -> Answer {
    Answer::Pages(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn names(hosts: &[NameData]) -> Vec<&str> {
    hosts.iter().map(|host| host.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_servers_are_reached_over_ssh() {
    let target = SshTarget::start(Sshd::builder());
    let (address, port) = (target.sshd.address(), target.sshd.port());
    let first = format!(
        r#"{{"servers": [{{"name": "web1", "address": "{address}", "port": {port}, "tags": ["web", "eu"]}}], "next_page": 2}}"#
    );
    let second = r#"{"servers": [{"name": "db1", "address": "192.0.2.1"}], "next_page": null}"#;
    let cloud = Cloud::start(pages(&[&first, second])).await;
    let context = cloud.context(TOKEN);

    let mut registry = builtin_registry();
    registry.register(Arc::new(CloudConnector));
    let found = registry.resolve("@cloud", &context).await.unwrap();
    let [web, db] = &found[..] else { panic!("{found:?}") };
    assert_eq!((web.name.as_str(), db.name.as_str()), ("web1", "db1"));
    assert_eq!(web.groups, ["@cloud", "web", "eu"]);
    assert_eq!(db.data, Data::new().with("ssh_hostname", "192.0.2.1"));
    let expected = [1, 2].map(|page| format!("GET /v1/servers?page={page} Bearer {TOKEN}"));
    assert_eq!(cloud.asked(), expected);

    // All data but the address and the port, which the API returns.
    let login: Data = target
        .data
        .iter()
        .filter(|(key, _)| !["ssh_hostname", "ssh_port"].contains(key))
        .map(|(key, value)| (key, value.clone()))
        .collect();
    let link = registry.connect("@cloud/web", &login, &context).await.unwrap();
    assert_eq!(link.name(), "web1");
    let command = StringCommand::from_words(["printf", "%s", "it's there"]);
    let output = link.run_shell_command(&command, &ConnectorArguments::new()).await.unwrap();
    assert_eq!(output.stdout_lines(), ["it's there"]);
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_tag_chooses() {
    let page = r#"{"servers": [{"name": "a", "address": "192.0.2.1", "tags": ["x"]},
        {"name": "b", "address": "192.0.2.2", "tags": ["y", "x"]}, {"name": "c", "address": "192.0.2.3"}]}"#;
    let cloud = Cloud::start(pages(&[page])).await;
    let mut context = cloud.context(TOKEN);
    // The environment applies if the settings do not have it.
    let url = format!("http://{}/v1/", cloud.address);
    context.environment =
        [("CLOUD_URL".to_owned(), url), ("CLOUD_TOKEN".to_owned(), TOKEN.to_owned())].into();
    context.settings = Data::new();
    let list = async |tag| CloudConnector.make_names_data(tag, &context).await;
    assert_eq!(names(&list(None).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(names(&list(Some("x")).await.unwrap()), ["a", "b"]);
    let error = list(Some("z")).await.unwrap_err().to_string();
    assert!(error.starts_with("@cloud/z: no server of http://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn a_failing_api_is_reported_in_one_line() {
    let good = r#"{"servers": []}"#;
    for (answer, token, expected) in [
        (
            pages(&[good]),
            "wrong",
            "the API refused the token (401 Unauthorized): check cloud_token",
        ),
        (
            Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
            TOKEN,
            "the API answered 500 Internal Server Error",
        ),
        (
            pages(&["<html>\n"]),
            TOKEN,
            "page 1 is not a list of servers: expected value at line 1 column 1",
        ),
        (
            pages(&[r#"{"servers": [], "next_page": 2}"#, r#"{"servers": [{"name": "a"}]}"#]),
            TOKEN,
            "page 2 is not a list of servers: missing field `address` at line 1 column 26",
        ),
        (pages(&[r#"{"servers": [], "next_page": 1}"#]), TOKEN, "page 1 leads to page Some(1)"),
        (
            pages(&[r#"{"servers": [{"name": "x/@local", "address": "a"}]}"#]),
            TOKEN,
            "the API lists \"x/@local\", which is not a valid host name",
        ),
    ] {
        let cloud = Cloud::start(answer).await;
        let error = cloud.refusal(&cloud.context(token)).await;
        assert_eq!(error.kind(), ErrorKind::Inventory);
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(!cloud.asked().is_empty(), "the control: it was asked");
    }
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_given_up() {
    let cloud = Cloud::start(Answer::Never).await;
    let limit = Duration::from_secs(3);
    let context = Context { connect_timeout: limit, ..cloud.context(TOKEN) };
    let error = cloud.refusal(&context).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().ends_with("/v1 does not answer within 3s"), "{error}");
    assert_eq!(cloud.asked().len(), 1);

    // A port without a listener, as it was just released.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nobody = Cloud { address, asked: Arc::default() };
    let error = nobody.refusal(&nobody.context(TOKEN)).await;
    assert_eq!(error.kind(), ErrorKind::Inventory);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}
