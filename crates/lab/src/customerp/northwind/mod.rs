//! Records from a PostgreSQL dump of the Northwind data, by the rule in `docs/local-customerp.md`.

mod dump;
mod lines;
mod people;
mod trade;

use std::collections::BTreeMap;

use super::options::Options;
use super::seeding::Seeding;
use super::server::StartError;
use super::store::Store;
use dump::{Dump, Row};
use people::{Buyer, Colleague};

/// The tables read, with as many columns as the import uses.
const TABLES: [(&str, usize); 6] = [
    ("categories", 3),
    ("customers", 11),
    ("employees", 18),
    ("products", 10),
    ("orders", 14),
    ("order_details", 5),
];

/// The import under way: what later records refer to, by the keys of the dump.
struct Import<'a> {
    seeding: Seeding<'a>,
    /// The currency of all amounts: the dump names none.
    currency: String,
    dump: &'a Dump,
    colleagues: BTreeMap<i64, Colleague>,
    buyers: BTreeMap<String, Buyer>,
    /// The ids of products, by their product_id.
    products: BTreeMap<i64, u64>,
}

/// Puts the records of the dump into an empty store.
///
/// # Errors
/// [`StartError::Northwind`] with the line, when the dump cannot be read or lacks what a record needs.
pub(crate) fn import(store: &mut Store, text: &str, options: &Options) -> Result<(), StartError> {
    let dump = Dump::read(text, &TABLES)?;
    for (table, _) in TABLES {
        if dump.rows(table).is_empty() {
            return Err(StartError::Northwind {
                line: 0,
                what: format!("there is no row of the table {table}"),
            });
        }
    }
    let seeding = Seeding::new(store);
    let (colleagues, buyers) = (BTreeMap::new(), BTreeMap::new());
    let mut import = Import {
        seeding,
        currency: options.currency.clone(),
        dump: &dump,
        colleagues,
        buyers,
        products: BTreeMap::new(),
    };
    import.employees()?;
    import.customers()?;
    import.products()?;
    let quotes = import.quotes()?;
    let orders = import.orders(&quotes)?;
    import.projects()?;
    if options.lines {
        import.lines("QuoteLine", "quoteId", &quotes)?;
        import.lines("OrderLine", "orderId", &orders)?;
    }
    Ok(())
}

/// The rows of a table in the order of a numeric key in their first column.
fn by_number<'a>(dump: &'a Dump, table: &str) -> Result<BTreeMap<i64, &'a Row>, StartError> {
    let mut rows = BTreeMap::new();
    for row in dump.rows(table) {
        let key = row.number(0)?;
        if rows.insert(key, row).is_some() {
            return Err(row.wrong(format!("{table} has {key} twice")));
        }
    }
    Ok(rows)
}
