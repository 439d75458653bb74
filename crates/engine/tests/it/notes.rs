//! What is kept beside the records fails closed.

use crate::flows::{CRM, ERP};
use crate::world::World;
use tandem_engine::{Engine, Error};
use tandem_ledger::{Ledger, Store};

/// Opens and syncs. What went wrong, in words.
async fn trouble(world: &World) -> String {
    let synced: Result<_, Error> = async { Engine::open(world.parts()).await?.sync().await }.await;
    synced.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn e19_what_is_kept_and_cannot_be_read_stops_the_work() {
    // GIVEN records in step, and an edit of one
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    world.erp.edit(&customer, "name", "Roter See");
    let division = world.only(&world.crm, "Division");
    let mut kept: Vec<String> = [
        "holds",
        "unlisted",
        "approved-edits",
        "approved-first-links",
        "shape",
        "unread",
    ]
    .map(str::to_owned)
    .into();
    for system in [ERP, CRM] {
        kept.extend(["identity", "pass", "sight", "witnesses"].map(|what| format!("{what}:{system}")));
    }
    for name in kept {
        let mut store = Ledger::open(world.folder.path()).unwrap();
        let before = store.note(&name).unwrap().unwrap_or_default();
        // WHEN a part of it is lost
        store.set_note(&name, "[{\"of\":").unwrap();
        drop(store);
        // THEN it is told by its name, and nothing is written
        let told = trouble(&world).await;
        assert!(
            told.contains(&format!("the note {name} cannot be read")),
            "{name}: {told:?}"
        );
        assert_eq!(world.crm.value(&division, "Name"), "Blauer See", "{name}");
        Ledger::open(world.folder.path())
            .unwrap()
            .set_note(&name, &before)
            .unwrap();
    }
    // WHEN all is there again THEN it goes on
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Roter See");
}

#[test]
fn e19_budgets_clocks_and_moments_that_cannot_be_read_are_told() {
    let world = World::new();
    let mut store = Ledger::open(world.folder.path()).unwrap();
    let systems = [ERP.to_owned(), CRM.to_owned()];
    for name in [
        "reached".to_owned(),
        format!("budget:{CRM}"),
        format!("clock:{CRM}"),
        format!("own:{CRM}"),
    ] {
        store.set_note(&name, "\"half").unwrap();
    }
    assert!(tandem_engine::reached(&mut store).is_err());
    assert!(tandem_engine::budgets(&mut store, &systems).is_err());
    assert!(tandem_engine::clocks(&mut store, &systems).is_err());
    assert!(tandem_engine::strangers(&mut store, &systems).is_err());
}
