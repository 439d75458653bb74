//! What becomes of the counterpart when a linked record is deleted, as the policy of the flow says.

use super::checklist::{About, Mismatch, Trial, capital};
use super::levels;
use super::script::{self, Part};
use super::stage::Stage;
use crate::failure::Failure;
use std::collections::BTreeSet;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::dataflow::{DeletePolicy, Side};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// Rounds of approval after a batch of deletions: a counterpart's own deletion may ask again.
const MOST_APPROVALS: usize = 4;

/// A deletion that is tried: a player of a flow, and the side that goes.
#[derive(Clone, Debug)]
struct Deletion {
    flow: usize,
    part: Part,
    gone: Side,
    policy: DeletePolicy,
    record: RecordKey,
    other: RecordKey,
}

/// What people are told about a policy.
pub(crate) fn worded(policy: DeletePolicy) -> &'static str {
    match policy {
        DeletePolicy::Propagate => "its counterpart is deleted too",
        DeletePolicy::Deactivate => "its counterpart is put out of use",
        DeletePolicy::Unlink => "the link ends, its counterpart stays",
        DeletePolicy::Recreate => "it is created again",
        DeletePolicy::Ask => "a person is asked, then its counterpart is deleted too",
        DeletePolicy::AskThenDeactivate => "a person is asked, then its counterpart is put out of use",
    }
}

impl Stage {
    /// Tries the deletions, children before parents, and deletes what is left of each type.
    pub(crate) async fn deletions(&mut self) -> Result<(), Failure> {
        self.let_go_of_others().await?;
        for level in levels::levels(&self.promised) {
            let planned = self.planned(&level);
            self.carry_out(planned).await?;
            self.strike(&level).await?;
        }
        Ok(())
    }

    fn planned(&mut self, level: &BTreeSet<String>) -> Vec<Deletion> {
        let mut planned = Vec::new();
        for of in level {
            let flows: Vec<usize> = (0..self.promised.len())
                .filter(|at| &self.promised[*at].types[0] == of && self.promised[*at].name.is_some())
                .collect();
            for (place, at) in flows.iter().enumerate() {
                if let Some(why) = self.not_deletable(*at) {
                    for side in Side::BOTH {
                        self.list.about(About::Deletion(*at, side)).cannot(why.clone());
                    }
                    continue;
                }
                let letters: Vec<char> = script::letters(flows.len() + 1).collect();
                planned.extend(self.deletion(*at, of, 'A', Side::First));
                planned.extend(self.deletion(*at, of, letters[place + 1], Side::Second));
            }
        }
        planned
    }

    fn not_deletable(&self, at: usize) -> Option<String> {
        let of = &self.promised[at].types[0];
        let system = capital(self.people.name(Side::Second));
        let mut flows = self
            .promised
            .iter()
            .filter(|flow| &flow.types[0] == of && flow.name.is_some());
        let stays = flows.find(|flow| !self.people.deletable(Side::Second, &flow.types[1]))?;
        Some(format!(
            "no {system} {} can be deleted, so these records are kept for the next run",
            stays.object
        ))
    }

    fn deletion(&mut self, flow: usize, of: &str, letter: char, gone: Side) -> Option<Deletion> {
        let part = Part {
            of: of.to_owned(),
            letter,
        };
        let policy = self.flow(flow)?.end(gone).on_delete;
        let record = self.key(&part, gone, flow);
        let other = self.key(&part, gone.other(), flow);
        let (Some(record), Some(other)) = (record, other) else {
            let evidence = self.list.about(About::Deletion(flow, gone));
            evidence.cannot("it has no counterpart");
            return None;
        };
        Some(Deletion {
            flow,
            part,
            gone,
            policy,
            record,
            other,
        })
    }

    async fn carry_out(&mut self, planned: Vec<Deletion>) -> Result<(), Failure> {
        let mut records: Vec<RecordKey> = planned.iter().map(|deletion| deletion.record.clone()).collect();
        records.sort();
        records.dedup();
        let answers = self.people.delete(records.clone()).await?;
        let mut gone = BTreeSet::new();
        for (record, answer) in records.into_iter().zip(answers) {
            match answer {
                Ok(_) => {
                    gone.insert(record);
                }
                Err(why) => self.refused_deletion(&planned, &record, &why),
            }
        }
        let tried: Vec<Deletion> = planned
            .into_iter()
            .filter(|it| gone.contains(&it.record))
            .collect();
        if tried.is_empty() {
            return Ok(());
        }
        self.sync().await?;
        let mut silent = Vec::new();
        for deletion in tried {
            if self.is_asked(&deletion) {
                silent.push(deletion);
            }
        }
        for _ in 0..MOST_APPROVALS {
            if self.approve()? == 0 {
                break;
            }
            self.sync().await?;
        }
        for deletion in silent {
            self.look_at_outcome(&deletion)?;
        }
        Ok(())
    }

    fn refused_deletion(&mut self, planned: &[Deletion], record: &RecordKey, why: &str) {
        for deletion in planned.iter().filter(|deletion| &deletion.record == record) {
            let evidence = self.list.about(About::Deletion(deletion.flow, deletion.gone));
            evidence.cannot(format!(
                "{} refuses it: {why}",
                capital(&record.record_type.system)
            ));
        }
    }

    /// Before any approval: under *ask* something waits and the counterpart stands. Returns whether to look on.
    fn is_asked(&mut self, deletion: &Deletion) -> bool {
        if !matches!(
            deletion.policy,
            DeletePolicy::Ask | DeletePolicy::AskThenDeactivate
        ) {
            return true;
        }
        let alive = self.shown.contains_key(&deletion.other);
        let waits = self.items.iter().any(|item| {
            item.record == deletion.other
                && matches!(item.kind, Some(ParkedKind::Approval | ParkedKind::DeleteConflict))
        });
        if alive && waits {
            return true;
        }
        let seen = if alive {
            "nobody is asked"
        } else {
            "it was deleted unasked"
        };
        self.fails(
            deletion,
            "a question to a person, and nothing done before its answer",
            seen,
        );
        false
    }

    fn fails(&mut self, deletion: &Deletion, expected: &str, seen: &str) {
        let said = self.items.iter().find(|item| item.record == deletion.other);
        let because = said.map(|item| item.reason.clone());
        let mismatch = Mismatch {
            done: format!("deleted {}", deletion.record),
            expected: expected.to_owned(),
            seen: seen.to_owned(),
            because,
        };
        let about = About::Deletion(deletion.flow, deletion.gone);
        self.list.about(about).fails(mismatch);
    }

    fn look_at_outcome(&mut self, deletion: &Deletion) -> Result<(), Failure> {
        let links = self.links()?;
        let name = self.promised[deletion.flow].name.clone().unwrap_or_default();
        let first = self
            .cast
            .players
            .get(&deletion.part)
            .map(|player| player.first.clone());
        let linked = first.is_some_and(|first| links.contains_key(&(name, first)));
        let counterpart = self.shown.get(&deletion.other);
        let alive = counterpart.is_some();
        let end = self
            .flow(deletion.flow)
            .map(|flow| flow.end(deletion.gone.other()));
        let out_of_use = end
            .and_then(|end| end.deactivate.clone())
            .is_none_or(|(property, value)| {
                counterpart.is_some_and(|row| row.values.get(&property).unwrap_or(&Value::Blank) == &value)
            });
        let (holds, expected) = match deletion.policy {
            DeletePolicy::Propagate | DeletePolicy::Ask => (!alive, "its counterpart deleted"),
            DeletePolicy::Deactivate | DeletePolicy::AskThenDeactivate => (
                alive && out_of_use && !linked,
                "its counterpart out of use, the link ended",
            ),
            DeletePolicy::Unlink => (alive && !linked, "the link ended, its counterpart as it was"),
            DeletePolicy::Recreate => (alive && !linked, "it is created again"),
        };
        let seen = match (alive, linked) {
            (true, true) => "its counterpart is there, still linked",
            (true, false) => "its counterpart is there, not linked",
            (false, _) => "its counterpart is gone",
        };
        if holds {
            let about = About::Deletion(deletion.flow, deletion.gone);
            self.list.about(about).holds(Trial::ByItsCause);
        } else {
            self.fails(deletion, expected, seen);
        }
        Ok(())
    }
}
