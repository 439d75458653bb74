//! What is told while the work goes on: outages with their begin and end, holds, notices; and when something travelled.

use super::told;
use crate::beside;
use crate::log::Level;
use crate::screen::Screen;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tandem_api::alert::Trouble;
use tandem_engine::{Happening, Watcher};
use tokio::sync::Notify;

/// A trouble that lasts is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_secs(300);

/// The file beside the state in which a process at work says which systems are in trouble.
const FILE: &str = "outages.json";

/// A system in trouble.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outage {
    pub(crate) since: Timestamp,
    pub(crate) words: String,
}

/// Systems in trouble, by name.
type Outages = BTreeMap<String, Outage>;

/// Systems in trouble, and what was said of them: outlives a configuration, and a start where it is kept.
#[derive(Clone, Default)]
pub(crate) struct Troubles {
    outages: Arc<Mutex<Outages>>,
    folder: Option<PathBuf>,
}

/// Which systems are in trouble, as the process at work with a folder's state says.
pub(crate) fn outages(folder: &Path) -> Outages {
    let kept = beside::kept(folder, FILE);
    kept.unwrap_or_default().unwrap_or_default()
}

impl Troubles {
    /// Those of these systems that lasted when a process ended, kept in the state's folder from now on.
    pub(super) fn kept_in(folder: &Path, systems: &[String; 2]) -> Self {
        let mut known = outages(folder);
        known.retain(|system, _| systems.contains(system));
        Self {
            outages: Arc::new(Mutex::new(known)),
            folder: Some(folder.to_owned()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outages> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says beside the state how it stands now.
    fn keep(&self, outages: &Outages) {
        if let Some(folder) = &self.folder
            && let Err(error) = beside::keep(folder, FILE, outages)
        {
            tracing::warn!("{} cannot be written: {error}", folder.join(FILE).display());
        }
    }

    /// One sentence for each system.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let outages = self.lock();
        let lasting = outages.values();
        lasting
            .map(|it| format!("{} (since {:.0})", it.words, it.since))
            .collect()
    }

    /// Notes what a system is in trouble with, and keeps since when. Since when, where it was noted before.
    pub(super) fn note(&self, system: &str, words: &str, now: Timestamp) -> Option<Timestamp> {
        let mut outages = self.lock();
        let known = outages.get(system).cloned();
        let news = known.as_ref().is_none_or(|known| known.words != words);
        let since = known.map(|known| known.since);
        let outage = Outage {
            since: since.unwrap_or(now),
            words: words.to_owned(),
        };
        outages.insert(system.to_owned(), outage);
        if news {
            self.keep(&outages);
        }
        since
    }

    /// Notes that a system answers; since when it had not.
    pub(super) fn over(&self, system: &str) -> Option<Timestamp> {
        let mut outages = self.lock();
        let outage = outages.remove(system)?;
        self.keep(&outages);
        Some(outage.since)
    }

    /// For whoever is to be told.
    pub(crate) fn lasting(&self) -> Vec<Trouble> {
        let outages = self.lock();
        let trouble = |(system, outage): (&String, &Outage)| Trouble {
            system: system.clone(),
            words: outage.words.clone(),
            since: outage.since,
        };
        outages.iter().map(trouble).collect()
    }
}

/// Tells what goes on, and keeps in mind which systems are in trouble.
pub(crate) struct Live {
    screen: Screen,
    troubles: Troubles,
    /// Troubles that were told, and when.
    told: Mutex<BTreeMap<String, Instant>>,
    pub(super) news: Arc<News>,
}

/// What there is to tell.
#[derive(Default)]
pub(super) struct News {
    /// Somebody should look.
    pub(super) told: Notify,
    /// Something was decided since the last round that ended.
    decided: AtomicBool,
    /// A round ended in which something was decided: what waits now is not over in a moment.
    pub(super) rests: AtomicBool,
}

impl News {
    fn round_ended(&self) {
        if self.decided.swap(false, Ordering::AcqRel) {
            self.rests.store(true, Ordering::Release);
            self.told.notify_one();
        }
    }
}

impl Live {
    /// A live view, with the troubles that last already.
    pub(crate) fn new(screen: Screen, troubles: Troubles) -> Self {
        Self {
            screen,
            troubles,
            told: Mutex::default(),
            news: Arc::default(),
        }
    }

    /// The systems in trouble.
    #[cfg(any(feature = "lab", test))]
    pub(crate) fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// Whether a trouble was not told for a while: one that lasts is met by every round.
    fn is_news(&self, trouble: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < TOLD_AGAIN);
        let news = !told.contains_key(trouble);
        if news {
            told.insert(trouble.to_owned(), Instant::now());
        }
        news
    }

    fn trouble(&self, error: &tandem_connector::Error) {
        let (words, now) = (error.to_string(), Timestamp::now());
        let known = self.troubles.note(&error.system, &words, now);
        if !self.is_news(&words) {
            return;
        }
        self.screen.json(&told::outage(error, known, now));
        let lasts = known.map(|since| format!(" It has lasted {} so far.", told::how_long(since, now)));
        self.screen
            .log(Level::Wrong, format!("{words}{}", lasts.unwrap_or_default()));
    }

    /// A trouble is over once its system answers.
    fn answers(&self, system: &str) {
        let Some(since) = self.troubles.over(system) else {
            return;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|trouble, _| !trouble.starts_with(&format!("{system}:")));
        drop(told);
        let now = Timestamp::now();
        self.screen.json(&told::over(system, since, now));
        let lasted = told::how_long(since, now);
        self.screen
            .log(Level::Fine, format!("{system}: answers again after {lasted}"));
    }

    fn tell(&self, level: Level, words: impl Display, event: &serde_json::Value) {
        self.screen.json(event);
        self.screen.log(level, words);
    }
}

impl Watcher for Live {
    fn happened(&self, what: &Happening<'_>) {
        let now = Timestamp::now();
        match what {
            Happening::Decided { .. } => self.news.told.notify_one(),
            Happening::Reconciled { .. } => self.news.decided.store(true, Ordering::Release),
            Happening::RoundEnded { .. } => self.news.round_ended(),
            Happening::Sight { notice } => self.tell(Level::Warn, notice, &told::notice(notice, now)),
            Happening::Held { hold } => self.tell(Level::Waits, hold, &told::held(hold, now)),
            Happening::Stranger { stranger } => {
                self.tell(Level::Warn, stranger, &told::stranger(stranger, now));
            }
            Happening::Trouble { error } => self.trouble(error),
            Happening::Answers { system } => self.answers(system),
            _ => {}
        }
    }
}

/// So many seconds of which a person reads the whole ones.
pub(super) fn whole_seconds(since: Timestamp, now: Timestamp) -> SignedDuration {
    SignedDuration::from_secs(now.duration_since(since).as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;
    use tandem_connector::{Error, ErrorKind, Scope};

    #[test]
    fn an_outage_lasts_until_its_system_answers_whatever_rounds_begin_meanwhile() {
        let arguments = Arguments::parse_from(["tandem", "--quiet", "run"]);
        let live = Live::new(Screen::new(&arguments.common), Troubles::default());
        let error = Error {
            system: "salesforce".to_owned(),
            kind: ErrorKind::Down,
            message: "nobody answers".to_owned(),
            advice: "Look whether it is there".to_owned(),
            retry_at: None,
            scope: Scope::System,
        };
        live.happened(&Happening::Trouble { error: &error });
        let since = live.troubles().lasting()[0].since;
        for what in [
            Happening::RoundBegan { round: 2 },
            Happening::Answers { system: "customerp" },
            Happening::Trouble { error: &error },
        ] {
            live.happened(&what);
            let lasting = live.troubles().lasting();
            assert_eq!((lasting.len(), lasting[0].since), (1, since));
        }
        assert!(live.troubles().sentences()[0].starts_with("salesforce: nobody answers"));
        live.happened(&Happening::Answers { system: "salesforce" });
        assert!(live.troubles().lasting().is_empty());
    }
}
