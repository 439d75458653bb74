//! ERPs that others wrote, connected by their descriptions alone and kept in step with a local org: `clients/with-tryton`,
//! `clients/with-kinto` and `clients/with-pocketbase` start them.

use crate::examples::Example;
use crate::local::{Ran, tandem};
use crate::rest;
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::process::Stdio;
use std::time::Duration;

/// An ERP as its own people use it.
struct Erp {
    url: String,
    headers: Vec<(&'static str, String)>,
}

impl Erp {
    /// What it answers, and a cookie that it sets.
    fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> (Json, Option<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut request = rest::client().request(method, format!("{}{path}", self.url));
            for (name, value) in &self.headers {
                request = request.header(*name, value);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let reply = request.send().await.unwrap();
            let cookie = reply.headers().get("set-cookie");
            let cookie = cookie.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
            let status = reply.status();
            let text = reply.text().await.unwrap();
            assert!(status.is_success(), "{status}: {text}");
            (serde_json::from_str(&text).unwrap_or_default(), cookie)
        })
    }

    fn send(&self, method: Method, path: &str, body: &Json) -> Json {
        self.ask(method, path, Some(body)).0
    }

    /// Tryton's way: an error stands in a success.
    fn rpc(&self, method: &str, parameters: &Json) -> Json {
        let body = json!({ "id": 0, "method": method, "params": parameters });
        let said = self.send(Method::POST, "/rpc/", &body);
        assert!(said.get("error").is_none(), "{method}: {said}");
        said["result"].clone()
    }
}

/// The address that an environment variable names.
fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: clients/with-... starts a server"))
}

/// The example, pointed at a server, with its secrets in files. What is absent is looked for in every round.
fn pointed(name: &'static str, address: (&str, &str), user: &str) -> Example {
    let example = Example::of(name);
    example.edit("tandem.yaml", address.0, address.1);
    example.edit("tandem.yaml", "{ env: ERP_USER }", "{ file: user }");
    example.edit("tandem.yaml", "{ env: ERP_PASSWORD }", "{ file: password }");
    std::fs::write(example.path("user"), user).unwrap();
    std::fs::write(example.path("password"), "tandem-secret").unwrap();
    example
}

/// The first sync is killed once it has written, and goes on where it was.
fn synced_in_spite_of_a_kill(example: &Example, links: u64) {
    let mut run = tandem()
        .current_dir(example.path(""))
        .args(["sync", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while example.query("SELECT Id FROM Account").is_empty() {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the sync ended and wrote nothing"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    example.done(&["sync", "--yes"]);
    example.in_step(links);
}

/// The id of the one record of the org that a query finds.
#[track_caller]
fn only(example: &Example, soql: &str) -> String {
    let found = example.query(soql);
    assert_eq!(found.len(), 1, "{soql}: {found:?}");
    found[0]["Id"].as_str().unwrap().to_owned()
}

/// A sync in which one conflict was decided.
#[track_caller]
fn with_a_conflict(example: &Example) -> Ran {
    let synced = example.done(&["sync", "--yes", "--json"]);
    assert!(synced.out.contains("\"conflicts\":1"), "{}", synced.out);
    synced
}

fn tryton() -> (Erp, Example) {
    let url = server("TANDEM_TRYTON");
    let example = pointed("tryton", ("http://127.0.0.1:8000/erp", &url), "tandem");
    example.edit("tryton.yaml", "compare_every: 1h", "compare_every: 0s");
    let mut erp = Erp {
        url,
        headers: Vec::new(),
    };
    let login = json!({ "id": 0, "method": "login", "params": ["tandem", { "password": "tandem-secret" }] });
    let (_, cookie) = erp.ask(Method::POST, "/session/login", Some(&login));
    erp.headers.push(("cookie", cookie.unwrap()));
    (erp, example)
}

#[test]
#[ignore = "needs a server: clients/with-tryton"]
#[allow(clippy::too_many_lines, reason = "one story, told in its order")]
fn tryton_is_kept_in_step_both_ways() {
    let (erp, example) = tryton();
    let org = example.org.url.clone();
    let checked = example.done(&["check", "--all"]);
    assert!(
        checked.out.contains("laws were tried and hold"),
        "{}",
        checked.out
    );
    // 41 parties, 40 of them with somebody to write to, 20 products, 30 orders with 60 lines
    synced_in_spite_of_a_kill(&example, 191);

    // WHEN the name of a product's template, an address and a line are edited in the ERP, THEN they arrive: each is another
    // record there than the one that is kept in step
    let context = json!({ "company": 1 });
    let product = &erp.rpc(
        "model.product.product.search_read",
        &json!([[["name", "=", "Lamp 1"]], 0, 1, null, ["template"], context]),
    )[0];
    erp.rpc(
        "model.product.template.write",
        &json!([[product["template"]], { "name": "Lamp One" }, context]),
    );
    let party = &erp.rpc(
        "model.party.party.search_read",
        &json!([
            [["name", "=", "Berlin Trading 1"]],
            0,
            1,
            null,
            ["addresses"],
            context
        ]),
    )[0];
    erp.rpc(
        "model.party.address.write",
        &json!([party["addresses"], { "city": "Potsdam" }, context]),
    );
    let line = &erp.rpc(
        "model.sale.line.search_read",
        &json!([[["sale.reference", "=", "PO-1"]], 0, 1, null, ["sale"], context]),
    )[0];
    erp.rpc(
        "model.sale.line.write",
        &json!([[line["id"]], { "quantity": 12 }, context]),
    );
    // and in the org a product, an order, a line and somebody new
    let chair = only(&example, "SELECT Id FROM Product2 WHERE Name = 'Chair 2'");
    rest::patch_salesforce(&org, "Product2", &chair, &json!({ "Name": "Chair Two" }));
    let order = only(&example, "SELECT Id FROM Order WHERE PoNumber = 'PO-2'");
    rest::patch_salesforce(
        &org,
        "Order",
        &order,
        &json!({ "EffectiveDate": "2026-02-03", "Description": "By rail" }),
    );
    let items = example.query(&format!(
        "SELECT Id, UnitPrice, PricebookEntryId FROM OrderItem WHERE OrderId = '{order}'"
    ));
    assert_eq!(items.len(), 2, "{items:?}");
    rest::patch_salesforce(
        &org,
        "OrderItem",
        items[0]["Id"].as_str().unwrap(),
        &json!({ "UnitPrice": 7.25 }),
    );
    let item = json!({ "OrderId": order, "PricebookEntryId": items[1]["PricebookEntryId"], "Quantity": 3, "UnitPrice": 9.99 });
    rest::create_salesforce(&org, "OrderItem", &[item]);
    let account = only(&example, "SELECT Id FROM Account WHERE Name = 'Oslo Trading 2'");
    let person = json!({ "LastName": "Carter", "Email": "carter@trading2.example", "AccountId": account });
    rest::create_salesforce(&org, "Contact", &[person]);
    example.done(&["sync", "--yes"]);
    example.in_step(193);
    only(&example, "SELECT Id FROM Product2 WHERE Name = 'Lamp One'");
    only(&example, "SELECT Id FROM Account WHERE BillingCity = 'Potsdam'");
    only(&example, "SELECT Id FROM OrderItem WHERE Quantity = 12");
    let templates = erp.rpc(
        "model.product.template.search",
        &json!([[["name", "=", "Chair Two"]], 0, null, null, context]),
    );
    assert_eq!(templates.as_array().unwrap().len(), 1);
    let lines = erp.rpc(
        "model.sale.line.search_read",
        &json!([
            [["sale.reference", "=", "PO-2"]],
            0,
            null,
            [["id", "ASC"]],
            [
                "unit_price",
                "quantity",
                "product",
                "sale.sale_date",
                "sale.comment"
            ],
            context
        ]),
    );
    let prices: Vec<&str> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["unit_price"]["decimal"].as_str().unwrap())
        .collect();
    assert_eq!(prices.len(), 3, "{lines}");
    assert!(prices.contains(&"7.25") && prices.contains(&"9.99"), "{lines}");
    assert_eq!(lines[0]["sale."]["sale_date"]["month"], 2, "{lines}");
    assert_eq!(lines[0]["sale."]["comment"], "By rail");

    // WHEN somebody is deleted in the ERP, THEN the log proves it, and the org's contact goes, too
    let miller = erp.rpc(
        "model.party.contact_mechanism.search",
        &json!([
            [["value", "=", "miller3@trading3.example"]],
            0,
            null,
            null,
            context
        ]),
    );
    erp.rpc("model.party.contact_mechanism.delete", &json!([miller, context]));
    example.done(&["sync", "--yes"]);
    assert!(
        example
            .query("SELECT Id FROM Contact WHERE Email = 'miller3@trading3.example'")
            .is_empty()
    );
    example.in_step(192);

    // WHEN both edit the same, THEN the flow's rule decides, and it is told
    erp.rpc(
        "model.sale.line.write",
        &json!([[line["id"]], { "quantity": 7 }, context]),
    );
    let item = only(&example, "SELECT Id FROM OrderItem WHERE Quantity = 12");
    rest::patch_salesforce(&org, "OrderItem", &item, &json!({ "Quantity": 8 }));
    with_a_conflict(&example);
    example.in_step(192);
    only(&example, "SELECT Id FROM OrderItem WHERE Quantity = 7");
}

#[test]
#[ignore = "needs a server: clients/with-tryton"]
fn every_law_holds_for_tryton() {
    let (_, example) = tryton();
    let tested = example.run(&["connector", "test", "erp", "--write"]);
    println!("{}", tested.out);
    assert_eq!(tested.code, Some(0), "{}{}", tested.out, tested.err);
}

fn kinto() -> (Erp, Example) {
    let url = server("TANDEM_KINTO");
    let example = pointed("kinto", ("http://127.0.0.1:8888/v1", &url), "tandem");
    // `tandem` and its password, as a header carries them
    let headers = vec![("authorization", "Basic dGFuZGVtOnRhbmRlbS1zZWNyZXQ=".to_owned())];
    (Erp { url, headers }, example)
}

#[test]
#[ignore = "needs a server: clients/with-kinto"]
fn kinto_is_kept_in_step_both_ways() {
    let (erp, example) = kinto();
    let org = example.org.url.clone();
    example.done(&["check"]);
    synced_in_spite_of_a_kill(&example, 60);
    let record = |of: &str, id: &str| format!("/buckets/erp/collections/{of}/records/{id}");
    // WHEN either side is edited and each has somebody new, THEN all of it arrives on the other
    erp.send(
        Method::PATCH,
        &record("customers", "customer-1"),
        &json!({ "data": { "city": "Potsdam" } }),
    );
    erp.send(
        Method::PUT,
        &record("contacts", "new"),
        &json!({ "data": { "lastName": "Baker", "email": "b@baker.example" } }),
    );
    let account = only(&example, "SELECT Id FROM Account WHERE Name = 'Customer 2'");
    rest::patch_salesforce(&org, "Account", &account, &json!({ "Phone": "456" }));
    rest::create_salesforce(
        &org,
        "Contact",
        &[json!({ "LastName": "Carter", "Email": "c@carter.example", "AccountId": account })],
    );
    example.done(&["sync", "--yes"]);
    example.in_step(62);
    only(&example, "SELECT Id FROM Account WHERE BillingCity = 'Potsdam'");
    only(&example, "SELECT Id FROM Contact WHERE LastName = 'Baker'");
    assert_eq!(
        erp.ask(Method::GET, &record("customers", "customer-2"), None).0["data"]["phone"],
        "456"
    );
    let carter = erp
        .ask(
            Method::GET,
            "/buckets/erp/collections/contacts/records?lastName=Carter",
            None,
        )
        .0;
    assert_eq!(carter["data"][0]["customer"], "customer-2", "{carter}");
    // WHEN records are deleted on either side, THEN they go on the other: by a tombstone here
    erp.ask(Method::DELETE, &record("contacts", "contact-3"), None);
    let miller = only(&example, "SELECT Id FROM Contact WHERE LastName = 'Miller 4'");
    rest::delete_salesforce(&org, "Contact", &miller);
    example.done(&["sync", "--yes"]);
    assert!(
        example
            .query("SELECT Id FROM Contact WHERE LastName = 'Miller 3'")
            .is_empty()
    );
    let left = erp
        .ask(Method::GET, "/buckets/erp/collections/contacts/records", None)
        .0;
    assert!(
        left["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|contact| contact["id"] != "contact-4")
    );
    example.in_step(60);
    // WHEN both edit the same, THEN the later edit stays
    erp.send(
        Method::PATCH,
        &record("customers", "customer-5"),
        &json!({ "data": { "city": "Ulm" } }),
    );
    let account = only(&example, "SELECT Id FROM Account WHERE Name = 'Customer 5'");
    rest::patch_salesforce(&org, "Account", &account, &json!({ "BillingCity": "Bonn" }));
    with_a_conflict(&example);
    example.in_step(60);
}

#[test]
#[ignore = "needs a server: clients/with-kinto"]
fn every_law_holds_for_kinto() {
    let (_, example) = kinto();
    let tested = example.run(&["connector", "test", "erp", "--write"]);
    println!("{}", tested.out);
    assert_eq!(tested.code, Some(0), "{}{}", tested.out, tested.err);
}

fn pocketbase() -> (Erp, Example) {
    let url = server("TANDEM_POCKETBASE");
    let example = pointed(
        "pocketbase",
        ("http://127.0.0.1:8090", &url),
        "tandem@example.com",
    );
    example.edit("pocketbase.yaml", "compare_every: 1h", "compare_every: 0s");
    let mut erp = Erp {
        url: format!("{url}/api/collections"),
        headers: Vec::new(),
    };
    let login = json!({ "identity": "tandem@example.com", "password": "tandem-secret" });
    let signed_in = erp.send(Method::POST, "/_superusers/auth-with-password", &login);
    erp.headers
        .push(("authorization", signed_in["token"].as_str().unwrap().to_owned()));
    (erp, example)
}

#[test]
#[ignore = "needs a server: clients/with-pocketbase"]
fn pocketbase_is_kept_in_step_both_ways() {
    let (erp, example) = pocketbase();
    let org = example.org.url.clone();
    example.done(&["check"]);
    synced_in_spite_of_a_kill(&example, 60);
    let find = |of: &str, filter: &str| {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        erp.ask(Method::GET, &format!("/{of}/records?filter={filter}"), None)
            .0["items"][0]
            .clone()
    };
    let path = |of: &str, filter: &str| format!("/{of}/records/{}", find(of, filter)["id"].as_str().unwrap());
    // WHEN either side is edited and each has somebody new, THEN all of it arrives on the other
    erp.send(
        Method::PATCH,
        &path("customers", "name = 'Customer 1'"),
        &json!({ "city": "Potsdam" }),
    );
    erp.send(
        Method::POST,
        "/contacts/records",
        &json!({ "lastName": "Baker", "email": "b@baker.example" }),
    );
    let account = only(&example, "SELECT Id FROM Account WHERE Name = 'Customer 2'");
    rest::patch_salesforce(&org, "Account", &account, &json!({ "Phone": "456" }));
    rest::create_salesforce(
        &org,
        "Contact",
        &[json!({ "LastName": "Carter", "Email": "c@carter.example", "AccountId": account })],
    );
    example.done(&["sync", "--yes"]);
    example.in_step(62);
    only(&example, "SELECT Id FROM Account WHERE BillingCity = 'Potsdam'");
    only(&example, "SELECT Id FROM Contact WHERE LastName = 'Baker'");
    let second = find("customers", "name = 'Customer 2'");
    assert_eq!(second["phone"], "456");
    assert_eq!(find("contacts", "lastName = 'Carter'")["customer"], second["id"]);
    // WHEN records are deleted on either side, THEN they go on the other: a read by id proves it here
    erp.ask(Method::DELETE, &path("contacts", "lastName = 'Miller 3'"), None);
    let miller = only(&example, "SELECT Id FROM Contact WHERE LastName = 'Miller 4'");
    rest::delete_salesforce(&org, "Contact", &miller);
    example.done(&["sync", "--yes"]);
    assert!(
        example
            .query("SELECT Id FROM Contact WHERE LastName = 'Miller 3'")
            .is_empty()
    );
    assert!(find("contacts", "lastName = 'Miller 4'").is_null());
    example.in_step(60);
    // WHEN both edit the same, THEN the later edit stays
    erp.send(
        Method::PATCH,
        &path("customers", "name = 'Customer 5'"),
        &json!({ "city": "Ulm" }),
    );
    let account = only(&example, "SELECT Id FROM Account WHERE Name = 'Customer 5'");
    rest::patch_salesforce(&org, "Account", &account, &json!({ "BillingCity": "Bonn" }));
    with_a_conflict(&example);
    example.in_step(60);
}

#[test]
#[ignore = "needs a server: clients/with-pocketbase"]
fn every_law_holds_for_pocketbase() {
    let (_, example) = pocketbase();
    let tested = example.run(&["connector", "test", "erp", "--write"]);
    println!("{}", tested.out);
    assert_eq!(tested.code, Some(0), "{}{}", tested.out, tested.err);
}
