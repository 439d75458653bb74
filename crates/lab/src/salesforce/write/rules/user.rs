//! Users: licences, user names, and e-mail addresses that wait for confirmation.

use super::{Draft, account};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::value::Value;
use crate::salesforce::write::decode::is_email;

pub(super) fn fill_in(org: &Org, draft: &mut Draft) {
    draft.set_default("IsActive", Value::Bool(true));
    draft.set_default("UserType", Value::text("Standard"));
    draft.set_default("DigestFrequency", Value::text("D"));
    draft.set_default("DefaultGroupNotificationFrequency", Value::text("N"));
    if let Some(currency) = org.options.currencies.first() {
        draft.set_default("DefaultCurrencyIsoCode", Value::text(currency.as_str()));
    }
    let local = draft
        .text("Username")
        .and_then(|name| name.split('@').next())
        .unwrap_or("user");
    let nickname: String = local.chars().take(20).collect();
    let nickname = format!("{nickname}.{}", &draft.row.id.short()[9..]);
    draft.set_default("CommunityNickname", Value::text(nickname));
}

pub(super) fn check(org: &mut Org, actor: Actor, draft: &mut Draft) -> Outcome<()> {
    let username = draft.text("Username").unwrap_or_default();
    if draft.changed("Username") && !is_email(username) {
        return Err(Fault::of_field(
            Code::InvalidEmail,
            "Username",
            format!(
                "Username: The username must be in the form of an email address (for example, john@acme.com): {username}"
            ),
        ));
    }
    account::derive_person_name(draft);
    let reactivated = draft.flag("IsActive") && draft.former("IsActive") != Some(&Value::Bool(true));
    if reactivated && org.active_users() >= org.licenses {
        return Err(Fault::new(Code::LicenseLimit, "License Limit Exceeded"));
    }
    if !draft.flag("IsActive") && draft.row.id == actor.user {
        return Err(Fault::of_field(
            Code::FieldIntegrity,
            "IsActive",
            "You cannot deactivate the user you are logged in as.",
        ));
    }
    hold_email(org, draft);
    Ok(())
}

/// A changed address is not the user's until its owner confirms it: the old one is read back until then.
fn hold_email(org: &mut Org, draft: &mut Draft) {
    if draft.is_new() || !draft.changed("Email") {
        return;
    }
    let Some(wanted) = draft.text("Email").map(str::to_owned) else {
        return;
    };
    let old = draft.former("Email").cloned();
    draft.set("Email", old);
    org.hold_email(draft.row.id, wanted);
}

impl Org {
    /// How many users are active: each takes a licence.
    pub(crate) fn active_users(&self) -> u32 {
        let Some(users) = self.optional("User") else {
            return 0;
        };
        let object = self.schema.object(users);
        let Some(active) = object.find("IsActive") else {
            return 0;
        };
        let rows = self.table(users).since(i64::MIN);
        let count = rows
            .filter(|row| row.values.get(active) == Some(&Value::Bool(true)))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The owner of a user's new e-mail address confirms it.
    pub(crate) fn confirm_email(&mut self, user: RecordId) -> Outcome<String> {
        let place = self.pending_emails.iter().position(|(id, _)| *id == user);
        let Some((_, email)) = place.map(|place| self.pending_emails.remove(place)) else {
            return Err(Fault::new(
                Code::NotFound,
                "no e-mail address of this user waits for confirmation",
            ));
        };
        let Some((object, row)) = self.row(user).map(|(object, row)| (object, row.clone())) else {
            return Err(Fault::not_found());
        };
        let mut draft = Draft::new(&self.schema, object, row.clone(), Some(row));
        draft.set("Email", Some(Value::text(email.as_str())));
        let owner = self.actor(user, crate::salesforce::org::Origin::System);
        self.settle_draft(owner, draft, crate::salesforce::audit::Action::Update)?;
        self.commit();
        Ok(email)
    }
}
