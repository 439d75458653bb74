//! What kind of org to be: a JSON file, or a preset by name.

use serde::Deserialize;
use serde_json::Value as Json;

use super::faults::FaultRule;
use super::features::{ApprovalLock, QueueOptions, RecordTypeOptions};
use super::oauth::public_key;
use super::shape::FieldSecurity;
use super::validation::ValidationRule;

/// The options of a local org. Every part of the file may be left out; it then is as in the preset `default`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what an org has is a list of independent yes and no"
)]
pub struct Options {
    /// The company's name.
    pub name: String,
    /// Makes ids and tokens repeatable. Without it every start is another org.
    pub seed: Option<u64>,
    /// Records carry `CurrencyIsoCode`.
    pub multi_currency: bool,
    /// The currencies of the org, the corporate one first.
    pub currencies: Vec<String>,
    /// The standard object Division exists. Without it our metadata brings `Division__c`.
    pub divisions: bool,
    /// Quote and QuoteLineItem exist.
    pub quotes: bool,
    /// Our metadata is deployed: `Customerp_Id__c`, `Invoice__c` with `InvoiceLine__c`, `Division__c`.
    pub metadata: bool,
    /// The standard Invoice exists (and our `Invoice__c` does not).
    pub billing: bool,
    /// `Discount` of OrderItem and QuoteLineItem exists and lowers `TotalPrice`.
    pub line_discounts: bool,
    /// The time zone that the day of a date literal such as `TODAY` begins in.
    pub time_zone: String,
    /// The oldest version of the API that is answered; older ones are retired.
    pub oldest_version: u32,
    /// Whether `If-Unmodified-Since` holds for DELETE, of which the documentation says both.
    pub conditional_delete: bool,
    /// How many active users the licence allows.
    pub licenses: u32,
    /// How many API calls a day allows.
    pub daily_api_requests: u64,
    /// How long an access token lives.
    pub token_lifetime_seconds: u32,
    /// Every use of a refresh token replaces it.
    pub rotate_refresh_tokens: bool,
    /// How many seconds the org's clock is behind at first; `/_local/clock` moves it on.
    pub clock_behind_seconds: u32,
    /// How many changes `/_local/log` keeps; older ones are dropped.
    pub audit_entries: usize,
    /// Conditions that no record may satisfy.
    pub validation_rules: Vec<ValidationRule>,
    /// What profiles may do with fields.
    pub field_security: Vec<FieldSecurity>,
    /// How many milliseconds a request is on its way, but for one to the Pub/Sub API.
    pub latency_ms: u64,
    /// A file for every request and its answer, a line of JSON each.
    pub record: Option<std::path::PathBuf>,
    /// What goes wrong, and when.
    pub faults: Vec<FaultRule>,
    /// The token that `/_local/faults` asks for; another at every start where none is given.
    pub admin_token: Option<String>,
    /// The org answers https alone; without it both http and https, at the same port.
    pub tls: bool,
    /// The port of the Pub/Sub API; 0 takes a free one.
    pub pubsub_port: u16,
    /// The objects whose changes make events; without it Contact, Order, Quote, Task and Invoice__c, where they exist.
    pub change_events: Option<Vec<String>>,
    /// More than five objects may be selected for change events.
    pub event_addon: bool,
    /// How many events may be delivered in 24 hours, to all subscribers together.
    pub daily_event_deliveries: u64,
    /// How many events are kept; older ones are dropped, as are all after 72 hours.
    pub event_entries: usize,
    /// How many changes of one transaction make events; what exceeds it makes an overflow event for each object.
    pub event_overflow: usize,
    /// After how many seconds without an event a subscriber gets a sign of life; at most 270.
    pub event_keepalive_seconds: u32,
    /// Names of the profiles.
    pub profiles: Vec<String>,
    /// The users, each with a token of its own.
    pub users: Vec<UserOptions>,
    /// Rows of the standard Invoice, which the API cannot create.
    pub invoices: Vec<InvoiceSeed>,
    /// An Account may be a person, with a Contact that follows it.
    pub person_accounts: bool,
    /// Record types, which may take fewer entries of a picklist than the field has.
    pub record_types: Vec<RecordTypeOptions>,
    /// Queues that may own records.
    pub queues: Vec<QueueOptions>,
    /// Records in approval, which are locked.
    pub approval_locks: Vec<ApprovalLock>,
}

/// A user of the org and the client that logs in as that user.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserOptions {
    /// In the form of an e-mail address.
    pub username: String,
    /// Blank for users such as an integration's.
    #[serde(default)]
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: String,
    /// Defaults to the user name.
    #[serde(default)]
    pub email: Option<String>,
    /// One of the profiles.
    pub profile: String,
    /// `client_id` of every grant; none: no client of its own logs in as this user.
    #[serde(default)]
    pub client_id: Option<String>,
    /// `client_secret` of the client credentials grant.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The certificate or public key (PEM, RSA) that assertions of the JWT bearer grant are checked with.
    #[serde(default)]
    pub certificate: Option<String>,
    /// A refresh token that the client has from the start.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// Where a person who approved the client is sent back to; none: any address on this machine.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// An inactive user owns nothing new and cannot log in.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A row of the standard Invoice that is there from the start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceSeed {
    /// `InvoiceNumber`.
    pub number: String,
    /// `Description`, at most 255 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// `InvoiceDate` and, 30 days later, `DueDate`; the day of the start where none is given.
    #[serde(default)]
    pub date: Option<String>,
    /// Name of the Account in `BillingAccountId`, created where there is none of that name; "Billing" where none is given.
    #[serde(default)]
    pub account: Option<String>,
    /// `TotalAmount` and `Balance`, as decimal text.
    #[serde(default)]
    pub total: Option<String>,
    /// `Status`; Draft where none is given. A Posted invoice is locked.
    #[serde(default)]
    pub status: Option<String>,
}

/// The options cannot be used; the sentence says which part, and what to write instead.
#[derive(Debug, Clone, thiserror::Error)]
#[error("options of the local org: {0}")]
pub struct OptionsError(String);

fn yes() -> bool {
    true
}

impl Default for Options {
    fn default() -> Options {
        Options {
            name: "Tandem Local Org".to_owned(),
            seed: None,
            multi_currency: true,
            currencies: [
                "USD", "EUR", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CAD", "AUD", "BRL",
                "MXN",
            ]
            .map(str::to_owned)
            .into(),
            divisions: true,
            quotes: true,
            metadata: true,
            billing: false,
            line_discounts: true,
            time_zone: "Europe/Berlin".to_owned(),
            oldest_version: 31,
            conditional_delete: true,
            licenses: 10_000,
            daily_api_requests: 1_000_000,
            token_lifetime_seconds: 7_200,
            rotate_refresh_tokens: false,
            clock_behind_seconds: 0,
            audit_entries: 200_000,
            validation_rules: Vec::new(),
            field_security: Vec::new(),
            latency_ms: 0,
            record: None,
            faults: Vec::new(),
            admin_token: None,
            tls: false,
            pubsub_port: 0,
            change_events: None,
            event_addon: false,
            daily_event_deliveries: 25_000,
            event_entries: 100_000,
            event_overflow: 100_000,
            event_keepalive_seconds: 240,
            profiles: ["System Administrator", "Standard User", "Read Only"]
                .map(str::to_owned)
                .into(),
            users: default_users(),
            invoices: Vec::new(),
            person_accounts: false,
            record_types: Vec::new(),
            queues: Vec::new(),
            approval_locks: Vec::new(),
        }
    }
}

fn default_users() -> Vec<UserOptions> {
    let user = |name: &str, first: Option<&str>, last: &str, profile: &str, client: &str| UserOptions {
        username: format!("{name}@tandem.example"),
        first_name: first.map(str::to_owned),
        last_name: last.to_owned(),
        email: None,
        profile: profile.to_owned(),
        client_id: Some(client.to_owned()),
        client_secret: Some(format!("{client}-secret")),
        certificate: None,
        refresh_token: None,
        redirect_uri: None,
        active: true,
    };
    vec![
        user(
            "integration",
            None,
            "Integration User",
            "System Administrator",
            "tandem",
        ),
        user("alice", Some("Alice"), "Archer", "System Administrator", "alice"),
        user("bob", Some("Bob"), "Baker", "Standard User", "bob"),
    ]
}

impl Options {
    /// The names [`Options::preset`] knows.
    pub const PRESETS: [&'static str; 4] = ["default", "no-divisions", "billing", "bare"];

    /// `default`: Divisions, Quotes, several currencies and our metadata. `no-divisions`: the same without Divisions.
    /// `billing`: with the standard Invoice, whose rows [`Options::invoices`] gives. `bare`: no Divisions, no standard
    /// Invoice, none of our metadata and nothing selected for change events, until it is deployed.
    #[must_use]
    pub fn preset(name: &str) -> Option<Options> {
        let default = Options::default();
        match name {
            "default" => Some(default),
            "no-divisions" => Some(Options {
                divisions: false,
                ..default
            }),
            "billing" => Some(Options {
                billing: true,
                ..default
            }),
            "bare" => Some(Options {
                divisions: false,
                metadata: false,
                change_events: Some(Vec::new()),
                ..default
            }),
            _ => None,
        }
    }

    /// Reads an options file. `{"preset": "billing", ...}` starts from a preset; every other part replaces the preset's.
    ///
    /// # Errors
    /// Where the text is not JSON, a name is unknown, or the parts contradict each other.
    pub fn from_json(text: &str) -> Result<Options, OptionsError> {
        let mut given: serde_json::Map<String, Json> =
            serde_json::from_str(text).map_err(|error| OptionsError(error.to_string()))?;
        let preset = given.remove("preset").unwrap_or_else(|| Json::from("default"));
        let base = preset.as_str().and_then(Options::preset).ok_or_else(|| {
            OptionsError(format!(
                "no preset is called {preset}; write one of {}",
                Options::PRESETS.join(", ")
            ))
        })?;
        for (name, value) in [
            ("divisions", base.divisions),
            ("billing", base.billing),
            ("metadata", base.metadata),
        ] {
            given.entry(name).or_insert(Json::Bool(value));
        }
        if let Some(selected) = base.change_events {
            given.entry("change_events").or_insert(Json::from(selected));
        }
        let options: Options =
            serde_json::from_value(Json::Object(given)).map_err(|error| OptionsError(error.to_string()))?;
        options.check()?;
        Ok(options)
    }

    /// Whether the parts fit together.
    ///
    /// # Errors
    /// A sentence on the first part that does not.
    pub fn check(&self) -> Result<(), OptionsError> {
        let refuse = |text: String| Err(OptionsError(text));
        if self.users.is_empty() {
            return refuse(
                "`users` is empty; name at least one user with client_id and client_secret".to_owned(),
            );
        }
        for (place, user) in self.users.iter().enumerate() {
            if !self.profiles.contains(&user.profile) {
                return refuse(format!(
                    "user {} has the profile \"{}\"; write one of {}",
                    user.username,
                    user.profile,
                    self.profiles.join(", ")
                ));
            }
            let twice = |other: &UserOptions| {
                other.username.eq_ignore_ascii_case(&user.username)
                    || (user.client_id.is_some() && other.client_id == user.client_id)
            };
            if self.users[..place].iter().any(twice) {
                return refuse(format!(
                    "user {} repeats the user name or client_id of another",
                    user.username
                ));
            }
            check_client(user)?;
        }
        if let Some(problem) = self.faults.iter().find_map(FaultRule::problem) {
            return refuse(format!("`faults`: {problem}"));
        }
        if !(1..=270).contains(&self.event_keepalive_seconds) {
            return refuse("`event_keepalive_seconds` has to be from 1 to 270".to_owned());
        }
        if self.currencies.is_empty() {
            return refuse("`currencies` is empty; name the corporate currency first".to_owned());
        }
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            return refuse(format!(
                "no time zone is called \"{}\"; write one like Europe/Berlin",
                self.time_zone
            ));
        }
        if !self.billing && !self.invoices.is_empty() {
            return refuse(
                "`invoices` needs `\"billing\": true`: only then the standard Invoice exists".to_owned(),
            );
        }
        Ok(())
    }

    /// Whether a field or object of the metadata exists under these options.
    pub(crate) fn has(&self, feature: &str) -> bool {
        match feature {
            "" => true,
            "multi-currency" => self.multi_currency,
            "divisions" => self.divisions,
            "quotes" => self.quotes,
            "metadata" => self.metadata,
            "billing" => self.billing,
            "line-discounts" => self.line_discounts,
            "own-invoices" => self.metadata && !self.billing,
            "person-accounts" => self.person_accounts,
            "record-types" => !self.record_types.is_empty(),
            "queues" => !self.queues.is_empty(),
            "own-divisions" => self.metadata && !self.divisions,
            _ => false,
        }
    }
}

/// Whether a user's client can sign in by what it has.
fn check_client(user: &UserOptions) -> Result<(), OptionsError> {
    let refuse = |text: &str| Err(OptionsError(format!("user {} {text}", user.username)));
    let proofs = [&user.client_secret, &user.certificate, &user.refresh_token];
    let proven = proofs.iter().any(|proof| proof.is_some());
    if user.client_id.is_some() != proven {
        return refuse(
            "needs client_id together with client_secret, certificate or refresh_token, or none of them",
        );
    }
    if user
        .certificate
        .as_deref()
        .is_some_and(|pem| public_key(pem).is_none())
    {
        return refuse("has a certificate that is no RSA certificate or public key in PEM");
    }
    Ok(())
}
