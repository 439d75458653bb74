//! The dataflow of the small world.

use std::collections::BTreeMap;
use tandem_merge::dataflow::{
    ConflictPolicy, CreatePolicy, Dataflow, DeleteAgainstEdit, DeletePolicy, Direction, End, Flow, Guard,
    Identity, Kind, Mapping, MatchPart, MatchRule, Normaliser, OnCreate, Reverse, Side,
};
use tandem_merge::record::RecordType;

/// What may differ between two worlds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policies {
    pub(crate) conflict: ConflictPolicy,
    pub(crate) reverse: bool,
    pub(crate) on_delete: [DeletePolicy; 2],
    pub(crate) against_edit: DeleteAgainstEdit,
    /// Longest description of the second system's Order.
    pub(crate) short: Option<usize>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            conflict: ConflictPolicy::Wins(Side::First),
            reverse: false,
            on_delete: [DeletePolicy::Ask; 2],
            against_edit: DeleteAgainstEdit::Ask,
            short: None,
        }
    }
}

pub(crate) fn mapping(first: &str, second: &str) -> Mapping {
    Mapping {
        properties: [first.to_owned(), second.to_owned()],
        data_types: ["string".to_owned(), "string".to_owned()],
        kind: Kind::String,
        direction: Direction::Both,
        owned_by: None,
        given_by: None,
        on_create: OnCreate::Follow,
        never_blank: [false; 2],
        filled_on_create: [false; 2],
        max_length: [None; 2],
        reverse: Reverse::Follow,
        blank_is_edit: true,
        personal: false,
        conflict: None,
        alone: None,
        locks: std::collections::BTreeSet::new(),
        create_only: [false, false],
        awaited: false,
        stand_in: [None, None],
        note: String::new(),
    }
}

pub(crate) fn end(system: &str, name: &str, identity: &str, prefix: &str) -> End {
    End {
        record_type: RecordType::new(system, name),
        object: name.to_owned(),
        create: CreatePolicy::On,
        write: true,
        on_delete: DeletePolicy::Ask,
        identity: Some(Identity {
            property: identity.to_owned(),
            prefix: prefix.to_owned(),
            unique: true,
        }),
        only: BTreeMap::new(),
        filter: None,
        constants: BTreeMap::new(),
        deactivate: None,
        deactivate_needs_approval: false,
        computed: BTreeMap::new(),
    }
}

pub(crate) fn flow(name: &str, ends: [End; 2], key: [&str; 2], mappings: Vec<Mapping>) -> Flow {
    Flow {
        name: name.to_owned(),
        group: name.to_owned(),
        ends,
        match_rules: vec![MatchRule {
            parts: vec![MatchPart {
                properties: key.map(str::to_owned),
                normaliser: Normaliser::Trim,
            }],
            ..MatchRule::default()
        }],
        conflict: ConflictPolicy::Latest,
        delete_against_edit: DeleteAgainstEdit::Ask,
        mappings,
        unserved: Vec::new(),
        companions: Vec::new(),
        guard: Guard::default(),
        supports: None,
        equal: Vec::new(),
        guarded: Default::default(),
        keeps: None,
    }
}

/// Order with Invoice and Order: a description in all three, a due date in two, a note one way, a number that
/// the second system gives.
pub(crate) fn star(policies: Policies) -> Dataflow {
    let create = if policies.reverse {
        CreatePolicy::On
    } else {
        CreatePolicy::Off
    };
    let mut invoice = flow(
        "order-invoice",
        [
            end("erp", "Order", "invoiceId", ""),
            end("sf", "Invoice", "Ext", "Order:"),
        ],
        ["number", "Number"],
        vec![
            mapping("number", "Number"),
            mapping("description", "Description"),
            mapping("due", "Due"),
        ],
    );
    let mut description = mapping("description", "Description");
    description.max_length[1] = policies.short;
    let order = flow(
        "order-order",
        [
            end("erp", "Order", "orderId", ""),
            end("sf", "Order", "Ext", "Order:"),
        ],
        ["number", "Reference"],
        vec![
            mapping("number", "Reference"),
            description,
            Mapping {
                direction: Direction::To(Side::Second),
                ..mapping("note", "Note")
            },
            Mapping {
                direction: Direction::To(Side::First),
                owned_by: Some(Side::Second),
                given_by: Some(Side::Second),
                ..mapping("given", "Given")
            },
        ],
    );
    invoice.ends[0].create = create;
    let mut flows = vec![invoice, order];
    flows[1].ends[0].create = CreatePolicy::Off;
    for flow in &mut flows {
        flow.conflict = policies.conflict;
        flow.delete_against_edit = policies.against_edit;
        for side in Side::BOTH {
            flow.ends[side.index()].on_delete = policies.on_delete[side.index()];
        }
    }
    flows[0].ends[0].on_delete = DeletePolicy::Unlink;
    dataflow(flows)
}

pub(crate) fn dataflow(flows: Vec<Flow>) -> Dataflow {
    Dataflow {
        systems: ["erp".to_owned(), "sf".to_owned()],
        flows,
        document_order: Vec::new(),
        introduction: String::new(),
        clock_error_seconds: 2,
        out_of_sight: std::collections::BTreeSet::new(),
        clocks_ahead: std::collections::BTreeMap::new(),
        commit_delays: std::collections::BTreeMap::new(),
        request_deadlines: std::collections::BTreeMap::new(),
        unprotected: std::collections::BTreeSet::new(),
        paused: std::collections::BTreeSet::new(),
        asks_first: std::collections::BTreeSet::new(),
        ourselves: std::collections::BTreeMap::new(),
    }
}
