//! An org without a network, for simulations: a request is answered by a call, as it would be by the server.

use std::sync::Arc;

use bytes::Bytes;

use crate::inside::{Answer, whole};

use super::api::Call;
use super::options::Options;
use super::org::Org;
use super::server::{ServeError, Shared, carry_out};

/// An org that answers within its process. Nothing goes on in it between two requests: bulk jobs stay where they are.
pub struct Inside(Arc<Shared>);

impl Inside {
    /// A new org, as [`super::serve`] starts one.
    ///
    /// # Errors
    /// The options do not fit together, or ask for a record that the org refuses.
    pub fn new(options: Options) -> Result<Self, ServeError> {
        options.check()?;
        let mut org = Org::first_day(options).map_err(|fault| ServeError::Seed(fault.message))?;
        org.open_events().map_err(ServeError::Selection)?;
        Ok(Self(Arc::new(Shared::inside(org))))
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
        let response = carry_out(&self.0, &url, &call, None);
        whole(response).await
    }
}
