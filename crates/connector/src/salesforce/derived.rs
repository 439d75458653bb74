//! Values of a new record that the configuration states as a rule. Of any record's owner: `user:NAME` (the id of the
//! active user of that user name, or an id as it is). Of a User: `profile:Standard User` (the id of the
//! profile of that name), `derive:alias`, `derive:nickname` (made from the user's own names); of orders, quotes and
//! their lines: `derive:standard-price-book`, `derive:price-book-entry` (see [`prices`]). Made from the content alone,
//! so that the same intent sends the same bytes in every attempt.

use super::{Salesforce, full_id, prices, soql};
use crate::http::Request;
use crate::http::json::text;
use crate::{Change, Error, Outcome, Refusal, RefusalKind, Write};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tandem_merge::record::Values;
use tandem_merge::value::Value;

const PROFILE: &str = "profile:";
const USER: &str = "user:";
const ALIAS: &str = "derive:alias";
const NICKNAME: &str = "derive:nickname";
/// The longest alias and nickname of a User, in characters.
const ALIAS_LENGTH: usize = 8;
const NICKNAME_LENGTH: usize = 40;

enum Rule {
    Profile(String),
    Owner(String),
    Alias,
    Nickname,
}

/// The batch with its rules carried out, and the outcomes of writes whose rules lead nowhere.
pub(super) async fn resolve<'a>(
    org: &Salesforce,
    batch: &'a [Write],
) -> (Cow<'a, [Write]>, BTreeMap<usize, Outcome>) {
    let mut outcomes = BTreeMap::new();
    if !batch.iter().any(has_rules) {
        return (Cow::Borrowed(batch), outcomes);
    }
    let mut ids = Ids::default();
    let mut resolved = batch.to_vec();
    prices::resolve(org, &mut resolved, &mut outcomes).await;
    for (place, write) in resolved
        .iter_mut()
        .enumerate()
        .filter(|(_, write)| is_ruled(write))
    {
        let Change::Create { values, record_type } = &mut write.change else {
            continue;
        };
        let names = values.clone();
        for (property, value) in values.iter_mut() {
            match rule(&record_type.name, property, value) {
                None => {}
                Some(Rule::Alias) => *value = Value::text(alias(&names)),
                Some(Rule::Nickname) => *value = Value::text(nickname(&names)),
                Some(Rule::Profile(name)) => match ids.named(org, "Profile", "Name", &name).await {
                    Ok(Some(id)) => *value = Value::text(id),
                    Ok(None) => drop(outcomes.insert(place, Outcome::Refused(no_profile(&name)))),
                    Err(error) => drop(outcomes.insert(place, Outcome::NotSent(error))),
                },
                Some(Rule::Owner(name)) => match ids.owner(org, &name).await {
                    Ok(Some(id)) => *value = Value::text(id),
                    Ok(None) => drop(outcomes.insert(place, Outcome::Refused(no_owner(property, &name)))),
                    Err(error) => drop(outcomes.insert(place, Outcome::NotSent(error))),
                },
            }
        }
    }
    (Cow::Owned(resolved), outcomes)
}

fn has_rules(write: &Write) -> bool {
    let priced = matches!(&write.change, Change::Create { values, .. } if prices::has_rule(values));
    priced || is_ruled(write)
}

fn is_ruled(write: &Write) -> bool {
    let Change::Create { values, record_type } = &write.change else {
        return false;
    };
    let mut values = values.iter();
    values.any(|(property, value)| rule(&record_type.name, property, value).is_some())
}

/// The rule that stands in a property made for it; the same words anywhere else are a person's.
fn rule(of: &str, property: &str, value: &Value) -> Option<Rule> {
    let text = value.as_text()?;
    match property {
        "OwnerId" => text.strip_prefix(USER).map(|name| Rule::Owner(name.to_owned())),
        _ if of != "User" => None,
        "ProfileId" => text
            .strip_prefix(PROFILE)
            .map(|name| Rule::Profile(name.to_owned())),
        "Alias" => (text == ALIAS).then_some(Rule::Alias),
        "CommunityNickname" => (text == NICKNAME).then_some(Rule::Nickname),
        _ => None,
    }
}

/// Ids by name, each asked once for a batch.
#[derive(Default)]
struct Ids(BTreeMap<(&'static str, String), Result<Option<String>, Error>>);

impl Ids {
    async fn named(
        &mut self,
        org: &Salesforce,
        object: &'static str,
        field: &str,
        name: &str,
    ) -> Result<Option<String>, Error> {
        let key = (object, name.to_owned());
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        let id = asked(org, object, &format!("{field} = {}", soql::quoted(name))).await;
        self.0.insert(key, id.clone());
        id
    }

    /// An id stands as it is.
    async fn owner(&mut self, org: &Salesforce, name: &str) -> Result<Option<String>, Error> {
        let is_id = name.len() == 18 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match full_id(name).or_else(|| is_id.then(|| name.to_owned())) {
            Some(id) => Ok(Some(id)),
            None => {
                self.named(org, "User", "IsActive = true AND Username", name)
                    .await
            }
        }
    }
}

async fn asked(org: &Salesforce, object: &str, condition: &str) -> Result<Option<String>, Error> {
    let statement = format!("SELECT Id FROM {object} WHERE {condition}");
    let request = Request::get(soql::address(&org.session, &statement, false));
    let (body, _) = org.session.read(request).await?;
    Ok(text(&body["records"][0], "Id").map(str::to_owned))
}

fn no_owner(property: &str, name: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Invalid,
        properties: vec![property.to_owned()],
        message: format!("the org has no active user {name:?}"),
        advice: "Name an existing user under `owner:` of the connection".to_owned(),
    }
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

/// What stands before the @ of the user name, with a mark of the whole: user names are unique in all orgs, what stands
/// before their @ is not, and the org refuses a second nickname.
fn nickname(names: &Values) -> String {
    let username = names.get("Username").and_then(Value::as_text).unwrap_or_default();
    let mark = mark(username);
    let name = username.split('@').next().unwrap_or_default();
    let room = NICKNAME_LENGTH - mark.len() - 1;
    let name: String = name.chars().take(room).collect();
    format!("{name}-{mark}")
}

/// Tells texts apart, without regard to case: FNV-1a, the same in every attempt and every version.
fn mark(text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.trim().to_lowercase().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{:010x}", hash >> 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicknames_differ_as_user_names_do_and_are_the_same_in_every_attempt() {
        let of = |username: &str| nickname(&Values::from([("Username".to_owned(), username.into())]));
        assert_eq!(of("anna@acme.de"), "anna-22d4ab4ee7");
        let long = "a.very.long.name.that.goes.on.and.on.and.on";
        let all = [
            of("anna@acme.de"),
            of("anna@acme.fr"),
            of("anna@"),
            of("anna"),
            of(&format!("{long}@acme.de")),
            of(&format!("{long}@acme.fr")),
            of(&format!("{long}.too@acme.fr")),
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert!(all.iter().all(|name| name.chars().count() <= NICKNAME_LENGTH));
        assert_eq!(of("Anna@ACME.de").to_lowercase(), of("anna@acme.de"));
    }

    #[test]
    fn a_rule_counts_only_where_it_is_meant() {
        assert!(
            matches!(rule("User", "ProfileId", &"profile:Standard User".into()), Some(Rule::Profile(name)) if name == "Standard User")
        );
        assert!(matches!(rule("User", "Alias", &ALIAS.into()), Some(Rule::Alias)));
        assert!(
            matches!(rule("Order", "OwnerId", &"user:bob@acme.example".into()), Some(Rule::Owner(name)) if name == "bob@acme.example")
        );
        assert!(rule("User", "Alias", &"anna".into()).is_none());
        assert!(rule("User", "Title", &"profile:Standard User".into()).is_none());
        assert!(rule("User", "Department", &NICKNAME.into()).is_none());
        assert!(rule("Contact", "Alias", &ALIAS.into()).is_none());
    }
}
