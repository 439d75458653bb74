//! Companions in doubt: no flow shows what becomes of them. A refusal that names one gives reason to look, and one that
//! was deleted or merged away is looked for again, never taken for granted.

use crate::apart::look;
use crate::{Engine, Error, Round};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_connector::{Refusal, RefusalKind};
use tandem_ledger::Decided;
use tandem_merge::cluster::{Action, Companion, Intent};
use tandem_merge::dataflow::CompanionKey;
use tandem_merge::reconcile::{leans_on, reconcile};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType};

/// Companions by their type and id, with whose they are.
type Doubted = BTreeMap<RecordType, BTreeMap<String, BTreeSet<CompanionKey>>>;

impl Engine {
    /// Looks after the companions that refusals are about.
    pub(crate) async fn doubt_companions(
        &mut self,
        index: usize,
        refused: &[(Intent, Refusal)],
        round: &mut Round,
    ) -> Result<(), Error> {
        let mut doubted = Doubted::new();
        for (intent, refusal) in refused {
            self.collect_doubted(intent, refusal, &mut doubted)?;
        }
        let system = Arc::clone(&self.systems[index]);
        for (of, companions) in doubted {
            let ids: Vec<String> = companions.keys().cloned().collect();
            // What cannot be read stays in doubt.
            let mut looked = look(system.as_ref(), &[(of, ids)], &BTreeSet::new()).await;
            self.take_described(index, looked.described, [looked.rows.as_mut_slice()])?;
            if let Some(error) = looked.trouble {
                self.trouble(round, error);
                continue;
            }
            for row in looked.rows.iter().filter(|row| row.presence != Presence::Alive) {
                for key in companions.get(&row.key.id).into_iter().flatten() {
                    self.lose_companion(key, row, round)?;
                }
            }
        }
        Ok(())
    }

    /// The companions whose ids a refused write carries where the refusal names them, or a reference that it does not
    /// name.
    fn collect_doubted(
        &mut self,
        intent: &Intent,
        refusal: &Refusal,
        doubted: &mut Doubted,
    ) -> Result<(), Error> {
        let unnamed = refusal.properties.is_empty() && refusal.kind == RefusalKind::BadReference;
        if self.flows.flows.iter().all(|flow| flow.companions.is_empty()) {
            return Ok(());
        }
        let Some(cluster) = self.store.cluster(&self.flows, owner(intent))? else {
            return Ok(());
        };
        for (property, key) in leans_on(&self.flows, &cluster, intent) {
            let id = intent
                .values
                .get(&property)
                .and_then(|planned| planned.value.as_text());
            let rules = self.flows.flows.iter().flat_map(|flow| &flow.companions);
            let rule = rules.into_iter().find(|rule| rule.role == key.role);
            if let (Some(id), Some(rule)) = (id, rule)
                && (unnamed || refusal.properties.contains(&property))
            {
                let ids = doubted.entry(rule.record_type.clone()).or_default();
                ids.entry(id.to_owned()).or_default().insert(key);
            }
        }
        Ok(())
    }

    /// A companion is not there any more: what it was merged into takes its place, else it is looked for again.
    fn lose_companion(
        &mut self,
        key: &CompanionKey,
        row: &Observation,
        round: &mut Round,
    ) -> Result<(), Error> {
        let records = std::slice::from_ref(&key.owner);
        let taken = self.store.take_records(&self.flows, records, self.clock.now())?;
        let Some(mut dirty) = taken.into_iter().next() else {
            return Ok(());
        };
        let owner = dirty.cluster.records.get_mut(&key.owner);
        let known = owner.and_then(|owner| owner.companions.get_mut(&key.role));
        let Some(known) = known.filter(|known| known.id.as_ref() == Some(&row.key.id)) else {
            return Ok(());
        };
        tracing::warn!(role = key.role, owner = %key.owner, "the {} of {} is not there any more", key.role, key.owner);
        *known = Companion {
            id: row.merged_into.clone(),
            lost: row.merged_into.is_none().then(|| row.key.id.clone()),
            ..Companion::default()
        };
        let plan = reconcile(&self.flows, dirty.cluster, dirty.inbox, &dirty.facts);
        let decided = Decided {
            plan,
            token: dirty.token,
        };
        self.commit(vec![decided], round)?;
        Ok(())
    }
}

/// The record whose cluster holds a write.
fn owner(intent: &Intent) -> &RecordKey {
    match &intent.action {
        Action::Create { source, .. } => source,
        Action::Companion { key, .. } => &key.owner,
        Action::Update { record } | Action::Delete { record } => record,
    }
}
