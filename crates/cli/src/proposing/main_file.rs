//! `tandem.yaml` for an ERP that was looked at and an org.

use super::picture::{Guess, Picture, Topic, Way};
use super::yaml::{comment, remark, scalar, table};

/// How both systems are connected.
pub(crate) struct Connections<'a> {
    /// What the ERP is called.
    pub(crate) erp: &'a str,
    /// The file of its description, beside `tandem.yaml`.
    pub(crate) description: &'a str,
    /// The ERP's address, where somebody gave one.
    pub(crate) url: Option<&'a str>,
    /// Salesforce's address, where somebody gave one.
    pub(crate) salesforce: Option<&'a str>,
    /// Environment variables of Salesforce's client id and client secret.
    pub(crate) client: [&'a str; 2],
    /// Environment variables of the ERP's secrets that were named, by secret.
    pub(crate) variables: &'a [(&'static str, String)],
}

impl Connections<'_> {
    /// The environment variable of one of the ERP's secrets.
    pub(crate) fn variable(&self, secret: &str) -> String {
        let named = self.variables.iter().find(|(known, _)| *known == secret);
        let signs = |text: &str| -> String {
            let upper = text.to_uppercase();
            upper
                .chars()
                .map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' })
                .collect()
        };
        named.map_or_else(
            || format!("{}_{}", signs(self.erp), signs(secret)),
            |(_, name)| name.clone(),
        )
    }
}

/// The text.
pub(crate) fn text(picture: &Picture, connections: &Connections<'_>, invoices: bool) -> String {
    let unknown = |ask: &str| Guess::new(Topic::SignIn, "an example", ask);
    let kind = match picture.way {
        Way::Rest => "rest",
        Way::Sql => "sql",
    };
    let mut text = comment(
        0,
        "What is kept in step, and where. The flow files say how. Secrets come from the environment.",
    );
    text += &format!("connections:\n  {}:\n    kind: {kind}\n", scalar(connections.erp));
    let url = connections.url.map(str::to_owned).or_else(|| picture.url.clone());
    text += &match url {
        Some(url) => format!("    url: {}\n", address(&url)),
        None => format!(
            "    url: https://erp.example.com{}\n",
            remark(Some(&unknown("where is the ERP?")))
        ),
    };
    text += &format!("    description: {}\n", scalar(connections.description));
    let secrets: Vec<(&str, String)> = picture
        .secrets
        .iter()
        .map(|name| {
            (
                name.as_str(),
                format!("{{ env: {} }}", scalar(&connections.variable(name))),
            )
        })
        .collect();
    if !secrets.is_empty() {
        text += &format!("    secrets: {}\n", table(&secrets));
    }
    text += "  salesforce:\n    kind: salesforce\n";
    text += &match connections.salesforce {
        Some(url) => format!("    url: {}\n", address(url)),
        None => {
            let ask = remark(Some(&unknown("what is the org's own domain?")));
            format!("    url: https://example.my.salesforce.com{ask}\n")
        }
    };
    let [id, secret] = connections.client;
    text += &format!("    secrets: {{ client_id: {{ env: {id} }}, client_secret: {{ env: {secret} }} }}\n");
    if invoices {
        text += &comment(
            0,
            "The standard Invoice cannot be created by the API: our own object serves invoices.",
        );
        text += "bindings:\n  salesforce: { Invoice: Invoice__c }\n";
    }
    text + "flows: flows\n"
}

/// An address as it is usually written, in quotes where it must be.
fn address(url: &str) -> String {
    let plain = |sign: char| {
        sign.is_ascii_alphanumeric()
            || matches!(
                sign,
                ':' | '/' | '.' | '-' | '_' | '?' | '=' | '&' | '%' | '~' | '+'
            )
    };
    match url.chars().all(plain) {
        true => url.to_owned(),
        false => serde_json::Value::from(url).to_string(),
    }
}
