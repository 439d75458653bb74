//! Objects that were empty when somebody looked: as long as they hold what we created since and nothing else, a search
//! finds nothing. That is asked by counting, in one call, however many values are looked for.

use super::bulk::query;
use super::{Salesforce, soql};
use crate::{Change, Error, Outcome, Write};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For so long a count serves the other searches of the same moment.
const MOMENT: Duration = Duration::from_secs(1);

/// What is known of objects that were empty.
#[derive(Default)]
pub(super) struct Absence(Mutex<BTreeMap<String, Ours>>);

/// An object that was empty.
struct Ours {
    /// Rows that we created since.
    made: u64,
    /// When it was counted last.
    counted: Instant,
}

impl Absence {
    /// We created so many rows of an object.
    pub(super) fn made(&self, object: &str, rows: u64) {
        if let Some(ours) = self.lock().get_mut(object) {
            ours.made += rows;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Ours>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a count: of all rows, and of those that somebody else created.
    fn learn(&self, object: &str, rows: u64, foreign: Option<u64>) -> bool {
        let mut known = self.lock();
        let counted = Instant::now();
        let made = match known.get(object) {
            // Rows of ours that went may hide others that came.
            Some(ours) if rows == ours.made && foreign == Some(0) => rows,
            _ if rows == 0 => 0,
            _ => {
                known.remove(object);
                return false;
            }
        };
        known.insert(object.to_owned(), Ours { made, counted });
        true
    }

    fn just_counted(&self, object: &str) -> bool {
        let known = self.lock();
        known
            .get(object)
            .is_some_and(|ours| ours.made == 0 && ours.counted.elapsed() < MOMENT)
    }

    fn is_known(&self, object: &str) -> bool {
        self.lock().contains_key(object)
    }
}

/// Counts the rows that a batch created.
pub(super) async fn count_made(org: &Salesforce, batch: &[Write], outcomes: &[Outcome]) {
    let mut made: BTreeMap<&str, u64> = BTreeMap::new();
    for (write, outcome) in batch.iter().zip(outcomes) {
        if let (Change::Create { record_type, .. }, Outcome::Applied { .. }) = (&write.change, outcome) {
            *made.entry(&record_type.name).or_default() += 1;
        }
    }
    for (name, rows) in made {
        // Whoever could write it has described it.
        if let Ok(object) = org.object(name).await {
            org.absence.made(&object.schema.object, rows);
        }
    }
}

/// How many rows an object has; none where the org does not say. Zero where there are only rows that we created since
/// it was empty.
pub(super) async fn rows_of_others(org: &Salesforce, object: &str) -> Result<Option<u64>, Error> {
    if org.absence.just_counted(object) {
        return Ok(Some(0));
    }
    let mut asked = vec![(object.to_owned(), false)];
    if org.absence.is_known(object) {
        let me = soql::quoted(&org.session.token(None).await?.user);
        asked.push((format!("{object} WHERE CreatedById != {me}"), false));
    }
    let counts = query::counts(org, &asked).await?;
    let Some(rows) = counts.first().copied().flatten() else {
        return Ok(None);
    };
    let foreign = counts.get(1).copied().flatten();
    let ours = org.absence.learn(object, rows, foreign);
    Ok(Some(if ours { 0 } else { rows }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_only_what_we_made_since_it_was_empty_need_not_be_searched() {
        let absence = Absence::default();
        assert!(!absence.learn("Order", 5, None), "it was never empty");
        assert!(absence.learn("Order", 0, None));
        assert!(absence.just_counted("Order"));
        absence.made("Order", 2);
        assert!(!absence.just_counted("Order"));
        assert!(absence.learn("Order", 2, Some(0)));
        // Somebody else created one.
        assert!(!absence.learn("Order", 3, Some(1)));
        assert!(!absence.is_known("Order"));
    }

    #[test]
    fn l3_a_row_of_ours_that_went_may_hide_one_that_came() {
        let absence = Absence::default();
        assert!(absence.learn("Order", 0, None));
        absence.made("Order", 2);
        // With the same user, by another tool.
        assert!(!absence.learn("Order", 1, Some(0)));
        assert!(absence.learn("Order", 0, None));
        absence.made("Order", 2);
        assert!(
            !absence.learn("Order", 2, None),
            "the org does not say whose they are"
        );
    }
}
