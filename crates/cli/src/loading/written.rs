//! Configurations as `init` and `demo` write them.

use super::chosen::{ACCOUNTS, Chosen, Policies};
use super::{connect, describe};
use crate::failure::Failure;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tandem_connector::Schema;
use tandem_merge::config::{Configuration, Sources, load};

/// Flows that create records in Customerp in a fresh configuration of the demo.
pub(crate) const CREATED_IN_CUSTOMERP: [&str; 6] = [
    "contact-contact",
    "product-product2",
    "order-order",
    "project-task",
    "order-invoice",
    "order-line",
];

/// What a configuration is written from.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The flows that it has.
    pub(crate) flows: Chosen,
    /// What is chosen for all of them.
    pub(crate) policies: Policies,
    /// Address of Customerp.
    pub(crate) customerp_url: String,
    /// Address of Salesforce.
    pub(crate) salesforce_url: String,
    /// Where the secrets are, as the configuration says it: token, client id, client secret.
    pub(crate) secrets: [String; 3],
    /// How accounts of people are created; none: they are not.
    pub(crate) users: Option<Users>,
    /// Who owns records whose own owner has no account; none: the user that Tandem signs in as.
    pub(crate) owner: Option<String>,
    /// Whether the customer is kept in step with the Account too; none: where the org has no Divisions.
    pub(crate) accounts: Option<bool>,
    /// Settings of both connections, such as `poll: 1s`.
    pub(crate) pace: Vec<&'static str>,
    /// Flows that create records in Customerp.
    pub(crate) create_in_customerp: Vec<&'static str>,
    /// Which objects serve Division and Invoice.
    pub(crate) bindings: Bindings,
}

/// How accounts of people are created.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    /// The profile, by name.
    pub(crate) profile: String,
    /// Licences that stay free.
    pub(crate) free_licences: u32,
}

/// Which objects serve the two record types that leave a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bindings {
    /// `Division` or `Division__c`.
    pub(crate) division: &'static str,
    /// `Invoice` or `Invoice__c`.
    pub(crate) invoice: &'static str,
    /// Lines of orders and quotes have a discount in the org.
    pub(crate) discounts: bool,
    /// Why, one sentence per choice.
    pub(crate) why: [&'static str; 3],
}

const STANDARD: Bindings = Bindings {
    division: "Division",
    invoice: "Invoice",
    discounts: true,
    why: ["", "", ""],
};
const CUSTOM: Bindings = Bindings {
    division: "Division__c",
    invoice: "Invoice__c",
    discounts: true,
    why: ["", "", ""],
};

impl Draft {
    /// The text of `tandem.yaml`.
    pub(crate) fn text(&self) -> String {
        let [token, id, secret] = &self.secrets;
        let mut text = String::from("# What is kept in step, and where. The flow files say how.\n");
        let mut pace = String::new();
        for setting in &self.pace {
            let _ = writeln!(pace, "    {setting}");
        }
        let _ = write!(
            text,
            "connections:\n  customerp:\n    kind: customerp\n    url: {}\n    secrets: {{ token: {token} }}\n{pace}  \
             salesforce:\n    kind: salesforce\n    url: {}\n    secrets: {{ client_id: {id}, client_secret: {secret} }}\n{pace}",
            self.customerp_url, self.salesforce_url,
        );
        if let Some(users) = &self.users {
            let _ = writeln!(
                text,
                "    users: {{ profile: {}, free_licences: {}, time_zone: Europe/Berlin, locale: de_DE, encoding: UTF-8, language: en_US }}",
                users.profile, users.free_licences,
            );
        }
        if let Some(owner) = &self.owner {
            // A text in JSON is one in YAML.
            let _ = writeln!(text, "    owner: {}", serde_json::json!(owner));
        }
        let Bindings {
            division,
            invoice,
            discounts,
            why,
        } = &self.bindings;
        for sentence in why.iter().filter(|sentence| !sentence.is_empty()) {
            let _ = writeln!(text, "# {sentence}");
        }
        let invoice_line = invoice.replace("Invoice", "InvoiceLine");
        let lines = ["order-line", "quote-line"].into_iter();
        let lines = lines.filter(|name| !discounts && self.flows.has(name));
        let lines: Vec<String> = lines.map(|name| format!("{name}: amount")).collect();
        let variants = match lines.is_empty() {
            true => String::new(),
            false => format!("variants: {{ {} }}\n", lines.join(", ")),
        };
        let with = match self.with_accounts() {
            true => format!("# Flows beyond the usual nine.\nwith: [{ACCOUNTS}]\n"),
            false => String::new(),
        };
        let _ = writeln!(
            text,
            "bindings:\n  salesforce: {{ Division: {division}, Invoice: {invoice}, InvoiceLine: {invoice_line} }}\nflows: flows\n{with}{variants}\
             # The flows that create records in Customerp for records born in Salesforce.\n\
             create_in_customerp: [{}]",
            self.created_in_customerp().join(", "),
        );
        text
    }

    /// The flows that create records in Customerp, of those that are there.
    fn created_in_customerp(&self) -> Vec<&'static str> {
        let all = self.create_in_customerp.iter().copied();
        all.filter(|name| self.flows.has(name)).collect()
    }

    /// Whether the customer is kept in step with the Account too.
    pub(crate) fn with_accounts(&self) -> bool {
        let customers = self.flows.has("customer-division");
        customers && self.accounts.unwrap_or(self.bindings.division == CUSTOM.division)
    }

    /// The configuration it stands for.
    pub(crate) fn configuration(&self) -> Result<Configuration, Failure> {
        let flows = self.flows.files(&self.policies).into_iter();
        let flows = flows.map(|(name, text)| (format!("flows/{name}"), text));
        let sources = Sources {
            main: ("tandem.yaml".to_owned(), self.text()),
            flows: flows.collect(),
            kinds: tandem_connector::kinds::KINDS,
        };
        load(&sources).map_err(Failure::Configuration)
    }

    /// Asks both systems, and binds Division and Invoice to what the org has: the standard Division where there is
    /// one; the standard Invoice where it can be created or holds rows, else ours, else the standard one for
    /// updates only.
    pub(crate) async fn bind(&mut self) -> Result<(), Failure> {
        let standard = self.described(STANDARD).await?;
        let custom = self.described(CUSTOM).await?;
        let has = |schema: &Schema, name: &str| schema.types.contains_key(name);
        let createable = standard.types.get("Invoice").is_some_and(|it| it.createable);
        let rows = has(&standard, "Invoice") && !createable && self.has_invoices().await?;
        let (division, why_division) = match (has(&standard, "Division"), has(&custom, "Division")) {
            (true, _) => (
                "Division",
                "The org has Divisions: the standard object serves them.",
            ),
            (false, true) => (
                "Division__c",
                "The org has no Divisions: our custom object serves them.",
            ),
            (false, false) if !self.flows.has("customer-division") => (CUSTOM.division, ""),
            (false, false) => return Err(lacks("Division")),
        };
        let (invoice, why_invoice) = match (has(&standard, "Invoice"), has(&custom, "Invoice")) {
            (true, _) if createable => ("Invoice", "Standard Invoices can be created here."),
            (true, _) if rows => (
                "Invoice",
                "The org holds standard Invoices, which cannot be created: they are linked and kept in step only.",
            ),
            (_, true) => (
                "Invoice__c",
                "Standard Invoices cannot be created through the object API: our custom object serves them.",
            ),
            (true, false) => (
                "Invoice",
                "Standard Invoices cannot be created, and ours are not deployed: they are kept in step only.",
            ),
            (false, false) if !self.has_invoice_flows() => (CUSTOM.invoice, ""),
            (false, false) => return Err(lacks("Invoice")),
        };
        let takes = |schema: &Schema, name: &str| {
            let discount = schema
                .types
                .get(name)
                .and_then(|it| it.properties.get("Discount"));
            discount.is_some_and(|discount| discount.createable && discount.updateable)
        };
        let discounts = [("order-line", "OrderItem"), ("quote-line", "QuoteLineItem")]
            .into_iter()
            .all(|(flow, name)| !self.flows.has(flow) || takes(&standard, name));
        let why_lines = match discounts {
            true => "",
            false => "The org takes no discount on a line: lines have quantity 1 at their amount.",
        };
        self.bindings = Bindings {
            division,
            invoice,
            discounts,
            why: [why_division, why_invoice, why_lines],
        };
        Ok(())
    }

    /// What the org describes under these bindings.
    async fn described(&self, bindings: Bindings) -> Result<Schema, Failure> {
        let draft = Self {
            bindings,
            ..self.clone()
        };
        let [_, salesforce] = describe(&connect(&draft.configuration()?, None).await?).await?;
        Ok(salesforce)
    }

    fn has_invoice_flows(&self) -> bool {
        self.flows.has("order-invoice") || self.flows.has("quote-invoice")
    }

    async fn has_invoices(&self) -> Result<bool, Failure> {
        let draft = Self {
            bindings: STANDARD,
            ..self.clone()
        };
        let [_, salesforce] = connect(&draft.configuration()?, None).await?;
        let invoice = tandem_merge::record::RecordType::new("salesforce", "Invoice");
        Ok(!salesforce.list(&invoice, None).await?.observations.is_empty())
    }

    /// The flow files of a configuration: where each stands, and its text.
    pub(crate) fn files(&self, config: &Path) -> Vec<(PathBuf, String)> {
        let folder = config.parent().unwrap_or(Path::new("")).join("flows");
        let files = self.flows.files(&self.policies).into_iter();
        files.map(|(name, text)| (folder.join(name), text)).collect()
    }

    /// Writes the configuration and its flow files into a folder.
    pub(crate) fn write(&self, config: &Path) -> Result<(), Failure> {
        let folder = config.parent().unwrap_or(Path::new(""));
        let flows = folder.join("flows");
        let unwritable = |path: &Path, error: std::io::Error| {
            Failure::usage(
                format!("{} cannot be written ({error})", path.display()),
                "Choose another place with --config",
            )
        };
        std::fs::create_dir_all(&flows).map_err(|error| unwritable(&flows, error))?;
        for (path, text) in self.files(config) {
            std::fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
        }
        std::fs::write(config, self.text()).map_err(|error| unwritable(config, error))
    }
}

/// The shipped flows under these bindings, between systems without an address.
pub(crate) fn shipped(division: &'static str, invoice: &'static str) -> Result<Configuration, Failure> {
    let draft = Draft {
        flows: Chosen::all(),
        policies: Policies::default(),
        customerp_url: "https://customerp.example".to_owned(),
        salesforce_url: "https://salesforce.example".to_owned(),
        secrets: [
            "CUSTOMERP_TOKEN",
            "SALESFORCE_CLIENT_ID",
            "SALESFORCE_CLIENT_SECRET",
        ]
        .map(|name| format!("{{ env: {name} }}")),
        users: None,
        owner: None,
        accounts: Some(false),
        pace: Vec::new(),
        create_in_customerp: Vec::new(),
        bindings: Bindings {
            division,
            invoice,
            ..CUSTOM
        },
    };
    draft.configuration()
}

fn lacks(record_type: &str) -> Failure {
    Failure::usage(
        format!("the org has neither {record_type} nor {record_type}__c"),
        "Write our metadata with `tandem salesforce metadata DIR` and deploy it there, or enable the standard object",
    )
}

impl Default for Bindings {
    fn default() -> Self {
        CUSTOM
    }
}
