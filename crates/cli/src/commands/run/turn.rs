//! Standing by until it is one's turn.

use super::say;
use super::told;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::loading;
use crate::log::Level;
use crate::screen::Screen;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tandem_ledger::{Home, Server, Turn, Turns};
use tandem_merge::config::Configuration;

/// How often it is looked whose turn it is.
const LOOKS: Duration = Duration::from_secs(1);
/// How often a server that is away is asked.
const AGAIN: Duration = Duration::from_secs(3);

/// Waits until nobody else has the state.
pub(super) async fn await_it(
    common: &Common,
    configuration: &Configuration,
    screen: &Screen,
) -> Result<(), Failure> {
    let Home::Server(server) = loading::home(common, configuration)? else {
        let what = "several workers share a state on a PostgreSQL server, and this one is in a folder";
        let advice =
            "Add `state: { postgres: { env: NAME } }` to tandem.yaml, or use `tandem run`, which works alone";
        return Err(Failure::usage(what, advice));
    };
    let mut standing_by = StandingBy { screen, said: None };
    loop {
        // Whatever a server says for a while, somebody has to stand by.
        match turn(&server, &mut standing_by).await {
            Ok(()) => return Ok(()),
            Err(failure) => {
                standing_by.away(&failure);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Waits until the server says that nobody has the state.
async fn turn(server: &Server, standing_by: &mut StandingBy<'_>) -> Result<(), Failure> {
    let server = server.clone();
    let turns = blocking(move || Turns::begin(&server)).await?;
    let turns = Arc::new(turns);
    loop {
        let looking = Arc::clone(&turns);
        match blocking(move || looking.look()).await? {
            Turn::Free => return Ok(()),
            Turn::Held { by } => standing_by.wait_for(&by),
            Turn::Ended { by } => standing_by.ended(&by),
        }
        tokio::time::sleep(LOOKS).await;
    }
}

/// What waits for a server, where nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, tandem_ledger::Error> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Failure::trouble(error.to_string(), "Run it again"))?;
    Ok(done?)
}

/// What was said last, so that nothing is said twice.
struct StandingBy<'s> {
    screen: &'s Screen,
    said: Option<String>,
}

impl StandingBy<'_> {
    fn is_new(&mut self, what: &str) -> bool {
        let new = self.said.as_deref() != Some(what);
        self.said = Some(what.to_owned());
        new
    }

    fn wait_for(&mut self, by: &str) {
        if self.is_new(by) {
            let words = format!("Standing by: {by} works");
            let event = told::event(
                "standing-by",
                json!({ "by": by, "words": words }),
                Timestamp::now(),
            );
            self.screen.json(&event);
            self.screen.log(Level::Note, words);
        }
    }

    fn ended(&mut self, by: &str) {
        let words = format!("{by} did not renew its lease: its session was ended, and its turn is over.");
        say(self.screen, "taken-over", &words);
        self.said = None;
    }

    fn away(&mut self, failure: &Failure) {
        if self.is_new("away") {
            self.screen.log_failure(failure);
        }
    }
}
