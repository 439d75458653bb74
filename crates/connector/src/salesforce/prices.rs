//! Price books: a line needs an entry of its parent's price book for its product. Entries are found, else created;
//! their natural key (product, price book, currency) is unique in the org, so that a repeated create does no harm.
//! What was found is remembered: the lines of a batch cost one call, and later ones often none but for their parents.

use super::composite::{self, QUERIES, Subrequest};
use super::parents::{self, Terms};
use super::refusal::Said;
use super::{Salesforce, soql};
use crate::http::json::{self, flag, text};
use crate::http::{Failure, Request};
use crate::{Change, Error, Outcome, Refusal, RefusalKind, Write};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// The rule of a record's price book, and of a line's entry. `=PRICE` behind the latter is the list price of entries
/// that are created; else it is the line's own price.
pub(super) const BOOK_RULE: &str = "derive:standard-price-book";
pub(super) const ENTRY_RULE: &str = "derive:price-book-entry";
/// The properties that these rules stand in.
pub(super) const BOOK: &str = "Pricebook2Id";
pub(super) const ENTRY: &str = "PricebookEntryId";
/// What lines are lines of: the reference, and the object that it leads to.
const PARENTS: [(&str, &str); 2] = [("OrderId", "Order"), ("QuoteId", "Quote")];
/// The most records of a collection.
const COLLECTION: usize = 200;

/// What identifies an entry; the currency is empty in an org with one currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    product: String,
    book: String,
    currency: String,
}

/// An entry of a price book.
#[derive(Clone, Debug)]
struct Entry {
    id: String,
    active: bool,
}

/// What is remembered of price books.
#[derive(Debug, Default)]
pub(super) struct Prices {
    standard: Option<String>,
    entries: BTreeMap<Key, Entry>,
    /// Products whose entries were asked for.
    products: BTreeSet<String>,
    /// The terms of all parents of an object.
    parents: parents::Remembered,
}

/// One line of a batch.
struct Line {
    place: usize,
    product: String,
    /// Object and id of what it is a line of.
    parent: (&'static str, String),
    /// The list price of an entry that is created for it.
    price: Value,
}

/// Puts price books and entries in the place of their rules. What leads nowhere is among the outcomes.
pub(super) async fn resolve(org: &Salesforce, writes: &mut [Write], outcomes: &mut BTreeMap<usize, Outcome>) {
    let with_book: Vec<usize> = places(writes, |values| says(values, BOOK, BOOK_RULE));
    let (lines, refused) = lines(writes);
    outcomes.extend(refused);
    if with_book.is_empty() && lines.is_empty() {
        return;
    }
    let mut prices = org.prices.lock().await;
    if let Err(error) = work(org, &mut prices, writes, &with_book, &lines, outcomes).await {
        let open = with_book.into_iter().chain(lines.iter().map(|line| line.place));
        for place in open {
            outcomes
                .entry(place)
                .or_insert_with(|| Outcome::NotSent(error.clone()));
        }
    }
}

/// An org's refusal that names an entry may come from one that went: all is asked for anew.
pub(super) async fn learn(org: &Salesforce, mut outcomes: impl Iterator<Item = &Outcome>) {
    let stale = |outcome: &Outcome| matches!(outcome, Outcome::Refused(refusal) if refusal.properties.iter().any(|name| name == ENTRY));
    if outcomes.any(stale) {
        *org.prices.lock().await = Prices::default();
    }
}

async fn work(
    org: &Salesforce,
    prices: &mut Prices,
    writes: &mut [Write],
    with_book: &[usize],
    lines: &[Line],
    outcomes: &mut BTreeMap<usize, Outcome>,
) -> Result<(), Error> {
    let currencies = has_currencies(org).await;
    let terms = prices.ask(org, lines, currencies).await?;
    let Some(standard) = prices.standard.clone() else {
        for place in with_book
            .iter()
            .copied()
            .chain(lines.iter().map(|line| line.place))
        {
            outcomes.insert(
                place,
                refused(
                    BOOK,
                    "the org has no standard price book",
                    "Activate the standard price book in the org",
                ),
            );
        }
        return Ok(());
    };
    for place in with_book {
        put(&mut writes[*place], BOOK, &standard);
    }
    let mut keys: BTreeMap<usize, Key> = BTreeMap::new();
    for line in lines {
        match terms.get(&line.parent) {
            Some((Some(book), currency)) => {
                let key = Key {
                    product: line.product.clone(),
                    book: book.clone(),
                    currency: currency.clone(),
                };
                keys.insert(line.place, key);
            }
            _ => {
                let what = format!("its {} has no price book", line.parent.0);
                let advice = format!(
                    "Choose a price book for the {} {} in Salesforce",
                    line.parent.0, line.parent.1
                );
                outcomes.insert(line.place, refused(ENTRY, &what, &advice));
            }
        }
    }
    let failed = prices.complete(org, &standard, lines, &keys, currencies).await?;
    for (place, key) in &keys {
        match (prices.entries.get(key), failed.get(key)) {
            (Some(entry), _) if entry.active => put(&mut writes[*place], ENTRY, &entry.id),
            (Some(_), _) => {
                let what = format!("the price book entry of product {} is inactive", key.product);
                outcomes.insert(
                    *place,
                    refused(
                        ENTRY,
                        &what,
                        "Activate the entry in Salesforce, or put another product on the line",
                    ),
                );
            }
            (None, Some(said)) => drop(outcomes.insert(*place, Outcome::Refused(said.refusal()))),
            (None, None) => {
                let what = format!("product {} has no price book entry", key.product);
                outcomes.insert(
                    *place,
                    refused(ENTRY, &what, "Add the product to the price book in Salesforce"),
                );
            }
        }
    }
    Ok(())
}

impl Prices {
    /// Asks for what is not remembered: the standard price book, the parents' terms, the products' entries.
    async fn ask(&mut self, org: &Salesforce, lines: &[Line], currencies: bool) -> Result<Terms, Error> {
        let currency = if currencies { ", CurrencyIsoCode" } else { "" };
        let mut statements: Vec<(&'static str, String)> = Vec::new();
        if self.standard.is_none() {
            let statement = "SELECT Id FROM Pricebook2 WHERE IsStandard = true".to_owned();
            statements.push((BOOK, statement));
        }
        let mut terms = Terms::new();
        for (_, object) in PARENTS {
            let parents = lines.iter().filter(|line| line.parent.0 == object);
            let mut ids: BTreeSet<&str> = parents.map(|line| line.parent.1.as_str()).collect();
            let told = self.parents.ask(org, object, &ids, currencies).await?;
            ids.retain(|id| !told.contains_key(&(object, (*id).to_owned())));
            terms.extend(told);
            let head = format!("SELECT Id, Pricebook2Id{currency} FROM {object} WHERE Id");
            let packs = soql::packed(&head, &quoted(ids));
            statements.extend(packs.into_iter().map(|statement| (object, statement)));
        }
        let products: BTreeSet<&str> = lines
            .iter()
            .map(|line| line.product.as_str())
            .filter(|product| !self.products.contains(*product))
            .collect();
        let head = format!(
            "SELECT Id, Product2Id, Pricebook2Id, IsActive{currency} FROM PricebookEntry WHERE Product2Id"
        );
        let packs = soql::packed(&head, &quoted(products.iter().copied()));
        statements.extend(packs.into_iter().map(|statement| (ENTRY, statement)));
        let products: Vec<String> = products.into_iter().map(str::to_owned).collect();
        for (what, rows) in query(org, statements).await? {
            for row in rows {
                match what {
                    BOOK => self.standard = text(&row, "Id").map(str::to_owned),
                    ENTRY => self.note(&row),
                    object => {
                        let id = text(&row, "Id").unwrap_or_default().to_owned();
                        let book = text(&row, BOOK).map(str::to_owned);
                        terms.insert((object, id), (book, currency_of(&row)));
                    }
                }
            }
        }
        self.products.extend(products);
        Ok(terms)
    }

    fn note(&mut self, row: &Json) {
        let named = |name: &str| text(row, name).unwrap_or_default().to_owned();
        let key = Key {
            product: named("Product2Id"),
            book: named(BOOK),
            currency: currency_of(row),
        };
        let entry = Entry {
            id: named("Id"),
            active: flag(row, "IsActive"),
        };
        self.entries.insert(key, entry);
    }

    /// Creates the entries that are missing, those of the standard price book first. What the org said where it
    /// refused one.
    async fn complete(
        &mut self,
        org: &Salesforce,
        standard: &str,
        lines: &[Line],
        keys: &BTreeMap<usize, Key>,
        currencies: bool,
    ) -> Result<BTreeMap<Key, Said>, Error> {
        let mut wanted: BTreeMap<Key, Value> = BTreeMap::new();
        let prices = lines.iter().map(|line| (line.place, &line.price));
        let prices: BTreeMap<usize, &Value> = prices.collect();
        for (place, key) in keys {
            let price = prices.get(place).copied().cloned().unwrap_or_default();
            let of_standard = Key {
                book: standard.to_owned(),
                ..key.clone()
            };
            for key in [of_standard, key.clone()] {
                if !self.entries.contains_key(&key) {
                    wanted.entry(key).or_insert_with(|| price.clone());
                }
            }
        }
        let (first, then): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(key, _)| key.book == standard);
        let mut failed = BTreeMap::new();
        for entries in [first, then] {
            for call in entries.chunks(COLLECTION * QUERIES) {
                self.create(org, call, currencies, &mut failed).await?;
            }
        }
        let taken: BTreeSet<String> = failed
            .iter()
            .filter(|(_, said)| said.code == "DUPLICATE_VALUE")
            .map(|(key, _)| key.product.clone())
            .collect();
        if !taken.is_empty() {
            // Somebody was faster, or an earlier attempt of ours had landed.
            self.products.retain(|product| !taken.contains(product));
            let again: Vec<Line> = taken
                .into_iter()
                .map(|product| Line {
                    place: 0,
                    product,
                    parent: ("", String::new()),
                    price: Value::Blank,
                })
                .collect();
            self.ask(org, &again, currencies).await?;
        }
        Ok(failed)
    }

    async fn create(
        &mut self,
        org: &Salesforce,
        entries: &[(Key, Value)],
        currencies: bool,
        failed: &mut BTreeMap<Key, Said>,
    ) -> Result<(), Error> {
        let record = |(key, price): &(Key, Value)| {
            let mut record = Map::new();
            record.insert("attributes".to_owned(), json!({"type": "PricebookEntry"}));
            record.insert("Product2Id".to_owned(), Json::from(key.product.as_str()));
            record.insert(BOOK.to_owned(), Json::from(key.book.as_str()));
            record.insert("IsActive".to_owned(), Json::from(true));
            record.insert("UnitPrice".to_owned(), json::encode(price));
            if currencies {
                record.insert("CurrencyIsoCode".to_owned(), Json::from(key.currency.as_str()));
            }
            Json::Object(record)
        };
        let collections = entries.chunks(COLLECTION).map(|pack| {
            let records: Vec<Json> = pack.iter().map(record).collect();
            let body = json!({"allOrNone": false, "records": records});
            Subrequest::new("POST", org.session.path("/composite/sobjects")).body(body)
        });
        let request = composite::request(collections);
        let reply = org.session.send(request).await.map_err(Failure::into_error)?;
        if !reply.is_success() {
            return Err(super::refusal::error(&org.session.http, &reply));
        }
        let unanswered = || {
            let what = "a collection does not answer every record";
            org.session.http.protocol(what)
        };
        let parts = composite::parts(&reply, entries.len().div_ceil(COLLECTION)).ok_or_else(unanswered)?;
        for (pack, part) in entries.chunks(COLLECTION).zip(parts) {
            if !part.is_success() {
                return Err(super::refusal::of_said(&org.session.http, &part.said()));
            }
            let results = part.body.as_array().ok_or_else(unanswered)?;
            self.learn_created(pack, results, part.status, failed);
        }
        Ok(())
    }

    /// Takes in what became of new entries.
    fn learn_created(
        &mut self,
        entries: &[(Key, Value)],
        results: &[Json],
        status: u64,
        failed: &mut BTreeMap<Key, Said>,
    ) {
        for ((key, _), result) in entries.iter().zip(results) {
            match text(result, "id") {
                Some(id) if flag(result, "success") => {
                    let (id, active) = (id.to_owned(), true);
                    self.entries.insert(key.clone(), Entry { id, active });
                }
                _ => {
                    let errors = result.get("errors").unwrap_or(&Json::Null);
                    failed.insert(key.clone(), Said::read(status, errors));
                }
            }
        }
    }
}

/// Rows by what they were asked for, five statements to a call.
pub(super) async fn query(
    org: &Salesforce,
    statements: Vec<(&'static str, String)>,
) -> Result<Vec<(&'static str, Vec<Json>)>, Error> {
    let mut found = Vec::new();
    for pack in statements.chunks(QUERIES) {
        let reads = pack
            .iter()
            .map(|(_, statement)| Subrequest::new("GET", soql::address(&org.session, statement, false)));
        let (parts, _) = composite::read(&org.session, reads.collect()).await?;
        for ((what, _), part) in pack.iter().zip(parts) {
            if !part.is_success() {
                return Err(super::refusal::of_said(&org.session.http, &part.said()));
            }
            let mut body = part.body;
            loop {
                let rows = body.get("records").and_then(Json::as_array).cloned();
                found.push((*what, rows.unwrap_or_default()));
                let Some(next) = text(&body, "nextRecordsUrl").map(str::to_owned) else {
                    break;
                };
                (body, _) = org.session.read(Request::get(next)).await?;
            }
        }
    }
    Ok(found)
}

/// Whether prices have currencies: orders show them then.
async fn has_currencies(org: &Salesforce) -> bool {
    for (_, object) in PARENTS {
        if let Ok(object) = org.object(object).await {
            return object.data_type("CurrencyIsoCode").is_some();
        }
    }
    false
}

pub(super) fn currency_of(row: &Json) -> String {
    text(row, "CurrencyIsoCode").unwrap_or_default().to_owned()
}

fn quoted<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    ids.into_iter().map(soql::quoted).collect()
}

fn places(writes: &[Write], which: impl Fn(&Values) -> bool) -> Vec<usize> {
    let created = |write: &Write| matches!(&write.change, Change::Create { values, .. } if which(values));
    let all = writes.iter().enumerate();
    all.filter(|(_, write)| created(write))
        .map(|(place, _)| place)
        .collect()
}

fn says(values: &Values, property: &str, rule: &str) -> bool {
    values.get(property).and_then(Value::as_text) == Some(rule)
}

/// Whether these values hold a rule of price books.
pub(super) fn has_rule(values: &Values) -> bool {
    says(values, BOOK, BOOK_RULE) || entry_rule(values).is_some()
}

/// What stands behind the rule of entries: a price, or nothing.
fn entry_rule(values: &Values) -> Option<&str> {
    values.get(ENTRY)?.as_text()?.strip_prefix(ENTRY_RULE)
}

/// The lines of a batch that need an entry, and refusals of those that name too little.
fn lines(writes: &[Write]) -> (Vec<Line>, Vec<(usize, Outcome)>) {
    let (mut lines, mut refusals) = (Vec::new(), Vec::new());
    for (place, write) in writes.iter().enumerate() {
        let Change::Create { values, .. } = &write.change else {
            continue;
        };
        let Some(rule) = entry_rule(values) else { continue };
        let id = |name: &str| values.get(name).and_then(Value::as_text).map(str::to_owned);
        let parent = PARENTS
            .iter()
            .find_map(|(reference, object)| Some((*object, id(reference)?)));
        match (id("Product2Id"), parent) {
            (Some(product), Some(parent)) => {
                let configured = rule.strip_prefix('=').and_then(|price| price.parse().ok());
                let own = values.get("UnitPrice").cloned().unwrap_or_default();
                let price = configured.map_or(own, Value::Decimal);
                lines.push(Line {
                    place,
                    product,
                    parent,
                    price,
                });
            }
            (None, _) => {
                let what = "the line names no product, and a price book entry is of one";
                refusals.push((place, refused("Product2Id", what, "Give the line a product")));
            }
            (_, None) => {
                let what = "the line names no order or quote, and its price book is theirs";
                refusals.push((place, refused(ENTRY, what, "Give the line its order or quote")));
            }
        }
    }
    (lines, refusals)
}

fn put(write: &mut Write, property: &str, id: &str) {
    if let Change::Create { values, .. } = &mut write.change {
        values.insert(property.to_owned(), Value::text(id));
    }
}

fn refused(property: &str, message: &str, advice: &str) -> Outcome {
    Outcome::Refused(Refusal {
        kind: RefusalKind::Invalid,
        properties: vec![property.to_owned()],
        message: message.to_owned(),
        advice: advice.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::record::RecordType;

    fn line(values: &[(&str, &str)]) -> Write {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        Write {
            intent: 1,
            key: "1".to_owned(),
            change: Change::Create {
                record_type: RecordType::new("salesforce", "OrderItem"),
                values: values.collect(),
            },
        }
    }

    #[test]
    fn a_line_needs_product_and_parent_and_may_be_given_a_list_price() {
        let whole = line(&[
            (ENTRY, "derive:price-book-entry=9.50"),
            ("OrderId", "801"),
            ("Product2Id", "01t"),
        ]);
        let (found, refusals) = lines(&[
            whole,
            line(&[(ENTRY, ENTRY_RULE), ("OrderId", "801")]),
            line(&[(ENTRY, ENTRY_RULE), ("Product2Id", "01t")]),
            line(&[(ENTRY, "01u"), ("OrderId", "801"), ("Product2Id", "01t")]),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].parent, ("Order", "801".to_owned()));
        assert_eq!(found[0].price, Value::Decimal("9.50".parse().unwrap()));
        let places: Vec<usize> = refusals.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 2]);
    }
}
