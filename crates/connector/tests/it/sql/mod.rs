//! What only databases have, and how the conformance suite reaches them.

mod description;
mod found;
mod mssql;
pub(crate) mod mysql;
mod northwind;
pub(crate) mod postgres;
mod provoked;
pub(crate) mod sqlite;
mod stage;
mod tds;

use crate::scene::Words;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use tandem_connector::sql::{Description, Sql, SqlConfig};
use tandem_connector::{ChangePage, Connector};
use tandem_merge::record::{Observation, RecordType};

/// Contacts as both scenes have them.
const CONTACTS: &str = "
record_types:
  Contact:
    table: contacts
    key: id
    modified: modified
    version: version
    created: created
    author: modified_by
    deleted: deleted
    properties:
      lastName: last_name
      phone: { column: phone, find: loose }
      externalId: external_id
      reportsTo: reports_to
  Nonsense:
    table: Nonsense
    key: id
";

fn words(secret: &'static str) -> Words {
    Words {
        last_name: "lastName",
        email: "email",
        phone: "phone",
        description: "description",
        birthdate: "birthdate",
        external: "externalId",
        reports_to: "reportsTo",
        nobody: "999999",
        clock: "",
        secret,
    }
}

fn described(text: &str) -> Description {
    Description::read("erp.yaml", text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A connection with all properties in use and nothing read again.
fn config(url: &str, description: &str) -> SqlConfig {
    SqlConfig {
        name: "erp".to_owned(),
        url: url.to_owned(),
        user: None,
        password: None,
        certificate_authority: None,
        description: described(description),
        request_deadline: SignedDuration::from_secs(5),
        overlap: SignedDuration::from_secs(30),
        read_only: false,
        fields: BTreeMap::new(),
        computed: BTreeMap::new(),
    }
}

/// The properties that the conformance suite uses.
fn used() -> BTreeMap<String, Vec<String>> {
    let names = [
        "lastName",
        "email",
        "phone",
        "description",
        "birthdate",
        "externalId",
        "reportsTo",
    ];
    BTreeMap::from([("Contact".to_owned(), names.map(str::to_owned).into())])
}

fn of(name: &str) -> RecordType {
    RecordType::new("erp", name)
}

/// All changes until there are no more, page by page.
async fn pages(erp: &Sql, types: &[RecordType], mut cursor: Option<Vec<u8>>) -> (Vec<ChangePage>, Vec<u8>) {
    let mut all = Vec::new();
    loop {
        let page = erp.changes(types, cursor.as_deref()).await.unwrap();
        let (more, next) = (page.more, page.cursor.clone());
        all.push(page);
        if !more {
            return (all, next);
        }
        cursor = Some(next);
    }
}

/// What all changes show.
async fn round(erp: &Sql, types: &[RecordType], cursor: Option<Vec<u8>>) -> (Vec<Observation>, Vec<u8>) {
    let (pages, cursor) = pages(erp, types, cursor).await;
    (
        pages.into_iter().flat_map(|page| page.observations).collect(),
        cursor,
    )
}

/// Nothing more is shown. What was told is shown again while a transaction that is older is under way, also in another
/// database of the server.
async fn comes_to_rest(erp: &Sql, types: &[RecordType], mut cursor: Vec<u8>) {
    let began = std::time::Instant::now();
    loop {
        let (seen, next) = round(erp, types, Some(cursor)).await;
        if seen.is_empty() {
            return;
        }
        assert!(
            began.elapsed().as_secs() < 30,
            "it is shown again and again: {seen:?}"
        );
        tokio::task::yield_now().await;
        cursor = next;
    }
}
