//! `tandem init`: writes a configuration for two systems.

mod answers;
mod proposal;
mod questions;
mod said;
mod variables;

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::harmless;
use crate::loading::{
    Bindings, CREATED_IN_CUSTOMERP, Chosen, Conflicts, Draft, FirstSync, Users, Way, file_names,
};
use crate::screen::{Lines, Screen, Sentence, count_of};
use answers::Answers;
use clap::{Args, ValueEnum};
use proposal::Proposing;
use questions::Questions;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Write a configuration for two systems.
#[derive(Debug, Args)]
#[command(after_help = "\
Your own ERP: --from proposes a description of it and flows, out of what the ERP says of itself. What was guessed is marked, and
what is to be decided is listed. Without --from: the nine flows that come with Tandem, for the local Customerp.

Examples:
  tandem init --from openapi.json --types Customer,Order
  tandem init --from 'https://erp.example.com/odata/$metadata' --user-env ERP_USER --password-env ERP_PASSWORD
  tandem init --from postgres://db.example.com/erp --user-env ERP_USER --password-env ERP_PASSWORD --description erp.yaml
  tandem init
  tandem init --customerp-url http://127.0.0.1:8082 --salesforce-url http://127.0.0.1:8081
  tandem init --flows contact-contact,product-product2 --conflicts ask --first-sync only-new
  tandem init --yes                        once more as answered before, without a question
  tandem init --config prod/tandem.yaml --customerp-token-env ERP_TOKEN --users-profile 'Standard User'

On a terminal it asks what is not given. What was answered is kept beside the configuration (.tandem-init.json) and offered
the next time. Flows that a chosen one refers to come along. Secrets are never written: the configuration names the
environment variables they are read from.")]
pub(crate) struct Init {
    #[command(flatten)]
    proposing: Proposing,
    /// Only these flows, by name; without it all nine
    #[arg(long, value_name = "FLOWS", value_delimiter = ',')]
    flows: Option<Vec<String>>,
    /// Address of Customerp
    #[arg(long, value_name = "URL")]
    customerp_url: Option<String>,
    /// Address of Salesforce: its own domain
    #[arg(long, value_name = "URL")]
    salesforce_url: Option<String>,
    /// Environment variable that holds Customerp's token [default: CUSTOMERP_TOKEN]
    #[arg(long, value_name = "NAME")]
    customerp_token_env: Option<String>,
    /// Environment variable that holds the client id of Salesforce [default: SALESFORCE_CLIENT_ID]
    #[arg(long, value_name = "NAME")]
    salesforce_client_id_env: Option<String>,
    /// Environment variable that holds the client secret of Salesforce [default: SALESFORCE_CLIENT_SECRET]
    #[arg(long, value_name = "NAME")]
    salesforce_client_secret_env: Option<String>,
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
    /// What decides where both sides were edited
    #[arg(long, value_name = "WHO")]
    conflicts: Option<Conflicts>,
    /// Which system may be written
    #[arg(long, value_name = "WAY")]
    direction: Option<Way>,
    /// What the first sync creates
    #[arg(long, value_name = "WHAT")]
    first_sync: Option<FirstSync>,
    /// Ask nothing; where a configuration is there already, write it anew and keep what it changes beside it
    #[arg(long)]
    yes: bool,
}

/// A word for or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum YesOrNo {
    /// For it
    Yes,
    /// Against it
    No,
}

/// The environment variables of the secrets, where no other names are given.
const VARIABLES: [&str; 3] = [
    "CUSTOMERP_TOKEN",
    "SALESFORCE_CLIENT_ID",
    "SALESFORCE_CLIENT_SECRET",
];

impl Init {
    /// Asks what is not given, describes both systems, and writes.
    pub(crate) async fn write(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let config = &common.config;
        let asks = !self.yes && std::io::stdin().is_terminal();
        if let Some(from) = &self.proposing.from {
            return self.propose(from, common, asks, screen).await;
        }
        self.may_write(config, asks)?;
        let mut answers = self.over(Answers::kept(config))?;
        if asks {
            let given = self;
            answers = Questions {
                given,
                config,
                answers,
            }
            .ask()?;
        }
        let mut draft = self.draft(&answers)?;
        let names = answers
            .variables
            .clone()
            .unwrap_or_else(|| VARIABLES.map(str::to_owned));
        answers.keep(config)?;
        variables::all_set(&names).inspect_err(|_| screen.note(Lines(variables::block(&names))))?;
        draft.bind().await?;
        let files = draft.files(config);
        let kept = make_room(config, &draft.text(), &files)?;
        draft.write(config)?;
        let why = draft.bindings.why;
        screen.json(&json!({
            "config": config.display().to_string(),
            "flows": files.iter().filter_map(|(path, _)| path.file_stem()?.to_str()).collect::<Vec<_>>(),
            "bindings": { "Division": draft.bindings.division, "Invoice": draft.bindings.invoice },
            "why": why,
            "with": if draft.with_accounts() { vec!["customer-account"] } else { Vec::new() },
            "open": open_ends(&draft),
            "variables": names,
            "kept": kept,
        }));
        let sentences = why.into_iter().chain(open_ends(&draft));
        for sentence in sentences.filter(|sentence| !sentence.is_empty()) {
            screen.say(Sentence(sentence));
        }
        for (beside, by) in Chosen::beside(&answers.flows()) {
            screen.say(Sentence(format!("{beside} comes along: {by} refers to it.")));
        }
        for path in &kept {
            screen.say(Sentence(format!(
                "What was there before is kept in {}.",
                path.display()
            )));
        }
        let flows = count_of(files.len() as u64, "flow", "flows");
        let folder = config.with_file_name("flows");
        screen.say(Sentence(format!(
            "Wrote {}, and {flows} in {}.",
            config.display(),
            folder.display()
        )));
        screen.say("Wherever Tandem runs it reads these variables; set them there, all at once:");
        screen.say(Lines(variables::block(&names)));
        screen.say("Next: `tandem check`.");
        Ok(Exit::Done)
    }

    /// Refuses where a configuration is there that nobody said may give way.
    fn may_write(&self, config: &Path, asks: bool) -> Result<(), Failure> {
        let there = [config.to_owned(), config.with_file_name("flows")];
        let Some(there) = there.into_iter().find(|path| path.exists()) else {
            return Ok(());
        };
        let there = there.display();
        let question =
            format!("{there} is there already. Write it anew, and keep what changes beside it? (y/N)");
        let agreed = || typed(&question).is_some_and(|word| word.to_lowercase().starts_with('y'));
        match self.yes || (asks && agreed()) {
            true => Ok(()),
            false => Err(Failure::usage(
                format!("{there} is there already"),
                "Nothing is overwritten: move it away, write elsewhere with --config, or give --yes, which keeps beside it \
                 what changes",
            )),
        }
    }

    /// What is given, laid over what was answered before.
    fn over(&self, kept: Answers) -> Result<Answers, Failure> {
        let wrong = |what: String| Failure::usage(what, "`tandem init --help` shows what can be given");
        let flows = self
            .flows
            .as_ref()
            .map(|flows| questions::chosen(&flows.join(",")));
        let address = |given: &Option<String>, before: Option<String>| match given {
            Some(text) => questions::address(text).map(Some),
            None => Ok(before),
        };
        let mut policies = kept.policies;
        policies.conflicts = self.conflicts.unwrap_or(policies.conflicts);
        policies.direction = self.direction.unwrap_or(policies.direction);
        policies.first_sync = self.first_sync.unwrap_or(policies.first_sync);
        let before = kept.variables.unwrap_or_else(|| VARIABLES.map(str::to_owned));
        let given = [
            &self.customerp_token_env,
            &self.salesforce_client_id_env,
            &self.salesforce_client_secret_env,
        ];
        let mut names = given
            .into_iter()
            .zip(before)
            .map(|(given, before)| given.clone().unwrap_or(before));
        let all = CREATED_IN_CUSTOMERP.map(str::to_owned).to_vec();
        Ok(Answers {
            flows: flows.transpose().map_err(wrong)?.or(kept.flows),
            customerp_url: address(&self.customerp_url, kept.customerp_url).map_err(wrong)?,
            salesforce_url: address(&self.salesforce_url, kept.salesforce_url).map_err(wrong)?,
            users_profile: self.users_profile.clone().or(kept.users_profile),
            owner: self.owner.clone().or(kept.owner),
            accounts: self
                .customer_account
                .map(|word| word == YesOrNo::Yes)
                .or(kept.accounts),
            create_in_customerp: if self.create_in_customerp {
                all
            } else {
                kept.create_in_customerp
            },
            policies,
            variables: Some(std::array::from_fn(|_| names.next().unwrap_or_default())),
        })
    }

    /// What the answers make; refused where an address is missing.
    fn draft(&self, answers: &Answers) -> Result<Draft, Failure> {
        let urls = [&answers.customerp_url, &answers.salesforce_url];
        let options = ["--customerp-url", "--salesforce-url"];
        let missing = urls.iter().zip(options).filter(|(url, _)| url.is_none());
        let missing: Vec<&str> = missing.map(|(_, option)| option).collect();
        let [Some(customerp_url), Some(salesforce_url)] = urls.map(Clone::clone) else {
            return Err(Failure::usage(
                "not both systems have an address",
                format!("Give {}", missing.join(" and ")),
            ));
        };
        let names = answers
            .variables
            .clone()
            .unwrap_or_else(|| VARIABLES.map(str::to_owned));
        let created = CREATED_IN_CUSTOMERP.into_iter();
        let created = created.filter(|name| answers.create_in_customerp.iter().any(|wanted| wanted == name));
        let writes_customerp = answers.policies.direction != Way::ToSalesforce;
        Ok(Draft {
            flows: Chosen::of(&answers.flows())?,
            policies: answers.policies,
            customerp_url,
            salesforce_url,
            secrets: names.map(|name| format!("{{ env: {name} }}")),
            users: answers.users_profile.clone().map(|profile| Users {
                profile,
                free_licences: 5,
            }),
            owner: answers.owner.clone(),
            accounts: answers.accounts,
            pace: Vec::new(),
            create_in_customerp: created.filter(|_| writes_customerp).collect(),
            bindings: Bindings::default(),
        })
    }
}

/// Moves aside what would be written over with something else, and flows that come with the program and are not chosen any
/// more: each is kept beside its place. Where they are is the answer.
fn make_room(config: &Path, text: &str, files: &[(PathBuf, String)]) -> Result<Vec<PathBuf>, Failure> {
    let mut kept = Vec::new();
    let shipped = file_names().map(|name| config.with_file_name("flows").join(name));
    let others = shipped.filter(|path| files.iter().all(|(written, _)| written != path));
    let written = files
        .iter()
        .map(|(path, text)| (path.clone(), Some(text.as_str())));
    let all = std::iter::once((config.to_owned(), Some(text))).chain(written);
    for (path, new) in all.chain(others.map(|path| (path, None))) {
        if !path.exists() || new.is_some_and(|new| std::fs::read_to_string(&path).is_ok_and(|old| old == new))
        {
            continue;
        }
        let aside = aside(&path);
        std::fs::rename(&path, &aside).map_err(|error| {
            Failure::usage(
                format!("{} cannot be moved aside ({error})", path.display()),
                "Choose another place with --config",
            )
        })?;
        kept.push(aside);
    }
    Ok(kept)
}

/// A name beside a file that nothing has.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = |count: u32| match count {
        1 => path.with_file_name(format!("{name}.before")),
        count => path.with_file_name(format!("{name}.before-{count}")),
    };
    (1..)
        .map(named)
        .find(|path| !path.exists())
        .unwrap_or_else(|| named(1))
}

/// What a configuration does without, and how it is given.
fn open_ends(draft: &Draft) -> Vec<&'static str> {
    let mut open = Vec::new();
    if draft.users.is_none() && draft.flows.has("employee-user") {
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
