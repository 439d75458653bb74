//! What takes an hour, by a clock that jumps.

use super::time::pause;
use super::world::World;
use tandem_connector::{Change, Outcome};
use tandem_merge::cluster::ParkedKind;
use tandem_merge::record::{RecordKey, RecordType, Values};
use tandem_merge::value::Value;

/// Customers that nothing refers to.
const CUSTOMERS: u64 = 300;
/// What the guard of the shipped flow lets go in a day.
const GUARD: usize = 10;

/// Divisions that are out of use, and all of them.
async fn divisions(world: &World) -> (usize, usize) {
    let division = RecordType::new("salesforce", "Division");
    let all = world.people.records(&division).await.unwrap();
    let idle = all
        .iter()
        .filter(|row| row.values.get("IsActive") == Some(&Value::Boolean(false)));
    (idle.count(), all.len())
}

#[test]
fn r7_four_deletions_a_minute_for_an_hour_are_held() {
    super::in_simulated_time(async {
        let mut world = World::new(2, false).await;
        world.lines.calm();
        let customer = RecordType::new("customerp", "Customer");
        let mut ids = Vec::new();
        for at in 0..CUSTOMERS {
            let made = Change::Create {
                record_type: customer.clone(),
                values: Values::from([("name".to_owned(), Value::text(format!("Guarded {at:03}")))]),
            };
            match world.people.write(&customer, made).await {
                Outcome::Applied { id, .. } => ids.push(RecordKey::new("customerp", "Customer", &id)),
                other => panic!("{other:?}"),
            }
        }
        let mut engine = world.begin().await.unwrap();
        engine.sync().await.unwrap();
        let (idle, all) = divisions(&world).await;
        assert!(idle == 0 && all >= ids.len(), "{idle} of {all}");
        // WHEN four customers are deleted every minute, for an hour
        for four in ids[..240].chunks(4) {
            for record in four {
                let (record, only_if) = (record.clone(), None);
                let gone = world
                    .people
                    .write(&customer, Change::Delete { record, only_if })
                    .await;
                assert!(matches!(gone, Outcome::Applied { .. }), "{gone:?}");
            }
            pause(60_000).await;
            engine.sync().await.unwrap();
        }
        // THEN no more of them go on than the guard lets go in a day, and all others wait for approval
        let (idle, still) = divisions(&world).await;
        assert!(idle <= GUARD && still == all, "{idle} of {still}");
        let items = engine.store().items(0, 1_000).unwrap();
        let waiting = items
            .iter()
            .filter(|item| item.kind == Some(ParkedKind::Approval));
        assert_eq!(idle + waiting.count(), 240);
    });
}
