//! How one asks an ERP for messages of its changes.

use super::place::Place;
use super::requests::operation;
use super::template::{Body, Template};
use super::times::Span;
use tandem_merge::config::node::At;
use tandem_merge::config::written::Table;
use tandem_merge::written;

written! {
    /// How the ERP is asked to send messages of changes, and asked again before it ends to.
    struct PushText {
        /// How one subscribes to a resource.
        subscribe: At<SubscribeText>,
        /// How a subscription goes on; a new one is made where nothing is said.
        renew: Option<At<RenewText>>,
        /// How subscriptions are listed: one of an earlier time goes on, rather than a second.
        find: Option<At<SubscriptionsText>>,
        /// How long one lasts, where no reply says when it ends; for ever where nothing says so.
        lasts: Option<Span>,
        /// What `{resource}` is, by record type: those that are named here are subscribed to.
        resources: Table<At<String>>,
    }
}

operation! {
    /// How one subscribes: `{listener}` is where messages go, `{word}` the secret of the connection's `webhooks`.
    struct SubscribeText {
        /// Where the reply names the subscription.
        id: Place,
        /// Where it says when the subscription ends.
        expires: Option<Place>,
    }
}

operation! {
    /// How the subscription `{id}` goes on.
    struct RenewText {
        /// Where the reply says when it ends now.
        expires: Option<Place>,
    }
}

operation! {
    /// How subscriptions are listed.
    struct SubscriptionsText {
        /// Where they stand in the reply.
        items: Option<Place>,
        /// Where each is named.
        id: Place,
        /// Where each says where its messages go.
        listener: Place,
        /// Where each says what it is about.
        resource: Place,
    }
}
