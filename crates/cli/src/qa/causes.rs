//! What has to happen in Salesforce before a row moves that nobody can simply edit: an order needs a line before it
//! can be activated, and a user's new e-mail address has to be confirmed.

use super::people::People;
use crate::failure::Failure;
use rust_decimal::Decimal;
use std::time::Duration;
use tandem_merge::dataflow::Side;
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;
use url::{Host, Url};

/// Objects that are read besides those of the dataflow, with their properties.
pub(crate) const OBJECTS: [(&str, &[&str]); 5] = [
    ("Account", &["Name"]),
    ("Opportunity", &["Name", "AccountId"]),
    ("Pricebook2", &["Name", "IsActive", "IsStandard"]),
    (
        "PricebookEntry",
        &["Product2Id", "Pricebook2Id", "UnitPrice", "IsActive"],
    ),
    (
        "OrderItem",
        &["OrderId", "PricebookEntryId", "Quantity", "UnitPrice"],
    ),
];

/// Properties that are read besides those of the dataflow, by object.
pub(crate) const PROPERTIES: [(&str, &str); 1] = [("Order", "Pricebook2Id")];

/// How long a confirmation may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives an order a line with a product, so that it can be activated. Returns the line.
///
/// # Errors
/// Inner: Salesforce's own words where it refuses a step.
pub(crate) async fn give_line(
    people: &People,
    order: &RecordKey,
    product: &str,
    currency: Option<&Value>,
) -> Result<Result<RecordKey, String>, Failure> {
    let books = people
        .find(Side::Second, "Pricebook2", "IsStandard", &[Value::Boolean(true)])
        .await?;
    let Some(book) = books.into_iter().next() else {
        return Ok(Err("there is no standard price book".to_owned()));
    };
    let book = Value::Text(book.key.id);
    let price = Value::Decimal(Decimal::new(1_000, 2));
    let mut entry = Values::from([
        ("Pricebook2Id".to_owned(), book.clone()),
        ("Product2Id".to_owned(), Value::from(product)),
        ("UnitPrice".to_owned(), price.clone()),
        ("IsActive".to_owned(), Value::Boolean(true)),
    ]);
    if let Some(currency) = currency {
        entry.insert("CurrencyIsoCode".to_owned(), currency.clone());
    }
    let entry = match only(people.create(Side::Second, "PricebookEntry", vec![entry]).await?) {
        Ok(id) => id,
        Err(why) => return Ok(Err(why)),
    };
    let choose = Values::from([("Pricebook2Id".to_owned(), book)]);
    if let Err(why) = only(people.update(vec![(order.clone(), choose)]).await?) {
        return Ok(Err(why));
    }
    let line = Values::from([
        ("OrderId".to_owned(), Value::from(order.id.as_str())),
        ("PricebookEntryId".to_owned(), Value::Text(entry)),
        ("Quantity".to_owned(), Value::Integer(1)),
        ("UnitPrice".to_owned(), price),
    ]);
    let line = only(people.create(Side::Second, "OrderItem", vec![line]).await?);
    Ok(line.map(|id| people.key(Side::Second, "OrderItem", &id)))
}

fn only(answers: Vec<Result<String, String>>) -> Result<String, String> {
    let unanswered = || Err("it was not answered".to_owned());
    answers.into_iter().next().unwrap_or_else(unanswered)
}

/// Confirms a user's new e-mail address, as its owner would. Only a local org lets us.
///
/// # Errors
/// Why it could not be confirmed, for people.
pub(crate) async fn confirm_email(url: &str, user: &str) -> Result<(), String> {
    let waits = "the owner of the new address has to confirm it".to_owned();
    let url = Url::parse(url).map_err(|_| waits.clone())?;
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !local {
        return Err(waits);
    }
    let url = url.join("/_local/emails").map_err(|_| waits.clone())?;
    // Loopback speaks plainly: a machine without certificates will do.
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .tls_certs_only(Vec::<reqwest::Certificate>::new())
        .build()
        .map_err(|error| error.to_string())?;
    let sent = client
        .post(url)
        .json(&serde_json::json!({ "user": user }))
        .send()
        .await;
    match sent {
        Ok(reply) if reply.status().is_success() => Ok(()),
        Ok(reply) => Err(format!("{waits} ({})", reply.status())),
        Err(error) => Err(format!("{waits} ({error})")),
    }
}
