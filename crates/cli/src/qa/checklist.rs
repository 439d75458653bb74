//! The checklist: one line per sentence and per property row, and what speaks for and against each.

use super::promise::{PromisedFlow, Row};
use super::script::RowAt;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::dataflow::{Direction, OnCreate, Side};

/// How a line came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// The binding in use has no place for it.
    NotServed,
    /// Nothing failed, but not all of it could be tried.
    CannotBeTried,
}

impl Verdict {
    /// The word people see.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotServed => "not served",
            Self::CannotBeTried => "cannot be tried",
        }
    }
}

/// Ways in which a row can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trial {
    /// A new record got the value.
    OnCreate,
    /// It was edited on the first side and arrived on the second.
    FromFirst,
    /// It was edited on the second side and arrived on the first.
    FromSecond,
    /// Something else moved it on the second side, and it arrived on the first.
    ByItsCause,
    /// It was edited on its read-only side, and the other side stayed as it was.
    ReadOnlySide,
}

/// What was seen instead of what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mismatch {
    /// What was done.
    pub(crate) done: String,
    /// The value or state that should be there.
    pub(crate) expected: String,
    /// The value or state that is there.
    pub(crate) seen: String,
    /// What Tandem says about it, where it does.
    pub(crate) because: Option<String>,
}

/// What speaks for and against a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    tried: BTreeSet<Trial>,
    failures: Vec<Mismatch>,
    obstacles: Vec<String>,
}

impl Evidence {
    /// A trial that came out as promised.
    pub(crate) fn holds(&mut self, trial: Trial) {
        self.tried.insert(trial);
    }

    /// Something else was seen than promised.
    pub(crate) fn fails(&mut self, mismatch: Mismatch) {
        self.failures.push(mismatch);
    }

    /// Something could not be tried.
    pub(crate) fn cannot(&mut self, why: impl Into<String>) {
        let why = why.into();
        if !self.obstacles.contains(&why) {
            self.obstacles.push(why);
        }
    }
}

/// A line of the checklist.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// `sentence`, `property` or `deletion`.
    pub(crate) kind: &'static str,
    /// What is ticked off.
    pub(crate) text: String,
    /// The two properties, for a property's row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) properties: Option<[String; 2]>,
    /// How it came out.
    pub(crate) result: Verdict,
    /// How it was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tried: Vec<Trial>,
    /// What failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Mismatch>,
    /// Why it is not served or could not be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// A flow's part of the checklist.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Section {
    /// The configured flow's name; blank where there is none.
    pub(crate) flow: String,
    /// `Customerp Customer to Salesforce Division`.
    pub(crate) title: String,
    /// Its lines.
    pub(crate) lines: Vec<Line>,
}

/// Which line evidence is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// Every L gets its R.
    EveryOne(usize),
    /// The link is kept.
    InSync(usize),
    /// A row.
    Row(RowAt),
    /// A deletion on a side.
    Deletion(usize, Side),
}

/// Evidence by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checklist(BTreeMap<About, Evidence>);

impl Checklist {
    /// The evidence about a line.
    pub(crate) fn about(&mut self, about: About) -> &mut Evidence {
        self.0.entry(about).or_default()
    }

    fn of(&self, about: &About) -> Evidence {
        self.0.get(about).cloned().unwrap_or_default()
    }

    /// The finished checklist. `systems`: the two systems' names; `policies`: per flow and side what a deletion
    /// leads to, none where there is no flow.
    pub(crate) fn sections(
        &self,
        promised: &[PromisedFlow],
        systems: &[String; 2],
        policies: impl Fn(usize, Side) -> Option<String>,
    ) -> Vec<Section> {
        let systems = systems.each_ref().map(|name| capital(name));
        let section = |(at, flow): (usize, &PromisedFlow)| {
            let [l, r] = [0, 1].map(|side| format!("{} {}", systems[side], flow.types[side]));
            let mut lines = vec![
                line(
                    "sentence",
                    format!("Every {l} will be synchronized with a {r}."),
                    &self.of(&About::EveryOne(at)),
                    &[],
                ),
                line(
                    "sentence",
                    format!(
                        "Once a link between a {l} and a {r} is established, it will keep in sync between the two \
                         systems, regardless of where it is edited."
                    ),
                    &self.of(&About::InSync(at)),
                    &[],
                ),
            ];
            lines.extend(flow.rows.iter().enumerate().map(|(row, promised)| {
                let about = About::Row(RowAt { flow: at, row });
                property_line(promised, &self.of(&about), &systems)
            }));
            for side in Side::BOTH {
                if let Some(policy) = policies(at, side) {
                    let deleted = [&l, &r][side.index()];
                    let text = format!("When a linked {deleted} is deleted: {policy}.");
                    lines.push(line("deletion", text, &self.of(&About::Deletion(at, side)), &[]));
                }
            }
            Section {
                flow: flow.name.clone().unwrap_or_default(),
                title: format!("{l} to {r}"),
                lines,
            }
        };
        promised.iter().enumerate().map(section).collect()
    }
}

fn property_line(row: &Row, evidence: &Evidence, systems: &[String; 2]) -> Line {
    let mut shown = match &row.unserved {
        Some(why) => Line {
            kind: "property",
            text: row.shown(),
            properties: None,
            result: Verdict::NotServed,
            tried: Vec::new(),
            failure: None,
            why: Some(why.clone()),
        },
        None => line("property", row.shown(), evidence, &wanted(row)),
    };
    if let Some(why) = shown.why.take() {
        let [first, second] = systems;
        shown.why = Some(why.replace("{first}", first).replace("{second}", second));
    }
    shown.properties = Some(row.mapping.properties.clone());
    shown
}

/// The trials that a row needs to pass: of each list at least one.
fn wanted(row: &Row) -> Vec<Vec<Trial>> {
    let mut wanted = match row.mapping.direction {
        Direction::Both => vec![vec![Trial::FromFirst], vec![Trial::FromSecond]],
        Direction::To(Side::Second) if row.editable[0] && !row.through_companion => {
            vec![vec![Trial::FromFirst]]
        }
        Direction::To(Side::Second) => vec![vec![Trial::OnCreate]],
        Direction::To(Side::First) => vec![vec![Trial::FromSecond, Trial::ByItsCause]],
    };
    if row.mapping.direction == Direction::To(Side::First) && row.mapping.on_create != OnCreate::Follow {
        // A record that is used again was created in an earlier run.
        wanted.push(vec![Trial::OnCreate, Trial::FromSecond]);
    }
    wanted
}

fn line(kind: &'static str, text: String, evidence: &Evidence, wanted: &[Vec<Trial>]) -> Line {
    let lacks = wanted
        .iter()
        .find(|any| !any.iter().any(|trial| evidence.tried.contains(trial)));
    let untried = lacks.is_some() || evidence.tried.is_empty();
    let result = if !evidence.failures.is_empty() {
        Verdict::Fail
    } else if untried {
        Verdict::CannotBeTried
    } else {
        Verdict::Pass
    };
    let why = (result == Verdict::CannotBeTried).then(|| match evidence.obstacles.first() {
        Some(why) => why.clone(),
        None => lacks.and_then(|any| any.first()).map_or_else(
            || "nothing led to it in this run".to_owned(),
            |trial| untold(*trial).to_owned(),
        ),
    });
    Line {
        kind,
        text,
        properties: None,
        result,
        tried: evidence.tried.iter().copied().collect(),
        failure: evidence.failures.first().cloned(),
        why,
    }
}

fn untold(trial: Trial) -> &'static str {
    match trial {
        Trial::OnCreate => "it is given on create, and nothing was created in this run",
        Trial::FromFirst => "it cannot be edited in {first}",
        Trial::FromSecond => "it cannot be edited in {second}, and nothing moved it there",
        Trial::ByItsCause => "nothing moved it in {second}",
        Trial::ReadOnlySide => "its read-only side cannot be edited",
    }
}

/// `customerp` as people write it.
pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// How many lines came out how.
pub(crate) fn counts(sections: &[Section]) -> BTreeMap<Verdict, u64> {
    let mut counts = BTreeMap::new();
    for line in sections.iter().flat_map(|section| &section.lines) {
        *counts.entry(line.result).or_default() += 1;
    }
    counts
}

/// The checklist for people, one line each.
pub(crate) fn text(sections: &[Section]) -> Vec<String> {
    let mut lines = Vec::new();
    for section in sections {
        lines.push(section.title.clone());
        lines.push("-".repeat(section.title.chars().count()));
        for line in &section.lines {
            let why = line.why.as_ref().filter(|_| line.failure.is_none());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            lines.push(format!("  {:<15} {}{why}", line.result.word(), line.text));
            lines.extend(line.failure.as_ref().map(|failure| {
                let because = failure.because.as_ref();
                format!(
                    "    {}: expected {}, seen {}{}",
                    failure.done,
                    failure.expected,
                    failure.seen,
                    because.map(|why| format!(" ({why})")).unwrap_or_default()
                )
            }));
        }
        lines.push(String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::promise::tests::shipped;
    use super::*;

    fn mismatch() -> Mismatch {
        Mismatch {
            done: "edited in customerp to \"high\"".to_owned(),
            expected: "\"High\" in salesforce".to_owned(),
            seen: "\"Low\"".to_owned(),
            because: None,
        }
    }

    fn sections(list: &Checklist) -> Vec<Section> {
        let systems = ["customerp", "salesforce"].map(str::to_owned);
        list.sections(&shipped(), &systems, |_, _| Some("nothing".to_owned()))
    }

    /// The line of the row `name` of the first flow, and its place.
    fn name_row() -> RowAt {
        RowAt { flow: 0, row: 0 }
    }

    #[test]
    fn there_is_a_line_for_each_sentence_and_each_row() {
        let rows: usize = shipped().iter().map(|flow| flow.rows.len()).sum();
        let sections = sections(&Checklist::default());
        let of = |kind: &str| {
            let lines = sections.iter().flat_map(|section| &section.lines);
            lines.filter(|line| line.kind == kind).count()
        };
        assert_eq!((of("sentence"), of("property"), of("deletion")), (18, rows, 18));
        assert_eq!(sections[0].title, "Customerp Customer to Salesforce Division");
        let first = &sections[0].lines[0].text;
        assert_eq!(
            first,
            "Every Customerp Customer will be synchronized with a Salesforce Division."
        );
    }

    #[test]
    fn a_row_passes_when_it_arrived_from_every_side_it_travels_from() {
        let mut list = Checklist::default();
        let row = |list: &Checklist| sections(list)[0].lines[2].result;
        assert_eq!(row(&list), Verdict::CannotBeTried);
        list.about(About::Row(name_row())).holds(Trial::FromFirst);
        assert_eq!(row(&list), Verdict::CannotBeTried, "one side is not enough");
        list.about(About::Row(name_row())).holds(Trial::FromSecond);
        assert_eq!(row(&list), Verdict::Pass);
        list.about(About::Row(name_row())).fails(mismatch());
        assert_eq!(row(&list), Verdict::Fail, "nothing outweighs a failure");
    }

    #[test]
    fn people_see_what_was_expected_and_why_not() {
        let mut list = Checklist::default();
        list.about(About::Row(name_row())).fails(mismatch());
        list.about(About::EveryOne(1)).cannot("nobody signs in");
        let text = text(&sections(&list)).join("\n");
        assert!(text.contains(
            "  FAIL            name <-> Name\n    edited in customerp to \"high\": expected \"High\""
        ));
        assert!(text.contains("cannot be tried Every Customerp Order"));
        assert!(text.contains(": nobody signs in"));
        assert!(text.contains("not served      email <-> (none): Division has no counterpart of email"));
        let counted = counts(&sections(&list));
        assert_eq!(counted[&Verdict::Fail], 1);
        assert!(counted[&Verdict::NotServed] > 9);
    }
}
