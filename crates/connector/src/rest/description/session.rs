//! How one signs in.

use super::operations::{Call, Line};
use super::place::Place;
use super::template::{Body, Template};
use super::times::Span;
use super::words::{kinds, words};
use tandem_merge::config::node::At;
use tandem_merge::config::written::Table;
use tandem_merge::written;

kinds! {
    /// How one signs in. `{secret.NAME}` is filled in from the connection's secrets.
    enum Session {
        None(NoSession) = "none",
        Bearer(Bearer) = "bearer",
        Basic(Basic) = "basic",
        ApiKey(ApiKey) = "api-key",
        Oauth(Oauth) = "oauth",
        Login(Login) = "login",
    }
}

written! {
    /// Nobody signs in.
    struct NoSession {
        /// `none`.
        kind: String,
    }
}

written! {
    /// A token that does not change.
    struct Bearer {
        /// `bearer`.
        kind: String,
        /// The token; `{secret.token}` where nothing is said.
        token: Option<At<Template>>,
        /// The word before it; `Bearer` where nothing is said.
        scheme: Option<String>,
    }
}

written! {
    /// User and password with every request.
    struct Basic {
        /// `basic`.
        kind: String,
        /// The user; `{secret.user}` where nothing is said.
        user: Option<At<Template>>,
        /// The password; `{secret.password}` where nothing is said.
        password: Option<At<Template>>,
    }
}

written! {
    /// Keys with every request.
    struct ApiKey {
        /// `api-key`.
        kind: String,
        /// Headers that carry one.
        headers: Option<Table<At<Template>>>,
        /// Parameters that carry one.
        query: Option<Table<At<Template>>>,
    }
}

written! {
    /// A token by OAuth, for a client that speaks for itself (client credentials).
    struct Oauth {
        /// `oauth`.
        kind: String,
        /// Where tokens are given out: a path, or an address of another host.
        token_url: At<String>,
        /// The client; `{secret.client_id}` where nothing is said.
        client_id: Option<At<Template>>,
        /// Its secret; `{secret.client_secret}` where nothing is said.
        client_secret: Option<At<Template>>,
        /// What is asked for.
        scope: Option<At<Template>>,
        /// Further fields.
        fields: Option<Table<At<Template>>>,
        /// Where client and secret stand.
        client: Option<ClientPlace>,
    }
}

words! {
    /// Where client and secret stand in a request for a token.
    enum ClientPlace {
        /// Among the fields.
        Fields = "fields",
        /// In a header, as user and password.
        Header = "header",
    }
}

written! {
    /// A session that a request begins and another one ends.
    struct Login {
        /// `login`.
        kind: String,
        /// Method and path.
        request: At<Line>,
        /// Parameters behind the path.
        query: Option<Table<At<Template>>>,
        /// Headers.
        headers: Option<Table<At<Template>>>,
        /// The body, as JSON.
        body: Option<At<Body>>,
        /// Where the token stands in the reply; without it the cookies are the session.
        token: Option<Place>,
        /// Headers that carry the `{token}` from then on.
        carry: Option<Table<At<Template>>>,
        /// How long a session lasts.
        lasts: Option<Span>,
        /// Where the reply says for how many seconds it lasts.
        seconds: Option<Place>,
        /// Where the reply says for how many minutes it lasts.
        minutes: Option<Place>,
        /// How it is ended.
        logout: Option<Logout>,
    }
}

written! {
    /// The end of a session.
    struct Logout {
        /// Method and path.
        request: At<Line>,
        /// The body, as JSON.
        body: Option<At<Body>>,
    }
}

written! {
    /// A token against forged requests, which writes carry. It is fetched, with its cookies, and again when it is refused.
    struct Csrf {
        /// What is asked to get one.
        request: At<Line>,
        /// The header that carries it.
        header: Option<At<String>>,
        /// What the header says when one is wanted; `Fetch` where nothing is said.
        fetch: Option<String>,
    }
}

static NONE: Table<At<Template>> = Table(Vec::new());

impl Login {
    /// What is sent.
    pub(crate) fn call(&self) -> Call<'_> {
        Call {
            line: &self.request,
            query: self.query.as_ref().unwrap_or(&NONE),
            headers: self.headers.as_ref().unwrap_or(&NONE),
            body: self.body.as_ref(),
        }
    }
}

impl Logout {
    /// What is sent.
    pub(crate) fn call(&self) -> Call<'_> {
        Call {
            line: &self.request,
            query: &NONE,
            headers: &NONE,
            body: self.body.as_ref(),
        }
    }
}

impl Csrf {
    /// What is sent.
    pub(crate) fn call(&self) -> Call<'_> {
        Call {
            line: &self.request,
            query: &NONE,
            headers: &NONE,
            body: None,
        }
    }
}
