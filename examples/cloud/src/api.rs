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

/// No page is larger, and no account has more pages.
const LARGEST_PAGE: usize = 16 * 1024 * 1024;
const MOST_PAGES: u32 = 1000;

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

/// Where the API is, and who asks.
pub(crate) struct Api {
    client: Client<HttpConnector, Empty<Bytes>>,
    url: String,
    authorization: HeaderValue,
    limit: Duration,
}

impl Api {
    /// `limit` is how long each page may take.
    pub(crate) fn new(url: &str, token: Secret, limit: Duration) -> Result<Self> {
        let refused = |message: &str| Error::new(ErrorKind::Data, message.to_owned());
        let url = url.trim_end_matches('/');
        if !url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http")) {
            return Err(refused("cloud_url: write http://HOST:PORT/PATH"));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| refused("cloud_token: *** cannot stand in a header"))?;
        authorization.set_sensitive(true);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, url: url.to_owned(), authorization, limit })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every server, in the order of the pages.
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
            // An API that leads in a circle would be read for ever.
            if next.is_some_and(|next| next <= number || next > MOST_PAGES) {
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
        let body = Limited::new(response.into_body(), LARGEST_PAGE).collect().await;
        let body = body.map_err(|error| self.failed(&format!("page {number}: {error}")))?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body.to_bytes()).map_err(|error| {
                self.failed(&format!("page {number} is no list of servers: {error}"))
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.failed(&format!("it refuses the token ({status}): see cloud_token")))
            }
            status => Err(self.failed(&format!("it answers {status}"))),
        }
    }

    fn failed(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Inventory, format!("{}: {problem}", self.url))
    }
}

/// What it began with: hyper's own words are about itself.
fn first_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    error.source().map_or(error, first_cause)
}
