//! What every org has from its first second: itself, profiles, users, the standard price book, the Global division.

use rust_decimal::Decimal;

use super::fault::Outcome;
use super::faults::Faults;
use super::id::RecordId;
use super::options::{InvoiceSeed, Options};
use super::org::Org;
use super::table::{Row, Values};
use super::value::{Value, parse_date, parse_number};

impl Org {
    /// An org as it is on its first day.
    ///
    /// # Errors
    /// Where a seeded invoice does not fit.
    pub(crate) fn first_day(options: Options) -> Outcome<Org> {
        let mut org = Org::empty(options);
        let first_user = org.seed_users();
        org.seed_organization(first_user);
        org.seed_row(
            "Pricebook2",
            first_user,
            &[
                ("Name", text("Standard Price Book")),
                flag("IsActive"),
                flag("IsStandard"),
            ],
        );
        let order = ("SortOrder", Some(Value::Number(0.into())));
        org.seed_row(
            "Division",
            first_user,
            &[
                ("Name", text("Global")),
                flag("IsActive"),
                flag("IsGlobalDivision"),
                order,
            ],
        );
        for rule in org.options.validation_rules.clone() {
            org.add_rule(rule)?;
        }
        org.seed_features(first_user)?;
        org.secure(org.options.field_security.clone())?;
        org.seed_refresh_tokens();
        for invoice in org.options.invoices.clone() {
            org.seed_invoice(first_user, &invoice)?;
        }
        org.commit();
        // Only now: what an org begins with is whole.
        org.faults = Faults::new(org.options.seed.unwrap_or_default(), org.options.faults.clone());
        Ok(org)
    }

    fn seed_users(&mut self) -> RecordId {
        let license = self.seed_row(
            "UserLicense",
            RecordId::MIN,
            &[
                ("Name", text("Salesforce")),
                ("MasterLabel", text("Salesforce")),
                ("LicenseDefinitionKey", text("SFDC")),
                ("Status", text("Active")),
            ],
        );
        let license = license.map(Value::Reference);
        let mut first = None;
        for name in self.options.profiles.clone() {
            self.seed_row(
                "Profile",
                RecordId::MIN,
                &[
                    ("Name", text(&name)),
                    ("UserLicenseId", license.clone()),
                    ("UserType", text("Standard")),
                ],
            );
        }
        for user in self.options.users.clone() {
            let profile = self.find_by_text("Profile", "Name", &user.profile);
            let local = user.username.split('@').next().unwrap_or("user").to_owned();
            let name = [user.first_name.as_deref().unwrap_or_default(), &user.last_name].join(" ");
            let alias: String = local.chars().take(8).collect();
            let values = [
                ("Username", text(&user.username)),
                ("FirstName", user.first_name.as_deref().and_then(text)),
                ("LastName", text(&user.last_name)),
                ("Name", text(name.trim())),
                ("Email", text(user.email.as_deref().unwrap_or(&user.username))),
                ("Alias", text(&alias)),
                ("CommunityNickname", text(&local)),
                ("ProfileId", profile.map(Value::Reference)),
                ("IsActive", Some(Value::Bool(user.active))),
                ("UserType", text("Standard")),
                ("TimeZoneSidKey", text(&self.options.time_zone)),
                ("LocaleSidKey", text("en_US")),
                ("LanguageLocaleKey", text("en_US")),
                ("EmailEncodingKey", text("UTF-8")),
                ("DigestFrequency", text("D")),
                ("DefaultGroupNotificationFrequency", text("N")),
                (
                    "DefaultCurrencyIsoCode",
                    self.options.currencies.first().and_then(|code| text(code)),
                ),
            ];
            let id = self.seed_row("User", first.unwrap_or(RecordId::MIN), &values);
            first = first.or(id);
        }
        self.count_licenses();
        first.unwrap_or(RecordId::MIN)
    }

    /// The refresh tokens that the options give.
    fn seed_refresh_tokens(&mut self) {
        for user in self.options.users.clone() {
            let id = self.find_by_text("User", "Username", &user.username);
            if let (Some(client), Some(token), Some(id)) = (user.client_id, user.refresh_token, id) {
                self.grants.keep(&client, id, "refresh_token api", &token);
            }
        }
    }

    fn seed_organization(&mut self, user: RecordId) {
        let values = [
            ("Name", text(&self.options.name)),
            ("OrganizationType", text("Developer Edition")),
            ("InstanceName", text("LOCAL")),
            ("DefaultLocaleSidKey", text("en_US")),
            ("LanguageLocaleKey", text("en_US")),
            ("TimeZoneSidKey", text(&self.options.time_zone)),
            flag("IsSandbox"),
        ];
        self.seed_row("Organization", user, &values);
    }

    fn seed_invoice(&mut self, user: RecordId, seed: &InvoiceSeed) -> Outcome<()> {
        let name = seed.account.as_deref().unwrap_or("Billing");
        let account = self.find_by_text("Account", "Name", name).or_else(|| {
            self.seed_row(
                "Account",
                user,
                &[("Name", text(name)), ("OwnerId", Some(Value::Reference(user)))],
            )
        });
        let today = jiff::Timestamp::from_second(self.now())
            .unwrap_or_default()
            .to_zoned(self.time_zone.clone())
            .date();
        let date = seed.date.as_deref().and_then(parse_date).unwrap_or(today);
        let due = date.checked_add(jiff::Span::new().days(30)).unwrap_or(date);
        let total = seed
            .total
            .as_deref()
            .and_then(parse_number)
            .unwrap_or(Decimal::ZERO);
        let Some(object) = self.optional("Invoice") else {
            return Ok(());
        };
        let number = self.table_mut(object).draw_number();
        self.seed_row(
            "Invoice",
            user,
            &[
                ("DocumentNumber", text(&format!("INV-{number:010}"))),
                ("InvoiceNumber", text(&seed.number)),
                ("Description", seed.description.as_deref().and_then(text)),
                ("InvoiceDate", Some(Value::Date(date))),
                ("DueDate", Some(Value::Date(due))),
                ("BillingAccountId", account.map(Value::Reference)),
                ("TotalAmount", Some(Value::Number(total))),
                ("Balance", Some(Value::Number(total))),
                ("Status", text(seed.status.as_deref().unwrap_or("Draft"))),
                ("OwnerId", Some(Value::Reference(user))),
            ],
        );
        Ok(())
    }

    /// Writes a row as it is, past all checks; nothing where the org lacks the object.
    pub(super) fn seed_row(
        &mut self,
        object: &str,
        by: RecordId,
        fields: &[(&str, Option<Value>)],
    ) -> Option<RecordId> {
        let object = self.optional(object)?;
        let id = self.draw_id(object);
        let now = self.now();
        let by = if by == RecordId::MIN { id } else { by };
        let schema = std::sync::Arc::clone(&self.schema);
        let kind = schema.object(object);
        let mut values = Values::default();
        let currency = self.options.currencies.first().and_then(|code| text(code));
        for (name, value) in fields.iter().cloned().chain([("CurrencyIsoCode", currency)]) {
            if let Some(at) = kind.find(name) {
                values.set(at, value);
            }
        }
        let row = Row {
            id,
            created: now,
            created_by: by,
            modified: now,
            modified_by: by,
            stamp: now,
            deleted: false,
            values,
        };
        self.put(object, row);
        Some(id)
    }

    /// The live record whose field holds this text.
    pub(crate) fn find_by_text(&self, object: &str, field: &str, wanted: &str) -> Option<RecordId> {
        let object = self.optional(object)?;
        let at = self.schema.object(object).find(field)?;
        let mut rows = self.table(object).since(i64::MIN).filter(|row| !row.deleted);
        rows.find(|row| row.values.get(at).and_then(Value::as_text) == Some(wanted))
            .map(|row| row.id)
    }

    /// The id of the org itself.
    pub(crate) fn organization(&self) -> RecordId {
        let row = self
            .optional("Organization")
            .and_then(|object| self.table(object).since(i64::MIN).next());
        row.map_or(RecordId::MIN, |row| row.id)
    }

    /// Brings the licence's counts up to date.
    pub(crate) fn count_licenses(&mut self) {
        let Some(object) = self.optional("UserLicense") else {
            return;
        };
        let Some(id) = self.table(object).since(i64::MIN).next().map(|row| row.id) else {
            return;
        };
        let (total, used) = (self.licenses, self.active_users());
        self.recompute(object, id, |draft| {
            draft.set("TotalLicenses", Some(Value::Number(total.into())));
            draft.set("UsedLicenses", Some(Value::Number(used.into())));
        });
    }

    /// The user who logs in with this client id and secret.
    pub(crate) fn client(&self, client_id: &str, secret: &str) -> Option<RecordId> {
        let user = self
            .options
            .users
            .iter()
            .find(|user| user.client_id.as_deref() == Some(client_id))?;
        if user.client_secret.as_deref() != Some(secret) {
            return None;
        }
        self.find_by_text("User", "Username", &user.username)
    }

    /// The users of the options with their ids, for the record browser's choice.
    pub(crate) fn people(&self) -> Vec<(RecordId, String)> {
        let Some(object) = self.optional("User") else {
            return Vec::new();
        };
        let mut people: Vec<(RecordId, String)> = self
            .table(object)
            .since(i64::MIN)
            .map(|row| (row.id, self.text_of(row.id, "Name").unwrap_or_default()))
            .filter(|(id, _)| self.is_active(*id))
            .collect();
        people.sort();
        people
    }
}

fn text(text: &str) -> Option<Value> {
    if text.is_empty() {
        None
    } else {
        Some(Value::text(text))
    }
}

fn flag(name: &str) -> (&str, Option<Value>) {
    (name, Some(Value::Bool(true)))
}
