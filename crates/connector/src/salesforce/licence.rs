//! The reserve of user licences: new users never take the last free ones.

use super::packs::Prepared;
use super::{Salesforce, soql};
use crate::http::Request;
use crate::http::json::count;
use crate::{Change, Outcome, Refusal, RefusalKind};
use tandem_merge::value::Value;

const STATEMENT: &str =
    "SELECT TotalLicenses, UsedLicenses FROM UserLicense WHERE LicenseDefinitionKey = 'SFDC'";

/// Takes out the creates of active users that the reserve does not allow, with their outcomes.
pub(super) async fn hold_back(org: &Salesforce, users: &mut Vec<Prepared<'_>>) -> Vec<(usize, Outcome)> {
    let Some(reserve) = org.user_reserve else {
        return Vec::new();
    };
    let request = Request::get(soql::address(&org.session, STATEMENT, false));
    let row = match org.session.read(request).await {
        Ok((body, _)) => body["records"].get(0).cloned().unwrap_or_default(),
        Err(error) => {
            let unsent = |one: Prepared<'_>| (one.place, Outcome::NotSent(error.clone()));
            return users.drain(..).map(unsent).collect();
        }
    };
    let (total, used) = (count(&row, "TotalLicenses"), count(&row, "UsedLicenses"));
    let free = total.unwrap_or_default().saturating_sub(used.unwrap_or_default());
    let mut allowed = free.saturating_sub(reserve);
    let mut held = Vec::new();
    users.retain(|one| {
        if !takes_licence(one) {
            return true;
        }
        if allowed > 0 {
            allowed -= 1;
            return true;
        }
        held.push((one.place, Outcome::Refused(refusal(free, reserve))));
        false
    });
    held
}

fn takes_licence(one: &Prepared<'_>) -> bool {
    match &one.write.change {
        Change::Create { values, .. } => values.get("IsActive") != Some(&Value::Boolean(false)),
        Change::Update { .. } | Change::Delete { .. } => false,
    }
}

fn refusal(free: u32, reserve: u32) -> Refusal {
    Refusal {
        kind: RefusalKind::Limit,
        properties: Vec::new(),
        message: format!("{free} user licences are free, and {reserve} of them are to stay so"),
        advice: "Free or buy user licences, or lower the reserve in the configuration".to_owned(),
    }
}
