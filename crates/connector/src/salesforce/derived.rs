//! Values of a new User that the configuration states as a rule: `profile:Standard User` (the id of the profile of
//! that name), `derive:alias`, `derive:nickname` (made from the user's own names). Made from the content alone, so
//! that the same intent sends the same bytes in every attempt.

use super::{Salesforce, soql};
use crate::http::Request;
use crate::http::json::text;
use crate::{Change, Error, Outcome, Refusal, RefusalKind, Write};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tandem_merge::record::Values;
use tandem_merge::value::Value;

const PROFILE: &str = "profile:";
const ALIAS: &str = "derive:alias";
const NICKNAME: &str = "derive:nickname";
/// The longest alias and nickname of a User, in characters.
const ALIAS_LENGTH: usize = 8;
const NICKNAME_LENGTH: usize = 40;

/// The batch with its rules carried out, and the outcomes of writes whose rules lead nowhere.
pub(super) async fn resolve<'a>(
    org: &Salesforce,
    batch: &'a [Write],
) -> (Cow<'a, [Write]>, BTreeMap<usize, Outcome>) {
    let mut outcomes = BTreeMap::new();
    if !batch.iter().any(has_rules) {
        return (Cow::Borrowed(batch), outcomes);
    }
    let mut profiles: BTreeMap<String, Result<Option<String>, Error>> = BTreeMap::new();
    let mut resolved = batch.to_vec();
    for (place, write) in resolved.iter_mut().enumerate() {
        let Change::Create { values, .. } = &mut write.change else {
            continue;
        };
        let names = values.clone();
        for value in values.values_mut() {
            let Some(rule) = value.as_text().map(str::to_owned) else {
                continue;
            };
            match rule.as_str() {
                ALIAS => *value = Value::text(alias(&names)),
                NICKNAME => *value = Value::text(nickname(&names)),
                other => {
                    let Some(name) = other.strip_prefix(PROFILE) else {
                        continue;
                    };
                    if !profiles.contains_key(name) {
                        profiles.insert(name.to_owned(), profile(org, name).await);
                    }
                    match profiles.get(name) {
                        Some(Ok(Some(id))) => *value = Value::text(id.clone()),
                        Some(Err(error)) => drop(outcomes.insert(place, Outcome::NotSent(error.clone()))),
                        _ => drop(outcomes.insert(place, Outcome::Refused(no_profile(name)))),
                    }
                }
            }
        }
    }
    (Cow::Owned(resolved), outcomes)
}

fn has_rules(write: &Write) -> bool {
    let Change::Create { values, record_type } = &write.change else {
        return false;
    };
    let rule = |value: &Value| {
        value
            .as_text()
            .is_some_and(|text| text.starts_with(PROFILE) || text == ALIAS || text == NICKNAME)
    };
    record_type.name == "User" && values.values().any(rule)
}

async fn profile(org: &Salesforce, name: &str) -> Result<Option<String>, Error> {
    let statement = format!("SELECT Id FROM Profile WHERE Name = {}", soql::quoted(name));
    let request = Request::get(soql::address(&org.session, &statement, false));
    let (body, _) = org.session.read(request).await?;
    Ok(text(&body["records"][0], "Id").map(str::to_owned))
}

fn no_profile(name: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Invalid,
        properties: Vec::new(),
        message: format!("the org has no profile {name:?}"),
        advice: "Name an existing profile under `users:` in the configuration".to_owned(),
    }
}

/// The first letter of the first name and the last name, as Salesforce's own form proposes it.
fn alias(names: &Values) -> String {
    let word = |property: &str| names.get(property).and_then(Value::as_text).unwrap_or_default();
    let letters = word("FirstName").chars().take(1).chain(word("LastName").chars());
    letters
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(ALIAS_LENGTH)
        .collect()
}

/// What stands before the @ of the user name, which is unique.
fn nickname(names: &Values) -> String {
    let username = names.get("Username").and_then(Value::as_text).unwrap_or_default();
    let name = username.split('@').next().unwrap_or_default();
    name.chars().take(NICKNAME_LENGTH).collect()
}
