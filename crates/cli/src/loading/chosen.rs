//! Which of the flows that come with the program a configuration has, and how they are fitted to what was chosen.

use super::files::SHIPPED_FLOWS;
use crate::failure::Failure;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The flow between customers and Accounts, which rests unless it is wanted.
pub(super) const ACCOUNTS: &str = "customer-account";
/// The flow beside which it stands.
const CUSTOMERS: &str = "customer-division";

/// Flows that are there: those that were chosen, with those that they cannot do without and those of their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen(BTreeSet<&'static str>);

/// A flow that is there without having been chosen, and the one that needs it.
pub(crate) type Beside = (&'static str, &'static str);

impl Chosen {
    /// All of them.
    pub(crate) fn all() -> Self {
        Self(names().collect())
    }

    /// Those of these names.
    pub(crate) fn of(wanted: &[String]) -> Result<Self, Failure> {
        let mut chosen = BTreeSet::new();
        for name in wanted {
            let known = sections().into_iter().find(|(known, _)| known == name);
            let (known, _) = known.ok_or_else(|| {
                let known: Vec<&str> = sections().into_iter().map(|(name, _)| name).collect();
                Failure::usage(
                    format!("no flow is called `{name}`"),
                    format!("Write some of {}", known.join(", ")),
                )
            })?;
            chosen.insert(known);
        }
        let mut chosen = Self(chosen);
        while let Some((more, _)) = chosen.lacks() {
            chosen.0.insert(more);
        }
        Ok(chosen)
    }

    /// Whether a flow is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Flows that are there because another one refers to them, with that one.
    pub(crate) fn beside(wanted: &[String]) -> Vec<Beside> {
        let all = names().filter(|name| wanted.iter().any(|it| it == name));
        let mut grown = Self(all.collect());
        let mut beside = Vec::new();
        while let Some((more, by)) = grown.lacks() {
            grown.0.insert(more);
            if sections().iter().any(|(name, _)| *name == more) {
                beside.push((more, by));
            }
        }
        beside
    }

    /// A flow that is not there and that one that is cannot do without, with that one.
    fn lacks(&self) -> Option<Beside> {
        let absent = |name: &&'static str| !self.0.contains(name);
        let needed = self
            .0
            .iter()
            .flat_map(|by| needs(by).map(move |name| (name, *by)));
        let mut needed = needed.filter(|(name, _)| absent(name));
        needed.next().or_else(|| {
            let mut lines = names().filter(absent);
            lines.find_map(|name| {
                let of = behind(text(name), "supports: ").next()?;
                let by = self.0.iter().find(|by| **by == of);
                by.map(|by| (name, *by))
            })
        })
    }

    /// The flow files: name and text, fitted.
    pub(super) fn files(&self, policies: &Policies) -> Vec<(String, String)> {
        let with_accounts = |name: &str| name == ACCOUNTS && self.has(CUSTOMERS);
        let chosen = names().filter(|name| self.has(name) || with_accounts(name));
        chosen
            .map(|name| (format!("{name}.yaml"), policies.fitted(text(name))))
            .collect()
    }
}

/// Names of all files that a configuration may be given.
pub(crate) fn file_names() -> impl Iterator<Item = &'static str> {
    SHIPPED_FLOWS.iter().map(|(file, _)| *file)
}

/// The flows of the dataflow document in its order, each with its two record types.
pub(crate) fn sections() -> Vec<(&'static str, String)> {
    let value = |text: &'static str, key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let mut all: Vec<(u32, &str, String)> = SHIPPED_FLOWS
        .iter()
        .filter_map(|(file, text)| {
            let section = value(text, "section: ")?.parse().ok()?;
            let types = [value(text, "customerp: ")?, value(text, "salesforce: ")?];
            let usual = value(text, "optional: ").is_none();
            usual.then(|| (section, file.trim_end_matches(".yaml"), types.join(" and ")))
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, name, types)| (name, types)).collect()
}

fn names() -> impl Iterator<Item = &'static str> {
    file_names().map(|file| file.trim_end_matches(".yaml"))
}

fn text(name: &str) -> &'static str {
    let mut all = SHIPPED_FLOWS.iter();
    let found = all.find(|(file, _)| file.trim_end_matches(".yaml") == name);
    found.map_or("", |(_, text)| *text)
}

/// The flows that a flow refers to: by references, as lines to what they are lines of, and where a role is described that it
/// names.
fn needs(name: &str) -> impl Iterator<Item = &'static str> {
    let text = text(name);
    let own = name.to_owned();
    let roles = behind(text, "role: ").chain(behind(text, "companion: "));
    let described = roles.filter_map(|role| {
        let line = format!("  - role: {role}\n");
        names().find(|name| self::text(name).contains(&line))
    });
    let flows = ["references: ", "supports: "]
        .into_iter()
        .flat_map(|key| behind(text, key));
    let known = flows.filter_map(|flow| names().find(|name| *name == flow));
    known.chain(described).filter(move |flow| *flow != own)
}

/// The words behind a key, wherever it stands, comments apart.
fn behind<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = text
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default());
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.flat_map(move |line| {
        let found = line
            .match_indices(key)
            .map(move |(at, _)| &line[at + key.len()..]);
        found.map(|rest| {
            let end = rest.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-');
            &rest[..end.unwrap_or(rest.len())]
        })
    })
}

/// What is chosen for all flows alike; what is not chosen is as the flow files say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Policies {
    /// What decides where both sides were edited.
    pub(crate) conflicts: Conflicts,
    /// Which system is written.
    pub(crate) direction: Way,
    /// What the first sync creates.
    pub(crate) first_sync: FirstSync,
}

/// What decides where both sides were edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conflicts {
    /// What each flow says
    #[default]
    Usual,
    /// The latest edit wins
    Latest,
    /// Customerp wins
    Customerp,
    /// Salesforce wins
    Salesforce,
    /// A person is asked
    Ask,
}

/// Which system is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// Either
    #[default]
    Both,
    /// Salesforce alone: Customerp is read and never written
    ToSalesforce,
    /// Customerp alone: Salesforce is read and never written
    ToCustomerp,
}

/// What the first sync creates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FirstSync {
    /// A counterpart for every record that has none
    #[default]
    All,
    /// Nothing: it links what matches, and only records that come into being afterwards get counterparts
    OnlyNew,
}

impl Policies {
    /// A flow's text as these policies have it.
    fn fitted(self, text: &str) -> String {
        let mut fitted = String::with_capacity(text.len() + 64);
        for line in text.lines() {
            fitted.push_str(&self.line(line));
            fitted.push('\n');
            if line.starts_with("conflict: ")
                && let Some(never) = self.never_written()
            {
                fitted.push_str(&format!("write: {{ {never}: off }}\n"));
            }
        }
        fitted
    }

    fn never_written(self) -> Option<&'static str> {
        match self.direction {
            Way::Both => None,
            Way::ToSalesforce => Some("customerp"),
            Way::ToCustomerp => Some("salesforce"),
        }
    }

    fn line(self, line: &str) -> String {
        if line.starts_with("conflict: ") && self.conflicts != Conflicts::Usual {
            let policy = self.conflicts.to_possible_value();
            let policy = policy
                .map(|value| value.get_name().to_owned())
                .unwrap_or_default();
            return format!("conflict: {policy}");
        }
        // A flow's `owner` is who wins under `conflict: owner` alone.
        if line.starts_with("owner: ") && self.conflicts != Conflicts::Usual {
            return format!("# {line}");
        }
        if line.starts_with("create: ") && self.first_sync == FirstSync::OnlyNew {
            // Whether records are created in the first system is said in `tandem.yaml`.
            let line = line.replace(": on", ": only-new");
            return line.replace("customerp: off", "customerp: only-new");
        }
        if line.starts_with("create: ")
            && let Some(never) = self.never_written()
        {
            return match never {
                "salesforce" => "create: { salesforce: off, customerp: off }".to_owned(),
                _ => line.to_owned(),
            };
        }
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::config::{Sources, load};

    fn chosen(names: &[&str]) -> Chosen {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Chosen::of(&names).unwrap()
    }

    /// The problems of a configuration of these flows.
    fn problems(chosen: &Chosen, policies: Policies) -> Vec<String> {
        let main = "connections:\n  customerp: { kind: customerp, url: \"https://erp.example\", secrets: { token: { env: A } } }\n  \
                    salesforce: { kind: salesforce, url: \"https://org.example\", secrets: { client_id: { env: B }, client_secret: { env: C } } }\n\
                    bindings:\n  salesforce: { Division: Division, Invoice: Invoice__c, InvoiceLine: InvoiceLine__c }\nflows: flows\n";
        let sources = Sources {
            main: ("tandem.yaml".to_owned(), main.to_owned()),
            flows: chosen.files(&policies),
            kinds: tandem_connector::kinds::KINDS,
        };
        let problems = load(&sources).err().unwrap_or_default().into_iter();
        problems
            .map(|problem| format!("{}:{}: {}", problem.file, problem.line, problem.message))
            .collect()
    }

    #[test]
    fn the_nine_flows_stand_in_the_order_of_the_document() {
        let names: Vec<&str> = sections().into_iter().map(|(name, _)| name).collect();
        insta::assert_snapshot!(names.join(" "), @"customer-division order-invoice project-task quote-invoice contact-contact employee-user order-order product-product2 quote-quote");
        assert_eq!(sections()[0].1, "Customer and Division");
    }

    /// Whatever is chosen, the files that are written make a configuration.
    #[test]
    fn any_choice_of_flows_is_a_whole_configuration() {
        let names: Vec<&str> = sections().into_iter().map(|(name, _)| name).collect();
        for (at, one) in names.iter().enumerate() {
            for other in &names[at..] {
                let wanted = chosen(&[*one, *other]);
                assert!(wanted.has(one) && wanted.has(other));
                assert_eq!(
                    problems(&wanted, Policies::default()),
                    Vec::<String>::new(),
                    "{one} {other}"
                );
            }
        }
        assert_eq!(
            chosen(&names).files(&Policies::default()),
            Chosen::all().files(&Policies::default())
        );
        assert_eq!(chosen(&["product-product2"]).files(&Policies::default()).len(), 1);
        assert!(Chosen::of(&["orders".to_owned()]).is_err());
    }

    #[test]
    fn what_is_there_beside_the_choice_is_named_with_what_needs_it() {
        let beside = Chosen::beside(&["project-task".to_owned()]);
        assert_eq!(
            beside,
            [
                ("employee-user", "project-task"),
                ("contact-contact", "project-task")
            ]
        );
        assert!(Chosen::beside(&["product-product2".to_owned()]).is_empty());
    }

    /// Every policy makes files that are whole, and is in force there.
    #[test]
    fn any_policy_is_a_whole_configuration() {
        for conflicts in Conflicts::value_variants() {
            for direction in Way::value_variants() {
                for first_sync in FirstSync::value_variants() {
                    let policies = Policies {
                        conflicts: *conflicts,
                        direction: *direction,
                        first_sync: *first_sync,
                    };
                    assert_eq!(
                        problems(&Chosen::all(), policies),
                        Vec::<String>::new(),
                        "{policies:?}"
                    );
                }
            }
        }
        let policies = Policies {
            conflicts: Conflicts::Ask,
            direction: Way::ToSalesforce,
            first_sync: FirstSync::OnlyNew,
        };
        let files = chosen(&["product-product2"]).files(&policies);
        let text = &files[0].1;
        for line in [
            "conflict: ask",
            "write: { customerp: off }",
            "create: { salesforce: only-new, customerp: only-new }",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        // What is not chosen stands as it was shipped.
        let shipped = Policies::default();
        assert_eq!(
            shipped.fitted(super::text("order-order")),
            super::text("order-order")
        );
    }
}
