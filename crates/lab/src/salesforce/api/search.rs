//! `/search` (SOSL) and `/parameterizedSearch`, in a simple form: all words have to be found.

use serde_json::{Map, Value as Json, json};

use super::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::schema::{Field, Kind, Object};
use crate::salesforce::sosl::{Find, Group, Return, parse};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// The most records of a reply.
const MAX_RECORDS: usize = 2_000;

/// `/search?q=FIND {...} ...`.
pub(super) fn search(org: &Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    if call.method != "GET" {
        return Err(Fault::method_not_allowed(&call.method, "GET"));
    }
    let text = call
        .parameter("q")
        .ok_or_else(|| Fault::new(Code::MissingArgument, "the parameter q is missing"))?;
    answer(org, caller, &parse(text)?)
}

/// `/parameterizedSearch`.
pub(super) fn parameterized(org: &Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    match call.method.as_str() {
        "GET" => answer(org, caller, &from_parameters(call)?),
        "POST" => answer(org, caller, &from_body(&call.object()?)?),
        method => Err(Fault::method_not_allowed(method, "GET,POST")),
    }
}

fn from_parameters(call: &Call) -> Outcome<Find> {
    let list = |name: &str| call.parameter(name).map(str::to_owned);
    let fields = list("fields").unwrap_or_else(|| "Id".to_owned());
    let names = call.parameters.iter().filter(|(name, _)| name == "sobject");
    let returns = names.flat_map(|(_, names)| names.split(',')).map(|name| Return {
        object: name.trim().to_owned(),
        fields: list(&format!("{name}.fields")).unwrap_or_else(|| fields.clone()),
        rest: clauses(list(&format!("{name}.where")), list(&format!("{name}.limit"))),
    });
    let returns = returns.collect();
    Find::new(
        call.parameter("q").unwrap_or_default(),
        Group::named(call.parameter("in").unwrap_or("ALL"))?,
        returns,
        limit(call.parameter("overallLimit"))?,
    )
}

fn limit(text: Option<&str>) -> Outcome<Option<usize>> {
    text.map(|text| {
        text.parse()
            .map_err(|_| Fault::new(Code::MalformedSearch, format!("not a limit: {text}")))
    })
    .transpose()
}

fn clauses(condition: Option<String>, limit: Option<String>) -> String {
    let condition = condition.map(|condition| format!("WHERE {condition} "));
    let limit = limit.map(|limit| format!("LIMIT {limit}"));
    format!("{}{}", condition.unwrap_or_default(), limit.unwrap_or_default())
}

fn from_body(body: &Map<String, Json>) -> Outcome<Find> {
    let text = |of: &Map<String, Json>, name: &str| of.get(name).and_then(Json::as_str).map(str::to_owned);
    let list = |of: &Map<String, Json>| {
        let names = of.get("fields")?.as_array()?.iter().filter_map(Json::as_str);
        Some(names.collect::<Vec<&str>>().join(", "))
    };
    let number = |of: &Map<String, Json>, name: &str| of.get(name).map(Json::to_string);
    let fields = list(body).unwrap_or_else(|| "Id".to_owned());
    let mut returns = Vec::new();
    for one in body
        .get("sobjects")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        let one = one
            .as_object()
            .ok_or_else(|| Fault::new(Code::JsonParser, "each of sobjects has to be an object"))?;
        let object = text(one, "name")
            .ok_or_else(|| Fault::new(Code::MissingArgument, "one of sobjects lacks name"))?;
        returns.push(Return {
            object,
            fields: list(one).unwrap_or_else(|| fields.clone()),
            rest: clauses(text(one, "where"), number(one, "limit")),
        });
    }
    Find::new(
        &text(body, "q").unwrap_or_default(),
        Group::named(text(body, "in").as_deref().unwrap_or("ALL"))?,
        returns,
        limit(number(body, "overallLimit").as_deref())?,
    )
}

fn answer(org: &Org, caller: &Caller, find: &Find) -> Outcome<Reply> {
    let everything: Vec<Return> = if find.returns.is_empty() {
        let objects = org.schema.objects.iter().filter(|object| object.searchable());
        objects.map(|object| Return::ids(&object.name)).collect()
    } else {
        Vec::new()
    };
    let most = find.limit.unwrap_or(MAX_RECORDS).min(MAX_RECORDS);
    let mut records: Vec<Json> = Vec::new();
    for wanted in find.returns.iter().chain(&everything) {
        let query = org.prepare(&wanted.statement())?;
        let object = org.schema.object(query.object);
        if !object.searchable() {
            return Err(Fault::new(
                Code::InvalidType,
                format!("entity type {} does not support search", object.name),
            ));
        }
        let fits = |row: &Row| find.fits(&texts(object, row, find.group));
        let rows = org.select_where(caller.actor, &query, false, &fits);
        let rendered = rows.into_iter().take(most - records.len());
        records.extend(rendered.filter_map(|id| org.render(caller.actor, &caller.base, &query, id)));
    }
    Ok(Reply::ok(json!({ "searchRecords": records })))
}

/// The texts of a row that a search looks into.
fn texts<'r>(object: &Object, row: &'r Row, group: Group) -> Vec<&'r str> {
    let within = |field: &Field| match group {
        Group::All => field.kind.is_text(),
        Group::Name => field.name.ends_with("Name") && field.kind.is_text(),
        Group::Email => field.kind == Kind::Email,
        Group::Phone => field.kind == Kind::Phone,
    };
    object
        .numbered()
        .filter(|(_, field)| within(field))
        .filter_map(|(at, _)| row.values.get(at).and_then(Value::as_text))
        .collect()
}
