//! Before `tandem qa` writes anything: what it will write and where, whether that may be a production system, and a
//! person's word for it.

use super::people::People;
use super::promise::PromisedFlow;
use super::script::Script;
use crate::failure::Failure;
use crate::harmless;
use crate::screen::{Lines, Screen};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use tandem_connector::Identification;
use tandem_merge::dataflow::Side;
use tandem_merge::record::RecordKey;

/// What a person allows beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Consent {
    /// Go ahead without asking.
    pub(crate) yes: bool,
    /// Go ahead although a system may be a production system.
    pub(crate) in_production: bool,
}

/// A system that would be written to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Site {
    /// Its name in the configuration.
    pub(crate) system: String,
    /// Its address.
    pub(crate) url: String,
    /// What it is called.
    pub(crate) name: String,
    /// Its own identity: what it left there is found in no other.
    pub(crate) id: String,
    /// Whom we write as.
    pub(crate) user: String,
    /// How many records of which type are made there.
    pub(crate) makes: BTreeMap<String, u64>,
    /// Why it may be a production system; none where it is none.
    pub(crate) production: Option<String>,
}

/// The two systems, with what a run would make there.
pub(crate) async fn sites(
    people: &People,
    promised: &[PromisedFlow],
    script: &Script,
) -> Result<[Site; 2], Failure> {
    let mut makes: [BTreeMap<String, u64>; 2] = Default::default();
    for (part, _) in &script.births {
        *makes[0].entry(part.of.clone()).or_default() += 1;
        let flows = promised
            .iter()
            .filter(|flow| flow.types[0] == part.of && flow.name.is_some());
        for flow in flows {
            *makes[1].entry(flow.types[1].clone()).or_default() += 1;
        }
    }
    let [first, second] = people.identify().await?;
    let [one, two] = makes;
    let site = |side: Side, who: Identification, makes| Site {
        system: people.name(side).to_owned(),
        production: production(&people.urls[side.index()], &who),
        url: people.urls[side.index()].clone(),
        name: who.name,
        id: who.id,
        user: who.user,
        makes,
    };
    Ok([site(Side::First, first, one), site(Side::Second, second, two)])
}

/// Why a system may be a production system. One that does not say what it is counts as such unless it runs on this
/// machine.
fn production(url: &str, who: &Identification) -> Option<String> {
    match who.sandbox {
        Some(true) => None,
        Some(false) => Some("it says that it is no sandbox".to_owned()),
        None if is_here(url) => None,
        None => Some("it does not say whether it is a test system, and it is not on this machine".to_owned()),
    }
}

fn is_here(url: &str) -> bool {
    let url: Option<url::Url> = url.parse().ok();
    url.is_some_and(|url| tandem_connector::is_loopback(&url))
}

impl Site {
    /// `salesforce: Acme (00D...) at https://..., as tandem@acme.example`.
    fn line(&self) -> String {
        let Self {
            system,
            name,
            id,
            url,
            user,
            ..
        } = self;
        format!("{system}: {name} ({id}) at {url}, as {user}")
    }

    fn made(&self) -> String {
        let each = self.makes.iter().map(|(of, count)| format!("{count} {of}"));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl Consent {
    /// Tells what will be done in both systems, and goes on only where that is allowed.
    ///
    /// # Errors
    /// A system may be a production system, or nobody said yes.
    pub(crate) fn ask(&self, what: &[String], sites: &[Site; 2], screen: &Screen) -> Result<(), Failure> {
        screen.json(&serde_json::json!({ "will_write": sites }));
        screen.result(Lines(what.to_vec()));
        for site in sites.iter().filter(|_| !self.in_production) {
            if let Some(why) = &site.production {
                return Err(Failure::usage(
                    format!(
                        "{} looks like a production system: {why}. Nothing was written",
                        site.line()
                    ),
                    "Name a sandbox in the configuration, or add --in-production if these records may be made there",
                ));
            }
        }
        if self.yes || is_agreed(screen)? {
            return Ok(());
        }
        Err(Failure::usage("nothing was written", "Add --yes to go ahead"))
    }
}

/// What a run does, for people.
pub(crate) fn of_run(sites: &[Site; 2], left: &std::path::Path, keep: bool) -> Vec<String> {
    let [first, second] = sites;
    let mut lines = vec![
        "tandem qa works with records of its own, whose names begin with QA. It makes, edits and deletes:"
            .to_owned(),
        format!("  in {}", first.line()),
        format!("     {}", first.made()),
        format!("  in {}", second.line()),
        format!("     their counterparts ({}), and what these need", second.made()),
        "Whatever else waits in the flows is synced before and meanwhile, as `tandem sync` does it."
            .to_owned(),
    ];
    let file = left.display();
    lines.push(match keep {
        true => format!("Everything it makes stays, and is listed in {file}; `tandem qa --clean` removes it."),
        false => format!(
            "What cannot be deleted is put out of use, and is listed at the end and in {file}; `tandem qa --clean` \
             removes what can be removed of it."
        ),
    });
    lines
}

/// What cleaning up does, for people.
pub(crate) fn of_cleaning(sites: &[Site; 2], left: &[RecordKey]) -> Vec<String> {
    let mut lines =
        vec!["tandem qa --clean deletes what earlier runs left, as far as it can be deleted:".to_owned()];
    for site in sites {
        lines.push(format!("  in {}", site.line()));
        let own = left.iter().filter(|key| key.record_type.system == site.system);
        lines.extend(own.map(|key| format!("     {} {}", key.record_type.name, key.id)));
    }
    lines.push(
        "Whatever else waits in the flows is synced before and meanwhile, as `tandem sync` does it."
            .to_owned(),
    );
    lines
}

/// A person's answer at the terminal; none is no.
fn is_agreed(screen: &Screen) -> Result<bool, Failure> {
    if screen.json || !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    // A terminal that cannot be written to is met again when it is read from.
    let _ = write!(std::io::stderr(), "{}", harmless::line("Go ahead? [y/N] "))
        .and_then(|()| std::io::stderr().flush());
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::trouble(
            format!("the answer could not be read ({error})"),
            "Add --yes to go ahead",
        )
    })?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(sandbox: Option<bool>) -> Identification {
        Identification {
            id: "1".to_owned(),
            name: "Acme".to_owned(),
            user: "tandem".to_owned(),
            author: None,
            sandbox,
            instance: None,
            version: None,
        }
    }

    #[test]
    fn what_does_not_say_that_it_is_a_test_system_is_none() {
        let away = "https://acme.my.salesforce.com";
        assert_eq!(production(away, &who(Some(true))), None);
        assert!(production(away, &who(Some(false))).is_some());
        assert!(production(away, &who(None)).is_some());
        for here in [
            "http://127.0.0.1:8081",
            "http://localhost:8082/",
            "http://[::1]:80",
        ] {
            assert_eq!(production(here, &who(None)), None, "{here}");
            assert!(
                production(here, &who(Some(false))).is_some(),
                "its own word counts"
            );
        }
        assert!(production("http://127.0.0.1.evil.example", &who(None)).is_some());
    }
}
