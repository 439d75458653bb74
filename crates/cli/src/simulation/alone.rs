//! What one person typed and nobody else typed into any property that stands for the same: it must stand where it was
//! typed. A value that flips back, because our own write was seen late or an old state was taken for an edit, shows here (E6).

use super::people::{Typed, is_shared, plain};
use std::collections::{BTreeMap, BTreeSet};
use tandem_engine::Engine;
use tandem_merge::dataflow::Side;
use tandem_merge::record::{Observation, RecordKey};

/// A property of a record.
type Place = (RecordKey, String);

/// What is wrong.
pub(super) fn check(
    engine: &mut Engine,
    typed: &[Typed],
    rows: &BTreeMap<RecordKey, Observation>,
) -> Vec<String> {
    let same = same(engine);
    let mut wrong = Vec::new();
    for (at, one) in typed.iter().enumerate() {
        let place = (one.record.clone(), one.property.clone());
        let component = reach(&same, &place);
        let touched = |other: &&Typed| component.contains(&(other.record.clone(), other.property.clone()));
        let Some(row) = rows.get(&one.record) else {
            continue;
        };
        if typed.iter().filter(touched).count() > 1 {
            continue;
        }
        let shown = row.values.get(&one.property).map(plain).unwrap_or_default();
        // A later text may have come from a counterpart of that time.
        let later = typed[at..].iter().any(|other| other.text == shown);
        if !later {
            wrong.push(format!(
                "E6: only {:?} was ever typed into {} of {}, which shows {shown:?}",
                one.text, one.property, one.record
            ));
        }
    }
    wrong
}

/// Which properties stand for the same, by the links.
fn same(engine: &mut Engine) -> BTreeMap<Place, Vec<Place>> {
    let flows = engine.flows().clone();
    let mut same: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
    for link in engine.store().links(None, 0, 100_000).unwrap() {
        let flow = flows.flow(&link.flow).unwrap();
        for mapping in flow.mappings.iter().filter(|mapping| is_shared(flow, mapping)) {
            let place = |key: &RecordKey, side| (key.clone(), mapping.property(side).to_owned());
            let (first, second) = (place(&link.first, Side::First), place(&link.second, Side::Second));
            same.entry(first.clone()).or_default().push(second.clone());
            same.entry(second).or_default().push(first);
        }
    }
    same
}

/// All that can be reached from a place, itself included.
fn reach(same: &BTreeMap<Place, Vec<Place>>, from: &Place) -> BTreeSet<Place> {
    let mut found = BTreeSet::from([from.clone()]);
    let mut left = vec![from.clone()];
    while let Some(place) = left.pop() {
        for other in same.get(&place).into_iter().flatten() {
            if found.insert(other.clone()) {
                left.push(other.clone());
            }
        }
    }
    found
}
