//! SOQL, as a client meets it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Org;

async fn filled() -> Org {
    let org = Org::new().await;
    for (name, revenue, rating, site) in [
        ("Alpha", json!(100), json!("Hot"), json!("100% north_west")),
        ("beta", json!(20.5), json!("Warm"), json!(null)),
        ("Gamma's", json!(null), json!(null), json!("1000 northXwest")),
    ] {
        org.add(
            "Account",
            json!({ "Name": name, "AnnualRevenue": revenue, "Rating": rating, "Site": site }),
        )
        .await;
    }
    org
}

#[tokio::test]
async fn conditions_select_rows() {
    let org = filled().await;
    for (condition, names) in [
        ("Name = 'ALPHA'", vec!["Alpha"]),
        ("Name = 'Gamma\\'s'", vec!["Gamma's"]),
        ("Name != 'alpha'", vec!["beta", "Gamma's"]),
        ("Rating = null", vec!["Gamma's"]),
        ("Rating != 'Hot'", vec!["beta", "Gamma's"]),
        ("Rating IN ('hot', 'Cold')", vec!["Alpha"]),
        ("Rating NOT IN ('Hot')", vec!["beta", "Gamma's"]),
        (
            "AnnualRevenue > 20.4 AND AnnualRevenue <= 100",
            vec!["Alpha", "beta"],
        ),
        ("AnnualRevenue < 1000", vec!["Alpha", "beta"]),
        ("NOT AnnualRevenue < 1000", vec!["Gamma's"]),
        ("Name LIKE 'a%' OR Name LIKE '_eta'", vec!["Alpha", "beta"]),
        ("Site LIKE '100\\% %'", vec!["Alpha"]),
        ("Site LIKE '%north\\_west'", vec!["Alpha"]),
        (
            "(Name = 'Alpha' AND Rating = 'Hot') OR Rating = 'Warm'",
            vec!["Alpha", "beta"],
        ),
        ("CreatedDate = TODAY", vec!["Alpha", "beta", "Gamma's"]),
        ("CreatedDate < LAST_N_DAYS:3", vec![]),
        (
            "CreatedDate >= 2020-01-01T00:00:00+02:00",
            vec!["Alpha", "beta", "Gamma's"],
        ),
        (
            "Owner.Username LIKE 'integration%' AND Parent.Name = null",
            vec!["Alpha", "beta", "Gamma's"],
        ),
        (
            "IsDeleted = false AND Id != null",
            vec!["Alpha", "beta", "Gamma's"],
        ),
    ] {
        let soql = format!("SELECT Name FROM Account WHERE {condition} ORDER BY Name");
        assert_eq!(org.names(&soql).await, names, "{condition}");
    }
}

#[tokio::test]
async fn rows_come_in_the_order_asked_for() {
    let org = filled().await;
    for (clause, names) in [
        ("ORDER BY Name DESC", ["Gamma's", "beta", "Alpha"]),
        ("ORDER BY AnnualRevenue", ["Gamma's", "beta", "Alpha"]),
        ("ORDER BY AnnualRevenue NULLS LAST", ["beta", "Alpha", "Gamma's"]),
        (
            "ORDER BY AnnualRevenue DESC NULLS LAST",
            ["Alpha", "beta", "Gamma's"],
        ),
        ("ORDER BY Owner.Name, Name ASC", ["Alpha", "beta", "Gamma's"]),
        ("ORDER BY SystemModstamp, Id", ["Alpha", "beta", "Gamma's"]),
    ] {
        assert_eq!(
            org.names(&format!("SELECT Name FROM Account {clause}")).await,
            names,
            "{clause}"
        );
    }
    assert_eq!(
        org.names("SELECT Name FROM Account ORDER BY Name LIMIT 1 OFFSET 1")
            .await,
        ["beta"]
    );
}

#[tokio::test]
async fn ids_are_compared_in_both_lengths() {
    let org = filled().await;
    let id = org.query("SELECT Id FROM Account WHERE Name = 'beta'").await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    for condition in [
        format!("Id = '{id}'"),
        format!("Id IN ('{}')", &id[..15]),
        format!("Id >= '{id}' AND Id <= '{id}'"),
    ] {
        assert_eq!(
            org.names(&format!("SELECT Name FROM Account WHERE {condition}"))
                .await,
            ["beta"],
            "{condition}"
        );
    }
    assert_eq!(
        org.names(&format!("SELECT Name FROM Account WHERE Id > '{id}'"))
            .await,
        ["Gamma's"]
    );
    let wrong = org
        .query_reply("SELECT Id FROM Account WHERE Id = 'nonsense'")
        .await;
    assert_eq!(wrong.code(), "INVALID_QUERY_FILTER_OPERATOR");
}

#[tokio::test]
async fn external_ids_are_told_apart_by_case() {
    let org = Org::new().await;
    for key in ["Customer:a", "Customer:A"] {
        org.add("Account", json!({ "Name": key, "Customerp_Id__c": key }))
            .await;
    }
    let soql = "SELECT Name FROM Account WHERE Customerp_Id__c IN ('Customer:A', 'customer:a')";
    assert_eq!(org.names(soql).await, ["Customer:A"]);
}

#[tokio::test]
async fn the_reply_has_its_shape() {
    let org = filled().await;
    let reply = org
        .query_reply("SELECT COUNT() FROM Account WHERE Name LIKE '%a%'")
        .await
        .body;
    assert_eq!(reply, json!({ "totalSize": 3, "done": true, "records": [] }));
    let reply = org
        .query_reply("SELECT a.Id, Account.Name, Owner.Name FROM Account a LIMIT 1")
        .await
        .body;
    let record = &reply["records"][0];
    assert_eq!(record["attributes"]["type"], "Account");
    assert!(
        record["attributes"]["url"]
            .as_str()
            .unwrap()
            .ends_with(record["Id"].as_str().unwrap())
    );
    assert_eq!(record["Owner"]["attributes"]["type"], "User");
    assert_eq!(record["Owner"]["Name"], "Integration User");
    let columns = org
        .get("query?q=SELECT+Id,Owner.Name+FROM+Account&columns=true")
        .await
        .body;
    assert_eq!(columns["columnMetadata"][1]["columnName"], "Owner.Name");
    let all = org
        .query_reply("SELECT FIELDS(ALL) FROM Account LIMIT 200")
        .await
        .body;
    assert!(all["records"][0].as_object().unwrap().len() > 60);
    let custom = org
        .query_reply("SELECT Id, FIELDS(CUSTOM) FROM Account LIMIT 1")
        .await
        .body;
    assert!(
        custom["records"][0]
            .as_object()
            .unwrap()
            .contains_key("Customerp_Id__c")
    );
}

/// The refusals of statements: code and words of the message.
async fn expect_refusals(org: &Org, refusals: &[(&str, &str, &str)]) {
    for (soql, code, words) in refusals {
        let reply = org.query_reply(soql).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::BAD_REQUEST, *code),
            "{soql}"
        );
        let message = reply.body[0]["message"].as_str().unwrap();
        assert!(message.contains(words), "{soql}\n{message}");
    }
}

#[tokio::test]
async fn refusals_name_the_place() {
    let org = filled().await;
    let refusals = [
        (
            "SELECT Foo FROM Account",
            "INVALID_FIELD",
            "ERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Account'.",
        ),
        (
            "SELECT Id FORM Account",
            "MALFORMED_QUERY",
            "ERROR at Row:1:Column:11\nunexpected token: 'FORM'",
        ),
        (
            "SELECT Id\nFROM Account\nWHERE",
            "MALFORMED_QUERY",
            "ERROR at Row:3:Column:6\nunexpected token: '<EOF>'",
        ),
        (
            "SELECT Id FROM Nothing",
            "INVALID_TYPE",
            "sObject type 'Nothing' is not supported.",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE AnnualRevenue = '5'",
            "INVALID_FIELD",
            "must be of type double and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate = 2024-01-01",
            "INVALID_FIELD",
            "must be of type dateTime",
        ),
        (
            "SELECT Id FROM Task WHERE Description = 'x'",
            "INVALID_FIELD",
            "field 'Description' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Task ORDER BY Description",
            "INVALID_FIELD",
            "field 'Description' can not be sorted in a query call",
        ),
    ];
    expect_refusals(&org, &refusals).await;
}

#[tokio::test]
async fn what_soql_has_and_the_local_org_lacks_is_refused_in_words() {
    let org = filled().await;
    let refusals = [
        (
            "SELECT Id FROM Account WHERE Owner.Foo = 'x'",
            "INVALID_FIELD",
            "No such column 'Foo' on entity 'User'.",
        ),
        (
            "SELECT Nobody.Name FROM Account",
            "INVALID_FIELD",
            "Didn't understand relationship 'Nobody' in field path.",
        ),
        (
            "SELECT FIELDS(ALL) FROM Account",
            "MALFORMED_QUERY",
            "must have a LIMIT of at most 200",
        ),
        (
            "SELECT Id, Id FROM Account",
            "MALFORMED_QUERY",
            "duplicate field selected: Id",
        ),
        (
            "SELECT Id, (SELECT Id FROM People) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'People' in FROM part",
        ),
        (
            "SELECT toLabel(Name) FROM Account",
            "MALFORMED_QUERY",
            "does not know the function toLabel",
        ),
        (
            "SELECT Name, Phone FROM Account GROUP BY Name",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Phone",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'a",
            "MALFORMED_QUERY",
            "unterminated string literal",
        ),
        (
            "SELECT Id FROM Account OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ),
        (
            "SELECT Id FROM Account WHERE Name > null",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator",
        ),
    ];
    expect_refusals(&org, &refusals).await;
    assert_eq!(org.get("query").await.code(), "MISSING_ARGUMENT");
    assert_eq!(
        org.get("query/01g0000000000000-200").await.code(),
        "INVALID_QUERY_LOCATOR"
    );
}

/// 2,100 contacts.
async fn crowd(org: &Org) {
    for batch in 0..11_usize {
        let count = if batch == 10 { 100 } else { 200 };
        let one = |n: usize| json!({ "attributes": { "type": "Contact" }, "LastName": format!("N{:05}", batch * 200 + n) });
        let records: Vec<Value> = (0..count).map(one).collect();
        org.call(Method::POST, "composite/sobjects", json!({ "records": records }))
            .await;
    }
}

#[tokio::test]
async fn long_results_come_in_pages() {
    let org = Org::new().await;
    crowd(&org).await;
    let soql = super::url_encode("SELECT Id, LastName FROM Contact ORDER BY LastName");
    let first = org.get(&format!("query?q={soql}")).await.body;
    assert_eq!(
        (&first["totalSize"], &first["done"]),
        (&json!(2_100), &json!(false))
    );
    assert_eq!(first["records"].as_array().unwrap().len(), 2_000);
    let second = org.get(first["nextRecordsUrl"].as_str().unwrap()).await.body;
    assert_eq!(
        (&second["done"], &second["records"][0]["LastName"]),
        (&json!(true), &json!("N02000"))
    );
    assert!(second.get("nextRecordsUrl").is_none());
    let small = [("Sforce-Query-Options", "batchSize=200")];
    let page = org
        .call_with(Method::GET, &format!("query?q={soql}"), &small, Value::Null)
        .await
        .body;
    assert_eq!(page["records"].as_array().unwrap().len(), 200);
    let address = page["nextRecordsUrl"].as_str().unwrap();
    let foreign = org.call_as("alice", Method::GET, address, Value::Null).await;
    assert_eq!(foreign.code(), "INVALID_QUERY_LOCATOR");
    org.advance(1_000).await;
    assert_eq!(org.get(address).await.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn a_keyset_over_the_stamp_reads_every_row_once() {
    let org = Org::new().await;
    crowd(&org).await;
    let (mut seen, mut condition) = (Vec::new(), "SystemModstamp >= 2020-01-01T00:00:00Z".to_owned());
    loop {
        let soql = format!(
            "SELECT Id, SystemModstamp FROM Contact WHERE {condition} ORDER BY SystemModstamp, Id LIMIT 500"
        );
        let page = org.query(&soql).await;
        let Some(last) = page.last() else { break };
        let (at, id) = (
            last["SystemModstamp"].as_str().unwrap(),
            last["Id"].as_str().unwrap(),
        );
        condition = format!("SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{id}')");
        seen.extend(
            page.iter()
                .map(|record| record["Id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen.len(), 2_100);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 2_100);
}
