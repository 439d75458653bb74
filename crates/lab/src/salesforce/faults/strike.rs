//! What a struck request comes to.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use super::{FaultAction, Strike};
use crate::salesforce::api::{Call, Reply};
use crate::salesforce::fault::{Code, Fault};
use crate::salesforce::server::{Shared, carry_out, respond};

/// Carries a request out as the strike says; `url` is the address of this server.
pub(crate) async fn struck(shared: Arc<Shared>, url: String, call: Call, strike: Strike) -> Response<Body> {
    let rule = strike.rule;
    let wait = Duration::from_millis(rule.milliseconds.unwrap_or(1_000));
    match rule.action {
        FaultAction::Latency => {
            tokio::time::sleep(wait).await;
            carry_out(&shared, &url, &call, None)
        }
        FaultAction::ErrorBefore => failed(rule.status),
        FaultAction::ErrorAfter => {
            drop(carry_out(&shared, &url, &call, None));
            failed(rule.status)
        }
        FaultAction::CommitLate => later(shared, url, call, wait).await,
        FaultAction::CommitLateUnanswered => {
            drop(later(shared, url, call, wait).await);
            dropped()
        }
        FaultAction::DropBefore => dropped(),
        FaultAction::DropAfter => {
            drop(carry_out(&shared, &url, &call, None));
            dropped()
        }
        FaultAction::SessionExpired => {
            if let Some(token) = call.bearer() {
                shared.org().sessions.revoke(token);
            }
            carry_out(&shared, &url, &call, None)
        }
        FaultAction::RequestLimit => {
            let fault = Fault::new(Code::RequestLimit, "TotalRequests Limit exceeded.");
            let usage = shared.org().calls.header();
            respond(Reply::from(fault).with("Sforce-Limit-Info", usage))
        }
        FaultAction::ShortPage => carry_out(&shared, &url, &call, Some(rule.rows.unwrap_or(200).max(1))),
        // What befalls rows happens on the way.
        FaultAction::Lock
        | FaultAction::LateVisibility
        | FaultAction::JobBroken
        | FaultAction::GapEvent
        | FaultAction::OverflowEvent => carry_out(&shared, &url, &call, None),
    }
}

/// Carries the request out in its own time: a client that goes away does not take it back.
async fn later(shared: Arc<Shared>, url: String, call: Call, wait: Duration) -> Response<Body> {
    let work = tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        carry_out(&shared, &url, &call, None)
    });
    work.await.unwrap_or_else(|_| dropped())
}

fn failed(status: Option<u16>) -> Response<Body> {
    let status = status.unwrap_or(503);
    let code = match status {
        503 => "SERVER_UNAVAILABLE",
        _ => "UNKNOWN_EXCEPTION",
    };
    respond(Reply {
        status,
        ..Reply::ok(json!([{ "message": "An unexpected error occurred.", "errorCode": code }]))
    })
}

/// A response that closes the connection before its first byte: the body fails before the head is sent.
fn dropped() -> Response<Body> {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(tokio_stream::once(Err::<Vec<u8>, _>(broken))))
}

/// How often events that wait for their rows are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Sends events out when their rows come in sight, for ever.
pub(crate) async fn release(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        shared.org().release_events();
    }
}
