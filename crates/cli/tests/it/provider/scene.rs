//! A provider, and a console that people sign in to with it.

use super::local::{Mood, Provider, SECRET};
use crate::console::{Answer, Console};
use crate::local::Pair;
use reqwest::Method;
use serde_json::{Value as Json, json};

/// A pair whose console signs people in with a provider, too.
pub(super) fn pair(issuer: &str) -> Pair {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let console = format!(
        "\nconsole:\n  people:\n  - {{ name: vera, role: viewer, token: {{ env: VERA }} }}\n  sign_in:\n    issuer: {issuer}\n    \
         client_id: tandem\n    client_secret: {{ file: secret }}\n    called: Example Login\n    scopes: [groups]\n    \
         roles:\n    - {{ group: staff, role: viewer }}\n    - {{ group: shift, role: operator }}\n    \
         - {{ email: ann@example.com, role: admin }}\n"
    );
    std::fs::write(&config, text + &console).unwrap();
    std::fs::write(pair.path("secret"), SECRET).unwrap();
    pair
}

/// A provider, and a console that people sign in to with it.
pub(super) struct Scene {
    pub(super) provider: Provider,
    pub(super) pair: Pair,
    pub(super) console: Console,
}

impl Scene {
    pub(super) fn start() -> Self {
        let provider = Provider::start();
        let pair = pair(provider.url());
        let console = Console::start_logging(&pair, "tandem=info,warn");
        Self {
            provider,
            pair,
            console,
        }
    }

    /// Begins to sign in: where the provider leads back to, and the cookie of the browser that began.
    pub(super) fn begin(&self) -> (String, String) {
        let out = self.console.send(Method::GET, "/enter/provider", &[], None);
        assert_eq!(out.status, 303, "{}", out.text);
        let kept = out.headers["set-cookie"].to_str().unwrap();
        assert!(
            kept.contains("HttpOnly; SameSite=Lax; Max-Age=600") && kept.contains("Path=/enter"),
            "{kept}"
        );
        let cookie = kept.split(';').next().unwrap().to_owned();
        let there = self.console.send(Method::GET, location(&out), &[], None);
        (location(&there).to_owned(), cookie)
    }

    pub(super) fn come_back(&self, address: &str, cookie: &str) -> Answer {
        self.console
            .send(Method::GET, address, &[("cookie", cookie)], None)
    }

    /// Signs in while the provider is so: the answer to whoever comes back.
    pub(super) fn sign_in(&self, mood: Mood) -> Answer {
        self.provider.is(mood);
        let (address, cookie) = self.begin();
        self.come_back(&address, &cookie)
    }

    /// The session of whoever came in.
    #[track_caller]
    pub(super) fn session(answer: &Answer) -> String {
        assert_eq!((answer.status, location(answer)), (303, "/"), "{}", answer.text);
        let cookies = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|it| it.to_str().unwrap());
        let (gone, session): (Vec<&str>, Vec<&str>) = cookies.partition(|cookie| cookie.contains("_begun="));
        assert!(gone.len() == 1 && gone[0].contains("Max-Age=0"), "{gone:?}");
        assert!(session[0].contains("HttpOnly; SameSite=Lax"), "{session:?}");
        session[0].split(';').next().unwrap().to_owned()
    }

    /// Nobody came in: the page says why.
    #[track_caller]
    pub(super) fn refused(answer: &Answer, status: u16, why: &str) {
        assert_eq!(answer.status, status, "{}", answer.text);
        let text = answer.text.replace("<code>", "`").replace("</code>", "`");
        assert!(text.contains(why), "{text} lacks {why}");
        let sessions = answer.headers.get_all("set-cookie").iter();
        let mut sessions = sessions.filter(|cookie| !cookie.to_str().unwrap().contains("_begun=;"));
        assert_eq!(sessions.next(), None);
    }

    /// What a session may: look, and let a flow go on that does not rest, which is 409 for whoever may.
    pub(super) fn may(&self, session: &str) -> [u16; 2] {
        let headers = [
            ("cookie", session),
            ("origin", &self.console.url),
            ("content-type", "application/json"),
        ];
        let look = self.console.send(Method::GET, "/", &headers[..1], None);
        let act = "/api/v1/flows/order-order/resume";
        let act = self
            .console
            .send(Method::POST, act, &headers, Some("{}".to_owned()));
        [look.status, act.status]
    }
}

pub(super) fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

pub(super) fn says(said: Json) -> Mood {
    Mood {
        said,
        ..Mood::default()
    }
}

pub(super) fn staff() -> Mood {
    says(json!({ "groups": ["staff"] }))
}
