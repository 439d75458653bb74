//! Who carries out what people ask for: the process that works with the state, or an engine of our own.

use crate::arguments::Common;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_api::{Asks, Command, Done, door};
use tandem_engine::{Engine, Quiet, Summary};
use tandem_merge::config::Configuration;

/// So long is a state waited for that another command holds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How often that is looked for.
pub(crate) const AGAIN: Duration = Duration::from_millis(100);

/// Who carries out what people ask for.
pub(crate) enum Hand {
    /// The process that works with the state in this folder.
    Theirs(PathBuf),
    /// Nobody works with the state: we do.
    Own(Box<Engine>),
}

impl Hand {
    /// Asks the process that works with the state, or opens the state where none does.
    ///
    /// # Errors
    /// Where neither can be: what is in the way of opening it.
    pub(crate) async fn of(common: &Common, configuration: &Configuration) -> Result<Self, Failure> {
        super::existing_home(common, configuration)?;
        let folder = common.state_folder();
        let began = Instant::now();
        loop {
            if door::knock(&folder).await.is_some() {
                return Ok(Self::Theirs(folder));
            }
            match super::engine(common, configuration, Arc::new(Quiet)).await {
                // It is about to open its door, or is done in a moment.
                Err(failure) if failure.is_held() && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(AGAIN).await;
                }
                opened => return Ok(Self::Own(Box::new(opened?))),
            }
        }
    }

    /// Does what is asked for.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn act(&mut self, command: Command) -> Result<Done, Failure> {
        match self {
            Self::Own(engine) => Ok(tandem_api::carry_out(engine, command, jiff::Timestamp::now()).await?),
            Self::Theirs(folder) => match door::knock(folder).await {
                Some(client) => Ok(client.ask(command).await?),
                None => Err(Failure::trouble(
                    "the process that works with this state has just ended",
                    "Try again",
                )),
            },
        }
    }

    /// Brings what was asked for to its end. The process that works does so by itself: then there is nothing to tell.
    ///
    /// # Errors
    /// As [`Engine::sync`].
    pub(crate) async fn finish(&mut self) -> Result<Option<Summary>, Failure> {
        match self {
            Self::Own(engine) => Ok(Some(engine.sync().await?)),
            Self::Theirs(_) => Ok(None),
        }
    }

    /// Who goes on with it, as the beginning of a sentence.
    pub(crate) fn who_goes_on(&self) -> &'static str {
        match self {
            Self::Own(_) => "the next sync",
            Self::Theirs(_) => "the process that works",
        }
    }
}

/// An answer that is not one to what was asked for: nobody knows what was done.
pub(crate) fn misunderstood() -> Failure {
    Failure::trouble(
        "the process that works with this state answers something else than was asked for",
        "Look whether it was done, then try again",
    )
}

/// Where the engine is asked for something from here on, between two steps of its work.
pub(crate) fn listen(engine: &mut Engine) -> Asks {
    let (asks, requests) = tokio::sync::mpsc::channel(16);
    engine.listen(requests);
    asks
}

/// Where a backup is asked for in the place of the state.
pub(crate) type Restores = tokio::sync::mpsc::Sender<door::Restoring>;

/// Opens the door of the state for as long as the answer lives, so that people may act while the engine works.
/// A backup that is to take the state's place is asked for at `restores`; without that it is refused.
pub(crate) fn open_door(folder: &Path, asks: Asks, restores: Option<Restores>) -> Option<door::Server> {
    let opened = door::open(folder, asks, restores);
    opened
        .inspect_err(|error| {
            tracing::warn!(
                "no socket can be made in {} ({error}): people can look meanwhile, and act once this has ended",
                folder.display()
            );
        })
        .ok()
}
