//! `tandem init`: writes a configuration for two systems.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::harmless;
use crate::loading::{CREATED_IN_CUSTOMERP, Draft, Users};
use crate::screen::Screen;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

/// Write a configuration for two systems.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem init
  tandem init --customerp-url http://127.0.0.1:8082 --salesforce-url http://127.0.0.1:8081
  tandem init --config prod/tandem.yaml --customerp-token-env ERP_TOKEN --users-profile 'Standard User'

Secrets are never written: the configuration names the environment variables they are read from.")]
pub(crate) struct Init {
    /// Address of Customerp
    #[arg(long, value_name = "URL")]
    customerp_url: Option<String>,
    /// Address of Salesforce: its own domain
    #[arg(long, value_name = "URL")]
    salesforce_url: Option<String>,
    /// Environment variable that holds Customerp's token
    #[arg(long, value_name = "NAME", default_value = "CUSTOMERP_TOKEN")]
    customerp_token_env: String,
    /// Environment variable that holds the client id of Salesforce
    #[arg(long, value_name = "NAME", default_value = "SALESFORCE_CLIENT_ID")]
    salesforce_client_id_env: String,
    /// Environment variable that holds the client secret of Salesforce
    #[arg(long, value_name = "NAME", default_value = "SALESFORCE_CLIENT_SECRET")]
    salesforce_client_secret_env: String,
    /// Create accounts of people with this profile; without it none are created
    #[arg(long, value_name = "PROFILE")]
    users_profile: Option<String>,
    /// User of Salesforce who owns records whose own owner has no account; without it the integration user
    #[arg(long, value_name = "USERNAME")]
    owner: Option<String>,
    /// Keep customers in step with Accounts too; without it where the org has no Divisions
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, default_missing_value = "yes")]
    customer_account: Option<YesOrNo>,
    /// Create records in Customerp for contacts, products, orders, projects and invoices born in Salesforce
    #[arg(long)]
    create_in_customerp: bool,
}

/// A word for or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum YesOrNo {
    /// For it
    Yes,
    /// Against it
    No,
}

/// What is asked on a terminal and may be left open.
struct Answers {
    profile: Option<String>,
    owner: Option<String>,
    accounts: Option<bool>,
}

impl Init {
    /// Asks what is not given, describes both systems, and writes.
    pub(crate) async fn write(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let config = &common.config;
        let folder = config.parent().unwrap_or(Path::new(""));
        for path in [config.clone(), folder.join("flows")] {
            if path.exists() {
                return Err(Failure::usage(
                    format!("{} is there already", path.display()),
                    "Nothing is overwritten: move it away, or write elsewhere with --config",
                ));
            }
        }
        let env = |name: &str| format!("{{ env: {name} }}");
        let customerp_url = given(
            self.customerp_url.as_deref(),
            "Address of Customerp",
            "--customerp-url",
        )?;
        let salesforce_url = given(
            self.salesforce_url.as_deref(),
            "Address of Salesforce",
            "--salesforce-url",
        )?;
        let answers = self.answers();
        let mut draft = Draft {
            customerp_url,
            salesforce_url,
            secrets: [
                env(&self.customerp_token_env),
                env(&self.salesforce_client_id_env),
                env(&self.salesforce_client_secret_env),
            ],
            users: answers.profile.map(|profile| Users {
                profile,
                free_licences: 5,
            }),
            owner: answers.owner,
            accounts: answers.accounts,
            pace: Vec::new(),
            create_in_customerp: match self.create_in_customerp {
                true => CREATED_IN_CUSTOMERP.to_vec(),
                false => Vec::new(),
            },
            bindings: crate::loading::Bindings::default(),
        };
        draft.bind().await?;
        draft.write(config)?;
        let why = draft.bindings.why;
        screen.json(&json!({
            "config": config.display().to_string(),
            "bindings": { "Division": draft.bindings.division, "Invoice": draft.bindings.invoice },
            "why": why,
            "with": if draft.with_accounts() { vec!["customer-account"] } else { Vec::new() },
            "open": open_ends(&draft),
        }));
        for sentence in why.into_iter().filter(|sentence| !sentence.is_empty()) {
            screen.say(sentence);
        }
        for sentence in open_ends(&draft) {
            screen.say(sentence);
        }
        screen.say(format!(
            "Wrote {} and {}. Next: `tandem check`.",
            config.display(),
            folder.join("flows").display()
        ));
        Ok(Exit::Done)
    }
}

impl Init {
    /// What was given, and on a terminal what a person types; nothing typed leaves it open.
    fn answers(&self) -> Answers {
        let ask = |option: &Option<String>, question: &str| match option {
            Some(text) => Some(text.clone()),
            None if std::io::stdin().is_terminal() => typed(question),
            None => None,
        };
        let accounts = self.customer_account.map(|word| word == YesOrNo::Yes);
        let profile = "Profile of the accounts that are created for employees (nothing: none are created)";
        let owner =
            "User name of who owns records whose own owner has no account (nothing: the integration user)";
        let and_accounts =
            "Keep customers in step with Accounts too, yes or no (nothing: where the org has no Divisions)";
        Answers {
            profile: ask(&self.users_profile, profile),
            owner: ask(&self.owner, owner),
            accounts: accounts.or_else(|| {
                let word = ask(&None, and_accounts)?.to_lowercase();
                Some(word.starts_with('y'))
            }),
        }
    }
}

/// What a configuration does without, and how it is given.
fn open_ends(draft: &Draft) -> Vec<&'static str> {
    let mut open = Vec::new();
    if draft.users.is_none() {
        open.push(
            "No accounts are created for employees: --users-profile names the profile they would get. Employees are \
             linked with the users that are there.",
        );
    }
    if draft.owner.is_none() {
        open.push(
            "Records whose owner has no account belong to the integration user: --owner names somebody else. They \
             follow their own owner once that has one.",
        );
    }
    if draft.with_accounts() {
        open.push("Customers are kept in step with Accounts too; `--customer-account no` leaves them to what needs one.");
    }
    open
}

/// What was given as an option, or what a person types.
fn given(option: Option<&str>, question: &str, name: &str) -> Result<String, Failure> {
    let missing = || Failure::usage(format!("{question} is not given"), format!("Give it with {name}"));
    if let Some(text) = option {
        return Ok(text.to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err(missing());
    }
    typed(question).ok_or_else(missing)
}

/// What a person types; none for nothing.
pub(super) fn typed(question: &str) -> Option<String> {
    let mut line = String::new();
    // A terminal that cannot be written to is met again, and told of, when it is read from.
    let _ =
        write!(std::io::stderr(), "{}: ", harmless::line(question)).and_then(|()| std::io::stderr().flush());
    let read = std::io::stdin().lock().read_line(&mut line);
    match (read, line.trim()) {
        (Ok(_), text) if !text.is_empty() => Some(text.to_owned()),
        _ => None,
    }
}
