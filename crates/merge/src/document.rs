//! The dataflow document: what is kept in step, in words and tables that a tester can tick off. It is printed from
//! the same types that the synchronization runs on.

mod print;

use crate::dataflow::{
    Agreement, CreatePolicy, Dataflow, Direction, Flow, Mapping, MatchRule, OnCreate, Side,
};

/// How the document is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// From the second system to the first.
    pub reverse: bool,
    /// Without sentences for conditions and match keys.
    pub plain: bool,
    /// Lines end with CR LF instead of LF.
    pub crlf: bool,
    /// The markup.
    pub format: Format,
    /// When it was generated: `YYYY-MM-DD HH:MM:SS`, UTC.
    pub generated: String,
}

/// The markup of the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// reStructuredText.
    #[default]
    Rst,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
}

/// Prints the document.
#[must_use]
pub fn render(dataflow: &Dataflow, options: &Options) -> String {
    let document = Document::new(dataflow, options);
    let text = match options.format {
        Format::Rst => print::rst(&document),
        Format::Markdown => print::markdown(&document),
        Format::Html => print::html(&document),
    };
    if options.crlf {
        text.replace('\n', "\r\n")
    } else {
        text
    }
}

/// The rows of a flow that the document shows for one direction, sorted as it shows them: mappings whose values
/// travel towards `to`, and those given once on create. Constants of a create are shown for neither direction.
#[must_use]
pub fn rows(flow: &Flow, to: Side) -> Vec<&Mapping> {
    let shown = |mapping: &&Mapping| match mapping.on_create {
        OnCreate::Value => true,
        // What a create gets first of a property that travels both ways is no more than its beginning.
        OnCreate::Constant(_) => mapping.direction == Direction::Both,
        OnCreate::Follow => mapping.travels_to(to),
    };
    let mut rows: Vec<&Mapping> = flow.mappings.iter().filter(shown).collect();
    let from = to.other();
    rows.sort_by_key(|mapping| (mapping.property(from), mapping.property(to)));
    rows
}

/// The document before its markup.
struct Document {
    title: String,
    generated: String,
    introduction: String,
    sections: Vec<Section>,
}

/// What the document says of one flow.
struct Section {
    title: String,
    every: String,
    /// Conditions and match keys; none under `plain`.
    conditions: Vec<String>,
    once: String,
    lead: String,
    header: [String; 3],
    rows: Vec<[String; 3]>,
}

impl Document {
    fn new(dataflow: &Dataflow, options: &Options) -> Self {
        let to = if options.reverse {
            Side::First
        } else {
            Side::Second
        };
        let [from_system, to_system] =
            [to.other(), to].map(|side| capitalised(&dataflow.systems[side.index()]));
        let ordered = dataflow
            .document_order
            .iter()
            .filter_map(|name| dataflow.flow(name));
        Self {
            title: format!("{from_system} to {to_system} Dataflow"),
            generated: options.generated.clone(),
            introduction: dataflow.introduction.clone(),
            sections: ordered
                .map(|flow| Section::new(dataflow, flow, to, options.plain))
                .collect(),
        }
    }
}

impl Section {
    fn new(dataflow: &Dataflow, flow: &Flow, to: Side, plain: bool) -> Self {
        let name = |side: Side| {
            let system = capitalised(&dataflow.systems[side.index()]);
            format!("{system} {}", flow.end(side).record_type.name)
        };
        let (left, right) = (name(to.other()), name(to));
        let (a_left, a_right) = (with_article(&left), with_article(&right));
        let right_system = capitalised(&dataflow.systems[to.index()]);
        Self {
            title: format!("{left} to {right}"),
            every: format!("Every {left} will be synchronized with {a_right}."),
            conditions: if plain {
                Vec::new()
            } else {
                conditions(flow, to, &name)
            },
            once: format!(
                "Once a link between {a_left} and {a_right} is established, it will keep in sync between the two \
                 systems, regardless of where it is edited."
            ),
            lead: format!("The following properties are synchronized between {a_left} and {a_right}:"),
            header: [
                format!("{left} Property"),
                format!("{right} Property"),
                format!("{right_system} Data Type"),
            ],
            rows: rows(flow, to)
                .into_iter()
                .map(|mapping| {
                    let data_type = mapping.data_types[to.index()].clone();
                    [
                        mapping.property(to.other()).to_owned(),
                        mapping.property(to).to_owned(),
                        data_type,
                    ]
                })
                .collect(),
        }
    }
}

/// The sentences that `plain` leaves out: which records take part, what is not created, and the match keys.
fn conditions(flow: &Flow, to: Side, name: &impl Fn(Side) -> String) -> Vec<String> {
    let mut sentences = Vec::new();
    for side in [to.other(), to] {
        let only = &flow.end(side).only;
        if let Some(filter) = &flow.end(side).filter {
            sentences.push(format!(
                "Only {} for which `{filter}` holds takes part; one that leaves this filter is unlinked, never deleted.",
                with_article(&name(side))
            ));
        }
        let parts: Vec<String> = only
            .iter()
            .map(|(property, value)| format!("{property} is {value}"))
            .collect();
        if !parts.is_empty() {
            sentences.push(format!(
                "Only {} whose {} takes part.",
                with_article(&name(side)),
                parts.join(" and ")
            ));
        }
    }
    let (left, right) = (with_article(&name(to.other())), name(to));
    match flow.end(to).create {
        CreatePolicy::On => {}
        CreatePolicy::Off => sentences.push(format!(
            "For {left} without a counterpart no {right} is created: it is listed until it has one."
        )),
        CreatePolicy::OnlyNew => sentences.push(format!(
            "For {left} without a counterpart {} is created only if it came into being after the first \
             synchronization.",
            with_article(&right)
        )),
    }
    sentences.push(match_sentence(flow, to));
    sentences
}

fn match_sentence(flow: &Flow, to: Side) -> String {
    let mut keys: Vec<String> = Vec::new();
    for side in [to, to.other()] {
        if let Some(identity) = &flow.end(side).identity {
            keys.push(identity.property.clone());
        }
    }
    keys.extend(flow.match_rules.iter().map(|rule| key(rule, to)));
    format!(
        "Counterparts are found by these keys, in order: {}.",
        keys.join("; ")
    )
}

fn key(rule: &MatchRule, to: Side) -> String {
    let pairs = rule.parts.iter().map(|part| {
        let (left, right) = (&part.properties[to.other().index()], &part.properties[to.index()]);
        format!("{left} = {right}")
    });
    let mut text = pairs.collect::<Vec<_>>().join(" and ");
    let names = |all: &[Agreement]| {
        let names = all.iter().map(|one| one.properties[to.other().index()].as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    for (word, all) in [
        ("within the same", &rule.within),
        ("with the same", &rule.agree),
        ("unless contradicted by", &rule.contradicted_by),
    ] {
        if !all.is_empty() {
            text = format!("{text} {word} {}", names(all));
        }
    }
    text
}

fn capitalised(name: &str) -> String {
    let mut signs = name.chars();
    signs
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(signs).collect())
}

fn with_article(name: &str) -> String {
    let vowel = name.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {name}", if vowel { "an" } else { "a" })
}
