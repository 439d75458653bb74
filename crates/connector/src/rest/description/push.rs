//! How an ERP is asked to post messages of changes, and asked again before it stops.

use super::place::Place;
use super::requests::operation;
use super::template::{Body, Template};
use super::times::Span;
use tandem_merge::config::node::At;
use tandem_merge::config::written::Table;
use tandem_merge::written;

written! {
    /// How the ERP is asked to post messages of changes of a record type.
    struct PushText {
        /// How it is asked to.
        subscribe: At<SubscribeText>,
        /// How a subscription is made to last longer; it is asked anew where nothing is said.
        renew: Option<At<RenewText>>,
        /// Where the ERP shows the subscriptions that it holds: one whose answer was lost is ended before another is made.
        existing: Option<At<ExistingText>>,
        /// How a subscription is ended that another one takes the place of.
        unsubscribe: Option<At<UnsubscribeText>>,
        /// How long a subscription lasts where no reply says; for ever where nothing is said.
        lasts: Option<Span>,
    }
}

operation! {
    /// How a subscription is made: `{address}` is where messages go, `{word}` the secret of the connection's `webhooks`.
    struct SubscribeText {
        /// Where its id stands in the reply.
        id: At<Place>,
        /// Where the reply says when it ends.
        expires: Option<Place>,
        /// Where the reply shows what names its state, for `{token}`.
        token: Option<Place>,
    }
}

operation! {
    /// Where the subscriptions stand that the ERP holds.
    struct ExistingText {
        /// The list in the reply; the whole reply if absent.
        items: Option<Place>,
        /// What stands in one of ours, by place: `{ url: "{address}", resource: "{collection}" }`.
        ours: At<Table<At<Template>>>,
        /// Where one's id stands.
        id: At<Place>,
        /// Where one shows what names its state.
        token: Option<Place>,
    }
}

operation! {
    /// How the subscription `{subscription}` is made to last longer.
    struct RenewText {
        /// Where the reply says when it ends.
        expires: Option<Place>,
        /// Where the reply shows what names its state.
        token: Option<Place>,
    }
}

operation! {
    /// How the subscription `{subscription}` is ended.
    struct UnsubscribeText {
    }
}
