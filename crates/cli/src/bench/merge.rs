//! `tandem bench merge`: decisions a second on one core, about a contact and its counterpart, by the flows as they ship.

use super::stage::Stage;
use super::{Measured, conclude};
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, thousands};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_engine::{Engine, Quiet};
use tandem_lab::salesforce;
use tandem_ledger::{Dirty, Home};
use tandem_merge::dataflow::{Dataflow, Direction, Kind, Side};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, RecordKey, Version};
use tandem_merge::value::Value;

/// The flow of the cluster.
const FLOW: &str = "contact-contact";
/// What a decision may take where nothing has changed, in nanoseconds: a million a second.
const UNCHANGED: u64 = 1_000;
/// The same where one property has: 300,000 a second.
const CHANGED: u64 = 3_333;
/// Decisions between two looks at the clock.
const TURNS: u64 = 100;

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
The cluster comes from a first sync of both local systems. Beside it stands what writing its records as JSON takes, in
the same run.

Examples:
  tandem bench merge
  tandem bench merge --seconds 10 --json")]
pub(super) struct Merge {
    /// For how many seconds each is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

impl Merge {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let stage = Stage::set_up(10, salesforce::Options::default(), screen).await?;
        let (flows, key, dirty) = linked_contact(&stage).await?;
        let (unchanged, changed) = observations(&flows, &key, &dirty)?;
        let decide = |seen: &Observation| {
            black_box(reconcile(
                &flows,
                dirty.cluster.clone(),
                vec![seen.clone()],
                &dirty.facts,
            ));
        };
        let as_json = self.each(|| {
            for record in dirty.cluster.records.values() {
                black_box(serde_json::to_string(record).unwrap_or_default());
            }
        });
        let costs = [self.each(|| decide(&unchanged)), self.each(|| decide(&changed))];
        let measured = [
            Measured::new("a decision without a change, ns", costs[0], UNCHANGED),
            Measured::new("a decision about one changed property, ns", costs[1], CHANGED),
        ];
        screen.say(format!(
            "{} and {} decisions a second; writing the same records as JSON: {}.",
            thousands(a_second(costs[0])),
            thousands(a_second(costs[1])),
            thousands(a_second(as_json)),
        ));
        let more = json!({
            "decisions_a_second": costs.map(a_second),
            "json_ns": as_json,
            "times_json_percent": costs.map(|cost| cost * 100 / as_json.max(1)),
        });
        stage.customerp.shutdown().await;
        stage.salesforce.shutdown().await;
        Ok(conclude(screen, &measured, more))
    }

    /// What one turn of a piece of work takes, in nanoseconds.
    fn each(&self, mut work: impl FnMut()) -> u64 {
        work();
        let (began, lasts) = (Instant::now(), Duration::from_secs(self.seconds));
        let mut turns = 0;
        while began.elapsed() < lasts {
            (0..TURNS).for_each(|_| work());
            turns += TURNS;
        }
        u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX) / turns
    }
}

fn a_second(nanoseconds: u64) -> u64 {
    1_000_000_000 / nanoseconds.max(1)
}

/// A contact with its counterpart after a first sync, as it is taken to be decided.
pub(super) async fn linked_contact(stage: &Stage) -> Result<(Dataflow, RecordKey, Dirty), Failure> {
    let configuration = &stage.configuration;
    let store = loading::state(
        &Home::Folder(stage.folder.path().join("state")),
        &loading::keys(configuration)?,
    )?;
    let parts = loading::parts(configuration, Box::new(store), Arc::new(Quiet), None).await?;
    let mut engine = Engine::open(parts).await?;
    if let Some(trouble) = engine.sync().await?.troubles.into_iter().next() {
        return Err(trouble.into());
    }
    let flows = engine.flows().clone();
    let link = engine.store().links(Some(FLOW), 0, 1)?.into_iter().next();
    let key = link.map(|link| link.first).ok_or_else(nothing)?;
    let taken = engine
        .store()
        .take_records(&flows, std::slice::from_ref(&key), Timestamp::now())?;
    let dirty = taken.into_iter().next().ok_or_else(nothing)?;
    Ok((flows, key, dirty))
}

/// A later look at the contact of the ERP: as it is known, and with another text.
fn observations(
    flows: &Dataflow,
    key: &RecordKey,
    dirty: &Dirty,
) -> Result<(Observation, Observation), Failure> {
    let shadow = &dirty.cluster.records.get(key).ok_or_else(nothing)?.shadow;
    let mappings = flows.flow(FLOW).into_iter().flat_map(|flow| &flow.mappings);
    let mut free =
        mappings.filter(|mapping| mapping.kind == Kind::String && mapping.direction == Direction::Both);
    let property = free
        .next()
        .map(|mapping| mapping.property(Side::First).to_owned());
    let unchanged = Observation {
        read_began: dirty.facts.now,
        ..shadow.clone().into_observation(key.clone())
    };
    let mut changed = unchanged.clone();
    changed
        .values
        .insert(property.ok_or_else(nothing)?, Value::text("Another one"));
    changed.version = changed.version.map(|version| Version {
        token: format!("{} and one", version.token),
        order: version.order.map(|order| order + 1),
        modified: version.modified + SignedDuration::from_secs(60),
        firm: true,
        coarse: jiff::SignedDuration::ZERO,
    });
    Ok((unchanged, changed))
}

fn nothing() -> Failure {
    Failure::trouble(
        format!("the flow {FLOW} links nothing that could be decided"),
        "Run `tandem demo` to see whether the flows are well",
    )
}
