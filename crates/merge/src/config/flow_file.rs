//! What a flow file says, as written.

use super::match_text::MatchText;
use super::node::{At, Content, Node};
use super::written::{PerObject, Reader, Scalar, Sided, Table, Written, written};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

written! {
    /// One flow: two record types kept in step.
    struct FlowText {
        /// The flow's name, unique, such as `order-invoice`.
        flow: At<String>,
        /// It takes part only where `with` of the main file names it.
        optional: Option<bool>,
        /// Its place in the dataflow document.
        section: Option<At<u32>>,
        /// Its place in the order of work among flows that do not refer to one another. A flow comes after the
        /// flows that it refers to whatever its place.
        place: Option<At<u32>>,
        /// The flow group: a record has at most one link in the flows of a group. The flow's own name if absent.
        group: Option<At<String>>,
        /// The first system's record type.
        first: At<String>,
        /// The second system's record type.
        second: At<String>,
        /// The match keys, in order; after the identity, which always comes first. `[]` for the identity alone.
        #[schemars(required)]
        r#match: Option<At<Vec<MatchText>>>,
        /// What decides a conflict: `latest`, `ask`, `owner`, or a system's name.
        conflict: Option<At<String>>,
        /// The system that wins under `conflict: owner`.
        owner: Option<At<String>>,
        /// What decides between a deletion and an edit: `ask`, `edit-wins`, `delete-wins`.
        delete_against_edit: Option<At<String>>,
        /// What happens to the counterpart of a deleted record, per side of the deleted one: `propagate`,
        /// `deactivate`, `unlink`, `recreate`, `ask`, `ask-then-deactivate`. A plain value is the first side's.
        on_delete: Option<DeletesText>,
        /// Whether a record without a counterpart is created on a side: `on`, `off`, `only-new`.
        create: Option<Sided<PerObject<SwitchText>>>,
        /// Whether a side is written at all.
        write: Option<Sided<bool>>,
        /// Where a side's records hold the id of their counterpart.
        identity: Option<Sided<IdentityText>>,
        /// Which records belong to the flow: a filter for a side, or by object a filter or values (`where` among the
        /// values is a filter beside them).
        only: Option<Sided<OnlyText>>,
        /// Values given on every create. `${users.profile}` takes a setting of the connection.
        constants: Option<Sided<Table<Scalar>>>,
        /// How a record is put out of use.
        deactivate: Option<DeactivateText>,
        /// Deletions beyond these wait for approval.
        guard: Option<GuardText>,
        /// Per side: what of its records a person approves first.
        needs_approval: Option<Sided<ApprovalText>>,
        /// The property mappings.
        properties: At<Vec<RowText>>,
        /// What a create needs and no flow covers.
        companions: Option<Vec<CompanionText>>,
        /// The flow that this one supports: its records are parts of that flow's, such as the lines of an order. It
        /// is no section of the dataflow document.
        supports: Option<At<String>>,
        /// The first system's reference to the record that the second system sums up in: that record is read again
        /// after its parts moved.
        rolls_up_to: Option<At<String>>,
        /// Names of variants of the mapping, the usual one first; `variants` of the main file chooses another.
        variants: Option<Vec<At<String>>>,
        /// Numbers that must be equal on linked records: compared by `verify`, never written.
        equal: Option<Vec<EqualText>>,
    }
}

written! {
    /// Two numbers that must be equal on linked records.
    struct EqualText {
        /// The first system's property.
        first: At<String>,
        /// The second system's property.
        second: At<String>,
        /// How exactly they are compared: `decimal(18,2)` if absent.
        r#type: Option<At<String>>,
    }
}

written! {
    /// A value that no system has, computed out of the first system's properties.
    struct ComputedText {
        /// The formula: `line-amount` (quantity x price less the discount, to the cent), `line-summary` (the line in
        /// words), `one`.
        is: At<String>,
        /// The property that holds the quantity.
        quantity: Option<At<String>>,
        /// The property that holds the price of one.
        price: Option<At<String>>,
        /// The property that holds the discount in percent.
        discount: Option<At<String>>,
        /// The property that holds the words.
        text: Option<At<String>>,
    }
}

written! {
    /// One property mapping.
    struct RowText {
        /// The first system's property; `id` is the record's own id.
        first: PerObject<String>,
        /// The second system's property, or one per object. Absent: the row is not served, and `note` says why.
        second: Option<PerObject<String>>,
        /// The canonical type: `string` (if absent), `integer`, `decimal(18,2)`, `boolean`, `date`, `datetime`,
        /// `enum` (with `values`), `reference` (with `references` or `companion`).
        r#type: Option<At<String>>,
        /// The first system's data type where it is not `type`.
        first_type: Option<PerObject<String>>,
        /// The second system's data type where it is not `type`.
        second_type: Option<PerObject<String>>,
        /// The longest text that the first system holds, in characters.
        first_length: Option<PerObject<u32>>,
        /// The longest text that the second system holds, in characters.
        second_length: Option<PerObject<u32>>,
        /// Which way values travel: `both` (if absent), or `to-` and a system's name.
        direction: Option<At<String>>,
        /// What a create on the second side gets where values do not travel there: `value` (the source's, once),
        /// or a constant.
        on_create: Option<At<Scalar>>,
        /// The system that the property comes from alone: it flows from the start.
        owned_by: Option<At<String>>,
        /// The system that gives a value on create where there is none; it flows back.
        given_by: Option<At<String>>,
        /// The systems that refuse blank.
        never_blank: Option<Vec<At<String>>>,
        /// The systems that give a value of their own on create where none is given: an owner, a default.
        filled_on_create: Option<Vec<At<String>>>,
        /// An enum's values: the first system's name and the second's.
        values: Option<Table<At<String>>>,
        /// The way back of the second system's names that several of the first share.
        back: Option<Table<At<String>>>,
        /// The flow that a reference follows.
        references: Option<At<String>>,
        /// The role of the companion that a reference follows.
        companion: Option<At<String>>,
        /// Per side: what its record has for a reference whose record has no counterpart there and gets none:
        /// `nothing`, or a value given on create; `${owner}` takes the connection's.
        or: Option<Sided<At<String>>>,
        /// What a create on the first side does with a reference that has no counterpart: `required`, `optional`.
        reverse: Option<At<String>>,
        /// The coarser side of a `datetime` keeps whole seconds only.
        whole_seconds: Option<bool>,
        /// Clearing the property is an edit that travels (`true` if absent).
        blank_is_edit: Option<bool>,
        /// The values are a person's own: masked in lists and logs.
        personal: Option<bool>,
        /// Where an org lacks the second system's property the row is passed over, not refused.
        if_present: Option<bool>,
        /// A conflict policy of its own.
        conflict: Option<At<String>>,
        /// The system that takes the property in a write of its own, apart from all others of the record.
        alone: Option<At<String>>,
        /// The first system's values that lock the record in that system with its parts: written last, once all
        /// parts are in step. Every other value is written first.
        locks: Option<Vec<At<String>>>,
        /// The systems that take the property on create only.
        create_only: Option<Vec<At<String>>>,
        /// The first system's property is computed, by this rule.
        computed: Option<At<ComputedText>>,
        /// The row belongs to this variant of the flow alone.
        variant: Option<At<String>>,
        /// What to mind.
        note: Option<String>,
    }
}

written! {
    /// Where records hold the id of their counterpart.
    struct IdentityText {
        /// The property, or one per object that has one.
        property: PerObject<String>,
        /// What stands before the id.
        prefix: Option<String>,
        /// The system refuses a second record with the same value (`true` if absent).
        unique: Option<bool>,
    }
}

written! {
    /// How a record is put out of use.
    struct DeactivateText {
        /// The mapped property, by the first system's name.
        property: At<String>,
        /// The value that puts out of use.
        value: Scalar,
        /// Sides where a person approves first.
        approval: Option<Vec<At<String>>>,
    }
}

written! {
    /// What of a side's records a person approves first.
    struct ApprovalText {
        /// Values of mapped properties, by the first system's names, that are written without a word only where our
        /// own last write left what they replace.
        values: Option<Table<Scalar>>,
        /// Links by a key that was written in the other system after this side's record was there.
        links: Option<bool>,
    }
}

written! {
    /// Deletions beyond these wait for approval.
    struct GuardText {
        /// At most this many in the window.
        count: Option<u32>,
        /// At most this share of the flow's links, in percent ...
        percent: Option<u32>,
        /// ... but never fewer than this many.
        at_least: Option<u32>,
        /// The window, in hours.
        hours: Option<u32>,
        /// Edits beyond these hold the flow until a person approves; `false`: any number goes on.
        edits: Option<EditsText>,
        /// First links that would overwrite beyond these wait until a person approves; `false`: any number goes on.
        overwrites: Option<FirstLinksText>,
    }
}

written! {
    /// Records linked for the first time that hold different values: more than this at once wait for approval.
    struct FirstLinkGuardText {
        /// At most this many ...
        count: Option<u32>,
        /// ... and at most this share of the flow's links, in percent ...
        percent: Option<u32>,
        /// ... but never fewer than this many.
        at_least: Option<u32>,
    }
}

/// `guard.overwrites`: limits, or a switch.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum FirstLinksText {
    /// The limits.
    Limits(FirstLinkGuardText),
    /// `false` for none.
    Switch(bool),
}

impl Written for FirstLinksText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Table(_) = node.value {
            return FirstLinkGuardText::read(node, reader).map(Self::Limits);
        }
        bool::read(node, reader).map(Self::Switch)
    }
}

written! {
    /// Edits from one side that pass both limits within the window hold the flow.
    struct EditGuardText {
        /// This many links pass in the smallest flow ...
        count: Option<u32>,
        /// ... and this share of the flow's links, in percent.
        percent: Option<u32>,
        /// The window, in hours.
        hours: Option<u32>,
    }
}

/// `guard.edits`: limits, or a switch.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum EditsText {
    /// The limits.
    Limits(EditGuardText),
    /// `false` for none.
    Switch(bool),
}

impl Written for EditsText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Table(_) = node.value {
            return EditGuardText::read(node, reader).map(Self::Limits);
        }
        bool::read(node, reader).map(Self::Switch)
    }
}

written! {
    /// A record that a create on the second side needs and that no flow covers.
    struct CompanionText {
        /// Its role; the object's name if absent. One flow describes a role, others only name it.
        role: Option<At<String>>,
        /// The created record's property that holds its id, or one per object.
        second: PerObject<String>,
        /// The owner: a reference property of the flow's first type, or `id` for the created record's source.
        of: At<String>,
        /// The object it is.
        object: Option<At<String>>,
        /// The properties to find it by, in order.
        find: Option<Vec<At<String>>>,
        /// The property that holds the owner's id.
        identity: Option<CompanionIdentityText>,
        /// Whether it may be created.
        create: Option<bool>,
        /// The values of a new one.
        values: Option<Table<CompanionValueText>>,
    }
}

written! {
    /// The property of a companion that holds its owner's id.
    struct CompanionIdentityText {
        /// The property.
        property: At<String>,
        /// What stands before the id.
        prefix: Option<String>,
        /// The system refuses a second record with the same value (`true` if absent).
        unique: Option<bool>,
    }
}

written! {
    /// Where a value of a new companion comes from, when not simply from a property of the owner.
    struct CompanionSourceText {
        /// The first of these properties of the owner that has a value ...
        any_of: Option<Vec<At<String>>>,
        /// ... else this.
        otherwise: Option<At<Scalar>>,
        /// Always this.
        constant: Option<At<Scalar>>,
        /// The companion with this role ...
        companion: Option<At<String>>,
        /// ... of the record that this reference property of the owner names.
        of: Option<At<String>>,
    }
}

/// A value of a companion: the name of a property of its owner, or a table.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum CompanionValueText {
    /// A property of the owner.
    Property(At<String>),
    /// Another source.
    Source(Box<At<CompanionSourceText>>),
}

impl Written for CompanionValueText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) => At::read(node, reader).map(|source| Self::Source(Box::new(source))),
            _ => At::read(node, reader).map(Self::Property),
        }
    }
}

/// Which records of a side belong to a flow.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum OnlyText {
    /// A filter, such as `StageName = 'Closed Won' and Amount > 1000`.
    Filter(At<String>),
    /// By object.
    Objects(Table<OnlyOfObject>),
}

impl Written for OnlyText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) | Content::Blank => Table::read(node, reader).map(Self::Objects),
            _ => At::read(node, reader).map(Self::Filter),
        }
    }
}

/// Which records of an object belong to a flow.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum OnlyOfObject {
    /// A filter.
    Filter(At<String>),
    /// Those with these values; creates are given them. `where` is a filter.
    Values(Table<Scalar>),
}

impl OnlyOfObject {
    /// The key of a filter among values.
    pub(crate) const WHERE: &str = "where";
}

impl Written for OnlyOfObject {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) | Content::Blank => Table::read(node, reader).map(Self::Values),
            _ => At::read(node, reader).map(Self::Filter),
        }
    }
}

/// `on_delete`: a plain value for the first side, or one per side.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum DeletesText {
    /// When a record of the first side is deleted.
    First(At<String>),
    /// One per side.
    Sided(Sided<At<String>>),
}

impl Written for DeletesText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) => Sided::read(node, reader).map(Self::Sided),
            _ => At::read(node, reader).map(Self::First),
        }
    }
}

/// A switch of creation: `on`, `off` (or `true`, `false`), `only-new`.
#[derive(Clone, Debug)]
pub(crate) struct SwitchText(pub(crate) String);

impl Written for SwitchText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::Boolean(yes) => Some(Self(if *yes { "on" } else { "off" }.to_owned())),
            _ => String::read(node, reader).map(Self),
        }
    }
}

impl JsonSchema for SwitchText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Switch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "enum": ["on", "off", "only-new", true, false] })
    }
}
