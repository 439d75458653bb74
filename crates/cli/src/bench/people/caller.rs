//! A program that looks and acts by the HTTP API of the process that works.

use super::{REST, Waits};
use crate::bench::scene::Scene;
use crate::failure::Failure;
use reqwest::Method;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;

/// What it is let in with.
const TOKEN: &str = "a-token-of-the-benchmark-and-of-nobody-else";

/// What it looks at: the same as people do by commands.
const LOOKS: [&str; 7] = [
    "/overview",
    "/links?limit=20",
    "/items?standing=question&limit=20",
    "/items?limit=20",
    "/changes?limit=20",
    "/runs?limit=20",
    "/groups",
];
/// What it does: a flow rests, and goes on.
const ACTS: [&str; 2] = ["/flows/quote-quote/pause", "/flows/quote-quote/resume"];

/// Lets it in, before the process begins.
pub(super) fn let_in(scene: &Scene) -> Result<(), Failure> {
    let file = scene.folder().join("bench.token");
    let console = format!(
        "\nconsole:\n  address: 127.0.0.1:0\n  people:\n  - {{ name: bench, role: admin, token: {{ file: {} }} }}\n",
        file.display()
    );
    let token = std::fs::write(&file, TOKEN);
    let written = token
        .and_then(|()| OpenOptions::new().append(true).open(scene.config()))
        .and_then(|mut file| file.write_all(console.as_bytes()));
    written.map_err(|error| {
        Failure::trouble(
            format!("the configuration cannot be written ({error})"),
            "Free space",
        )
    })
}

/// Whoever calls.
pub(super) struct Caller {
    client: reqwest::Client,
    url: String,
}

impl Caller {
    /// Finds the process.
    pub(super) fn of(scene: &Scene) -> Result<Self, Failure> {
        let at = crate::serving::whereabouts(scene.folder());
        let at = at.ok_or_else(|| Failure::trouble("the process serves no console", "Run it again"))?;
        let client = reqwest::Client::builder().no_proxy().build();
        Ok(Self {
            client: client.map_err(|error| lost(&error))?,
            url: at.url,
        })
    }

    /// Each look and each act once.
    pub(super) async fn turn(&self, waits: &mut Waits) -> Result<(), Failure> {
        for path in LOOKS {
            waits.looks.push(self.timed(Method::GET, path).await?);
        }
        for path in ACTS {
            waits.acts.push(self.timed(Method::POST, path).await?);
        }
        Ok(())
    }

    /// How long an answer takes, to its last byte, in milliseconds.
    async fn timed(&self, method: Method, path: &str) -> Result<u64, Failure> {
        tokio::time::sleep(REST).await;
        let address = format!("{}/api/v1{path}", self.url);
        let began = Instant::now();
        let asked = self.client.request(method, address).bearer_auth(TOKEN);
        let answer = asked.send().await.map_err(|error| lost(&error))?;
        let status = answer.status();
        let said = answer.text().await.map_err(|error| lost(&error))?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match status.is_success() {
            true => Ok(took),
            false => Err(Failure::trouble(
                format!("{path} was refused: {said}"),
                "Its own words say why",
            )),
        }
    }
}

fn lost(error: &reqwest::Error) -> Failure {
    Failure::trouble(format!("the console does not answer ({error})"), "Run it again")
}
