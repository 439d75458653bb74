//! A Customerp without a network, for simulations: a request is answered by a call, as it would be by the server.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use tower_service::Service;

use crate::inside::{Answer, whole};

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

    /// Answers a request to a path with its query; header names in lower case.
    pub async fn answer(
        &self,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Body::from(body)) else {
            return (400, Vec::new(), Vec::new());
        };
        let Ok(response) = self.0.clone().call(request).await;
        whole(response).await
    }
}
