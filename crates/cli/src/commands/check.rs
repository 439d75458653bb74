//! `tandem check`: what can be kept in step, what cannot, and why.

mod choices;
pub(crate) mod compare;
mod digits;
mod gaps;
mod proving;
mod required;
mod rights;
mod watching;

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Screen, Sentence, Table, count_of, table};
use crate::standing;
use clap::Args;
use compare::{Finding, Weight};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::RecordType;

/// Pages read to count records; beyond, the count is "at least".
const PAGES: usize = 50;

/// Compare configuration and systems: what can be kept in step, what cannot, and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem check                          whether all can be kept in step, and what is wrong
  tandem check --all                    with what fits, the limits, and what is not served
  tandem check --offline                as the systems described themselves last, without a call
  tandem check --json | jq 'select(.weight == \"wrong\")'")]
pub(crate) struct Check {
    /// Show remarks, too: limits, what is not kept in step, and what fits
    #[arg(long)]
    all: bool,
    /// Ask neither system: compare with what they said of themselves when they were asked last
    #[arg(long)]
    offline: bool,
}

impl Check {
    /// Compares and tells; exit code 2 where the configuration does not fit the systems.
    pub(crate) async fn compare(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut met = Vec::new();
        let findings = match self.offline {
            true => find_offline(common, &mut met),
            false => find(common, screen, &mut met).await,
        };
        if findings.is_err() {
            met.iter().for_each(|line| screen.say(Sentence(line)));
        }
        let findings = findings?;
        findings.iter().for_each(|finding| screen.json(finding));
        self.tell(&findings, &met, screen);
        let wrong = findings.iter().any(|finding| finding.weight == Weight::Wrong);
        Ok(if wrong { Exit::Usage } else { Exit::Done })
    }

    /// Tells the verdict and what is wrong, whom we met, and the rest where it is asked for.
    fn tell(&self, findings: &[Finding], met: &[String], screen: &Screen) {
        let (wrong, rest): (Vec<_>, Vec<_>) = findings
            .iter()
            .partition(|finding| finding.weight == Weight::Wrong);
        screen.result(verdict(wrong.len() as u64));
        if !wrong.is_empty() {
            screen.result(listed(&wrong));
        }
        let (doubtful, rest): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|finding| finding.weight == Weight::Doubtful);
        if !doubtful.is_empty() {
            screen.result(format!(
                "{} to make sure of:",
                count_of(doubtful.len() as u64, "thing", "things")
            ));
            screen.result(listed(&doubtful));
        }
        met.iter().for_each(|line| screen.say(Sentence(line)));
        if self.all && !rest.is_empty() {
            screen.result(listed(&rest));
        }
        let remarks = rest.iter().filter(|finding| finding.weight != Weight::Fine);
        screen.say(self.count(remarks.count() as u64));
    }

    /// How many remarks there are, and where they are to be seen.
    fn count(&self, remarks: u64) -> String {
        let count = match remarks {
            0 => "No remarks".to_owned(),
            more => count_of(more, "remark", "remarks"),
        };
        match (self.all, remarks) {
            (true, _) => format!("{count}."),
            (false, 0) => format!("{count}: `tandem check --all` shows what fits."),
            (false, 1) => format!("{count}: `tandem check --all` shows it, and what fits."),
            (false, _) => format!("{count}: `tandem check --all` shows them, and what fits."),
        }
    }
}

/// Everything there is to know. Whom we met and how the clocks stand is said in `met`.
async fn find(common: &Common, screen: &Screen, met: &mut Vec<String>) -> Result<Vec<Finding>, Failure> {
    let configuration = loading::configuration_to_ask(common)?;
    let systems = loading::connect(&configuration, None).await?;
    let mut met_as = Vec::new();
    for (system, connection) in systems.iter().zip(&configuration.connections) {
        met_as.push(introduce(system.as_ref(), &connection.sign_in, screen, met).await?);
    }
    let schemas = loading::describe(&systems).await?;
    loading::keep_described(common, &configuration, &schemas);
    let unfit = compare::unfit(&configuration, schemas.each_ref());
    if !unfit.is_empty() {
        return Ok(unfit);
    }
    loading::hold_against(common, &configuration, schemas.each_ref())?;
    met.extend(clocks(&systems, &configuration.dataflow, screen));
    let (flows, passed_over) = loading::served(&configuration, &schemas);
    let mut findings = compare::remarks(&configuration.remarks, &passed_over);
    for flow in &flows.flows {
        findings.extend(compare::flow(flow, &schemas));
        findings.extend(required::findings(flow, &schemas));
    }
    for ((connection, schema), (user, a_day)) in configuration.connections.iter().zip(&schemas).zip(&met_as) {
        findings.extend(rights::findings(connection, schema, &flows, user));
        findings.extend(watching::findings(connection, schema, &flows, *a_day));
    }
    for ((connection, system), schema) in configuration.connections.iter().zip(&systems).zip(&schemas) {
        let types = flows.types_of(&connection.name).into_iter().collect::<Vec<_>>();
        let written = written_types(&flows, &connection.name);
        let proven = proving::findings(common, connection, system.as_ref(), &types, written).await?;
        // What was found just now counts.
        let says = system.capabilities();
        let proofs = connection
            .is_described()
            .then(|| loading::Proofs::of(&common.state_folder(), connection));
        let can = proofs.map_or_else(|| says.clone(), |proofs| proofs.relied_on(says));
        findings.extend(compare::capabilities(system.system(), &can, &types));
        findings.extend(gaps::findings(connection, system.as_ref(), schema, &can, &types).await);
        findings.extend(proven);
    }
    // What cannot be listed breaks a law, and was told as such.
    findings.extend(counts(&flows, &systems).await.unwrap_or_default());
    compare::placed(&mut findings, &configuration.places);
    Ok(findings)
}

/// The record types of a system that a flow writes.
fn written_types(flows: &Dataflow, system: &str) -> BTreeSet<String> {
    let ends = flows.flows.iter().flat_map(|flow| &flow.ends);
    let written = ends.filter(|end| end.write && end.record_type.system == system);
    written.map(|end| end.record_type.name.clone()).collect()
}

/// What can be known without asking.
fn find_offline(common: &Common, met: &mut Vec<String>) -> Result<Vec<Finding>, Failure> {
    let configuration = loading::configuration_to_ask(common)?;
    let known = loading::kept_described(common, &configuration)?;
    let unfit = compare::unfit(&configuration, [&known[0].schema, &known[1].schema]);
    if !unfit.is_empty() {
        return Ok(unfit);
    }
    loading::hold_against(common, &configuration, [&known[0].schema, &known[1].schema])?;
    let names = configuration.dataflow.systems.iter().zip(&known);
    met.extend(names.map(|(name, known)| format!("{name}: as it described itself at {:.0}", known.at)));
    let schemas = known.map(|known| known.schema);
    let (flows, passed_over) = loading::served(&configuration, &schemas);
    let mut findings = compare::remarks(&configuration.remarks, &passed_over);
    for flow in &flows.flows {
        findings.extend(compare::flow(flow, &schemas));
        findings.extend(required::findings(flow, &schemas));
    }
    compare::placed(&mut findings, &configuration.places);
    Ok(findings)
}

/// Whether everything can be kept in step.
fn verdict(wrong: u64) -> String {
    match wrong {
        0 => "Everything that is configured can be kept in step.".to_owned(),
        wrong => format!("{} to correct before a sync:", count_of(wrong, "thing", "things")),
    }
}

/// How the systems' clocks stand to each other, as their replies show.
fn clocks(systems: &[Arc<dyn Connector>; 2], flows: &Dataflow, screen: &Screen) -> Option<String> {
    let offsets = tandem_engine::measured(systems);
    let apart = tandem_engine::apart(&flows.systems, offsets, flows.clock_error_seconds);
    screen.json(&json!({
        "clocks": offsets.map(|offset| offset.map(|offset| offset.ahead().as_secs_f64())),
        "clocks_apart": apart,
    }));
    let agree = || "The systems' clocks agree, as far as their replies show.".to_owned();
    apart.or_else(|| offsets.iter().all(Option::is_some).then(agree))
}

/// Who a system is, as whom and how we are there, and how the day's calls stand. Returns the user, and the calls that a day
/// has.
async fn introduce(
    system: &dyn Connector,
    sign_in: &str,
    screen: &Screen,
    met: &mut Vec<String>,
) -> Result<(String, Option<u64>), Failure> {
    let who = system.identify().await?;
    let budget = system.measure_budget().await?;
    screen.json(&json!({
        "system": system.system(),
        "id": who.id,
        "name": who.name,
        "user": who.user,
        "sandbox": who.sandbox,
        "instance": who.instance,
        "sign_in": Some(sign_in).filter(|way| !way.is_empty()),
        "budget": budget,
    }));
    let way = match sign_in {
        "" => String::new(),
        way => format!(" by {way}"),
    };
    // Some systems do not say as whom they met us.
    let user = match who.user.as_str() {
        "" => String::new(),
        user => format!(", as {user}"),
    };
    met.push(format!("{}: {}{user}{way}", system.system(), standing::who(&who)));
    let a_day = budget
        .as_ref()
        .and_then(|budget| Some(budget.calls.as_ref()?.allowed));
    met.extend(budget.map(|budget| standing::budget(system.system(), &budget)));
    Ok((who.user, a_day))
}

/// Compares counts where a side holds no identity of the other: every such record is known by its match keys alone.
async fn counts(flows: &Dataflow, systems: &[Arc<dyn Connector>; 2]) -> Result<Vec<Finding>, Failure> {
    let mut found = Vec::new();
    for flow in flows
        .flows
        .iter()
        .filter(|flow| flow.end(Side::Second).identity.is_none())
    {
        let mut numbers = Vec::new();
        for side in Side::BOTH {
            let record_type = &flow.end(side).record_type;
            let size = size(systems[side.index()].as_ref(), record_type, PAGES).await?;
            let least = if size.more { "at least " } else { "" };
            numbers.push(format!(
                "{least}{} of {record_type}",
                count_of(size.records, "record", "records")
            ));
        }
        found.push(Finding {
            weight: Weight::Limit,
            flow: Some(flow.name.clone()),
            property: None,
            place: None,
            what: numbers.join(", "),
            why: format!(
                "an org holds few {}s: a side with many records needs another binding",
                flow.end(Side::Second).object
            ),
        });
    }
    Ok(found)
}

/// What so many pages of a record type's list hold.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    records: u64,
    calls: u64,
    /// There are further pages.
    more: bool,
}

/// How large a record type is, as far as so many pages of its list tell.
async fn size(system: &dyn Connector, of: &RecordType, pages: usize) -> Result<Size, Failure> {
    let before = system.calls();
    let (mut records, mut resume) = (0, None);
    for _ in 0..pages {
        let page = system.list(of, resume.as_deref()).await?;
        records += page.observations.len() as u64;
        resume = page.resume;
        if resume.is_none() {
            break;
        }
    }
    Ok(Size {
        records,
        calls: system.calls() - before,
        more: resume.is_some(),
    })
}

/// Findings, one below the other.
fn listed(findings: &[&Finding]) -> Table {
    let mut shown = table(["", "flow", "property", "what", "why"]);
    for finding in findings {
        let what = match &finding.place {
            Some(place) => format!("{place}: {}", finding.what),
            None => finding.what.clone(),
        };
        shown.add_row([
            finding.weight.word(),
            finding.flow.as_deref().unwrap_or_default(),
            finding.property.as_deref().unwrap_or_default(),
            &what,
            &finding.why,
        ]);
    }
    shown
}
