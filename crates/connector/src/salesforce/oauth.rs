//! Signing in: three OAuth grants, what a refusal means, and where the token may go.
//!
//! The reply names the org's own address. It must be the configured one; only where the configured one is a
//! login host of Salesforce may it be another `*.my.salesforce.com`.

use super::assertion::{self, PrivateKey};
use super::token_file::TokenFile;
use crate::http::{Failure, Http, Reply, Request, address, clock, json};
use crate::{Error, ErrorKind, Scope};
use jiff::SignedDuration;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use url::Url;
use url::form_urlencoded::Serializer;

/// Where everybody may sign in; the org's own address is told in the reply.
const LOGIN_HOSTS: [&str; 2] = ["login.salesforce.com", "test.salesforce.com"];
/// How the address of every org ends.
const ORG_HOST: &str = ".my.salesforce.com";
/// Clocks further apart than this make an assertion worthless.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(60);
/// Characters of an org's own words that are worth showing.
const WORDS_MAX: usize = 200;

/// How to sign in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// The connected app runs as the one user that its settings name.
    ClientCredentials {
        /// The app's consumer key.
        client_id: String,
        /// The app's consumer secret.
        client_secret: SecretString,
    },
    /// An assertion signed with our key, whose certificate the connected app holds.
    JwtBearer {
        /// The app's consumer key.
        client_id: String,
        /// The user to sign in as.
        user: String,
        /// The RSA key as PEM, PKCS#1 or PKCS#8.
        private_key: SecretString,
    },
    /// A token that somebody's sign-in in a browser has left.
    RefreshToken {
        /// The app's consumer key.
        client_id: String,
        /// The app's consumer secret, where it asks for one.
        client_secret: Option<SecretString>,
        /// The file with the token. A new token is written there.
        file: PathBuf,
    },
}

impl SignIn {
    /// The grant's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials { .. } => "client-credentials",
            Self::JwtBearer { .. } => "jwt-bearer",
            Self::RefreshToken { .. } => "refresh-token",
        }
    }
}

/// A way of signing in, ready to be used.
pub(super) enum Grant {
    ClientCredentials(String, SecretString),
    JwtBearer(String, String, PrivateKey),
    RefreshToken(String, Option<SecretString>, TokenFile),
}

/// What a sign-in came to.
pub(super) struct Granted {
    pub(super) header: HeaderValue,
    /// The user's id.
    pub(super) user: String,
    /// The organization's id.
    pub(super) organization: String,
    /// The address to work at.
    pub(super) instance: Url,
}

impl Grant {
    /// Checks what the grant needs.
    ///
    /// # Errors
    /// The private key is none that can sign, or the file of the refresh token cannot be replaced.
    pub(super) fn new(system: &str, sign_in: SignIn) -> Result<Self, Error> {
        let unfit = |(message, advice): (String, String)| Error {
            system: system.to_owned(),
            kind: ErrorKind::SignIn,
            message,
            advice,
            retry_at: None,
            scope: Scope::System,
        };
        Ok(match sign_in {
            SignIn::ClientCredentials {
                client_id,
                client_secret,
            } => Self::ClientCredentials(client_id, client_secret),
            SignIn::JwtBearer {
                client_id,
                user,
                private_key,
            } => {
                let key = PrivateKey::from_pem(private_key.expose_secret()).map_err(unfit)?;
                Self::JwtBearer(client_id, user, key)
            }
            SignIn::RefreshToken {
                client_id,
                client_secret,
                file,
            } => Self::RefreshToken(client_id, client_secret, TokenFile::new(file).map_err(unfit)?),
        })
    }

    /// Signs in.
    pub(super) async fn sign_in(&self, http: &Http) -> Result<Granted, Error> {
        match self {
            Self::ClientCredentials(id, secret) => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", id),
                    ("client_secret", secret.expose_secret()),
                ];
                let reply = ask(http, &form, true).await?;
                self.granted(http, &reply, &[secret.expose_secret()])
            }
            Self::JwtBearer(id, user, key) => self.assert(http, id, user, key).await,
            Self::RefreshToken(id, secret, file) => self.refresh(http, id, secret.as_ref(), file).await,
        }
    }

    async fn assert(&self, http: &Http, id: &str, user: &str, key: &PrivateKey) -> Result<Granted, Error> {
        let audience = assertion::audience(http.door());
        let mut known = http.reached();
        loop {
            let now = known.unwrap_or_else(clock::wall);
            let claims = assertion::Claims {
                client_id: id,
                user,
                audience: &audience,
                now,
            };
            let unsigned = || {
                http.error(
                    ErrorKind::SignIn,
                    "the private key does not sign",
                    "Make a new key",
                )
            };
            let assertion = key.assertion(&claims).ok_or_else(unsigned)?;
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", assertion.expose_secret()),
            ];
            let reply = ask(http, &form, true).await?;
            // The refusal shows the org's clock: where ours is wrong, the assertion is made anew by theirs.
            let theirs = http.reached().filter(|_| !reply.is_success() && known.is_none());
            match theirs {
                Some(theirs) if theirs.duration_since(now).abs() > CLOCKS_APART => known = Some(theirs),
                _ => return self.granted(http, &reply, &[assertion.expose_secret()]),
            }
        }
    }

    /// One process at a time refreshes: a token that was replaced must not be shown again.
    async fn refresh(
        &self,
        http: &Http,
        id: &str,
        secret: Option<&SecretString>,
        file: &TokenFile,
    ) -> Result<Granted, Error> {
        let unfit = |(message, advice): (String, String)| http.error(ErrorKind::SignIn, message, advice);
        let _turn = file.turn().await.map_err(unfit)?;
        let token = file.read().map_err(unfit)?;
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("client_id", id),
            ("refresh_token", token.expose_secret()),
        ];
        form.extend(secret.map(|secret| ("client_secret", secret.expose_secret())));
        // The old token may have ended with a request whose reply was lost, so it is not shown twice in a row.
        let reply = ask(http, &form, false).await?;
        if reply.is_success()
            && let Some(new) = json::text(&reply.json(), "refresh_token")
            && new != token.expose_secret()
        {
            file.replace(&SecretString::from(new)).map_err(unfit)?;
        }
        let secret = secret.map_or("", |secret| secret.expose_secret());
        self.granted(http, &reply, &[token.expose_secret(), secret])
    }

    fn granted(&self, http: &Http, reply: &Reply, secrets: &[&str]) -> Result<Granted, Error> {
        if !reply.is_success() {
            return Err(self.refused(http, reply, secrets));
        }
        let body = reply.json();
        let strange = || http.protocol("the reply to the sign-in is not a token");
        let told = json::text(&body, "instance_url").ok_or_else(strange)?;
        let instance = instance(http.system(), http.door(), told)?;
        let token = json::text(&body, "access_token").ok_or_else(strange)?;
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| strange())?;
        header.set_sensitive(true);
        let identity = json::text(&body, "id").unwrap_or_default();
        let mut identity = identity.rsplit('/').map(str::to_owned);
        Ok(Granted {
            header,
            user: identity.next().unwrap_or_default(),
            organization: identity.next().unwrap_or_default(),
            instance,
        })
    }

    fn refused(&self, http: &Http, reply: &Reply, secrets: &[&str]) -> Error {
        if reply.may_pass() {
            return http.down(format!("the sign-in was answered with {}", reply.status));
        }
        let body = reply.json();
        let code = json::text(&body, "error").unwrap_or("no reason given");
        let words = json::text(&body, "error_description").unwrap_or_default();
        let said: String = match words {
            "" => code.to_owned(),
            words => format!("{code}: {words}"),
        };
        let echoes = secrets
            .iter()
            .any(|secret| !secret.is_empty() && said.contains(secret));
        let said: String = if echoes {
            "no reason that could be shown".to_owned()
        } else {
            said.chars()
                .filter(|letter| !letter.is_control())
                .take(WORDS_MAX)
                .collect()
        };
        http.error(
            ErrorKind::SignIn,
            format!("it refuses the sign-in by {} ({said})", self.name()),
            self.advice(code),
        )
    }

    fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials(..) => "client-credentials",
            Self::JwtBearer(..) => "jwt-bearer",
            Self::RefreshToken(..) => "refresh-token",
        }
    }

    fn advice(&self, code: &str) -> &'static str {
        match (self, code) {
            (_, "inactive_user") => "Activate the user that Tandem signs in as",
            (_, "inactive_org") => "The org is locked or expired: see its administrator",
            (Self::ClientCredentials(..), "invalid_client_id" | "invalid_client") => {
                "Check client_id and client_secret in the configuration"
            }
            (_, "invalid_client_id" | "invalid_client") => "Check client_id in the configuration",
            (Self::ClientCredentials(..), "unsupported_grant_type" | "invalid_grant") => {
                "Enable the client credentials flow of the connected app, name the user it runs as, and use the My \
                 Domain address"
            }
            (Self::JwtBearer(..), _) => {
                "Upload the key's certificate to the connected app, approve the app for the user (permitted users, \
                 profile or permission set), and check user and address"
            }
            (Self::RefreshToken(..), "invalid_grant") => {
                "The token was replaced or revoked: sign in in the browser again and put the new token into its file"
            }
            _ => "Check the address and the secrets in the configuration",
        }
    }
}

async fn ask(http: &Http, form: &[(&str, &str)], repeatable: bool) -> Result<Reply, Error> {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request = Request::new(Method::POST, "/services/oauth2/token")
        .signing_in()
        .header("content-type", "application/x-www-form-urlencoded")
        .at_the_door()
        .uncounted();
    request.repeatable = repeatable;
    request.body = Some(body.into_bytes());
    http.send(request).await.map_err(Failure::into_error)
}

/// The address to work at: the configured one, or the org's own where everybody signs in.
fn instance(system: &str, door: &Url, told: &str) -> Result<Url, Error> {
    let common = door.scheme() == "https" && door.host_str().is_some_and(|host| LOGIN_HOSTS.contains(&host));
    if let Ok(url) = Url::parse(told)
        && common
        && url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.host_str().is_some_and(|host| host.ends_with(ORG_HOST))
    {
        return Ok(url);
    }
    match address::pin(system, door, told) {
        // A local org may tell another name of this machine; the one that was reached serves as well.
        Ok(_) => Ok(door.clone()),
        Err(error) => Err(Error {
            advice: "Write the org's My Domain address into `url`, as Setup shows it under My Domain"
                .to_owned(),
            ..error
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn allowed(door: &str, told: &str) -> Option<String> {
        let found = instance("s", &door.parse().unwrap(), told).ok()?;
        Some(found.host_str().unwrap().to_owned())
    }

    #[test]
    fn the_token_goes_to_the_org_and_to_nobody_else() {
        let own = "https://acme.my.salesforce.com";
        assert_eq!(allowed(own, own).as_deref(), Some("acme.my.salesforce.com"));
        for stranger in [
            "https://evil.my.salesforce.com",
            "https://acme.my.salesforce.com.evil.example",
            "http://acme.my.salesforce.com",
            "https://acme.my.salesforce.com:8443",
            "https://user@evil.example/acme.my.salesforce.com",
        ] {
            assert_eq!(allowed(own, stranger), None, "{stranger}");
        }
        let login = "https://login.salesforce.com";
        assert_eq!(allowed(login, own).as_deref(), Some("acme.my.salesforce.com"));
        let sandbox = "https://acme--dev.sandbox.my.salesforce.com";
        assert_eq!(
            allowed("https://test.salesforce.com", sandbox).as_deref(),
            Some("acme--dev.sandbox.my.salesforce.com")
        );
        for stranger in [
            "https://salesforce.com.evil.example",
            "https://my.salesforce.com",
            "https://evilmy.salesforce.com",
            "https://user:word@acme.my.salesforce.com",
            "http://acme.my.salesforce.com",
        ] {
            assert_eq!(allowed(login, stranger), None, "{stranger}");
        }
    }
}
