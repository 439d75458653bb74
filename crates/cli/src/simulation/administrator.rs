//! An administrator of the org: sets up rules that refuse creates and changes, merges contacts, purges what was
//! deleted, and lets rows show late. All of it goes through the org's own interfaces, over the line that works.

use super::line::{HOSTS, Lines};
use super::people::People;
use crate::failure::Failure;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use tandem_connector::simulation::Sent;
use tandem_fuzz::Dice;
use tandem_merge::record::{RecordKey, RecordType};

/// Rules that an org may get in the middle of a day: object, condition, the field that a refusal names.
const RULES: [[&str; 3]; 6] = [
    ["Contact", "Title = null", "Title"],
    ["Contact", "Phone = null", "MailingCity"],
    ["Product2", "IsActive = false", "IsActive"],
    ["Product2", "Description = null", "Description"],
    ["Task", "Description = null", "Priority"],
    ["Order", "Description = null", "Description"],
];

/// What the org asks for where something shall go wrong.
pub(super) const ADMIN_TOKEN: &str = "nobody else knows";

/// Objects whose records are seen late for a while.
const SLOW: [&str; 5] = ["Contact", "Product2", "Task", "Order", "Quote"];

/// Objects whose records somebody deletes for good.
const PURGED: [&str; 3] = ["Contact", "Product2", "Task"];

/// Somebody with all rights in the org.
pub(super) struct Administrator {
    lines: Arc<Lines>,
    token: String,
}

impl Administrator {
    /// Signs in.
    pub(super) async fn new(lines: Arc<Lines>) -> Self {
        let mut own = Self {
            lines,
            token: String::new(),
        };
        let form = "grant_type=client_credentials&client_id=alice&client_secret=alice-secret";
        let kind = "application/x-www-form-urlencoded";
        let answer = own
            .call("POST", "/services/oauth2/token", kind, form.to_owned())
            .await;
        let answer: Json = serde_json::from_str(&answer).unwrap();
        answer["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut own.token);
        own
    }

    /// One thing that an administrator does, in words.
    pub(super) async fn act(&self, people: &mut People, dice: &mut Dice) -> Result<String, Failure> {
        match dice.below(5) {
            0 => Ok(self.rule(dice).await),
            1 => self.merge(people, dice).await,
            2 => self.purge(people, dice).await,
            3 => Ok(self.slow(dice).await),
            _ => Ok(self.relax().await),
        }
    }

    /// From now on the org refuses records that a rule meets.
    async fn rule(&self, dice: &mut Dice) -> String {
        let [object, condition, field] = RULES[usize::try_from(dice.below(RULES.len() as u64)).unwrap()];
        let rule = json!({
            "object": object, "condition": condition, "message": format!("refused where {condition}"), "field": field,
        });
        let answer = self.local("POST", "rules", &rule).await;
        assert!(answer.contains(condition), "a rule is not taken: {answer}");
        format!("the administrator refuses every {object} with {condition}")
    }

    /// What is written to an object next shows only seconds later, within the overlap.
    async fn slow(&self, dice: &mut Dice) -> String {
        let object = SLOW[usize::try_from(dice.below(SLOW.len() as u64)).unwrap()];
        let (seconds, times) = (1 + dice.below(4), 1 + dice.below(3));
        let rule = json!({
            "action": "late-visibility", "object": object, "seconds": seconds, "times": times,
        });
        let kind = "application/json";
        let answer = self.call_as(ADMIN_TOKEN, "POST", "/_local/faults", kind, rule.to_string());
        let answer = answer.await;
        assert!(
            answer.contains("late-visibility"),
            "a fault is not taken: {answer}"
        );
        format!("the next {times} writes of {object} show after {seconds} s")
    }

    /// The org refuses nothing by rules any more.
    pub(super) async fn relax(&self) -> String {
        self.local("DELETE", "rules", &json!({})).await;
        "the administrator drops all rules".to_owned()
    }

    /// Two contacts become one.
    async fn merge(&self, people: &mut People, dice: &mut Dice) -> Result<String, Failure> {
        let all = people.records(&RecordType::new("salesforce", "Contact")).await?;
        if all.len() < 2 {
            return Ok("nobody finds two contacts to merge".to_owned());
        }
        let count = u64::try_from(all.len()).unwrap();
        let master = usize::try_from(dice.below(count)).unwrap();
        let loser = (master + 1 + usize::try_from(dice.below(count - 1)).unwrap()) % all.len();
        let [kept, gone] = [&all[master].key, &all[loser].key];
        let what = format!(
            "<merge><mergeRequests><masterRecord><s:type>Contact</s:type><s:Id>{}</s:Id></masterRecord>\
             <recordToMergeIds>{}</recordToMergeIds></mergeRequests></merge>",
            kept.id, gone.id
        );
        let done = self.soap(&what).await;
        if done {
            people.merged(gone, &all[loser]);
            self.lines.state().counts.merged += 1;
        }
        Ok(format!(
            "the administrator merges {gone} into {kept}: {}",
            word(done)
        ))
    }

    /// A record is deleted for good: the recycle bin is emptied at once.
    async fn purge(&self, people: &mut People, dice: &mut Dice) -> Result<String, Failure> {
        let object = PURGED[usize::try_from(dice.below(PURGED.len() as u64)).unwrap()];
        let Some((key, told)) = people
            .delete_one(&RecordType::new("salesforce", object), dice)
            .await?
        else {
            return Ok(format!("nobody finds a {object} to purge"));
        };
        let done = self.empty_bin(&key).await;
        self.lines.state().counts.purged += u64::from(done);
        Ok(format!("{told}; it is purged: {}", word(done)))
    }

    /// How many change events the org delivered.
    pub(super) async fn events(&self) -> u64 {
        let told = self.local("GET", "events", &json!({})).await;
        let told: Json = serde_json::from_str(&told).unwrap();
        told["delivered"].as_u64().unwrap()
    }

    async fn empty_bin(&self, key: &RecordKey) -> bool {
        let what = format!("<emptyRecycleBin><ids>{}</ids></emptyRecycleBin>", key.id);
        self.soap(&what).await
    }

    /// A call of the SOAP interface; whether it was carried out.
    async fn soap(&self, what: &str) -> bool {
        let envelope = format!(
            r#"<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" xmlns:s="urn:sobject.partner.soap.sforce.com"><e:Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></e:Header><e:Body>{what}</e:Body></e:Envelope>"#,
            self.token
        );
        let answer = self
            .call("POST", "/services/Soap/u/62.0", "text/xml", envelope)
            .await;
        answer.contains("<success>true</success>")
    }

    async fn local(&self, method: &str, path: &str, body: &Json) -> String {
        let path = format!("/_local/{path}");
        self.call(method, &path, "application/json", body.to_string())
            .await
    }

    async fn call(&self, method: &str, target: &str, kind: &str, body: String) -> String {
        self.call_as(&self.token, method, target, kind, body).await
    }

    async fn call_as(&self, token: &str, method: &str, target: &str, kind: &str, body: String) -> String {
        let headers = [
            ("content-type", kind.to_owned()),
            ("soapaction", "\"\"".to_owned()),
            ("authorization", format!("Bearer {token}")),
        ];
        let sent = Sent {
            method: method.to_owned(),
            host: HOSTS[1].to_owned(),
            target: target.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: body.into_bytes(),
        };
        let received = self.lines.answer(1, sent).await;
        String::from_utf8_lossy(&received.body).into_owned()
    }
}

fn word(done: bool) -> &'static str {
    if done { "done" } else { "refused" }
}
