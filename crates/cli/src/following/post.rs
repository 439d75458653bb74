//! How spans travel: by the client that everything else uses, on the runtime of the program.

use crate::failure::Failure;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// The longest that a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Posts what the library gives it. The library asks from a thread of its own, so the request is a task of the runtime.
#[derive(Debug)]
pub(super) struct Post {
    client: reqwest::Client,
    runtime: Handle,
    /// That the collector does not take them was told.
    told: AtomicBool,
}

impl Post {
    pub(super) fn new() -> Result<Self, Failure> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE);
        let client = builder.build().map_err(|error| {
            Failure::trouble(
                format!("spans cannot be sent ({})", error.without_url()),
                "Check the certificates of this machine",
            )
        })?;
        Ok(Self {
            client,
            runtime: Handle::current(),
            told: AtomicBool::new(false),
        })
    }

    /// Says once that spans are lost, and once that they arrive again.
    fn tell(&self, why: Option<&str>) {
        let told = self.told.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !told => {
                tracing::warn!(
                    "the collector of traces does not take spans ({why}); they are dropped until it does"
                );
            }
            None if told => tracing::warn!("the collector of traces takes spans again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request: reqwest::Request = request.try_into()?;
        let client = self.client.clone();
        let answer = self.runtime.spawn(async move {
            let reply = client.execute(request).await?;
            let status = reply.status();
            Ok::<_, reqwest::Error>((status, reply.bytes().await?))
        });
        let answer = answer.await?.map_err(reqwest::Error::without_url);
        self.tell(
            match &answer {
                Ok((status, _)) if status.is_success() => None,
                Ok((status, _)) => Some(status.to_string()),
                Err(error) => Some(error.to_string()),
            }
            .as_deref(),
        );
        let (status, body) = answer?;
        Ok(Response::builder().status(status).body(body)?)
    }
}
