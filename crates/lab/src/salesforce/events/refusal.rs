//! Refusals of the Pub/Sub API: a gRPC status, and Salesforce's own code in the trailer `error-code`.

use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

/// What every code begins with.
const PREFIX: &str = "sfdc.platform.eventbus.grpc.";

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:ident, $text:literal, $message:literal;)*) => {
        /// Why a call is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Refusal {
            $($(#[$doc])* $name,)*
        }
        impl Refusal {
            fn parts(self) -> (Code, &'static str, &'static str) {
                match self { $(Refusal::$name => (Code::$code, $text, $message),)* }
            }
        }
    };
}

refusals! {
    /// One of the three headers is absent, blank or not of its form.
    Headers = Unauthenticated, "service.auth.headers.invalid", "An authentication header is missing or blank: accesstoken, instanceurl and tenantid are required.";
    /// The token, the address or the organization does not fit.
    Authentication = Unauthenticated, "service.auth.error", "An authentication exception occurred. Provide valid authentication credentials.";
    /// No topic named.
    TopicEmpty = InvalidArgument, "topic.validation.empty", "The topic name is blank.";
    /// No such topic, or its object is not selected.
    TopicNotFound = NotFound, "topic.not.found", "The topic does not exist. For change events, select the entity for Change Data Capture.";
    /// The user may not see all records.
    CannotSubscribe = PermissionDenied, "subscription.topic.cannot.subscribe", "You don't have permission to subscribe to this topic.";
    /// Change events are made by the org alone.
    CannotPublish = PermissionDenied, "publish.topic.cannot.publish", "You can't publish to this topic: change events are published by Salesforce.";
    /// No schema named.
    SchemaEmpty = InvalidArgument, "schema.validation.failed", "The schema ID is blank or missing.";
    /// No such schema.
    SchemaUnknown = PermissionDenied, "schema.meta.permission", "The schema can't be accessed. Verify the schema ID.";
    /// CUSTOM without a replay id.
    ReplayMissing = InvalidArgument, "subscription.fetch.replayid.validation.failed", "The replay preset is CUSTOM, so a replay ID is required.";
    /// A replay id never given out, or no longer kept.
    ReplayCorrupted = InvalidArgument, "subscription.fetch.replayid.corrupted", "The Replay ID validation failed. Ensure that the Replay ID is valid and that it is within the retention window.";
    /// Nothing, or less, asked for.
    Requested = InvalidArgument, "subscription.fetch.requested.events.invalid", "The number of requested events must be greater than zero.";
    /// Another topic than the first request named.
    TopicMismatch = InvalidArgument, "subscription.fetch.topic.mismatch", "The topic name must be the same in all fetch requests of a stream.";
    /// The day's deliveries are used up.
    Exhausted = ResourceExhausted, "subscription.limit.exceeded", "You have exceeded the event delivery limit for your org.";
    /// The org ends.
    Unavailable = Unavailable, "service.unavailable", "The service is unavailable. Try again later.";
    /// Subscriptions that the org keeps the place of.
    Managed = Unimplemented, "managed.subscription.config.deleted", "The local org has no managed subscriptions: subscribe with Subscribe.";
}

impl Refusal {
    /// The status; `rpc` names the call.
    pub(crate) fn status(self, rpc: &str) -> Status {
        let (code, text, message) = self.parts();
        let mut trailers = MetadataMap::new();
        if let Ok(value) = format!("{PREFIX}{text}").parse() {
            trailers.insert("error-code", value);
        }
        Status::with_metadata(code, format!("{message} rpcId: {rpc}"), trailers)
    }
}
