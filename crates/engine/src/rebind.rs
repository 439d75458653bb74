//! The state goes over to another system of the same kind: what it would mean, and the step itself.

use crate::apart;
use crate::{Error, Parts, notes};
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::{Connector, Identification};
use tandem_ledger::{Rebinding, Rebound, Store};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::{Presence, RecordKey, RecordType};

/// Links and companions read at once.
const PAGE: usize = 1_000;

/// What going over to another system means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The system's name.
    pub system: String,
    /// Whom the state belongs to; only the id is known of old states.
    pub from: Identification,
    /// Who answers now.
    pub to: Identification,
    /// Links per flow: those whose records are found by their ids, and those that are matched again.
    pub links: BTreeMap<String, [u64; 2]>,
    rebinding: Rebinding,
}

impl Move {
    /// Links found, and links to be matched again.
    #[must_use]
    pub fn totals(&self) -> [u64; 2] {
        let each = self.links.values();
        each.fold([0, 0], |[kept, dropped], [k, d]| [kept + k, dropped + d])
    }
}

fn note(system: &str) -> String {
    format!("identity:{system}")
}

/// Whom a state belongs to, by system; nothing before the first sync.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn bound_to(store: &mut dyn Store, system: &str) -> Result<Option<Identification>, tandem_ledger::Error> {
    notes::kept(store, &note(system))
}

/// Binds a state to its systems, remembering them by name and kind, or refuses others (E15).
pub(crate) fn bind(store: &mut dyn Store, who: &BTreeMap<String, Identification>) -> Result<(), Error> {
    for (system, found) in who {
        if let Some(known) = bound_to(store, system)?
            && known.id != found.id
        {
            return Err(Error::command(
                format!(
                    "this state belongs to {system} {}, but {system} now answers as {}",
                    shown(&known),
                    shown(found)
                ),
                "Correct the address or the secrets, use another state folder, or look with `tandem rebind` what going over would mean",
            ));
        }
    }
    let ids = who
        .iter()
        .map(|(system, found)| (system.clone(), found.id.clone()));
    store.bind(&ids.collect())?;
    who.iter()
        .try_for_each(|(system, found)| remember(store, system, found))
}

fn remember(store: &mut dyn Store, system: &str, who: &Identification) -> Result<(), Error> {
    Ok(notes::keep(store, &note(system), who)?)
}

/// `Acme (00D..., sandbox, CS42)`.
fn shown(who: &Identification) -> String {
    let kind = who
        .sandbox
        .map(|sandbox| if sandbox { "sandbox" } else { "production" });
    let parts = [Some(who.id.as_str()), kind, who.instance.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    format!("{} ({})", who.name, parts.join(", "))
}

/// The systems that answer as others than the state belongs to, and the one that is to be compared `again` though it
/// is the same, with what going over to them means. Nothing is changed.
///
/// # Errors
/// [`Error::System`] when a system is down or refuses us, [`Error::Store`].
pub async fn moves(parts: &mut Parts, again: Option<&str>) -> Result<Vec<Move>, Error> {
    let mut found = Vec::new();
    for system in parts.systems.clone() {
        let to = system.identify().await?;
        let known = bound_to(parts.store.as_mut(), system.system())?;
        let anew = again == Some(system.system());
        let Some(from) = known.filter(|known| anew || known.id != to.id) else {
            continue;
        };
        found.push(look(parts, system.as_ref(), from, to).await?);
    }
    Ok(found)
}

async fn look(
    parts: &mut Parts,
    system: &dyn Connector,
    from: Identification,
    to: Identification,
) -> Result<Move, Error> {
    let name = system.system().to_owned();
    let mut links: Vec<(String, RecordKey)> = Vec::new();
    let mut after = 0;
    loop {
        let rows = parts.store.links(None, after, PAGE)?;
        let Some(last) = rows.last() else { break };
        after = last.number;
        links.extend(rows.into_iter().map(|row| {
            let end = if row.first.record_type.system == name {
                row.first
            } else {
                row.second
            };
            (row.flow, end)
        }));
    }
    let mut wanted: BTreeMap<RecordType, BTreeSet<String>> = BTreeMap::new();
    for (_, key) in &links {
        wanted
            .entry(key.record_type.clone())
            .or_default()
            .insert(key.id.clone());
    }
    let mut gone = BTreeSet::new();
    for (record_type, ids) in &wanted {
        for id in absent(system, record_type, ids).await? {
            gone.insert(RecordKey {
                record_type: record_type.clone(),
                id,
            });
        }
    }
    let mut counts: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (flow, key) in &links {
        counts.entry(flow.clone()).or_default()[usize::from(gone.contains(key))] += 1;
    }
    let gone_companions = companions(&parts.flows, parts.store.as_mut(), system).await?;
    Ok(Move {
        rebinding: Rebinding {
            system: name.clone(),
            identity: to.id.clone(),
            gone,
            gone_companions,
        },
        system: name,
        from,
        to,
        links: counts,
    })
}

/// The companions in that system that are not there.
async fn companions(
    flows: &Dataflow,
    store: &mut dyn Store,
    system: &dyn Connector,
) -> Result<BTreeSet<(String, String)>, Error> {
    let rules = flows.flows.iter().flat_map(|flow| &flow.companions);
    let rules = rules.filter(|rule| rule.record_type.system == system.system());
    let roles: BTreeMap<&str, &RecordType> = rules
        .map(|rule| (rule.role.as_str(), &rule.record_type))
        .collect();
    let mut gone = BTreeSet::new();
    for (role, record_type) in roles {
        let mut after = String::new();
        loop {
            let rows = store.companions(role, &after, PAGE)?;
            let Some((_, last)) = rows.last() else { break };
            after.clone_from(last);
            let ids: BTreeSet<String> = rows.into_iter().map(|(_, id)| id).collect();
            let absent = absent(system, record_type, &ids).await?;
            gone.extend(absent.into_iter().map(|id| (role.to_owned(), id)));
        }
    }
    Ok(gone)
}

async fn absent(
    system: &dyn Connector,
    record_type: &RecordType,
    ids: &BTreeSet<String>,
) -> Result<Vec<String>, Error> {
    let ids: Vec<String> = ids.iter().cloned().collect();
    // What cannot be read is not known to be absent.
    let looked = apart::look(system, &[(record_type.clone(), ids)], &BTreeSet::new()).await;
    if let Some(error) = looked.trouble {
        return Err(error.into());
    }
    let absent = looked
        .rows
        .into_iter()
        .filter(|row| row.presence != Presence::Alive);
    Ok(absent.map(|row| row.key.id).collect())
}

/// Goes over. The next sync lists, matches and compares everything anew.
///
/// # Errors
/// [`Error::Store`].
pub fn rebind(parts: &mut Parts, to: &Move) -> Result<Rebound, Error> {
    let done = parts.store.rebind(&parts.flows, &to.rebinding)?;
    remember(parts.store.as_mut(), &to.system, &to.to)?;
    // The other one's descriptions and calls are not this one's.
    for name in ["sight", "budget", "witnesses", "believed"] {
        notes::drop(parts.store.as_mut(), &format!("{name}:{}", to.system))?;
    }
    crate::holds::forget(parts.store.as_mut(), &to.system)?;
    tracing::info!("{} is {} from now on", to.system, shown(&to.to));
    Ok(done)
}
