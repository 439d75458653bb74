//! Odoo's JSON-2 interface (Odoo 19: "External JSON-2 API", "ORM API"): every call is `POST /json/2/MODEL/METHOD` with the arguments by
//! name, and a transaction of its own.
//!
//! Its habits: nothing is shown as `false`, a reference as `[id, name]`; `write_date` is UTC without a zone and shown to the second,
//! though it is kept more exactly; archived records are hidden unless `active_test` is off or the domain asks for `active`; a read of
//! what is not there is answered with an empty list; there is no condition on writes; a long text is taken; an error is a status with
//! `name`, `message` and `arguments`.

mod domain;

use serde_json::{Map, Value as Json, json};

use domain::{matches, sort};

use super::answer::{Ask, Desk, Reply, whole};
use super::clock::moment;
use super::shape::{Field, Kind};
use super::store::{Fault, Row, Store, Table, What, text_of};

pub(super) const TABLE: &str = include_str!("odoo.txt");
/// The database that requests must name.
pub(super) const DATABASE: &str = "odoo-local";
/// Who may ask, by which key; their user numbers are their places here, from 2.
pub(super) const USERS: [(&str, &str); 2] = [("tandem", "odoo-tandem-key"), ("alice", "odoo-alice-key")];

/// The ERP.
#[derive(Debug)]
pub(super) struct Odoo;

/// A customer with a contact.
pub(super) fn sample(store: &mut Store, number: u32) {
    let company = json!({ "name": format!("Company {number}"), "is_company": true, "city": "Ghent", "customer_rank": 1,
        "phone": format!("+32 9 {number:06}"), "email": format!("office@company{number}.example") });
    let mut made = |values: Json| {
        let values = values.as_object().cloned().unwrap_or_default();
        store.create("res.partner", &values, "alice").unwrap_or_default()
    };
    let company = made(company);
    made(
        json!({ "name": format!("Contact {number}"), "parent_id": company, "function": "Buyer",
        "email": format!("contact@company{number}.example") }),
    );
}

impl Desk for Odoo {
    fn answer(&mut self, store: &mut Store, ask: &Ask) -> Reply {
        let key = ask.header("authorization").split_once(' ');
        let key = key.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let user = USERS
            .iter()
            .position(|(_, known)| key.is_some_and(|(_, key)| key == *known));
        let steps = ask.steps();
        let ("POST", ["json", "2", model, method]) = (ask.method.as_str(), steps.as_slice()) else {
            return error(404, "werkzeug.exceptions.NotFound", "Not Found");
        };
        if ask.header("x-odoo-database") != DATABASE {
            return error(404, "werkzeug.exceptions.NotFound", "No database is selected");
        }
        let Some(user) = user else {
            return error(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey");
        };
        let Json::Object(given) = ask.json() else {
            return error(
                400,
                "werkzeug.exceptions.BadRequest",
                "could not parse the body as json",
            );
        };
        if store
            .table("res.company")
            .is_some_and(|table| table.rows.is_empty())
        {
            found_company(store);
        }
        if (*model, *method) == ("res.users", "context_get") {
            return Reply::ok(json!({ "lang": "en_US", "tz": "Europe/Brussels", "uid": user + 2 }));
        }
        if store.table(model).is_none() {
            let what = format!("the model '{model}' does not exist");
            return error(404, "werkzeug.exceptions.NotFound", &what);
        }
        let call = Call {
            model,
            given: &given,
            user: USERS[user].0,
        };
        match call.carry_out(store, method) {
            Ok(result) => Reply::ok(result),
            Err(reply) => reply,
        }
    }
}

/// The company and the users that every database has.
fn found_company(store: &mut Store) {
    let mut make = |table: &str, values: Json| {
        let values = values.as_object().cloned().unwrap_or_default();
        // The built-in values fit.
        let _ = store.create(table, &values, "system");
    };
    make("res.company", json!({ "name": "Odoo Local" }));
    make("res.users", json!({ "name": "System", "login": "system" }));
    for (name, _) in USERS {
        make("res.users", json!({ "name": name, "login": name }));
    }
}

fn error(status: u16, name: &str, message: &str) -> Reply {
    let body = json!({ "name": name, "message": message, "arguments": [message], "context": {}, "debug": "Traceback" });
    Reply::new(status, body)
}

fn value_error(message: String) -> Reply {
    error(500, "builtins.ValueError", &message)
}

/// One call of a method.
struct Call<'a> {
    model: &'a str,
    given: &'a Map<String, Json>,
    user: &'static str,
}

impl Call<'_> {
    fn carry_out(&self, store: &mut Store, method: &str) -> Result<Json, Reply> {
        match method {
            "search_read" => self.search(store),
            "search_count" => self
                .search(store)
                .map(|found| found.as_array().map_or(0, Vec::len).into()),
            "read" => self.read(store),
            "create" => self.create(store),
            "write" => {
                let values = self.given.get("vals").and_then(Json::as_object).cloned();
                self.write(store, values.unwrap_or_default())
            }
            "unlink" => self.unlink(store),
            "action_confirm" => self.write(store, state("sale")),
            "action_cancel" | "button_cancel" => self.write(store, state("cancel")),
            "action_draft" | "button_draft" => self.write(store, state("draft")),
            "action_post" => self.write(store, state("posted")),
            _ => Err(error(
                404,
                "werkzeug.exceptions.NotFound",
                &format!("the method '{method}' does not exist"),
            )),
        }
    }

    fn table<'s>(&self, store: &'s Store) -> Result<&'s Table, Reply> {
        store
            .table(self.model)
            .ok_or_else(|| error(404, "werkzeug.exceptions.NotFound", "no such model"))
    }

    fn search(&self, store: &Store) -> Result<Json, Reply> {
        let table = self.table(store)?;
        let mut domain = self
            .given
            .get("domain")
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default();
        let active_test = self
            .given
            .get("context")
            .and_then(|context| context.get("active_test"));
        let asked = domain
            .iter()
            .any(|term| term.get(0).and_then(Json::as_str) == Some("active"));
        if table.shape.fields.contains_key("active") && active_test != Some(&Json::Bool(false)) && !asked {
            domain.push(json!(["active", "=", true]));
        }
        let mut found = Vec::new();
        for row in table.rows.values() {
            if matches(table, row, &domain)? {
                found.push(row);
            }
        }
        let order = self.given.get("order").and_then(Json::as_str).unwrap_or("id");
        sort(table, &mut found, order);
        let offset = whole(self.given.get("offset")).unwrap_or(0);
        let limit = whole(self.given.get("limit")).unwrap_or(u64::MAX);
        let page = found
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).unwrap_or(usize::MAX));
        self.shown(store, table, page.collect())
    }

    fn read(&self, store: &Store) -> Result<Json, Reply> {
        let table = self.table(store)?;
        let rows: Vec<&Row> = self.ids()?.iter().filter_map(|id| table.row(id)).collect();
        self.shown(store, table, rows)
    }

    /// The rows with the fields that were asked for; all of them where none are named.
    fn shown(&self, store: &Store, table: &Table, rows: Vec<&Row>) -> Result<Json, Reply> {
        let own = [
            "id",
            "create_date",
            "write_date",
            "create_uid",
            "write_uid",
            "display_name",
        ];
        let all = || {
            own.iter()
                .map(|name| (*name).to_owned())
                .chain(table.shape.fields.keys().cloned())
        };
        let fields: Vec<String> = match self.given.get("fields").and_then(Json::as_array) {
            Some(named) if !named.is_empty() => named.iter().map(|name| text_of(Some(name))).collect(),
            _ => all().collect(),
        };
        if let Some(unknown) = fields
            .iter()
            .find(|name| !own.contains(&name.as_str()) && !table.shape.fields.contains_key(*name))
        {
            return Err(value_error(format!(
                "Invalid field '{unknown}' on '{}'",
                self.model
            )));
        }
        let row = |row: &Row| -> Json {
            let id = ("id".to_owned(), json!(row.number));
            let others = fields.iter().filter(|name| *name != "id");
            let members = others.map(|name| (name.clone(), member(store, table, row, name)));
            Json::Object(std::iter::once(id).chain(members).collect())
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn create(&self, store: &mut Store) -> Result<Json, Reply> {
        let given = self.given.get("vals_list");
        let list = match given {
            Some(Json::Array(list)) => list.clone(),
            Some(one @ Json::Object(_)) => vec![one.clone()],
            _ => {
                let what = "create() missing 1 required positional argument: 'vals_list'";
                return Err(error(500, "builtins.TypeError", what));
            }
        };
        // The stub makes one record a call, so that one transaction is one record.
        let [values] = list.as_slice() else {
            return Err(value_error("this stub makes one record a call".to_owned()));
        };
        let values = plain(
            self.table(store)?,
            values.as_object().cloned().unwrap_or_default(),
        );
        let id = store
            .create(self.model, &values, self.user)
            .map_err(|fault| self.refused(&fault))?;
        self.recount(store);
        Ok(json!([id.parse::<u64>().unwrap_or_default()]))
    }

    fn write(&self, store: &mut Store, values: Map<String, Json>) -> Result<Json, Reply> {
        let table = self.table(store)?;
        let values = plain(table, values);
        let ids = self.ids()?;
        if let Some(id) = ids.iter().find(|id| table.row(id).is_none()) {
            return Err(self.missing(id));
        }
        for id in ids {
            store
                .update(self.model, &id, &values, self.user)
                .map_err(|fault| self.refused(&fault))?;
        }
        self.recount(store);
        Ok(true.into())
    }

    fn unlink(&self, store: &mut Store) -> Result<Json, Reply> {
        for id in self.ids()? {
            if self.table(store)?.row(&id).is_none() {
                return Err(self.missing(&id));
            }
            store
                .delete(self.model, &id)
                .map_err(|fault| self.refused(&fault))?;
        }
        self.recount(store);
        Ok(true.into())
    }

    fn ids(&self) -> Result<Vec<String>, Reply> {
        let ids = self
            .given
            .get("ids")
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default();
        // A number in a text is no id.
        let ids: Option<Vec<String>> = ids.iter().map(|id| Some(whole(Some(id))?.to_string())).collect();
        ids.ok_or_else(|| error(500, "builtins.TypeError", "ids must be whole numbers"))
    }

    fn missing(&self, id: &str) -> Reply {
        let what = format!(
            "Record does not exist or has been deleted.\n(Record: {}({id},), User: 2)",
            self.model
        );
        error(404, "odoo.exceptions.MissingError", &what)
    }

    fn refused(&self, fault: &Fault) -> Reply {
        let (model, field) = (self.model, &fault.field);
        let validation = |what: &str| {
            let what = format!("The operation cannot be completed: {what}");
            error(422, "odoo.exceptions.ValidationError", &what)
        };
        match fault.what {
            What::Unknown => value_error(format!("Invalid field '{field}' in '{model}'")),
            What::Missing => validation(&format!(
                "a mandatory field is not set. Model: {model}, Field: {field}"
            )),
            What::Unfit | What::Long => value_error(format!("Wrong value for {model}.{field}")),
            What::Twice => validation(&format!("the value of {field} must be unique")),
            What::Dangling => validation(&format!("{field} violates a foreign key constraint")),
            What::Used => validation("another model requires the record being deleted"),
        }
    }

    /// The amounts of orders follow their lines; they are computed, and so no edit of the order.
    fn recount(&self, store: &mut Store) {
        if self.model == "sale.order.line" {
            store.recompute("sale.order", |store, row| {
                let lines = store.table("sale.order.line");
                let lines = lines.into_iter().flat_map(|table| table.rows.values());
                let own = lines.filter(|line| text_of(line.values.get("order_id")) == row.id);
                let total: rust_decimal::Decimal = own.map(|line| amount(&line.values)).sum();
                let total: Json = serde_json::from_str(&total.round_dp(2).to_string()).unwrap_or_default();
                vec![("amount_untaxed", total.clone()), ("amount_total", total)]
            });
        }
    }
}

/// What a line amounts to.
fn amount(values: &Map<String, Json>) -> rust_decimal::Decimal {
    let number =
        |name: &str| -> rust_decimal::Decimal { text_of(values.get(name)).parse().unwrap_or_default() };
    let hundred = rust_decimal::Decimal::ONE_HUNDRED;
    number("product_uom_qty") * number("price_unit") * (hundred - number("discount")) / hundred
}

fn state(to: &str) -> Map<String, Json> {
    [("state".to_owned(), to.into())].into_iter().collect()
}

/// Values as they are kept: `false` is nothing, except where truth is kept.
fn plain(table: &Table, values: Map<String, Json>) -> Map<String, Json> {
    let kept = |(name, value): (String, Json)| {
        let kind = table.shape.fields.get(&name).map(|field| &field.kind);
        let value = match (kind, value) {
            (Some(Kind::Boolean), value) => value,
            (_, Json::Bool(false)) => Json::Null,
            (Some(Kind::Time), Json::String(text)) => Json::String(text.replace(' ', "T")),
            (Some(Kind::Reference(_)), value) if value.is_number() => text_of(Some(&value)).into(),
            (_, value) => value,
        };
        (name, value)
    };
    values.into_iter().map(kept).collect()
}

/// A field as it is shown.
fn member(store: &Store, table: &Table, row: &Row, name: &str) -> Json {
    let stamp = |stamp: i64| Json::String(moment(stamp).strftime("%Y-%m-%d %H:%M:%S").to_string());
    let user = |name: &str| {
        let place = USERS.iter().position(|(known, _)| *known == name);
        json!([place.map_or(1, |place| place + 2), name])
    };
    match name {
        "create_date" => return stamp(row.created),
        "write_date" => return stamp(row.modified),
        "create_uid" => return user(&row.made_by),
        "write_uid" => return user(&row.by),
        "display_name" => return row.values.get("name").cloned().unwrap_or(Json::Bool(false)),
        _ => {}
    }
    let value = row.values.get(name).unwrap_or(&Json::Null);
    let kind = table.shape.fields.get(name).map(|field: &Field| &field.kind);
    match (kind, value) {
        (Some(Kind::Integer | Kind::Decimal), Json::Null) => json!(0),
        (_, Json::Null) => Json::Bool(false),
        (Some(Kind::Reference(to)), id) => {
            let named = store.table(to).and_then(|table| table.row(&text_of(Some(id))));
            let name = named.map_or_else(String::new, |row| text_of(row.values.get("name")));
            json!([text_of(Some(id)).parse::<u64>().unwrap_or_default(), name])
        }
        (Some(Kind::Time), Json::String(text)) => Json::String(text.replace('T', " ")),
        (_, value) => value.clone(),
    }
}
