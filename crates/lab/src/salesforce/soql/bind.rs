//! Names to fields, literals to the fields' types.

use super::SoqlError;
use super::child::{Child, bind_child};
use super::condition::bind_condition;
use super::filter::Filter;
use super::group::{Grouping, bind_grouping, is_grouped};
use super::path::{Hop, Leaf, Path};
use super::statement::{ColumnAsked, FieldSet, Name, Query, Select};
use crate::salesforce::fault::Code;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{Kind, ObjectIndex};

/// The most rows that `FIELDS(ALL)` and `FIELDS(CUSTOM)` may ask for.
const FIELDS_LIMIT: usize = 200;
/// The farthest that `OFFSET` reaches.
const MAX_OFFSET: usize = 2_000;
/// How many references a name may follow.
const MAX_HOPS: usize = 5;

/// Fields that every object behind a reference to several objects has, with their types.
const NAME_FIELDS: [(&str, Kind); 10] = [
    ("Id", Kind::Id),
    ("Name", Kind::Text),
    ("FirstName", Kind::Text),
    ("LastName", Kind::Text),
    ("Email", Kind::Email),
    ("Phone", Kind::Phone),
    ("Title", Kind::Text),
    ("Alias", Kind::Text),
    ("Username", Kind::Text),
    ("IsActive", Kind::Boolean),
];

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selection {
    Count,
    Columns(Vec<Path>),
    Groups(Grouping),
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SortKey {
    pub(super) path: Path,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// A statement, bound to this org.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    pub(crate) object: ObjectIndex,
    pub(crate) selection: Selection,
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<SortKey>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) all_rows: bool,
    /// How many long texts are selected: two or more make pages small.
    pub(crate) long_texts: usize,
    /// Whether `FIELDS(...)` stands in the list of fields.
    pub(super) field_sets: bool,
    /// The subqueries in the list of fields.
    pub(super) children: Vec<Child>,
}

/// Binds a statement.
pub(super) fn bind(org: &Org, query: &Query) -> Result<Prepared, SoqlError> {
    bind_on(org, query, bind_object(org, &query.from)?)
}

/// Binds a statement whose FROM was read already.
pub(super) fn bind_on(org: &Org, query: &Query, object: ObjectIndex) -> Result<Prepared, SoqlError> {
    let scope = Scope {
        org,
        object,
        alias: query.alias.as_deref(),
    };
    let selection = match &query.select {
        Select::Count => Selection::Count,
        Select::Columns(asked) if is_grouped(query, asked) => {
            Selection::Groups(bind_grouping(&scope, query, asked)?)
        }
        Select::Columns(asked) => Selection::Columns(bind_columns(&scope, asked, query.limit)?),
    };
    if query.offset > MAX_OFFSET {
        return Err(SoqlError::new(
            Code::NumberOutsideRange,
            query.from.at,
            format!("Maximum SOQL offset allowed is {MAX_OFFSET}"),
        ));
    }
    let long_texts = match &selection {
        Selection::Count | Selection::Groups(_) => 0,
        Selection::Columns(columns) => columns.iter().filter(|path| scope.is_long(path)).count(),
    };
    let grouped = matches!(selection, Selection::Groups(_));
    let children = match &query.select {
        Select::Columns(asked) if !grouped => bind_children(&scope, asked)?,
        _ => Vec::new(),
    };
    // A grouped statement orders its groups, not its rows.
    let sorts = query.order.iter().filter(|_| !grouped);
    let order = sorts.map(|sort| {
        let path = scope.path(&sort.name)?;
        if scope.is_long(&path) || matches!(path.kind, Kind::Address | Kind::MultiPicklist) {
            return Err(not_usable(&sort.name, "sorted"));
        }
        Ok(SortKey {
            path,
            descending: sort.descending,
            nulls_last: sort.nulls_last,
        })
    });
    Ok(Prepared {
        object,
        selection,
        filter: query
            .condition
            .as_ref()
            .map(|condition| bind_condition(&scope, condition))
            .transpose()?,
        order: order.collect::<Result<_, _>>()?,
        limit: query.limit,
        offset: query.offset,
        all_rows: query.all_rows,
        long_texts,
        children,
        field_sets: matches!(&query.select, Select::Columns(asked)
            if asked.iter().any(|column| matches!(column, ColumnAsked::Fields(..)))),
    })
}

fn bind_object(org: &Org, from: &Name) -> Result<ObjectIndex, SoqlError> {
    let found = match from.parts.as_slice() {
        [name] => org.schema.find(name),
        _ => None,
    };
    found.ok_or_else(|| {
        SoqlError::new(
            Code::InvalidType,
            from.at,
            format!(
                "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append \
                 the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate \
                 names.",
                from.parts.join(".")
            ),
        )
    })
}

fn bind_children(scope: &Scope<'_>, asked: &[ColumnAsked]) -> Result<Vec<Child>, SoqlError> {
    let subqueries = asked.iter().filter_map(|column| match column {
        ColumnAsked::Children(query) => Some(bind_child(scope.org, scope.object, query)),
        _ => None,
    });
    subqueries.collect()
}

fn bind_columns(
    scope: &Scope<'_>,
    asked: &[ColumnAsked],
    limit: Option<usize>,
) -> Result<Vec<Path>, SoqlError> {
    let mut columns = Vec::new();
    for column in asked {
        let (paths, at) = match column {
            ColumnAsked::Children(_) => continue,
            ColumnAsked::Named(name, _) => (vec![scope.path(name)?], name.at),
            ColumnAsked::Fields(set, at) => (field_set(scope, *set, *at, limit)?, *at),
        };
        for path in paths {
            if columns.contains(&path) {
                return Err(SoqlError::malformed(
                    at,
                    format!("duplicate field selected: {}", path.leaf_name(scope.org)),
                ));
            }
            columns.push(path);
        }
    }
    Ok(columns)
}

fn field_set(
    scope: &Scope<'_>,
    set: FieldSet,
    at: usize,
    limit: Option<usize>,
) -> Result<Vec<Path>, SoqlError> {
    if set != FieldSet::Standard && limit.is_none_or(|limit| limit > FIELDS_LIMIT) {
        return Err(SoqlError::malformed(
            at,
            format!("The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"),
        ));
    }
    let wanted = |custom: bool| match set {
        FieldSet::All => true,
        FieldSet::Standard => !custom,
        FieldSet::Custom => custom,
    };
    let fields = scope
        .org
        .schema
        .object(scope.object)
        .numbered()
        .filter(|(_, field)| wanted(field.custom()));
    Ok(fields
        .map(|(field, of)| Path {
            hops: Vec::new(),
            leaf: Leaf::Field(field),
            object: Some(scope.object),
            kind: of.kind,
        })
        .collect())
}

/// Where names are looked up.
pub(super) struct Scope<'o> {
    pub(super) org: &'o Org,
    object: ObjectIndex,
    alias: Option<&'o str>,
}

impl Scope<'_> {
    /// The field behind a name.
    pub(super) fn path(&self, name: &Name) -> Result<Path, SoqlError> {
        if let Some(function) = name.function {
            return Err(SoqlError::malformed(
                name.at,
                format!("the aggregate function {} cannot stand here", function.as_str()),
            ));
        }
        let parts = self.without_alias(&name.parts);
        let Some((last, steps)) = parts.split_last() else {
            return Err(no_column(name, "", ""));
        };
        if steps.len() > MAX_HOPS {
            return Err(SoqlError::malformed(
                name.at,
                "a name follows at most five references",
            ));
        }
        let mut hops = Vec::new();
        let mut object = Some(self.object);
        let mut several = false;
        for step in steps {
            let hop = self.hop(object, step).ok_or_else(|| {
                SoqlError::new(
                    Code::InvalidField,
                    name.at,
                    format!(
                        "Didn't understand relationship '{step}' in field path. If you are attempting to use a custom \
                         relationship, be sure to append the '__r' after the custom relationship name."
                    ),
                )
            })?;
            several =
                object.is_some_and(|at| self.org.schema.object(at).field(hop.field).references.len() > 1);
            object = hop.target;
            hops.push(hop);
        }
        let (leaf, kind) = self.leaf(object, several, last).ok_or_else(|| {
            let entity = object.map_or("Name", |at| self.org.schema.object(at).name.as_str());
            no_column(name, last, entity)
        })?;
        Ok(Path {
            hops,
            leaf,
            object,
            kind,
        })
    }

    fn without_alias<'p>(&self, parts: &'p [String]) -> &'p [String] {
        let object = self.org.schema.object(self.object);
        let Some(first) = parts.first().filter(|_| parts.len() > 1) else {
            return parts;
        };
        let is_alias = self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(first));
        let is_object = first.eq_ignore_ascii_case(&object.name) && object.relationship(first).is_none();
        if is_alias || is_object { &parts[1..] } else { parts }
    }

    fn hop(&self, object: Option<ObjectIndex>, step: &str) -> Option<Hop> {
        let kind = self.org.schema.object(object?);
        let field = kind.relationship(step)?;
        let mut targets = self.org.schema.targets(kind.field(field));
        let (first, second) = (targets.next(), targets.next());
        first?;
        Some(Hop {
            name: kind.field(field).relationship.clone()?,
            field,
            target: if second.is_none() { first } else { None },
        })
    }

    fn leaf(&self, object: Option<ObjectIndex>, several: bool, name: &str) -> Option<(Leaf, Kind)> {
        let own = object.and_then(|object| {
            let kind = self.org.schema.object(object);
            kind.find(name).map(|at| (Leaf::Field(at), kind.field(at).kind))
        });
        if own.is_some() {
            return own;
        }
        if several && name.eq_ignore_ascii_case("Type") {
            return Some((Leaf::Type, Kind::Text));
        }
        let known = NAME_FIELDS
            .iter()
            .find(|(known, _)| object.is_none() && known.eq_ignore_ascii_case(name))?;
        Some((Leaf::Named(known.0.to_owned()), known.1))
    }

    pub(super) fn is_long(&self, path: &Path) -> bool {
        let (Some(object), Leaf::Field(at)) = (path.object, &path.leaf) else {
            return false;
        };
        self.org.schema.object(object).field(*at).long_text()
    }

    /// Whether the path's values are compared with their case.
    pub(super) fn is_case_sensitive(&self, path: &Path) -> bool {
        let (Some(object), Leaf::Field(at)) = (path.object, &path.leaf) else {
            return false;
        };
        self.org.schema.object(object).field(*at).case_sensitive()
    }
}

fn no_column(name: &Name, column: &str, entity: &str) -> SoqlError {
    SoqlError::new(
        Code::InvalidField,
        name.at,
        format!(
            "No such column '{column}' on entity '{entity}'. If you are attempting to use a custom field, be sure to \
             append the '__c' after the custom field name. Please reference your WSDL or the describe call for the \
             appropriate names."
        ),
    )
}

/// The refusal of a field that cannot be `filtered` or `sorted`.
pub(super) fn not_usable(name: &Name, done: &str) -> SoqlError {
    SoqlError::new(
        Code::InvalidField,
        name.at,
        format!(
            "field '{}' can not be {done} in a query call",
            name.parts.join(".")
        ),
    )
}

impl Prepared {
    /// The columns as `columns=true` lists them.
    pub(crate) fn column_metadata(&self, org: &Org) -> serde_json::Value {
        let columns = match &self.selection {
            Selection::Columns(columns) => columns,
            Selection::Groups(grouping) => return grouping.metadata(),
            Selection::Count => return serde_json::json!([]),
        };
        let column = |path: &Path| {
            let name = path.leaf_name(org);
            serde_json::json!({
                "aggregate": false,
                "apexType": path.kind.name(),
                "booleanType": path.kind == Kind::Boolean,
                "columnName": path.name(org),
                "custom": name.ends_with("__c"),
                "displayName": name,
                "foreignKeyName": null,
                "insertable": true,
                "joinColumns": [],
                "numberType": path.kind.is_number(),
                "textType": path.kind.is_text(),
                "updatable": true,
            })
        };
        columns.iter().map(column).collect()
    }

    /// Whether the result is a list of records.
    pub(super) fn lists_records(&self) -> bool {
        matches!(self.selection, Selection::Columns(_))
    }

    /// The one column, where there is just one and nothing else.
    pub(super) fn only_column(&self) -> Option<&Path> {
        match &self.selection {
            Selection::Columns(columns) if self.children.is_empty() => match columns.as_slice() {
                [column] => Some(column),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the object's own id is selected.
    pub(crate) fn selects_id(&self, org: &Org) -> bool {
        match &self.selection {
            Selection::Count | Selection::Groups(_) => false,
            Selection::Columns(columns) => columns
                .iter()
                .any(|path| path.is_own(crate::salesforce::schema::Source::Id, org)),
        }
    }
}
