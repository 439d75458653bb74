//! The way from texts to a configuration.

use super::check;
use super::companion::{RoleHead, owner_type};
use super::connection::{bindings, connected, duration, kept, remarks, state_settings, used_types};
use super::console::{alert_settings, console_settings, trace_settings};
use super::flow::{self, FlowHead, Scope};
use super::flow_file::FlowText;
use super::known::{Described, Known};
use super::main_file::{MainText, system_names};
use super::node::{At, Content, Node, parse};
use super::problem::{Problem, Problems, suggestion};
use super::written::{Reader, Written, root};
use super::{Configuration, Connection, Sources, webhook};
use crate::dataflow::{CreatePolicy, Dataflow, Flow, Side};
use crate::record::RecordType;
use std::collections::{BTreeMap, BTreeSet};

const INTRODUCTION: &str = "This document describes which records are kept in step and how their properties answer to \
     one another. It is printed from the configuration that the synchronization runs on.";

/// A flow file as read.
pub(crate) struct FlowSource {
    /// Its path.
    pub(crate) file: String,
    /// What it says.
    pub(crate) text: FlowText,
}

/// Validates the texts of a configuration.
///
/// # Errors
/// All problems, sorted by file and place.
pub fn load(sources: &Sources) -> Result<Configuration, Vec<Problem>> {
    load_against(sources, &BTreeMap::new())
}

/// [`load`] for whoever asks the systems next and then holds everything against what they say ([`load_against`]): which of two
/// names that are nearly the same is misspelled is left to them.
///
/// # Errors
/// All other problems.
pub fn load_to_ask(sources: &Sources) -> Result<Configuration, Vec<Problem>> {
    loaded(sources, &BTreeMap::new(), true)
}

/// [`load`], with names and types held against what systems said of themselves, by their names in the configuration. Only
/// systems whose names are not known to the program are.
///
/// # Errors
/// All problems.
pub fn load_against(
    sources: &Sources,
    described: &BTreeMap<String, Described>,
) -> Result<Configuration, Vec<Problem>> {
    loaded(sources, described, false)
}

fn loaded(
    sources: &Sources,
    described: &BTreeMap<String, Described>,
    asked_next: bool,
) -> Result<Configuration, Vec<Problem>> {
    let mut problems = Problems::default();
    let loading = Loading::new(sources, described, asked_next, &mut problems);
    let loaded = loading.and_then(|loading| loading.finish(&mut problems));
    let problems = problems.into_sorted();
    match loaded {
        Some(configuration) if problems.is_empty() => Ok(configuration),
        _ => Err(problems),
    }
}

/// The folder of the flow files that the text of `tandem.yaml` names, from that file's own folder. None where the
/// text cannot be read or names none: [`load`] says why.
#[must_use]
pub fn flows_folder(main: &str) -> Option<String> {
    let root = parse(main).ok()?;
    let Content::Table(entries) = &root.value else {
        return None;
    };
    let (_, folder) = entries.iter().find(|(key, _)| key.value == "flows")?;
    match &folder.value {
        Content::Text(folder) => Some(folder.clone()),
        _ => None,
    }
}

/// What was read before flows are built.
struct Loading {
    file: String,
    systems: [String; 2],
    main: MainText,
    connections: [Connection; 2],
    known: [Known; 2],
    bindings: [BTreeMap<String, String>; 2],
    flows: Vec<FlowSource>,
    /// The names of flows whose files cannot be read in full.
    half_read: BTreeSet<String>,
}

impl Loading {
    fn new(
        sources: &Sources,
        described: &BTreeMap<String, Described>,
        asked_next: bool,
        problems: &mut Problems,
    ) -> Option<Self> {
        let (file, text) = &sources.main;
        let root = root(file, text, problems);
        let systems = root.as_ref().and_then(|root| systems(file, root, problems));
        let (root, systems) = (root?, systems?);
        let flows = flows(sources, &systems, problems);
        let main = MainText::read(
            &root,
            &mut Reader {
                systems: &systems,
                file,
                problems,
            },
        )?;
        let half_read = half_read(sources, &flows);
        let flows = taking_part(file, &main, flows, &half_read, problems);
        let written: Vec<_> = main.connections.0.iter().collect();
        let [first, second] = written.as_slice() else {
            return None;
        };
        let known = [first, second].map(|(name, connection)| {
            let known = Known::of(&connection.value.kind.value, &sources.kinds);
            known.described(described.get(&name.value)).asked_next(asked_next)
        });
        let connections = [0, 1].map(|at: usize| {
            let (name, connection) = written[at];
            connected(file, name, connection, &known[at], &sources.kinds, problems)
        });
        let bindings = [0, 1].map(|at: usize| {
            bindings(
                file,
                &root,
                &main,
                at,
                &known[at],
                used_types(&flows, at),
                problems,
            )
        });
        Some(Self {
            file: file.clone(),
            systems,
            main,
            connections,
            known,
            bindings,
            half_read,
            flows,
        })
    }

    fn finish(self, problems: &mut Problems) -> Option<Configuration> {
        let heads = self.heads(problems);
        let nobody = BTreeMap::new();
        let roles = self.roles(&heads, &nobody, problems);
        let mut flows: Vec<Flow> = Vec::new();
        for source in &self.flows {
            let mut scope = self.scope(source, &heads, &roles, problems);
            flows.push(flow::build(&mut scope, &source.text));
        }
        check::groups(&self.flows, &flows, problems);
        check::policies(&self.flows, &flows, problems);
        self.switches(&mut flows, problems);
        self.check_variants(problems);
        let order = check::order(&self.flows, &flows, problems);
        let remarks = remarks(&flows, &self.connections);
        let state = state_settings(&self.file, self.main.state.as_ref(), problems);
        let console = console_settings(&self.file, self.main.console.as_ref(), problems);
        let listen = webhook::listening(&self.file, self.main.webhooks.as_ref(), problems);
        let alerts = alert_settings(&self.file, self.main.alerts.as_ref(), problems);
        let traces = trace_settings(&self.file, self.main.traces.as_ref(), problems);
        let clock = self.main.clock_error.as_ref();
        let clock = clock.map_or(Some(2_000), |text| duration(&self.file, text, problems))?;
        let keep_history_ms = kept(&self.file, self.main.history.as_ref(), problems)?;
        Some(Configuration {
            keep_history_ms,
            dataflow: Dataflow {
                systems: self.systems.clone(),
                document_order: self.document_order(),
                flows: order.into_iter().map(|at| flows[at].clone()).collect(),
                introduction: self.introduction(),
                clock_error_seconds: clock.div_euclid(1_000) + i64::from(clock.rem_euclid(1_000) > 0),
                out_of_sight: BTreeSet::new(),
                clocks_ahead: std::collections::BTreeMap::new(),
                commit_delays: std::collections::BTreeMap::new(),
                request_deadlines: std::collections::BTreeMap::new(),
                unprotected: std::collections::BTreeSet::new(),
                paused: BTreeSet::new(),
                asks_first: BTreeSet::new(),
                ourselves: BTreeMap::new(),
            },
            if_present: self.if_present(),
            places: self.places(),
            flows_folder: self.main.flows.value.clone(),
            connections: self.connections,
            bindings: self.bindings,
            state,
            console,
            listen,
            alerts,
            traces,
            remarks,
        })
    }

    fn introduction(&self) -> String {
        let text = self.main.introduction.as_deref().unwrap_or(INTRODUCTION);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn document_order(&self) -> Vec<String> {
        let texts = self.flows.iter().map(|source| &source.text);
        let mut flows: Vec<_> = texts.filter(|flow| flow.supports.is_none()).collect();
        let section = |flow: &FlowText| flow.section.as_ref().map_or(u32::MAX, |section| section.value);
        flows.sort_by(|a, b| (section(a), &a.flow.value).cmp(&(section(b), &b.flow.value)));
        flows.into_iter().map(|flow| flow.flow.value.clone()).collect()
    }

    fn places(&self) -> super::Places {
        let written = self.flows.iter().map(|FlowSource { file, text, .. }| {
            let at = |line: u64, column: u64| format!("{file}:{line}:{column}");
            let mut places = BTreeMap::from([(String::new(), at(text.flow.line, text.flow.column))]);
            let objects = [&text.first, &text.second];
            for row in &text.properties.value {
                let ends = [Some(&row.first), row.second.as_ref()]
                    .into_iter()
                    .zip(objects)
                    .enumerate();
                for (side, (end, object)) in ends {
                    let name = end.and_then(|end| end.of(&self.object(side, &object.value)));
                    places.extend(name.map(|name| (name.value.clone(), at(name.line, name.column))));
                }
            }
            (text.flow.value.clone(), places)
        });
        super::Places {
            by_flow: written.collect(),
        }
    }

    fn if_present(&self) -> BTreeSet<(String, String)> {
        let mut rows = BTreeSet::new();
        for FlowSource { text, .. } in &self.flows {
            let object = self.object(0, &text.first.value);
            let optional = text
                .properties
                .value
                .iter()
                .filter(|row| row.if_present == Some(true));
            let names = optional.filter_map(|row| row.first.of(&object));
            rows.extend(names.map(|name| (text.flow.value.clone(), name.value.clone())));
        }
        rows
    }

    /// The object that serves a record type.
    fn object(&self, side: usize, record_type: &str) -> String {
        let bound = self.bindings[side].get(record_type);
        bound.map_or(record_type, String::as_str).to_owned()
    }

    fn heads(&self, problems: &mut Problems) -> BTreeMap<String, FlowHead> {
        let mut heads: BTreeMap<String, FlowHead> = BTreeMap::new();
        for FlowSource { file, text } in &self.flows {
            let types = [text.first.value.clone(), text.second.value.clone()];
            let objects = [0, 1].map(|side: usize| self.object(side, &types[side]));
            let head = FlowHead { types, objects };
            if heads.insert(text.flow.value.clone(), head).is_some() {
                let message = format!("two flows have the name `{}`", text.flow.value);
                problems.add(file, &text.flow, message, "Give each flow a name of its own.");
            }
            for (side, written) in [&text.first, &text.second].into_iter().enumerate() {
                self.check_type(file, side, written, problems);
            }
        }
        heads
    }

    fn check_type(&self, file: &str, side: usize, written: &At<String>, problems: &mut Problems) {
        let known = &self.known[side];
        let object = self.object(side, &written.value);
        if known.can_have(&object) {
            return;
        }
        let message = format!("{} has no record type `{}`", self.systems[side], written.value);
        problems.add(file, written, message, known.instead_of(&written.value));
    }

    fn scope<'a>(
        &'a self,
        source: &'a FlowSource,
        heads: &'a BTreeMap<String, FlowHead>,
        roles: &'a BTreeMap<String, RoleHead>,
        problems: &'a mut Problems,
    ) -> Scope<'a> {
        let types = [&source.text.first.value, &source.text.second.value];
        let [first, second] = &self.connections;
        Scope {
            file: &source.file,
            systems: &self.systems,
            types: [0, 1].map(|side: usize| RecordType::new(&self.systems[side], types[side])),
            objects: [0, 1].map(|side: usize| self.object(side, types[side])),
            known: &self.known,
            heads,
            half_read: &self.half_read,
            roles,
            users: [first.users.as_ref(), second.users.as_ref()],
            owners: [first.owner.as_deref(), second.owner.as_deref()],
            variant: self.variant(&source.text.flow.value).map(|at| at.value.as_str()),
            problems,
        }
    }

    fn roles(
        &self,
        heads: &BTreeMap<String, FlowHead>,
        nobody: &BTreeMap<String, RoleHead>,
        problems: &mut Problems,
    ) -> BTreeMap<String, RoleHead> {
        let mut roles: BTreeMap<String, RoleHead> = BTreeMap::new();
        for source in &self.flows {
            let described = source
                .text
                .companions
                .iter()
                .flatten()
                .filter(|text| text.describes());
            for text in described {
                let scope = self.scope(source, heads, nobody, problems);
                let owner = owner_type(&scope, &source.text, text);
                let Some(object) = &text.object else { continue };
                let role = RoleHead {
                    file: source.file.clone(),
                    object: object.value.clone(),
                    flow: kept_by(heads, owner.as_deref(), &object.value),
                    owner,
                    text: text.clone(),
                };
                let name = text.role_name();
                if let Some(other) = roles.insert(name.value.clone(), role) {
                    let message = format!("the companion {} is described twice", name.value);
                    let help = format!(
                        "Keep `object`, `find` and `values` in {} and only name the role here.",
                        other.file
                    );
                    problems.add(&source.file, name, message, help);
                }
            }
        }
        roles
    }

    /// The variant of a flow that is in use, where the main file says so.
    fn variant(&self, flow: &str) -> Option<&At<String>> {
        self.main.variants.as_ref()?.get(flow)
    }

    fn check_variants(&self, problems: &mut Problems) {
        for (flow, variant) in self.main.variants.iter().flat_map(|table| &table.0) {
            let source = self
                .flows
                .iter()
                .find(|source| source.text.flow.value == flow.value);
            let Some(source) = source else {
                if !self.half_read.contains(&flow.value) {
                    let names = self.flows.iter().map(|source| source.text.flow.value.as_str());
                    let message = format!("there is no flow `{}`", flow.value);
                    problems.add(&self.file, flow, message, suggestion(&flow.value, names));
                }
                continue;
            };
            let known = source
                .text
                .variants
                .iter()
                .flatten()
                .map(|name| name.value.as_str());
            if !known.clone().any(|name| name == variant.value) {
                let message = format!("flow {} has no variant `{}`", flow.value, variant.value);
                problems.add(&self.file, variant, message, suggestion(&variant.value, known));
            }
        }
    }

    /// The overrides of `tandem.yaml`: exactly the listed flows create in that system.
    fn switches(&self, flows: &mut [Flow], problems: &mut Problems) {
        let lists = [&self.main.create_in_first, &self.main.create_in_second];
        for (side, list) in Side::BOTH.into_iter().zip(lists) {
            let Some(list) = list else { continue };
            for name in list {
                if !flows.iter().any(|flow| flow.name == name.value) && !self.half_read.contains(&name.value)
                {
                    let help = suggestion(&name.value, flows.iter().map(|flow| flow.name.as_str()));
                    problems.add(
                        &self.file,
                        name,
                        format!("there is no flow `{}`", name.value),
                        help,
                    );
                }
            }
            for flow in flows.iter_mut() {
                let listed = list.iter().any(|name| name.value == flow.name);
                let end = &mut flow.ends[side.index()];
                end.create = match (listed, end.create) {
                    (true, CreatePolicy::OnlyNew) => CreatePolicy::OnlyNew,
                    (true, _) => CreatePolicy::On,
                    (false, _) => CreatePolicy::Off,
                };
            }
        }
    }
}

/// The flows that take part: all but optional ones that the main file does not name.
fn taking_part(
    file: &str,
    main: &MainText,
    flows: Vec<FlowSource>,
    half_read: &BTreeSet<String>,
    problems: &mut Problems,
) -> Vec<FlowSource> {
    let optional = |source: &FlowSource| source.text.optional == Some(true);
    let named: Vec<&At<String>> = main.with.iter().flatten().collect();
    for name in &named {
        let found = flows
            .iter()
            .any(|source| optional(source) && source.text.flow.value == name.value);
        if !found && !half_read.contains(&name.value) {
            let known = flows.iter().filter(|source| optional(source));
            let help = suggestion(&name.value, known.map(|source| source.text.flow.value.as_str()));
            problems.add(
                file,
                name,
                format!("there is no optional flow `{}`", name.value),
                help,
            );
        }
    }
    let takes_part = |source: &FlowSource| {
        !optional(source) || named.iter().any(|name| name.value == source.text.flow.value)
    };
    flows.into_iter().filter(takes_part).collect()
}

/// The names of the flows that sources speak of and that could not be read.
fn half_read(sources: &Sources, read: &[FlowSource]) -> BTreeSet<String> {
    let unread = sources
        .flows
        .iter()
        .filter(|(file, _)| read.iter().all(|source| source.file != *file));
    let lines = unread.flat_map(|(_, text)| text.lines());
    let names = lines.filter_map(|line| line.strip_prefix("flow:"));
    names.map(|name| name.trim().to_owned()).collect()
}

/// The flow that keeps an owner in step with an object: what would be a companion is a counterpart there.
fn kept_by(heads: &BTreeMap<String, FlowHead>, owner: Option<&str>, object: &str) -> Option<String> {
    let keeps = |head: &FlowHead| Some(head.types[0].as_str()) == owner && head.objects[1] == object;
    let mut found = heads.iter().filter(|(_, head)| keeps(head));
    found.next().map(|(name, _)| name.clone())
}

fn systems(file: &str, root: &Node, problems: &mut Problems) -> Option<[String; 2]> {
    let names = system_names(root);
    if let [first, second] = names.as_slice() {
        return Some([first.value.clone(), second.value.clone()]);
    }
    let at = names.last().map_or(root.with(()), |name| name.with(()));
    let message = format!("{} connections stand here, not two", names.len());
    problems.add(
        file,
        &at,
        message,
        "Write `connections:` with the two systems by name, the first one first.",
    );
    None
}

fn flows(sources: &Sources, systems: &[String; 2], problems: &mut Problems) -> Vec<FlowSource> {
    let (main, _) = &sources.main;
    if sources.flows.is_empty() {
        let at = At {
            line: 1,
            column: 1,
            value: (),
        };
        problems.add(
            main,
            &at,
            "there is no flow",
            "Put flow files into the folder that `flows:` names.",
        );
    }
    let mut flows = Vec::new();
    for (file, text) in &sources.flows {
        let Some(root) = root(file, text, problems) else {
            continue;
        };
        if let Some(text) = FlowText::read(
            &root,
            &mut Reader {
                systems,
                file,
                problems,
            },
        ) {
            flows.push(FlowSource {
                file: file.clone(),
                text,
            });
        }
    }
    flows
}
