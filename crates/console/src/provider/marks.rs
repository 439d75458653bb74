//! What a provider says of somebody that the configuration gives a role for.

use super::{Guest, Settings};
use crate::signs::is_harmful;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Characters of the longest name in the log.
const LONGEST: usize = 120;

/// What the configuration gives a role for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// They are in this group.
    Group(String),
    /// This address is theirs; in small letters.
    Email(String),
}

type Claims = Map<String, Json>;

/// A claim by its name, else by its path with dots, as in `realm_access.roles`.
fn claim<'a>(said: &'a Claims, name: &str) -> Option<&'a Json> {
    if let Some(whole) = said.get(name) {
        return Some(whole);
    }
    let (first, rest) = name.split_once('.')?;
    claim(said.get(first)?.as_object()?, rest)
}

/// The address of somebody, where the provider says that it is theirs. Some say so in a text.
fn verified(said: &Claims) -> Option<&str> {
    let email = said.get("email")?.as_str()?;
    let theirs = match said.get("email_verified")? {
        Json::Bool(theirs) => *theirs,
        Json::String(text) => text == "true",
        _ => false,
    };
    theirs.then_some(email)
}

/// Whether an ID token says all that decides about a role and a name: else the provider is asked once more.
pub(super) fn says_all(settings: &Settings, said: &Claims) -> bool {
    let grouped = |(mark, _): &(Mark, _)| matches!(mark, Mark::Group(_));
    let groups = settings.roles.iter().any(grouped);
    let emails = !settings.roles.iter().all(grouped);
    let named = said.contains_key("preferred_username") || verified(said).is_some();
    (!groups || claim(said, &settings.groups_claim).is_some())
        && (!emails || verified(said).is_some())
        && named
}

/// Who somebody is, by the ID token, and by what was said besides where that says nothing.
pub(super) fn guest(settings: &Settings, said: &Claims, more: &Claims) -> Guest {
    let email = verified(said)
        .or_else(|| verified(more))
        .map(str::to_ascii_lowercase);
    let name = &settings.groups_claim;
    let groups = claim(said, name).or_else(|| claim(more, name));
    let groups: Vec<&str> = match groups {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let has = |mark: &Mark| match mark {
        Mark::Group(group) => groups.contains(&group.as_str()),
        Mark::Email(address) => email.as_ref() == Some(address),
    };
    let marks = settings.roles.iter().map(|(mark, _)| mark);
    let text = |claims: &Claims, claim: &str| claims.get(claim).and_then(Json::as_str).map(shown);
    let subject = text(said, "sub").unwrap_or_default();
    let called = text(said, "preferred_username").or_else(|| text(more, "preferred_username"));
    let name = match (email.as_deref().map(shown), called) {
        (Some(email), _) => email,
        // Whoever chooses what they are called cannot choose who they are.
        (None, Some(called)) => format!("{called} ({subject})"),
        (None, None) => subject.clone(),
    };
    Guest {
        name,
        subject,
        marks: marks.filter(|mark| has(mark)).cloned().collect(),
    }
}

/// A text of the provider's in the log and on pages.
fn shown(text: &str) -> String {
    let plain = text.chars().filter(|sign| !is_harmful(*sign));
    plain.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::Role;
    use jiff::SignedDuration;
    use serde_json::json;

    fn settings(claim: &str) -> Settings {
        Settings {
            issuer: "https://a.example".to_owned(),
            called: "A".to_owned(),
            client_id: "tandem".to_owned(),
            client_secret: None,
            reached_at: None,
            scopes: Vec::new(),
            groups_claim: claim.to_owned(),
            roles: vec![
                (Mark::Group("staff".to_owned()), Role::Viewer),
                (Mark::Email("ann@example.com".to_owned()), Role::Admin),
            ],
            session: SignedDuration::from_hours(8),
        }
    }

    fn said(claims: &Json) -> Claims {
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn an_address_counts_only_where_it_is_verified() {
        let settings = settings("groups");
        let marks = |claims: &Json| guest(&settings, &said(claims), &Claims::new()).marks;
        for yes in [json!(true), json!("true")] {
            let claims = json!({ "sub": "1", "email": "Ann@Example.com", "email_verified": yes });
            assert_eq!(marks(&claims), [Mark::Email("ann@example.com".to_owned())]);
        }
        for no in [json!(false), json!("false"), json!(null), json!(1), json!("yes")] {
            let claims = json!({ "sub": "1", "email": "ann@example.com", "email_verified": no });
            assert_eq!(marks(&claims), [], "{no}");
        }
        assert_eq!(marks(&json!({ "sub": "1", "email": "ann@example.com" })), []);
        // One says the address and the other that it is verified: of which one, nobody says.
        let (id, more) = (
            json!({ "sub": "1", "email": "ann@example.com" }),
            json!({ "email_verified": true }),
        );
        assert_eq!(guest(&settings, &said(&id), &said(&more)).marks, []);
        for other in [
            "ann@example.com.evil.example",
            "x-ann@example.com",
            "ann@example.com ",
            "ann@exámple.com",
        ] {
            let claims = json!({ "sub": "1", "email": other, "email_verified": true });
            assert_eq!(marks(&claims), [], "{other}");
        }
    }

    #[test]
    fn groups_stand_under_a_name_or_on_a_path_and_what_else_stands_there_is_none() {
        let marks =
            |name: &str, claims: &Json| guest(&settings(name), &said(claims), &Claims::new()).marks.len();
        assert_eq!(
            marks("groups", &json!({ "sub": "1", "groups": ["others", "staff"] })),
            1
        );
        assert_eq!(marks("groups", &json!({ "sub": "1", "groups": "staff" })), 1);
        let nested = json!({ "sub": "1", "realm_access": { "roles": ["staff"] } });
        assert_eq!(marks("realm_access.roles", &nested), 1);
        let dotted = json!({ "sub": "1", "https://a.example/groups": ["staff"] });
        assert_eq!(marks("https://a.example/groups", &dotted), 1);
        for none in [
            json!({ "staff": true }),
            json!([["staff"], { "name": "staff" }, 1]),
            json!("staff,admins"),
            json!(["Staff"]),
        ] {
            assert_eq!(
                marks("groups", &json!({ "sub": "1", "groups": none })),
                0,
                "{none}"
            );
        }
    }

    #[test]
    fn nobody_chooses_a_name_in_the_log_that_is_anothers() {
        let settings = settings("groups");
        let name = |claims: &Json| guest(&settings, &said(claims), &Claims::new()).name;
        let forged = json!({ "sub": "7", "preferred_username": "owner\n2026-01-01 WARN\u{1b}[2J" });
        assert_eq!(name(&forged), "owner2026-01-01 WARN[2J (7)");
        assert_eq!(name(&json!({ "sub": "7", "name": "owner" })), "7");
        let verified = json!({ "sub": "7", "preferred_username": "x", "email": "Ann@example.com", "email_verified": true });
        assert_eq!(name(&verified), "ann@example.com");
    }
}
