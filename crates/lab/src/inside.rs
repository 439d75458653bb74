//! What the systems answer within their process, for simulations.

use axum::body::{Body, to_bytes};
use axum::http::Response;

/// Status, headers (names in lower case) and body.
pub type Answer = (u16, Vec<(String, String)>, Vec<u8>);

/// A response in one piece.
pub(crate) async fn whole(response: Response<Body>) -> Answer {
    let (head, body) = response.into_parts();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    // It is there already: reading it cannot fail.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    (head.status.as_u16(), headers, body.to_vec())
}
