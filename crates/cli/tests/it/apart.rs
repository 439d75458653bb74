//! One record whose reads by id a system always answers with an error: it is named, all others travel, and it follows
//! once it can be read.

use crate::local::{Pair, Ran};
use crate::proxy::{Fate, Proxy, between};
use crate::rest;
use serde_json::{Value as Json, json};

/// Contacts of one customer, in step.
struct Scene {
    pair: Pair,
    /// Their ids in the ERP and in the org.
    contacts: Vec<[String; 2]>,
    lines: [Proxy; 2],
}

impl Scene {
    fn of(names: &[&str]) -> Self {
        let pair = Pair::start(&["--records", "0", "--no-lines"], &[]);
        let erp = pair.customerp.url.clone();
        let customer = rest::post_customerp(&erp, "customers", &json!({ "name": "Acme" }))["id"].clone();
        let made = names.iter().map(|name| {
            let email = format!("{name}@example.org");
            let values =
                json!({ "lastName": name, "email": email, "title": "first", "customerId": customer });
            rest::post_customerp(&erp, "contacts", &values)["id"].clone()
        });
        let made: Vec<String> = made.map(|id| id.as_str().unwrap().to_owned()).collect();
        assert!(matches!(pair.run(&["sync"]).code, Some(0 | 3)));
        let both = made.into_iter().map(|id| {
            let shown = rest::get_customerp(&erp, &format!("contacts/{id}"));
            let there = shown["salesforceId"].as_str().unwrap().to_owned();
            [id, there]
        });
        let contacts = both.collect();
        let lines = between(&pair, [true, true]);
        Self {
            pair,
            contacts,
            lines,
        }
    }

    /// A sync, and the items of records that cannot be read.
    fn sync(&self) -> (Ran, Vec<Json>) {
        let ran = self.pair.run(&["sync"]);
        let items = self.pair.run(&["failures", "--json"]).lines();
        let unreadable = items.into_iter().filter(|item| item["kind"] == "unreadable");
        (ran, unreadable.collect())
    }

    /// From now on no list of that side shows the record that cannot be read by its id: one that does, for lists reach back
    /// a little, has shown it whole, and then it counts as read.
    fn lists_without_it(&self, of_org: bool) {
        let broken = self.contacts[0][usize::from(of_org)].clone();
        self.lines[usize::from(of_org)].alter(move |path, body| {
            // Ids of the ERP are those of one type.
            if !of_org && !path.contains("/contacts") {
                return body;
            }
            match serde_json::from_slice(&body) {
                Ok(shown) => without(shown, &broken).to_string().into_bytes(),
                Err(_) => body,
            }
        });
    }

    fn titles(&self, of_org: bool) -> Vec<Json> {
        let title = |[here, there]: &[String; 2]| {
            if of_org {
                let path = format!("sobjects/Contact/{there}");
                rest::get_salesforce(&self.pair.salesforce.url, &path)["Title"].clone()
            } else {
                rest::get_customerp(&self.pair.customerp.url, &format!("contacts/{here}"))["title"].clone()
            }
        };
        self.contacts.iter().map(title).collect()
    }

    /// Writes to one side that lose their answers while one of the records cannot be read there. Then the others count as
    /// written, and that one waits alone until it can be read.
    fn carries_the_others(&self, of_org: bool, text: &str) {
        for [here, there] in &self.contacts {
            if of_org {
                rest::patch_customerp(
                    &self.pair.customerp.url,
                    &format!("contacts/{here}"),
                    &json!({ "title": text }),
                );
            } else {
                rest::patch_salesforce(
                    &self.pair.salesforce.url,
                    "Contact",
                    there,
                    &json!({ "Title": text }),
                );
            }
        }
        let (ran, items) = self.sync();
        let told = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(3), "{told}");
        assert_eq!(items.len(), 1, "{items:?} {told}");
        let broken = &self.contacts[0][usize::from(of_org)];
        assert!(items[0].to_string().contains(broken.as_str()), "{items:?}");
        assert_eq!(self.titles(of_org)[1..], [text, text]);
        let status = self.pair.run(&["status"]);
        assert_eq!(status.code, Some(3), "{}{}", status.out, status.err);
        // AND the next edits of the others do not wait either
        for [here, there] in &self.contacts[1..] {
            if of_org {
                rest::patch_customerp(
                    &self.pair.customerp.url,
                    &format!("contacts/{here}"),
                    &json!({ "title": "more" }),
                );
            } else {
                rest::patch_salesforce(
                    &self.pair.salesforce.url,
                    "Contact",
                    there,
                    &json!({ "Title": "more" }),
                );
            }
        }
        let (ran, items) = self.sync();
        assert_eq!((ran.code, items.len()), (Some(3), 1), "{}{}", ran.out, ran.err);
        assert_eq!(self.titles(of_org)[1..], ["more", "more"]);
        // WHEN it can be read again
        for line in &self.lines {
            line.rule(|_, _, _| Fate::Deliver);
            line.alter(|_, body| body);
        }
        let (ran, items) = self.sync();
        assert!(matches!(ran.code, Some(0 | 3)), "{}{}", ran.out, ran.err);
        assert_eq!(items, Vec::<Json>::new());
        assert_eq!(self.titles(of_org), [text, "more", "more"]);
        let verify = self.pair.run(&["verify"]);
        assert_eq!(verify.code, Some(0), "{}{}", verify.out, verify.err);
    }
}

/// An answer whose lists do not hold a contact.
fn without(shown: Json, id: &str) -> Json {
    let other = |row: &Json| row["id"] != id && row["Id"] != id;
    match shown {
        Json::Array(rows) => {
            let others = rows.into_iter().filter(other);
            others.map(|row| without(row, id)).collect()
        }
        Json::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(name, value)| (name, without(value, id))).collect()
        }
        value => value,
    }
}

#[test]
fn e17_a_record_that_the_erp_never_shows_by_its_id_keeps_no_other_from_its_answer() {
    let scene = Scene::of(&["Broken", "Sound", "Third"]);
    for (status, body) in [
        (500, r#"{"code":"internal","message":"Null reference"}"#),
        (423, r#"{"code":"locked","message":"Somebody edits it"}"#),
        (200, "<html>no JSON</html>"),
    ] {
        let id = scene.contacts[0][0].clone();
        scene.lines[0].rule(move |method, path, _| {
            let asked = path
                .split_once("/contacts?ids=")
                .map(|(_, ids)| ids.replace("%2C", ","));
            let asks = asked.is_some_and(|ids| ids.split([',', '&']).any(|one| one == id));
            match asks {
                true => Fate::Answer(status, body),
                false if method == "PATCH" => Fate::CutAfter,
                false => Fate::Deliver,
            }
        });
        scene.lists_without_it(false);
        scene.carries_the_others(false, &format!("after {status}"));
    }
}

#[test]
fn e17_a_record_that_the_org_never_shows_by_its_id_keeps_no_other_from_its_answer() {
    let scene = Scene::of(&["Broken", "Sound", "Third"]);
    for (status, body) in [
        (
            500,
            r#"[{"errorCode":"UNKNOWN_EXCEPTION","message":"An unexpected error occurred"}]"#,
        ),
        (
            405,
            r#"[{"errorCode":"METHOD_NOT_ALLOWED","message":"Not here"}]"#,
        ),
        (
            401,
            r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#,
        ),
    ] {
        let id = scene.contacts[0][1].clone();
        scene.lines[1].rule(move |_, _, request| {
            match request.contains("WHERE+Id+IN") && request.contains(&id) {
                true => Fate::Answer(status, body),
                false if request.contains("PATCH") => Fate::CutAfter,
                false => Fate::Deliver,
            }
        });
        scene.lists_without_it(true);
        scene.carries_the_others(true, &format!("after {status}"));
    }
}
