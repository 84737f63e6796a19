//! The API: pages of servers.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use hostlink_core::{Error, ErrorKind, Result, Secret};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// The limit of a page, and of the number of pages.
const MAX_PAGE_SIZE: usize = 16 * 1024 * 1024;
const MAX_PAGES: u32 = 1000;

/// A server as the API describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

impl Server {
    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }
}

#[derive(Deserialize)]
struct Page {
    servers: Vec<Server>,
    next_page: Option<u32>,
}

/// The address of the API, and the token.
pub(crate) struct Api {
    client: Client<HttpConnector, Empty<Bytes>>,
    url: String,
    authorization: HeaderValue,
    limit: Duration,
}

impl Api {
    /// `limit` is the timeout of a page.
    pub(crate) fn new(url: &str, token: Secret, limit: Duration) -> Result<Self> {
        let refused = |message: &str| Error::new(ErrorKind::Data, message.to_owned());
        let url = url.trim_end_matches('/');
        if !url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http")) {
            return Err(refused("cloud_url: write http://HOST:PORT/PATH"));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| refused("cloud_token: *** is not valid in a header"))?;
        authorization.set_sensitive(true);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, url: url.to_owned(), authorization, limit })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns every server, in the order of the pages.
    pub(crate) async fn servers(&self) -> Result<Vec<Server>> {
        let (mut servers, mut next) = (Vec::new(), Some(1));
        while let Some(number) = next {
            let page = tokio::time::timeout(self.limit, self.page(number)).await;
            let page = page.map_err(|_| {
                let message = format!("{} does not answer within {:?}", self.url, self.limit);
                Error::new(ErrorKind::Timeout, message)
            })??;
            servers.extend(page.servers);
            next = page.next_page;
            // An API whose pages form a loop would be read forever.
            if next.is_some_and(|next| next <= number || next > MAX_PAGES) {
                return Err(self.failed(&format!("page {number} leads to page {next:?}")));
            }
        }
        Ok(servers)
    }

    async fn page(&self, number: u32) -> Result<Page> {
        let request = Request::get(format!("{}/servers?page={number}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Empty::new())
            .map_err(|error| self.failed(&error.to_string()))?;
        let response =
            self.client.request(request).await.map_err(|error| {
                self.failed(&first_cause(&error).to_string()).with_source(error)
            })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_PAGE_SIZE).collect().await;
        let body = body.map_err(|error| self.failed(&format!("page {number}: {error}")))?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body.to_bytes()).map_err(|error| {
                self.failed(&format!("page {number} is not a list of servers: {error}"))
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self
                    .failed(&format!("the API refused the token ({status}): check cloud_token")))
            }
            status => Err(self.failed(&format!("the API answered {status}"))),
        }
    }

    fn failed(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Inventory, format!("{}: {problem}", self.url))
    }
}

/// Returns the first cause: hyper's own message is about itself.
fn first_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    error.source().map_or(error, first_cause)
}
