//! How one signs in.

use super::place::Place;
use super::requests::{Call, Line};
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
        Oauth1(Oauth1) = "oauth1",
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
    /// A token by OAuth.
    struct Oauth {
        /// `oauth`.
        kind: String,
        /// Where tokens are given out: a path, or an address of another host.
        token_url: At<String>,
        /// What a token is given out for; `client-credentials` where nothing is said.
        grant: Option<Grant>,
        /// The client; `{secret.client_id}` where nothing is said.
        client_id: Option<At<Template>>,
        /// Its secret; `{secret.client_secret}` where nothing is said and no `assertion` stands in its place.
        client_secret: Option<At<Template>>,
        /// The refresh token to begin with; `{secret.refresh_token}` where nothing is said.
        refresh_token: Option<At<Template>>,
        /// A signed statement of who we are.
        assertion: Option<At<Assertion>>,
        /// What is asked for.
        scope: Option<At<Template>>,
        /// Further fields.
        fields: Option<Table<At<Template>>>,
        /// Where client and secret stand.
        client: Option<ClientPlace>,
        /// A token is given out no more often than this: it is kept for the next process, and none is asked for before.
        every: Option<Span>,
    }
}

words! {
    /// What a token is given out for.
    enum Grant {
        /// The client speaks for itself.
        ClientCredentials = "client-credentials",
        /// A token that somebody's sign-in in a browser has left.
        RefreshToken = "refresh-token",
        /// A signed statement for which user we speak.
        JwtBearer = "jwt-bearer",
    }
}

written! {
    /// A signed statement (a JWT) of who we are.
    struct Assertion {
        /// How it is signed; `RS256` where nothing is said.
        algorithm: Option<Algorithm>,
        /// The private key as PEM; `{secret.private_key}` where nothing is said.
        key: Option<At<Template>>,
        /// Which of our keys that is, by the ERP's word (`kid`).
        key_id: Option<At<Template>>,
        /// What it states besides; `{client_id}` and `{token_url}` are known there.
        claims: Option<Table<At<Body>>>,
        /// How long it is good; `2m` where nothing is said.
        lasts: Option<Span>,
    }
}

words! {
    /// How a statement is signed.
    enum Algorithm {
        /// RSA, PKCS#1.
        Rs256 = "RS256",
        /// RSA, PSS.
        Ps256 = "PS256",
        /// The elliptic curve P-256.
        Es256 = "ES256",
    }
}

written! {
    /// Every request is signed (OAuth 1.0, HMAC-SHA256).
    struct Oauth1 {
        /// `oauth1`.
        kind: String,
        /// The client; `{secret.consumer_key}` where nothing is said.
        consumer_key: Option<At<Template>>,
        /// Its secret; `{secret.consumer_secret}` where nothing is said.
        consumer_secret: Option<At<Template>>,
        /// The user's token; `{secret.token_id}` where nothing is said.
        token_id: Option<At<Template>>,
        /// Its secret; `{secret.token_secret}` where nothing is said.
        token_secret: Option<At<Template>>,
        /// The account that is signed for.
        realm: Option<At<Template>>,
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
        /// The user whose password the `{token}` is from then on, as in `basic`.
        basic_user: Option<At<Template>>,
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

impl Oauth {
    /// The way in which a token is had.
    pub(crate) fn granted_by(&self) -> Grant {
        self.grant.unwrap_or(Grant::ClientCredentials)
    }

    /// Something of it is kept for the next process.
    pub(crate) fn is_kept(&self) -> bool {
        self.every.is_some() || self.granted_by() == Grant::RefreshToken
    }
}

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
