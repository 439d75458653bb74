//! A Customerp without a network, for simulations: a request is answered by a call, as it would be by the server.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use tower_service::Service;

use super::options::Options;
use super::server::{Erp, StartError, router};

/// An ERP that answers within its process.
pub struct Inside(Router);

impl Inside {
    /// A new ERP, filled as the options say.
    ///
    /// # Errors
    /// The options do not fit together, or what they name cannot be read.
    pub fn new(options: &Options) -> Result<Self, StartError> {
        Ok(Self(router(Arc::new(Erp::filled(options)?))))
    }

    /// Answers a request to a path with its query; header names in lower case. Returns status, headers and body.
    pub async fn answer(
        &self,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Body::from(body)) else {
            return (400, Vec::new(), Vec::new());
        };
        let Ok(response) = self.0.clone().call(request).await;
        let status = response.status().as_u16();
        let shown = response.headers().iter();
        let headers = shown
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        // The body is whole already: reading it cannot fail.
        let body = to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap_or_default();
        (status, headers, body.to_vec())
    }
}
