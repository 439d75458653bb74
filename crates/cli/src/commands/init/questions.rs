//! What `tandem init` asks on a terminal. What was answered before, or is usual, stands in brackets and is taken for nothing
//! typed; what cannot be understood is asked again.

use super::Init;
use super::answers::Answers;
use crate::failure::Failure;
use crate::harmless;
use crate::loading::{CREATED_IN_CUSTOMERP, Chosen, Way, sections};
use clap::ValueEnum;
use std::io::{BufRead, Write};
use std::path::Path;

/// Takes an answer back: nothing.
const NOTHING: &str = "-";

/// Who asks, and keeps each answer as soon as it is given.
pub(super) struct Questions<'a> {
    pub(super) given: &'a Init,
    pub(super) config: &'a Path,
    pub(super) answers: Answers,
}

impl Questions<'_> {
    /// Asks all that is not given and that the chosen flows need.
    pub(super) fn ask(mut self) -> Result<Answers, Failure> {
        self.flows()?;
        let chosen = Chosen::of(&self.answers.flows())?;
        self.addresses()?;
        let given = self.given;
        if chosen.has("employee-user") && given.users_profile.is_none() {
            let question =
                "Profile of the accounts that are created for employees; nothing: none are created";
            self.answers.users_profile = or_nothing(question, self.answers.users_profile.as_deref())?;
            self.keep()?;
        }
        let owned = [
            "order-order",
            "order-invoice",
            "quote-invoice",
            "quote-quote",
            "project-task",
        ];
        if owned.iter().any(|flow| chosen.has(flow)) && given.owner.is_none() {
            let question =
                "User name of who owns records whose own owner has no account; nothing: the integration user";
            self.answers.owner = or_nothing(question, self.answers.owner.as_deref())?;
            self.keep()?;
        }
        if chosen.has("customer-division") && given.customer_account.is_none() {
            let question = "Keep customers in step with Accounts too, yes or no; nothing: where the org has no Divisions";
            let before = self.answers.accounts.map(|yes| if yes { "yes" } else { "no" });
            self.answers.accounts = until(question, before, |text| match text.to_lowercase().as_str() {
                "" | NOTHING => Ok(None),
                "yes" | "y" => Ok(Some(true)),
                "no" | "n" => Ok(Some(false)),
                _ => Err("Write yes, no or nothing".to_owned()),
            })?;
            self.keep()?;
        }
        self.policies(&chosen)?;
        Ok(self.answers)
    }

    fn keep(&self) -> Result<(), Failure> {
        self.answers.keep(self.config)
    }

    fn flows(&mut self) -> Result<(), Failure> {
        if self.given.flows.is_some() {
            return Ok(());
        }
        show("Which flows are to be kept in step?");
        for (number, (name, types)) in sections().iter().enumerate() {
            show(&format!("  {}  {name:<18} {types}", number + 1));
        }
        let before = self.answers.flows();
        let all = before.len() == sections().len();
        let before = if all { "all".to_owned() } else { before.join(", ") };
        let flows = until("Numbers or names, with commas", Some(&before), chosen)?;
        for (beside, by) in Chosen::beside(&flows) {
            show(&format!("  and {beside}, which {by} refers to"));
        }
        self.answers.flows = Some(flows);
        self.keep()
    }

    fn addresses(&mut self) -> Result<(), Failure> {
        if self.given.customerp_url.is_none() {
            let before = self.answers.customerp_url.as_deref();
            let typed = until("Address of Customerp", before, address)?;
            self.answers.customerp_url = Some(typed);
            self.keep()?;
        }
        if self.given.salesforce_url.is_none() {
            let before = self.answers.salesforce_url.as_deref();
            let typed = until("Address of Salesforce, its own domain", before, address)?;
            self.answers.salesforce_url = Some(typed);
            self.keep()?;
        }
        Ok(())
    }

    fn policies(&mut self, flows: &Chosen) -> Result<(), Failure> {
        let policies = self.answers.policies;
        if self.given.direction.is_none() {
            self.answers.policies.direction = one_of("Which system may be written", policies.direction)?;
        }
        if self.given.first_sync.is_none() {
            let question = "What the first sync creates where a record has no counterpart";
            self.answers.policies.first_sync = one_of(question, policies.first_sync)?;
        }
        if self.given.conflicts.is_none() {
            let question = "What decides where both sides were edited";
            self.answers.policies.conflicts = one_of(question, policies.conflicts)?;
        }
        self.keep()?;
        let may = CREATED_IN_CUSTOMERP.into_iter().filter(|name| flows.has(name));
        let may: Vec<&str> = may.collect();
        let reads_only = self.answers.policies.direction == Way::ToSalesforce;
        if self.given.create_in_customerp || reads_only || may.is_empty() {
            return Ok(());
        }
        show("Flows that may create records in Customerp for those born in Salesforce:");
        show(&format!("  {}", may.join(", ")));
        let before = match self.answers.create_in_customerp.as_slice() {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        self.answers.create_in_customerp =
            until(
                "Names with commas, all or none",
                Some(&before),
                |text| match text.to_lowercase().as_str() {
                    "none" | NOTHING => Ok(Vec::new()),
                    "all" => Ok(may.iter().map(|name| (*name).to_owned()).collect()),
                    _ => {
                        let names: Vec<String> = listed(text).map(str::to_owned).collect();
                        let unknown = names.iter().find(|name| !may.contains(&name.as_str()));
                        unknown.map_or(Ok(names.clone()), |name| {
                            Err(format!("`{name}` is none of these"))
                        })
                    }
                },
            )?;
        self.keep()
    }
}

/// The flows that a text names by numbers or names.
pub(super) fn chosen(text: &str) -> Result<Vec<String>, String> {
    let all = sections();
    if text.eq_ignore_ascii_case("all") {
        return Ok(all.into_iter().map(|(name, _)| name.to_owned()).collect());
    }
    let one = |word: &str| {
        let numbered = word
            .parse::<usize>()
            .ok()
            .and_then(|number| all.get(number.checked_sub(1)?));
        let named = all.iter().find(|(name, _)| *name == word);
        let found = numbered.or(named).map(|(name, _)| (*name).to_owned());
        found.ok_or_else(|| {
            format!(
                "`{word}` is no flow: write numbers from 1 to {}, names, or all",
                all.len()
            )
        })
    };
    let mut flows: Vec<String> = listed(text).map(one).collect::<Result<_, _>>()?;
    if flows.is_empty() {
        return Err("Choose at least one".to_owned());
    }
    flows.sort_by_key(|flow| all.iter().position(|(name, _)| name == flow));
    flows.dedup();
    Ok(flows)
}

pub(super) fn listed(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split([',', ' ']).map(str::trim);
    words.filter(|word| !word.is_empty())
}

/// An address as a configuration takes it.
pub(super) fn address(text: &str) -> Result<String, String> {
    let read = url::Url::parse(text).ok();
    let usable = read.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    match usable {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err(format!(
            "`{text}` is no address: write one that begins with https://"
        )),
    }
}

/// One of few words.
fn one_of<T: ValueEnum + Copy + PartialEq>(question: &str, before: T) -> Result<T, Failure> {
    let mut usual = String::new();
    show(&format!("{question}:"));
    for value in T::value_variants() {
        let Some(word) = value.to_possible_value() else {
            continue;
        };
        let help = word.get_help().map(ToString::to_string).unwrap_or_default();
        show(&format!("  {:<13} {help}", word.get_name()));
        if *value == before {
            word.get_name().clone_into(&mut usual);
        }
    }
    until("One of these words", Some(&usual), |text| {
        T::from_str(text, true).map_err(|_| format!("`{text}` is none of these"))
    })
}

/// A text, or nothing.
fn or_nothing(question: &str, before: Option<&str>) -> Result<Option<String>, Failure> {
    until(question, before, |text| {
        let text = Some(text).filter(|text| !text.is_empty() && *text != NOTHING);
        Ok(text.map(str::to_owned))
    })
}

/// Asks until the answer can be understood. Nothing typed is what stands in the brackets.
pub(super) fn until<T>(
    question: &str,
    before: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    loop {
        let shown = before.map(|before| format!(" [{before}]")).unwrap_or_default();
        let typed = line(&format!("{question}{shown}"))?;
        let text = if typed.is_empty() {
            before.unwrap_or_default()
        } else {
            &typed
        };
        match read(text) {
            Ok(answer) => return Ok(answer),
            Err(why) => show(&why),
        }
    }
}

/// A line that a person types.
fn line(question: &str) -> Result<String, Failure> {
    let mut line = String::new();
    // A terminal that cannot be written to is met again, and told of, when it is read from.
    let _ =
        write!(std::io::stderr(), "{}: ", harmless::line(question)).and_then(|()| std::io::stderr().flush());
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(read) if read > 0 => Ok(line.trim().to_owned()),
        _ => Err(Failure::usage(
            "the questions were not answered to their end, and nothing was written",
            "Run `tandem init` again: what was answered is kept",
        )),
    }
}

fn show(line: &str) {
    crate::screen::note(&line);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn flows_are_chosen_by_numbers_and_by_names() {
        assert_eq!(chosen("all").unwrap().len(), 9);
        assert_eq!(
            chosen("product-product2, 1,1 5").unwrap(),
            ["customer-division", "contact-contact", "product-product2"]
        );
        for wrong in ["0", "10", "orders", "-1"] {
            assert!(chosen(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
        assert!(chosen(" , ").is_err());
    }

    #[test]
    fn an_address_is_one_that_a_browser_would_take() {
        assert_eq!(address("https://erp.example/").unwrap(), "https://erp.example");
        for wrong in ["erp.example", "ftp://erp.example", "https://", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
