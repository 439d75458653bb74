//! An org without a network, for simulations: a request is answered by a call, as it would be by the server.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::DuplexStream;
use tokio::sync::watch;

use crate::inside::{Answer, whole};

use super::api::Call;
use super::bulk;
use super::events::PubSub;
use super::options::Options;
use super::org::Org;
use super::server::{ServeError, Shared, carry_out};

/// An org that answers within its process. Bulk jobs go on while somebody polls [`Inside::jobs`].
pub struct Inside {
    shared: Arc<Shared>,
    /// Subscriptions end when it is dropped.
    streams: watch::Sender<()>,
}

impl Inside {
    /// A new org, as [`super::serve`] starts one.
    ///
    /// # Errors
    /// The options do not fit together, or ask for a record that the org refuses.
    pub fn new(options: Options) -> Result<Self, ServeError> {
        options.check()?;
        let mut org = Org::first_day(options).map_err(|fault| ServeError::Seed(fault.message))?;
        org.open_events().map_err(ServeError::Selection)?;
        Ok(Self {
            shared: Arc::new(Shared::inside(org)),
            streams: watch::channel(()).0,
        })
    }

    /// Answers a request to a path with its query; header names in lower case.
    pub async fn answer(
        &self,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Answer {
        let mut call = Call {
            method: method.to_owned(),
            headers,
            body: Bytes::from(body),
            ..Call::default()
        };
        call.locate(target);
        let url = format!("http://{}", call.header("host").unwrap_or("127.0.0.1:1"));
        let response = carry_out(&self.shared, &url, &call, None);
        whole(response).await
    }

    /// Carries out the bulk jobs of the org for as long as it is polled.
    pub fn jobs(&self) -> impl Future<Output = ()> + Send + use<> {
        bulk::run(Arc::clone(&self.shared))
    }

    /// A connection to the Pub/Sub API: the client's end.
    #[must_use]
    pub fn pubsub(&self) -> DuplexStream {
        /// Bytes on their way in one direction.
        const UNDERWAY: usize = 64 * 1024;
        let (client, server) = tokio::io::duplex(UNDERWAY);
        let service = PubSub::serve(Arc::clone(&self.shared), self.streams.subscribe());
        let one = tokio_stream::once(Ok::<_, std::io::Error>(server));
        tokio::spawn(tonic::transport::Server::builder().serve_with_incoming(service, one));
        client
    }
}
